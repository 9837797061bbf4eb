"""Heads: sums in; activations, scores, errors and gradients out, one sample close upon another."""

import cocotb
import numpy as np
from cocotb.triggers import FallingEdge, ReadOnly

from golden_model import rule
from golden_model.draws import classifier
from hdl.rtl.head.layer_head import head
from sim.bench import Bench, Regime, Sink, clocks, start
from sim.benches.harness import Group, Watched, dense, folding, packed, tag

HEADS = {
    "rom": (
        dense(9, 6, 5, feedback="sign-concordant", loss="squared-hinge", margin=100),
        folding(pe=4),
    ),
    "generator": (
        dense(9, 7, 3, loss="pairwise-hinge", margin=300, weight_bits=8),
        folding(pe=1, classifier_rom=False),
    ),
    "parallel": (
        dense(9, 6, 4, loss="pairwise-hinge", margin=300),
        folding(pe=4, parallel_classes=True),
    ),
    "parallel_generator": (
        dense(9, 5, 10, feedback="sign-concordant", margin=200),
        folding(pe=2, parallel_classes=True, classifier_rom=False),
    ),
    "inference": (dense(9, 6, 4), folding(pe=2, parallel_classes=True, learns=False)),
    "readout": (dense(9, 0, 5, readout=True, margin=100), folding(pe=4)),
    "readout_inference": (dense(9, 0, 3, readout=True), folding(pe=1, learns=False)),
}
SAMPLES = 16

BENCH = Bench(
    module=__name__,
    designs={"all": lambda: Watched(Group(**{name: head(*pair) for name, pair in HEADS.items()}))},
)


