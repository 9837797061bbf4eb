"""The cocotb side of sim.verilated: trains the core on the samples of a file."""

import os
import pickle
from pathlib import Path
from typing import Any, NamedTuple

import cocotb
import numpy as np
from amaranth.hdl import UnusedElaboratable
from cocotb.triggers import FallingEdge, ReadOnly, RisingEdge
from cocotb.utils import get_sim_time

from golden_model.spec.control import Counter
from golden_model.spec.formats import FullyConnected
from golden_model.spec.learner import Result, Weights
from hdl.passes.sharing import EngineTable, SharedFolding
from hdl.passes.stages import Folding
from hdl.rtl.core import Core
from sim import streams
from sim.bench import Sink, Source, start
from sim.probes import SHARED, probe_columns
from sim.record import Integers, collect
from sim.updates import Change, entries_of, of_own_engine, of_shared_engine
from sim.verilated import RECORD_VARIABLE, TASK_VARIABLE, Task


class Seen(NamedTuple):
    """When a signal was 1, and what others then were."""

    times: list[int]
    rows: list[list[Any]]


class Watch:
    """Looks at signals in each clock in which they are 1."""

    def __init__(self, clk: Any) -> None:
        self.clk = clk

    def on(self, signal: Any, *columns: Any) -> Seen:
        """When `signal` is 1, and the values that `columns` then have."""
        seen = Seen([], [])
        cocotb.start_soon(self._run(signal, columns, seen))
        return seen

    async def _run(self, signal: Any, columns: tuple[Any, ...], seen: Seen) -> None:
        while True:
            await FallingEdge(self.clk)
            await ReadOnly()
            if int(signal.value):
                seen.times.append(int(get_sim_time("step")))
                seen.rows.append([column.value for column in columns])
            else:
                # None of them depends on an input of the same clock: a rise is a register's.
                await RisingEdge(signal)


class OwnWatch(Watch):
    """Which samples left updates in a layer's own engine, and the gradients handed over then."""

    def __init__(self, clk: Any, engine: Any, layer: FullyConnected, folding: Folding) -> None:
        super().__init__(clk)
        self.layer, self.folding = layer, folding
        self.taken, self.updated = self.on(engine.taken), self.on(engine.updated)
        self.gradients = self.on(engine.probe_valid, engine.probe_d)

    def changes(self) -> list[Change]:
        """What its one layer was changed by."""
        handed = [d.to_signed() for (d,) in self.gradients.rows]
        times = self.taken.times, self.updated.times
        return [of_own_engine(self.layer, self.folding, *times, handed)]


class SharedWatch(Watch):
    """The same of an engine that layers share, and which places won."""

    def __init__(self, clk: Any, engine: Any, table: EngineTable, folding: SharedFolding) -> None:
        super().__init__(clk)
        self.table, self.pe = table, folding.pe
        self.judged, self.updated = (
            [self.on(getattr(engine, f"{row.format.name}_{event}")) for row in table.rows]
            for event in ("judged", "updated")
        )
        self.entries = Seen([], [])
        if folding.learns:
            columns = [getattr(engine, name) for name in probe_columns(folding.pe)]
            self.entries = self.on(engine.probe_valid, *columns)

    def changes(self) -> list[Change]:
        """What each of its layers was changed by."""
        signed = range(4, 4 + self.pe)
        rows = [
            [value.to_signed() if n in signed else int(value) for n, value in enumerate(row)]
            for row in self.entries.rows
        ]
        entries = entries_of(self.entries.times, rows, self.pe)
        judged, updated = ([seen.times for seen in of] for of in (self.judged, self.updated))
        return of_shared_engine(self.table, judged, updated, entries)


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
