"""The cocotb side of sim.verilated: trains the core on the samples of a file."""

import os
import pickle
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import cocotb
import numpy as np
from amaranth.hdl import UnusedElaboratable
from cocotb.triggers import FallingEdge, ReadOnly, RisingEdge

from golden_model.spec.control import Counter
from golden_model.spec.formats import FullyConnected
from golden_model.spec.learner import Result, Weights
from hdl.passes.sharing import EngineTable, SharedFolding
from hdl.passes.stages import Folding
from hdl.rtl.core import Core
from sim import streams
from sim.bench import Sink, Source, start
from sim.probes import SHARED
from sim.record import Integers, collect
from sim.updates import Change, Entries, from_entries, from_gradients
from sim.verilated import RECORD_VARIABLE, TASK_VARIABLE, Task


class EventWatch:
    """Looks at signals in each clock in which they are 1."""

    def __init__(self, clk: Any, events: Mapping[Any, Callable[[], None]]) -> None:
        self.clk = clk
        for signal, record in events.items():
            cocotb.start_soon(self._run(signal, record))

    async def _run(self, signal: Any, record: Callable[[], None]) -> None:
        """Call `record` in each clock before whose end `signal` is 1."""
        while True:
            await FallingEdge(self.clk)
            await ReadOnly()
            if int(signal.value):
                record()
            else:
                # None of them depends on an input of the same clock: a rise is a register's.
                await RisingEdge(signal)


class OwnWatch(EventWatch):
    """Which samples left updates in a layer's own engine, and the gradients handed over then."""

    def __init__(self, clk: Any, engine: Any, layer: FullyConnected, folding: Folding) -> None:
        self.engine, self.layer = engine, layer
        self.padded = folding.groups(layer) * folding.pe
        self.samples = 0
        self.updated: list[int] = []
        self.gradients: list[int] = []
        events = {
            engine.taken: self._take,
            engine.updated: self._update,
            engine.probe_valid: self._hand_over,
        }
        super().__init__(clk, events)

    def _take(self) -> None:
        self.samples += 1

    def _update(self) -> None:
        self.updated.append(self.samples - 1)

    def _hand_over(self) -> None:
        self.gradients.append(self.engine.probe_d.value.to_signed())

    def changes(self) -> list[Change]:
        """What its one layer was changed by."""
        handed = np.array(self.gradients, np.int64).reshape(-1, self.padded)
        updated = np.array(self.updated, np.int64)
        return [from_gradients(self.layer, self.samples, updated, handed)]


class SharedWatch(EventWatch):
    """The same of an engine that layers share, and which places won."""

    def __init__(self, clk: Any, engine: Any, table: EngineTable, folding: SharedFolding) -> None:
        self.engine, self.table, self.pe = engine, table, folding.pe
        self.judged = [0] * len(table.rows)
        self.updated: list[list[int]] = [[] for _ in table.rows]
        self.entries: list[list[list[int]]] = [[] for _ in table.rows]
        names = [row.format.name for row in table.rows]
        self.changed = [getattr(engine, f"{name}_updated") for name in names]
        events: dict[Any, Callable[[], None]] = {
            getattr(engine, f"{name}_judged"): partial(self._judge, number)
            for number, name in enumerate(names)
        }
        if folding.learns:
            events[engine.probe_valid] = self._enter
        super().__init__(clk, events)

    def _judge(self, layer: int) -> None:
        if int(self.changed[layer].value):
            self.updated[layer].append(self.judged[layer])
        self.judged[layer] += 1

    def _enter(self) -> None:
        """A window with a learner, as :class:`sim.updates.Entries` wants it, behind its update."""
        engine, lanes = self.engine, range(self.pe)
        place = [int(getattr(engine, f"probe_{of}").value) for of in ("group", "row", "column")]
        gradients = [getattr(engine, f"probe_d{o}").value.to_signed() for o in lanes]
        places = [int(getattr(engine, f"probe_place{o}").value) for o in lanes]
        layer = int(engine.probe_layer.value)
        update = len(self.updated[layer]) - 1
        self.entries[layer].append([update, *place, *gradients, *places])

    def changes(self) -> list[Change]:
        """What each of its layers was changed by."""
        changes = []
        for number, row in enumerate(self.table.rows):
            seen = np.array(self.entries[number], np.int64).reshape(-1, 1 + 3 + 2 * self.pe)
            entries = Entries.of(seen[:, 0], seen[:, 1:])
            updated = np.array(self.updated[number], np.int64)
            changes.append(from_entries(row, self.judged[number], updated, entries))
        return changes


