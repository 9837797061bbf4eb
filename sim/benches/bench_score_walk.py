"""Score walk: scores handed out in order of class, the label's read first where it is needed."""

import random

import cocotb
from cocotb.triggers import FallingEdge, ReadOnly

from golden_model.spec.network import Loss
from hdl.rtl.head.score_walk import ScoreWalk
from sim.bench import Bench, Regime, Sink, clocks, start
from sim.benches.harness import Group, dense, put, signed_of

LAYERS = {
    f"{loss.name.lower()}_{classes}": dense(3, 4, classes, loss=loss)
    for loss in (Loss.HINGE, Loss.PAIRWISE_HINGE)
    for classes in (2, 3, 10)
}
SAMPLES = 12
LATENCY = 3
"""Clocks from `start` to the first score, one more where the label's is read before."""

BENCH = Bench(
    module=__name__,
    designs={"all": lambda: Group(**{n: ScoreWalk(layer) for n, layer in LAYERS.items()})},
)


class Classifier:
    """Keeps the scores, one clock after they are asked for, and starts the walk."""

    def __init__(self, dut, component, name, regime) -> None:
        self.dut, self.name, self.regime = dut, name, regime
        self.layer = LAYERS[name]
        self.pairwise = self.layer.loss is Loss.PAIRWISE_HINGE
        self.chance = random.Random(name)
        self.sink = Sink(dut, component, f"{name}_o", stall=regime.sink)
        self.scores = [0] * self.layer.classes
        cocotb.start_soon(self._answer())

    def port(self, name):
        return getattr(self.dut, f"{self.name}_{name}")

    async def _answer(self):
        """Like a memory; what it shows stays until it is asked again."""
        while True:
            await ReadOnly()
            fetch, address = int(self.port("fetch").value), int(self.port("address").value)
            assert not fetch or int(self.port("busy").value), "read while the scores may change"
            await FallingEdge(self.dut.clk)
            if fetch:
                put(self.port("score"), self.scores[address])

    async def sample(self):
        classes, limit = self.layer.classes, 1 << (self.layer.score_bits - 1)
        label = self.chance.randrange(classes)
        self.scores = [self.chance.randrange(-limit, limit) for _ in range(classes)]
        self.port("start").value, self.port("label").value = 1, label
        left, offered, clock = 0, [], 0
        while left < classes:
            await ReadOnly()
            assert int(self.port("busy").value), f"{self.name}: not busy"
            if int(self.sink.valid.value):
                offered.append(clock)
                assert int(self.port("class_").value) == left, self.name
            if self.pairwise and clock >= LATENCY:
                assert signed_of(self.port("label_score")) == self.scores[label], self.name
            left += int(self.sink.valid.value) and int(self.sink.ready.value)
            await clocks(self.dut, 1)
            self.port("start").value, clock = 0, clock + 1
            assert clock < 1000, f"{self.name}: {left} of {classes} scores"
        first = LATENCY + self.pairwise
        assert offered[0] == first, self.name
        if not self.regime.sink:
            assert offered == [*range(first, first + classes)], self.name
        assert await self.sink.take(classes) == self.scores, self.name
        assert not int(self.port("busy").value), self.name
        self.scores = [0] * classes

    async def run(self):
        for _ in range(SAMPLES):
            await self.sample()
            while self.chance.random() < self.regime.source:
                await clocks(self.dut, 1)
        assert self.sink.untaken() == []


@cocotb.test()
@cocotb.parametrize(regime=list(Regime))
async def scores(dut, regime):
    """`start` comes at once or after a while, and scores are taken at once or not."""
    component = BENCH.component()
    await start(dut, component)
    walks = [Classifier(dut, component, name, regime) for name in LAYERS]
    await FallingEdge(dut.clk)
    for task in [cocotb.start_soon(walk.run()) for walk in walks]:
        await task
