"""What is recorded of the engines inside a simulated core."""

from itertools import chain
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from golden_model.spec.formats import FullyConnected
from hdl.passes.sharing import EngineTable, SharedFolding
from hdl.passes.stages import Folding
from sim.cxxrtl import Agent, Simulation
from sim.updates import Change, Entries, Integers, from_entries, from_gradients

SHARED = "shared"
"""What a core calls the engine that layers share."""
PROBES = (
    "w:probe_*",
    "w:taken",
    "w:updated",
    "w:*_taken",
    "w:*_judged",
    "w:*_updated",
)
"""Signals that must be there to look at, see :class:`sim.cxxrtl.Simulation`."""


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
        self.layer, self.padded = layer, folding.groups(layer) * folding.pe
        watch, name = simulation.watch, layer.name
        self.taken = watch(f"{name}.taken", [])
        self.updated = watch(f"{name}.updated", [])
        self.gradients = watch(f"{name}.probe_valid", [f"{name}.probe_d"])

    def starts(self) -> list[Integers]:
        """Of its one layer."""
        return [_clocks(self.taken)]

    def changes(self) -> list[Change]:
        """Of its one layer; a sample is changed by what was handed over before the next start."""
        taken, updated = _clocks(self.taken), _clocks(self.updated)
        handed = _signed(self.gradients.rows[:, 0], self.layer.gradient_bits)
        assert len(handed) == self.padded * len(updated), "not every gradient was handed over once"
        sample = np.searchsorted(taken, updated, side="right") - 1
        return [from_gradients(self.layer, len(taken), sample, handed.reshape(len(updated), -1))]

    def retire(self) -> None:
        """Take them out."""
        for agent in (self.taken, self.updated, self.gradients):
            agent.retire()


class _Seen(NamedTuple):
    """Clock and layer of each entry, shape ``[n]``, and its other columns, ``[n, 3 + 2 * pe]``."""

    clocks: Integers
    layer: Integers
    columns: Integers


class SharedProbes:
    """Of the engine that layers share."""

    def __init__(self, simulation: Simulation, table: EngineTable, folding: SharedFolding) -> None:
        self.table, self.pe = table, folding.pe
        names = [row.format.name for row in table.rows]

        def watched(event: str) -> list[Agent]:
            return [simulation.watch(f"{SHARED}.{name}_{event}", []) for name in names]

        self.taken, self.judged, self.updated = map(watched, ("taken", "judged", "updated"))
        lanes = [[f"probe_{what}{o}" for o in range(folding.pe)] for what in ("d", "place")]
        columns = ["probe_layer", "probe_group", "probe_row", "probe_column", *chain(*lanes)]
        columns = [f"{SHARED}.{name}" for name in columns]
        self.entries: Agent | None = None
        if folding.learns:
            self.bits = simulation.width(f"{SHARED}.probe_d0")
            self.entries = simulation.watch(f"{SHARED}.probe_valid", columns)

    def starts(self) -> list[Integers]:
        """Of each layer in order."""
        return [*map(_clocks, self.taken)]

    def changes(self) -> list[Change]:
        """Of each layer in order; its samples are judged in order, and updates follow."""
        seen = self._entries()
        changes = []
        for number, row in enumerate(self.table.rows):
            judged, updated = (_clocks(of[number]) for of in (self.judged, self.updated))
            ours = seen.layer == number
            update = np.searchsorted(updated, seen.clocks[ours]) - 1
            entries = Entries.of(update, seen.columns[ours])
            sample = np.searchsorted(judged, updated)
            changes.append(from_entries(row, len(judged), sample, entries))
        return changes

    def _entries(self) -> _Seen:
        """Of all layers."""
        if self.entries is None:
            none = np.zeros(0, np.int64)
            return _Seen(none, none, np.zeros((0, 3 + 2 * self.pe), np.int64))
        rows = self.entries.rows.astype(np.int64)
        gradients = slice(4, 4 + self.pe)
        rows[:, gradients] = _signed(rows[:, gradients], self.bits)
        return _Seen(_clocks(self.entries), rows[:, 0], rows[:, 1:])

    def retire(self) -> None:
        """Take them out."""
        for agent in (*self.taken, *self.judged, *self.updated):
            agent.retire()
        if self.entries is not None:
            self.entries.retire()


def _signed(raw: NDArray[np.integer[Any]], bits: int) -> Integers:
    up = 64 - bits
    signed: Integers = (raw.astype(np.int64) << up) >> up
    return signed


def _clocks(agent: Agent) -> Integers:
    return agent.clocks.astype(np.int64)
