"""Sample buffer: the newest sample and the one before, while the next comes in."""

import random

import cocotb
import numpy as np
from cocotb.triggers import FallingEdge, ReadOnly

from golden_model.spec.formats import ACTIVATION_MAX
from hdl.passes.cycles import FILL
from hdl.rtl.engine.sample_buffer import SampleBuffer
from sim.bench import Bench, Regime, Source, clocks, start
from sim.benches.harness import Group, Watched, lanes_of

SHAPES = [(1, 1, 3), (1, 4, 3), (5, 1, 3), (7, 4, 3), (8, 8, 3), (13, 2, 3), (9, 2, 2), (1, 1, 2)]
"""Inputs, SIMD and pages; with two of them there is no sample before the newest."""
BIASES = (ACTIVATION_MAX, 64)
"""Of buffers with even numbers, and with odd ones, which hold two's complement."""
SAMPLES = 12

BENCH = Bench(
    module=__name__,
    designs={
        "all": lambda: Watched(
            Group(
                **{
                    f"buffer{n}": SampleBuffer(
                        inputs=i, simd=s, bias=BIASES[n % 2], pages=p, signed=n % 2 == 1
                    )
                    for n, (i, s, p) in enumerate(SHAPES)
                }
            )
        )
    },
)


class Buffer:
    """One of the buffers: its ports and what it should hold."""

    def __init__(self, dut, component, number, stall) -> None:
        self.dut, self.name = dut, f"buffer{number}"
        self.inputs, self.simd, self.pages = SHAPES[number]
        self.signed = number % 2 == 1
        self.bias = BIASES[number % 2]
        self.chance = np.random.default_rng(number)
        self.source = Source(dut, component, f"{self.name}_i", stall=stall)
        self.newest = self.previous = None
        self.groups: list[tuple[int, bool]] = []
        """Groups of the sample that comes in, with their flags."""
        cocotb.start_soon(self._watch())

    def port(self, name):
        return getattr(self.dut, f"{self.name}_{name}")

    async def _watch(self):
        """Note groups; behind the last, some clocks pass before the sample is full."""
        last_group, closing = (self.inputs - 1) // self.simd, False
        while True:
            await ReadOnly()
            for _ in range(FILL - 1 if closing else 0):
                roles = self.port("full"), self.source.ready, self.port("group_valid")
                found = [int(role.value) for role in roles]
                assert found == [0, 0, 0], f"{self.name}: no clock to list"
                await FallingEdge(self.dut.clk)
                await ReadOnly()
            assert not closing or int(self.port("full").value), f"{self.name}: not full"
            closing = False
            if int(self.port("group_valid").value):
                group = int(self.port("group").value)
                self.groups.append((group, bool(int(self.port("group_nonzero").value))))
                closing = group == last_group
            await FallingEdge(self.dut.clk)

    def flags(self, sample):
        """Each group of the inputs alone and whether it has one that is not 0."""
        padded = np.pad(sample, (0, -len(sample) % self.simd)).reshape(-1, self.simd)
        return list(enumerate(padded.any(axis=1).tolist()))

    async def pulse(self, name):
        self.port(name).value = 1
        await clocks(self.dut, 1)
        self.port(name).value = 0

    async def compare(self):
        """Both pages, word by word, bias and padding included."""
        for address in range(-(-(self.inputs + 1) // self.simd)):
            self.port("address").value = address
            await clocks(self.dut, 1)
            part = slice(address * self.simd, (address + 1) * self.simd)
            shown = {"newest": self.newest, "previous": self.previous}
            for port, sample in [*shown.items()][: self.pages - 1]:
                if sample is not None:
                    found = lanes_of(self.port(port), self.simd, signed=self.signed)
                    assert found == sample[part].tolist(), f"{self.name}, word {address}: {port}"

    def padded(self, sample):
        padding = np.zeros(self.simd, int)
        return np.concatenate([sample, [self.bias], padding])

    async def run(self):
        samples = self.chance.integers(0, 256, (SAMPLES, self.inputs)) - 128 * self.signed
        samples[self.chance.random(samples.shape) < 0.6] = 0
        labels, learns = self.chance.integers(0, 256, SAMPLES), self.chance.integers(0, 2, SAMPLES)
        assert int(self.port("empty").value)
        for sample, label, learn in zip(samples, labels, learns, strict=True):
            self.source.send(
                *({"x": int(x) & 0xFF, "label": int(label), "learn": int(learn)} for x in sample)
            )
        for sample, label, learn in zip(samples, labels, learns, strict=True):
            while not int(self.port("full").value):
                await clocks(self.dut, 1)
            beats = self.source.beats
            await clocks(self.dut, 3)
            assert self.source.beats == beats, f"{self.name} took a beat while full"
            assert not int(self.port("empty").value)
            found = int(self.port("label").value), int(self.port("learn").value)
            assert found == (label, learn), self.name
            assert self.groups == self.flags(sample), f"{self.name}: groups"
            self.groups.clear()
            await self.pulse("advance")
            self.newest, self.previous = self.padded(sample), self.newest
            await self.compare()
            if self.pages == 3 and self.chance.random() < 0.3:
                await self.pulse("repeat")
                self.previous = self.newest
                await self.compare()
        assert int(self.port("empty").value)


@cocotb.test()
@cocotb.parametrize(regime=[Regime.FLOWING, Regime.STALLED_SOURCE])
async def pages(dut, regime):
    """All buffers at once; a sample that comes in does not disturb those that are read."""
    component = BENCH.component()
    await start(dut, component)
    buffers = [Buffer(dut, component, n, regime.source) for n in range(len(SHAPES))]
    for task in [cocotb.start_soon(buffer.run()) for buffer in buffers]:
        await task
    assert not int(dut.collision.value), "a page was read where it was written"


@cocotb.test()
async def empty(dut):
    """One activation is enough for not being empty."""
    component = BENCH.component()
    await start(dut, component)
    buffer = Buffer(dut, component, 2, 0.0)
    buffer.source.send({"x": random.randrange(256), "label": 0, "learn": 0})
    await buffer.source.sent()
    await clocks(dut, 1)
    assert not int(dut.buffer2_empty.value)
    assert not int(dut.buffer2_full.value)