class Matrix:
    """Gives sums as a matrix would, and plays the rest of the layer.

    Behind a sample that is not learnt the next one's sums follow at once. Gradients are taken
    ahead of the groups that need them.
    """

    def __init__(self, dut, component, name, regime) -> None:
        self.dut, self.name = dut, name
        self.layer, self.fold = HEADS[name]
        self.hidden = not self.layer.reads_out
        self.chance = np.random.default_rng(7)
        self.regime = regime
        self.scores = Sink(dut, component, f"{name}_o_score", stall=regime.sink, seed=2)
        self.wanted_scores: list[int] = []
        if self.hidden:
            self.activations = Sink(dut, component, f"{name}_o", stall=regime.sink, seed=1)
        self.wanted_activations: list[int] = []
        self.tags: list[int] = []
        """Of each activation that was handed on."""
        self.wanted_tags: list[int] = []
        if self.fold.learns:
            self.gradients = Sink(dut, component, f"{name}_o_gradient", stall=regime.sink, seed=3)
            self.port("margin").value = self.layer.margin
        self.wanted_gradients: list[int] = []
        self.labelled = 0
        self.scored = self.dones = 0
        cocotb.start_soon(self._watch())

    def port(self, name):
        return getattr(self.dut, f"{self.name}_{name}")

    async def _watch(self):
        """Tags beside activations; `scored` with the last score of a sample."""
        classes = self.layer.classes
        while True:
            await ReadOnly()
            if self.hidden and int(self.activations.valid.value & self.activations.ready.value):
                self.tags.append(int(self.port("o_tag").value))
            self.scored += int(self.port("scored").value)
            self.dones += self.fold.learns and int(self.port("done").value)
            await FallingEdge(self.dut.clk)
            assert self.scored == self.scores.beats // classes, f"{self.name}: scored"

    async def sums(self, accumulators, own_tag):
        """Group by group, the next only after `release`."""
        pe, bits = self.fold.pe, self.layer.accumulator_bits
        padding = self.chance.integers(-(1 << (bits - 1)), 1 << (bits - 1), -len(accumulators) % pe)
        needed = len(self.wanted_gradients) - len(accumulators) - len(padding)
        for number, group in enumerate(np.concatenate([accumulators, padding]).reshape(-1, pe)):
            while self.wanted_gradients and self.gradients.beats < needed + (number + 1) * pe:
                await clocks(self.dut, 1)
            while self.chance.random() < self.regime.source:
                await clocks(self.dut, 1)
            self.port("sums").value, self.port("sums_valid").value = packed(group, bits), 1
            self.port("tag").value = own_tag if number == 0 else own_tag ^ 1
            await ReadOnly()
            assert int(self.port("begun").value) == (number == 0), self.name
            await clocks(self.dut, 1)
            self.port("sums_valid").value, self.port("tag").value = 0, own_tag ^ 1
            for _ in range(2000):
                await ReadOnly()
                released = int(self.port("release").value)
                await clocks(self.dut, 1)
                if released:
                    break
            else:
                raise AssertionError(f"{self.name}: never released")

    def accumulators(self):
        """Sums at random and at the corners of the activation."""
        layer, chance = self.layer, self.chance
        limit = 1 << (layer.accumulator_bits - 1)
        span = min(limit, 300 << layer.activation_shift)
        accumulators = chance.integers(-span, span, layer.units)
        one = 1 << layer.activation_shift
        corners = [-limit, limit - 1, one, one // 2, one // 2 - 1, 256 * one]  # 1 is active too
        chosen = chance.random(layer.units) < 0.4
        accumulators[chosen] = np.clip(chance.choice(corners, chosen.sum()), -limit, limit - 1)
        return accumulators

    async def sample(self):
        layer, accumulators = self.layer, self.accumulators()
        label, learn = int(self.chance.integers(layer.classes)), int(self.chance.random() < 0.6)
        await self.sums(accumulators, tag(layer, label, learn))
        exact = accumulators.astype(np.float64)
        if self.hidden:
            activations = rule.activate(exact, layer.activation_shift)
            signs, feedback = classifier(layer)
            scores = activations @ signs
            self.wanted_activations += activations.tolist()
            self.wanted_tags += [tag(layer, label, learn)] * layer.units
        else:
            scores = rule.shift_right(exact, layer.activation_shift)
        self.wanted_scores += scores.tolist()
        if not (learn and self.fold.learns):
            return False
        self.labelled += 1
        error = rule.ERRORS[layer.loss](scores, label, layer.margin, layer.error_shift)
        await self.judged(error.any())
        gradient = feedback @ error * (activations > 0) if self.hidden else error
        if error.any():
            padded = np.pad(gradient, (0, -layer.units % self.fold.pe))
            self.wanted_gradients += padded.tolist()
        return error.any()

    async def judged(self, expected):
        """Wait for `done`; ask for gradients in the same clock, if there are any."""
        for _ in range(1000):
            if int(self.port("done").value):
                assert int(self.port("any").value) == expected, self.name
                self.port("learn").value = int(expected)
                await clocks(self.dut, 1)
                self.port("learn").value = 0
                return
            await clocks(self.dut, 1)
        raise AssertionError(f"{self.name}: never done")

    async def run(self):
        learnt = [await self.sample() for _ in range(SAMPLES)]
        assert self.dones == self.labelled, f"{self.name}: done"
        assert any(learnt) == self.fold.learns, f"{self.name}: no sample had an error"
        assert await self.scores.take(len(self.wanted_scores)) == self.wanted_scores, self.name
        if self.hidden:
            found = await self.activations.take(len(self.wanted_activations))
            assert found == self.wanted_activations, self.name
            assert self.tags == self.wanted_tags, f"{self.name}: tags"
        if self.fold.learns:
            found = await self.gradients.take(len(self.wanted_gradients))
            assert found == self.wanted_gradients, f"{self.name}: gradients"
            await clocks(self.dut, 50)
            assert self.gradients.untaken() == [], f"{self.name}: gradients of no sample"
        assert self.scored == SAMPLES, self.name


@cocotb.test()
@cocotb.parametrize(regime=list(Regime))
async def samples(dut, regime):
    component = BENCH.component()
    await start(dut, component)
    heads = [Matrix(dut, component, name, regime) for name in HEADS]
    for task in [cocotb.start_soon(item.run()) for item in heads]:
        await task
    assert not int(dut.collision.value)
