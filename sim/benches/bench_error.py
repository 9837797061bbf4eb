"""Error units: all three losses, scores on and beside every bound."""

import random

import cocotb
import numpy as np
from cocotb.triggers import RisingEdge

from golden_model import rule
from golden_model.spec.network import Loss
from hdl.rtl.error import local_error
from sim.bench import Bench, Regime, Source, clocks, start
from sim.benches.harness import Group, Watched, dense, put, signed_of

LAYERS = {
    f"{loss.name.lower()}_{units}_{classes}": dense(3, units, classes, loss=loss, error_shift=shift)
    for loss in Loss
    for units, classes, shift in ((1, 2, 0), (1, 3, 2), (12, 10, 4), (40, 5, 1))
}
SAMPLES = 20

BENCH = Bench(
    module=__name__,
    designs={
        "all": lambda: Watched(
            Group(**{name: local_error(layer) for name, layer in LAYERS.items()})
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

    def __init__(self, dut, component, name, stall) -> None:
        self.dut, self.name, self.layer = dut, name, LAYERS[name]
        self.source = Source(dut, component, f"{name}_i", stall=stall)
        self.chance = random.Random(name)

    def port(self, name):
        return getattr(self.dut, f"{self.name}_{name}")

    async def sample(self):
        layer, chance = self.layer, self.chance
        label = chance.randrange(layer.classes)
        margin = chance.choice([0, 1, layer.margin_max, chance.randrange(layer.margin_max + 1)])
        margin = min(margin, layer.margin_max)
        scores = random_scores(chance, layer, margin)
        self.port("label").value, self.port("margin").value = label, margin
        self.source.send(*scores)
        for _ in range(1000):
            await RisingEdge(self.dut.clk)
            if int(self.port("done").value):
                break
        else:
            raise AssertionError(f"{self.name}: not done")
        expected = rule.ERRORS[layer.loss](
            np.array(scores, np.float64), label, margin, layer.error_shift
        )
        what = f"{self.name}: scores {scores}, label {label}, margin {margin}"
        assert int(self.port("any").value) == expected.any(), what
        await clocks(self.dut, 1)
        assert not int(self.port("done").value)
        self.port("label").value = chance.randrange(layer.classes)
        order = [*range(layer.classes), *range(layer.classes)]
        chance.shuffle(order)
        for class_ in order:
            self.port("address").value, self.port("fetch").value = class_, 1
            await clocks(self.dut, 1)
            self.port("fetch").value = 0
            put(self.port("address"), chance.randrange(layer.classes))
            await clocks(self.dut, chance.randrange(2))
            assert signed_of(self.port("e")) == expected[class_], f"{what}, class {class_}"
        assert int(self.port("any").value) == expected.any(), what

    async def run(self):
        for _ in range(SAMPLES):
            await self.sample()


@cocotb.test()
@cocotb.parametrize(regime=[Regime.FLOWING, Regime.STALLED_SOURCE])
async def errors(dut, regime):
    component = BENCH.component()
    await start(dut, component)
    units = [ErrorUnit(dut, component, name, regime.source) for name in LAYERS]
    for task in [cocotb.start_soon(unit.run()) for unit in units]:
        await task
    assert not int(dut.collision.value)
