"""Error units: all three losses, scores on and beside every bound, entries kept in both ways."""

import random

import cocotb
import numpy as np
from cocotb.triggers import ReadOnly

from golden_model import rule
from golden_model.spec.network import Loss
from hdl.rtl.head.error import local_error
from sim.bench import Bench, Regime, clocks, start
from sim.benches.harness import Group, Watched, dense, lanes_of, put, signed_of

UNITS = {
    f"{loss.name.lower()}_{units}_{classes}{'_parallel' * parallel}": (
        dense(3, units, classes, loss=loss, error_shift=shift),
        parallel,
    )
    for loss in Loss
    for units, classes, shift in ((1, 2, 0), (1, 3, 2), (12, 10, 4), (40, 5, 1))
    for parallel in (False, True)
}
"""Format, and whether all entries are given at once."""
SAMPLES = 25
LATENCY = 2
"""Clocks from the last score to `done`."""

BENCH = Bench(
    module=__name__,
    designs={
        "all": lambda: Watched(
            Group(**{name: local_error(layer, parallel=p) for name, (layer, p) in UNITS.items()})
        )
    },
)


def random_scores(chance, layer, margin):
    """Scores anywhere, at the extremes, or within one of a bound of the loss."""
    limit = 1 << (layer.score_bits - 1)
    centre = chance.randrange(-limit, limit)
    step = 1 << layer.error_shift
    near = [margin, -margin, 0, centre, centre - margin, centre + margin, 127 * step, 128 * step]
    scores = []
    for _ in range(layer.classes):
        value = chance.choice([*near, -limit, limit - 1, chance.randrange(-limit, limit)])
        value += chance.choice([-1, 0, 0, 1])
        scores.append(min(max(value, -limit), limit - 1))
    return scores


class ErrorUnit:
    """One unit and the ports of it."""

    def __init__(self, dut, name, stall) -> None:
        self.dut, self.name, self.stall = dut, name, stall
        self.layer, self.parallel = UNITS[name]
        self.chance = random.Random(name)

    def port(self, name):
        return getattr(self.dut, f"{self.name}_{name}")

    async def clock(self, score=None, class_=0, *, done=False):
        """A clock with a score or without, in which `done` must be as said."""
        self.port("score_valid").value = score is not None
        rubbish = self.chance.getrandbits(self.layer.score_bits)
        put(self.port("score"), rubbish if score is None else score)
        put(self.port("class_"), class_)
        await ReadOnly()
        assert int(self.port("done").value) == done, self.name
        any_ = int(self.port("any").value)
        await clocks(self.dut, 1)
        return any_

    async def sample(self):
        layer, chance = self.layer, self.chance
        label, learn = chance.randrange(layer.classes), chance.random() < 0.8
        margin = chance.choice([0, 1, layer.margin_max, chance.randrange(layer.margin_max + 1)])
        margin = min(margin, layer.margin_max)
        scores = random_scores(chance, layer, margin)
        self.port("label").value, self.port("margin").value = label, margin
        put(self.port("label_score"), scores[label])
        self.port("learn").value = learn
        await self.clock()  # the label's score stands a clock before the first
        for class_, score in enumerate(scores):
            while chance.random() < self.stall:
                await self.clock()
            await self.clock(score, class_)
        for _ in range(LATENCY - 1):
            await self.clock()
        any_ = await self.clock(done=learn)
        self.port("label").value = chance.randrange(layer.classes)
        put(self.port("label_score"), chance.getrandbits(layer.score_bits))
        if learn:
            errors = rule.ERRORS[layer.loss]
            exact = np.array(scores, np.float64)
            expected = errors(exact, label, margin, layer.error_shift).tolist()
            what = f"{self.name}: scores {scores}, label {label}, margin {margin}"
            assert any_ == any(expected), what
            await self.kept(expected, what)

    async def kept(self, expected, what):
        """Every entry, as often as one likes, until the next scores come."""
        classes = self.layer.classes
        order = [*range(classes), *range(classes)]
        self.chance.shuffle(order)
        for class_ in order:
            if self.parallel:
                await self.clock()
                found = lanes_of(self.port("errors"), classes, signed=True)
                assert found == expected, what
                continue
            self.port("address").value, self.port("fetch").value = class_, 1
            await self.clock()
            self.port("fetch").value = 0
            put(self.port("address"), self.chance.randrange(classes))
            for _ in range(self.chance.randrange(2)):
                await self.clock()
            assert signed_of(self.port("e")) == expected[class_], f"{what}, class {class_}"

    async def run(self):
        for _ in range(SAMPLES):
            await self.sample()


@cocotb.test()
@cocotb.parametrize(regime=[Regime.FLOWING, Regime.STALLED_SOURCE])
async def errors(dut, regime):
    await start(dut, BENCH.component())
    units = [ErrorUnit(dut, name, regime.source) for name in UNITS]
    for task in [cocotb.start_soon(unit.run()) for unit in units]:
        await task
    assert not int(dut.collision.value)
