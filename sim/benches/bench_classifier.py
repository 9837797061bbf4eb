"""Random classifier: activations in, the golden model's scores out, one class or all at once."""

import random

import cocotb
import numpy as np
from cocotb.triggers import FallingEdge

from golden_model.draws import classifier as draws_of
from hdl.rtl.head.classifier import classifier
from sim.bench import Bench, Regime, Source, clocks, start
from sim.benches.classifier_draws import ClassifierDraws
from sim.benches.harness import Group, Watched, dense, signed_of, tag

UNITS = {
    f"{'parallel' if parallel else 'serial'}{n}": (dense(3, units, classes, seed=n), parallel)
    for n, (units, classes) in enumerate([(1, 2), (1, 5), (6, 2), (9, 10), (5, 3)])
    for parallel in (False, True)
}
"""Format, and whether all classes are added at once."""
SAMPLES = 6

BENCH = Bench(
    module=__name__,
    designs={
        "all": lambda: Watched(
            Group(**{n: classifier(layer, parallel=p) for n, (layer, p) in UNITS.items()})
        )
    },
)


class Reader:
    """Feeds one unit and reads its scores, as the score walk does, before the next sample."""

    def __init__(self, dut, component, name, regime) -> None:
        self.dut, self.name, self.regime = dut, name, regime
        self.layer, parallel = UNITS[name]
        self.per_unit = 1 if parallel else self.layer.classes
        self.chance = random.Random(name)
        self.source = Source(dut, component, f"{name}_i", stall=regime.source, seed=1)
        ClassifierDraws(dut, name, self.layer, bits=1)

    def port(self, name):
        return getattr(self.dut, f"{self.name}_{name}")

    async def scored(self):
        """Wait for it; `classes` clocks per unit, or one, unless the source stalls."""
        count = 0
        while not int(self.port("scored").value):
            count += 1
            assert count < 10_000, f"{self.name}: never scored"
            await clocks(self.dut, 1)
        if not self.regime.source:
            assert count == self.layer.units * self.per_unit, self.name

    async def read(self, expected):
        """All scores, in any order and some twice, with pauses if the sink stalls."""
        order = [*range(self.layer.classes), *range(self.layer.classes)]
        self.chance.shuffle(order)
        for class_ in order:
            await clocks(self.dut, 1)
            while self.chance.random() < self.regime.sink:
                await clocks(self.dut, 1)
            self.port("address").value, self.port("fetch").value = class_, 1
            await clocks(self.dut, 1)
            self.port("fetch").value = 0
            self.port("address").value = self.chance.randrange(self.layer.classes)
            assert signed_of(self.port("score")) == expected[class_], f"{self.name}, {class_}"

    async def run(self):
        layer, chance = self.layer, np.random.default_rng(5)
        activations = chance.integers(0, 256, (SAMPLES, layer.units))
        activations[0], activations[1] = 255, 0
        expected = activations @ draws_of(layer)[0]
        tags = [tag(layer, self.chance.randrange(layer.classes), n % 2) for n in range(SAMPLES)]
        self.port("reading").value = 1
        self.source.send(*activations.ravel().tolist())
        await clocks(self.dut, 5)
        for number in range(SAMPLES):
            assert self.source.beats == number * layer.units, f"{self.name}: taken while reading"
            self.port("reading").value, self.port("i_tag").value = 0, tags[number]
            await self.scored()
            self.port("reading").value = 1
            self.port("i_tag").value = tags[number] ^ 1
            await self.read(expected[number].tolist())
            assert int(self.port("tag").value) == tags[number], self.name
            assert not int(self.port("scored").value)


@cocotb.test()
@cocotb.parametrize(regime=list(Regime))
async def scores(dut, regime):
    component = BENCH.component()
    await start(dut, component)
    readers = [Reader(dut, component, name, regime) for name in UNITS]
    await FallingEdge(dut.clk)
    for task in [cocotb.start_soon(reader.run()) for reader in readers]:
        await task
    assert not int(dut.collision.value)
