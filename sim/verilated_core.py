"""The cocotb side of sim.verilated: trains the core on the samples of a file."""

import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cocotb
import numpy as np
from amaranth.hdl import UnusedElaboratable
from cocotb.triggers import FallingEdge, ReadOnly, RisingEdge

from golden_model.spec.control import Counter
from golden_model.spec.formats import FullyConnected
from golden_model.spec.learner import Result, Weights
from hdl.rtl.core import Core
from sim import streams
from sim.bench import Sink, Source, start
from sim.record import Integers, collect
from sim.verilated import RECORD_VARIABLE, TASK_VARIABLE, Task


class LayerWatch:
    """Records which samples left updates in a layer, and the gradients handed over for them."""

    def __init__(self, clk: Any, layer: Any, format: FullyConnected, padded_units: int) -> None:
        self.clk, self.layer, self.format, self.padded = clk, layer, format, padded_units
        self.samples = 0
        self.updated: list[int] = []
        self.gradients: list[int] = []
        for signal, record in (
            (layer.taken, self._take),
            (layer.updated, self._update),
            (layer.probe_valid, self._hand_over),
        ):
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

    def _take(self) -> None:
        self.samples += 1

    def _update(self) -> None:
        self.updated.append(self.samples - 1)

    def _hand_over(self) -> None:
        self.gradients.append(self.layer.probe_d.value.to_signed())

    def by_sample(self) -> Integers:
        """d of every sample, shape ``[samples, units]``; 0 for those that left no update."""
        result = np.zeros((self.samples, self.format.units), np.int64)
        handed = np.array(self.gradients, np.int64).reshape(-1, self.padded)
        result[self.updated] = handed[:, : self.format.units]
        return result


class Finished:
    """A trained core whose values have been read, as sim.record wants to see them."""

    def __init__(self, task: Task) -> None:
        self.formats = task.schedule.formats
        self.weights: list[Weights] = []
        self.registers: dict[tuple[int, int], int] = {}
        self.watches: list[LayerWatch] = []

    def gradients(self) -> list[Integers]:
        """For each layer d of every sample."""
        return [watch.by_sample() for watch in self.watches]

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
    core, finished = Core(task.schedule), Finished(task)
    await start(dut, core)
    finished.watches = [
        LayerWatch(dut.clk, getattr(dut, layer.name), layer, folding.groups(layer) * folding.pe)
        for layer, folding in task.schedule.own
    ]
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
