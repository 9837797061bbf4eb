"""Weight access: every weight drawn once after a reset, then single weights read and written."""

import random
from collections import deque

import cocotb
import numpy as np
from cocotb.triggers import FallingEdge, ReadOnly

from golden_model.draws import initial_weights
from hdl.rtl.engine.matrix import NAME_TO_WRITE
from hdl.rtl.engine.weight_access import READ_LATENCY, VALUE_LATENCY, WeightAccess
from sim.bench import Bench, Regime, Sink, Source, clocks, start
from sim.benches.harness import Group, dense, folding, packed

LAYERS = {
    "narrow": (dense(5, 3, 2), folding()),
    "wide": (dense(9, 5, 3, weight_bits=12, seed=2), folding(pe=4, simd=2)),
    "deep": (dense(3, 9, 3, weight_bits=4, seed=3), folding(pe=2, simd=8)),
}

BENCH = Bench(
    module=__name__,
    designs={"all": lambda: Group(**{name: WeightAccess(*pair) for name, pair in LAYERS.items()})},
)


class Memory:
    """A weight memory in Python, filled with rubbish, behind the clocks that the matrix puts in.

    A word is read for as long as it is asked for; what is written takes its way through the lanes.
    """

    def __init__(self, dut, name) -> None:
        self.dut, self.name = dut, name
        self.layer, self.fold = LAYERS[name]
        self.chance = random.Random(name)
        words = self.fold.weight_words(self.layer)
        self.bits = self.layer.weight_bits
        self.words = np.array(
            [
                [self.chance.getrandbits(self.bits) for _ in range(self.fold.lanes)]
                for _ in range(words)
            ]
        )
        self.writes = 0
        """Writes of single lanes."""
        cocotb.start_soon(self._run())

    def port(self, name):
        return getattr(self.dut, f"{self.name}_{name}")

    async def _run(self):
        named = deque([(0, 0, 0)] * (NAME_TO_WRITE + 1), maxlen=NAME_TO_WRITE + 1)
        values = deque([0] * (NAME_TO_WRITE + 1 - VALUE_LATENCY), NAME_TO_WRITE + 1 - VALUE_LATENCY)
        while True:
            await ReadOnly()
            named.appendleft(
                (
                    int(self.port("address").value),
                    int(self.port("read").value),
                    int(self.port("write").value),
                )
            )
            values.appendleft(int(self.port("value").value))
            place, _, enables = named[-1]
            for lane in range(self.fold.lanes):
                if enables >> lane & 1:
                    self.words[place][lane] = values[-1]
                    self.writes += 1
            await FallingEdge(self.dut.clk)
            asked = [named[n] for n in range(READ_LATENCY)]
            answer = self.chance.getrandbits(self.bits * self.fold.lanes)
            if all(reads for _, reads, _ in asked):
                answer = packed(self.words[asked[-1][0]], self.bits)
            self.port("read_data").value = answer

    def weights(self):
        """What it holds, as the layer's weights."""
        fold, raw = self.fold, np.zeros((self.layer.units, self.layer.fan_in), int)
        for unit, place in np.ndindex(*raw.shape):
            address = unit // fold.pe * fold.words(self.layer) + place // fold.simd
            raw[unit, place] = self.words[address][unit % fold.pe * fold.simd + place % fold.simd]
        return raw - (raw >> (self.bits - 1) << self.bits)


@cocotb.test()
@cocotb.parametrize(name=list(LAYERS), regime=list(Regime))
async def accesses(dut, name, regime):
    component = BENCH.component()
    memory, layer = Memory(dut, name), LAYERS[name][0]
    await start(dut, component)
    while not int(memory.port("initialised").value):
        await clocks(dut, 1)
    await clocks(dut, NAME_TO_WRITE)
    expected = initial_weights(layer)
    assert np.array_equal(memory.weights(), expected)
    assert memory.writes >= layer.weight_count  # some may have happened under reset

    source = Source(dut, component, f"{name}_i", stall=regime.source, seed=1)
    sink = Sink(dut, component, f"{name}_o", stall=regime.sink, seed=2)
    answers, limit, chance = [], 1 << (layer.weight_bits - 1), random.Random(5)
    for _ in range(60):
        unit, place = chance.randrange(layer.units), chance.randrange(layer.fan_in)
        write, value = chance.getrandbits(1), chance.randrange(-limit, limit)
        source.send({"unit": unit, "input": place, "write": write, "value": value & 0xFFFF})
        if write:
            expected[unit, place] = value
        else:
            answers.append(int(expected[unit, place]))
    assert await sink.take(len(answers)) == answers
    await source.sent()
    await clocks(dut, NAME_TO_WRITE + 3)
    assert np.array_equal(memory.weights(), expected)
