"""What is recorded of the engines inside a simulated core."""

from itertools import chain
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from golden_model.spec.formats import FullyConnected
from hdl.passes.sharing import EngineTable, SharedFolding
from hdl.passes.stages import Folding
from sim.cxxrtl import Agent, Simulation
from sim.updates import Change, Integers, entries_of, of_own_engine, of_shared_engine

SHARED = "shared"
"""What a core calls the engine that layers share."""
PROBES = (
    "w:probe_*",
    *(f"w:{of}{event}" for event in ("taken", "judged", "updated") for of in ("", "*_")),
)
"""Signals that must be there to look at, see :class:`sim.cxxrtl.Simulation`."""


def probe_columns(pe: int) -> list[str]:
    """Signals of a shared engine that tell an entry, see :func:`sim.updates.entries_of`."""
    place = [f"probe_{of}" for of in ("layer", "group", "row", "column")]
    return [*place, *(f"probe_{of}{o}" for of in ("d", "place") for o in range(pe))]


class EngineProbes(Protocol):
    """Of one engine, since they were put in."""

    def starts(self) -> list[Integers]:
        """Clocks in which each of its layers took each sample."""

    def changes(self) -> list[Change]:
        """What each of its layers was changed by."""

    def retire(self) -> None:
        """Take them out."""


class OwnProbes:
    """Of a layer with an engine of its own."""

    def __init__(self, simulation: Simulation, layer: FullyConnected, folding: Folding) -> None:
        self.layer, self.folding = layer, folding
        watch, name = simulation.watch, layer.name
        self.taken = watch(f"{name}.taken", [])
        self.updated = watch(f"{name}.updated", [])
        self.gradients = watch(f"{name}.probe_valid", [f"{name}.probe_d"])

    def starts(self) -> list[Integers]:
        """Of its one layer."""
        return [_clocks(self.taken)]

    def changes(self) -> list[Change]:
        """Of its one layer."""
        taken, updated = _clocks(self.taken), _clocks(self.updated)
        handed = _signed(self.gradients.rows[:, 0], self.layer.gradient_bits)
        return [of_own_engine(self.layer, self.folding, taken, updated, handed)]

    def retire(self) -> None:
        """Take them out."""
        for agent in (self.taken, self.updated, self.gradients):
            agent.retire()


class SharedProbes:
    """Of the engine that layers share."""

    def __init__(self, simulation: Simulation, table: EngineTable, folding: SharedFolding) -> None:
        self.table, self.pe = table, folding.pe
        names = [f"{SHARED}.{row.format.name}" for row in table.rows]
        self.taken, self.judged, self.updated = (
            [simulation.watch(f"{name}_{event}", []) for name in names]
            for event in ("taken", "judged", "updated")
        )
        self.entries: Agent | None = None
        if folding.learns:
            self.bits = simulation.width(f"{SHARED}.probe_d0")
            columns = [f"{SHARED}.{name}" for name in probe_columns(folding.pe)]
            self.entries = simulation.watch(f"{SHARED}.probe_valid", columns)

    def starts(self) -> list[Integers]:
        """Of each layer in order."""
        return [*map(_clocks, self.taken)]

    def changes(self) -> list[Change]:
        """Of each layer in order."""
        judged, updated = ([*map(_clocks, agents)] for agents in (self.judged, self.updated))
        clocks = rows = np.zeros(0, np.int64)
        if self.entries is not None:
            clocks, rows = _clocks(self.entries), self.entries.rows.astype(np.int64)
            gradients = slice(4, 4 + self.pe)
            rows[:, gradients] = _signed(rows[:, gradients], self.bits)
        return of_shared_engine(self.table, judged, updated, entries_of(clocks, rows, self.pe))

    def retire(self) -> None:
        """Take them out."""
        own: list[Agent] = [] if self.entries is None else [self.entries]
        for agent in chain(self.taken, self.judged, self.updated, own):
            agent.retire()


def _signed(raw: NDArray[np.integer[Any]], bits: int) -> Integers:
    up = 64 - bits
    signed: Integers = (raw.astype(np.int64) << up) >> up
    return signed


def _clocks(agent: Agent) -> Integers:
    return agent.clocks.astype(np.int64)
