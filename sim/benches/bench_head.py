"""Heads: sums in; activations, scores, errors and gradients out."""

import cocotb
import numpy as np
from cocotb.triggers import FallingEdge, ReadOnly

from golden_model import rule
from golden_model.draws import classifier
from golden_model.spec.formats import ReadoutFormat
from hdl.rtl.head import head
from sim.bench import Bench, Regime, Sink, clocks, start
from sim.benches.harness import Group, Watched, dense, folding, packed

HEADS = {
    "rom": (
        dense(9, 6, 5, feedback="sign-concordant", loss="squared-hinge", margin=100),
        folding(pe=4),
    ),
    "generator": (
        dense(9, 7, 3, loss="pairwise-hinge", margin=300, weight_bits=8),
        folding(pe=1, classifier_rom=False),
    ),
    "readout": (dense(9, 0, 5, readout=True, margin=100), folding(pe=4)),
}
SAMPLES = 8

BENCH = Bench(
    module=__name__,
    designs={"all": lambda: Watched(Group(**{name: head(*pair) for name, pair in HEADS.items()}))},
)


class Matrix:
    """Gives sums as a matrix would, and plays the rest of the layer."""

    def __init__(self, dut, component, name, regime) -> None:
        self.dut, self.name = dut, name
        self.layer, self.fold = HEADS[name]
        self.hidden = not isinstance(self.layer, ReadoutFormat)
        self.chance = np.random.default_rng(7)
        self.regime = regime
        if self.hidden:
            self.activations = Sink(dut, component, f"{name}_o", stall=regime.sink, seed=1)
        self.scores = Sink(dut, component, f"{name}_o_score", stall=regime.sink, seed=2)
        self.gradients = Sink(dut, component, f"{name}_o_gradient", stall=regime.sink, seed=3)
        self.any = None
        cocotb.start_soon(self._done())

    def port(self, name):
        return getattr(self.dut, f"{self.name}_{name}")

    async def _done(self):
        while True:
            await ReadOnly()
            if int(self.port("done").value):
                assert self.any is None, f"{self.name}: done twice"
                self.any = int(self.port("any").value)
            await FallingEdge(self.dut.clk)

    async def sums(self, accumulators):
        """Group by group, the next only after `release`."""
        pe, bits = self.fold.pe, self.layer.accumulator_bits
        padding = self.chance.integers(-(1 << (bits - 1)), 1 << (bits - 1), -len(accumulators) % pe)
        for group in np.concatenate([accumulators, padding]).reshape(-1, pe):
            while self.chance.random() < self.regime.source:
                await clocks(self.dut, 1)
            self.port("sums").value, self.port("sums_valid").value = packed(group, bits), 1
            await clocks(self.dut, 1)
            self.port("sums_valid").value = 0
            for _ in range(2000):
                await ReadOnly()
                released = int(self.port("release").value)
                await clocks(self.dut, 1)
                if released:
                    break
            else:
                raise AssertionError(f"{self.name}: never released")

    async def sample(self):
        layer, chance = self.layer, self.chance
        limit = 1 << (layer.accumulator_bits - 1)
        span = min(limit, 300 << layer.activation_shift)
        accumulators = chance.integers(-span, span, layer.units)
        one = 1 << layer.activation_shift
        corners = [-limit, limit - 1, one, one // 2, one // 2 - 1, 256 * one]  # 1 is active too
        chosen = chance.random(layer.units) < 0.4
        accumulators[chosen] = np.clip(chance.choice(corners, chosen.sum()), -limit, limit - 1)
        label, margin = int(chance.integers(layer.classes)), layer.margin
        self.port("label").value, self.port("margin").value = label, margin
        self.any = None
        await self.sums(accumulators)
        exact = accumulators.astype(np.float64)
        if self.hidden:
            activations = rule.activate(exact, layer.activation_shift)
            signs, feedback = classifier(layer)
            scores = activations @ signs
            assert await self.activations.take(layer.units) == activations.tolist()
        else:
            scores = rule.shift_right(exact, layer.activation_shift)
        assert await self.scores.take(layer.classes) == scores.tolist()
        error = rule.ERRORS[layer.loss](scores, label, margin, layer.error_shift)
        for _ in range(200):
            if self.any is not None:
                break
            await clocks(self.dut, 1)
        assert self.any == error.any()
        gradient = feedback @ error * (activations > 0) if self.hidden else error
        self.port("learn").value = 1
        await clocks(self.dut, 1)
        self.port("learn").value = 0
        padded = np.pad(gradient, (0, -layer.units % self.fold.pe))
        assert await self.gradients.take(len(padded)) == padded.tolist()
        # Those of a sample that is not learnt are never asked for.
        return error.any()

    async def run(self):
        learnt = [await self.sample() for _ in range(SAMPLES)]
        assert any(learnt), f"{self.name}: no sample had an error"


@cocotb.test()
@cocotb.parametrize(regime=list(Regime))
async def samples(dut, regime):
    component = BENCH.component()
    await start(dut, component)
    heads = [Matrix(dut, component, name, regime) for name in HEADS]
    for task in [cocotb.start_soon(item.run()) for item in heads]:
        await task
    assert not int(dut.collision.value)