class Finished:
    """A trained core whose values have been read, as sim.record wants to see them."""

    def __init__(self, task: Task) -> None:
        self.formats = task.schedule.formats
        self.weights: list[Weights] = []
        self.registers: dict[tuple[int, int], int] = {}
        self.watches: list[OwnWatch | SharedWatch] = []

    def gradients(self) -> list[Integers]:
        """For each layer d of every sample."""
        return [change.gradients for watch in self.watches for change in watch.changes()]

    def winners(self) -> list[Integers]:
        """For each layer the winners of every sample."""
        return [change.winners for watch in self.watches for change in watch.changes()]

    def read_weights(self, layer: int) -> Weights:
        """A layer's weights, shape ``[units, inputs + 1]``."""
        return self.weights[layer]

    def read_register(self, layer: int, number: int) -> int:
        """A counter."""
        return self.registers[layer, number]


@cocotb.test()  # type: ignore[untyped-decorator]
async def train(dut: Any) -> None:
    """Train, read everything back, write the record."""
    task = pickle.loads(Path(os.environ[TASK_VARIABLE]).read_bytes())
    assert isinstance(task, Task)
    UnusedElaboratable._MustUse__silence = True  # only its ports are wanted here
    schedule = task.schedule
    core, finished = Core(schedule), Finished(task)
    await start(dut, core)
    for layer, folding in schedule.own:
        finished.watches.append(OwnWatch(dut.clk, getattr(dut, layer.name), layer, folding))
    if schedule.shared is not None and schedule.table is not None:
        engine = getattr(dut, SHARED)
        finished.watches.append(SharedWatch(dut.clk, engine, schedule.table, schedule.shared))
    results = await _answers(dut, core, task)
    dut.drain.value = 1
    await _idle(dut)
    await _read(dut, core, finished)
    record = collect(finished, results)  # type: ignore[arg-type]  # no more is asked of it
    Path(os.environ[RECORD_VARIABLE]).write_bytes(pickle.dumps(record))


async def _answers(dut: Any, core: Core, task: Task) -> list[Result]:
    source, sink = Source(dut, core, "i"), Sink(dut, core, "o")
    inputs, classes = task.samples.shape[1], task.schedule.formats.network.classes
    x, label = task.samples.ravel(), task.labels.repeat(inputs)
    source.send_raw(streams.pack(source.shape, x=x, label=label, learn=1))
    results = []
    for _ in task.samples:
        beats = await sink.take(classes, limit=10_000_000)
        scores = np.array([beat["score"] for beat in beats], np.int64)
        results.append(Result(predicted=beats[-1]["best"], scores=scores))
    return results


async def _idle(dut: Any) -> None:
    while not int(dut.idle.value):
        await FallingEdge(dut.clk)
        await ReadOnly()


async def _read(dut: Any, core: Core, finished: Finished) -> None:
    """Weights and counters of every layer."""
    request, answer = Source(dut, core, "i_weight"), Sink(dut, core, "o_weight")
    numbers, values = Source(dut, core, "i_register"), Sink(dut, core, "o_register")
    for index, layer in enumerate(finished.formats.layers):
        unit, place = np.indices((layer.units, layer.fan_in)).reshape(2, -1)
        read = streams.pack(request.shape, layer=index, unit=unit, input=place, write=0, value=0)
        request.send_raw(read)
        found = await answer.take(layer.weight_count, limit=10_000_000)
        finished.weights.append(np.array(found, np.int32).reshape(layer.units, layer.fan_in))
        for number in Counter:
            numbers.send({"layer": index, "number": int(number), "write": 0, "value": 0})
            (finished.registers[index, int(number)],) = await values.take(1)
