"""Whole layers: every trace of the golden layer, sample by sample."""

from collections import Counter as Counted

import cocotb
import numpy as np
from cocotb.triggers import FallingEdge, ReadOnly

from golden_model.engine import LAYERS
from golden_model.spec.control import Activity, Counter, Register
from hdl.rtl.engine.layer import Layer
from hdl.rtl.ports import EVENTS
from sim.bench import Bench, Regime, Sink, Source, reached, start
from sim.benches.harness import Group, Watched, dense, folding

BENCHED = {
    "hidden": (
        dense(7, 7, 3, seed=5, margin=20, rate_shift=3, loss="pairwise-hinge"),
        folding(pe=2, simd=2, classifier_rom=False),
    ),
    "spram": (
        dense(
            5, 7, 4, seed=8, margin=100, rate_shift=2, feedback="sign-concordant", weight_bits=10,
            coding="signed",
        ),
        folding(pe=1, simd=4, single_port=True, clear_slot=True),
    ),
    "sparse": (
        dense(9, 6, 3, seed=5, margin=20, rate_shift=2, loss="pairwise-hinge", coding="signed"),
        folding(pe=2, simd=2, single_port=True, skip_zeros=True),
    ),
    "parallel": (
        dense(11, 9, 4, seed=2, margin=20, rate_shift=1),
        folding(pe=1, simd=1, skip_zeros=True, parallel_classes=True, classifier_rom=False),
    ),
    "inference": (
        dense(9, 6, 3, seed=5, margin=20),
        folding(pe=2, simd=2, skip_zeros=True, parallel_classes=True, learns=False),
    ),
    "readout": (
        dense(6, 0, 3, readout=True, margin=100, rate_shift=4, loss="squared-hinge"),
        folding(pe=4, simd=1, hard_update=False),
    ),
}  # fmt: skip
BURST, REPEATS = 4, 12
STATES = (Activity.BUSY, Activity.WAITING, Activity.BLOCKED)
"""Of which a layer is in one at most."""

BENCH = Bench(
    module=__name__,
    designs={
        "all": lambda: Watched(Group(**{name: Layer(*pair) for name, pair in BENCHED.items()}))
    },
)


class Around:
    """The neighbours of a layer, and its golden twin."""

    def __init__(self, dut, component, name, regime) -> None:
        self.dut, self.name = dut, name
        self.layer, self.fold = BENCHED[name]
        self.golden = LAYERS[type(self.layer)](self.layer)
        self.chance = np.random.default_rng(3)
        self.source = Source(dut, component, f"{name}_i", stall=regime.source, seed=1)
        self.scores = Sink(dut, component, f"{name}_o_score", stall=regime.sink, seed=2)
        self.activations = Sink(dut, component, f"{name}_o", stall=regime.sink, seed=3)
        self.requests = Source(dut, component, f"{name}_i_weight", seed=4)
        self.answers = Sink(dut, component, f"{name}_o_weight", stall=regime.sink, seed=5)
        self.taken = self.updated = 0
        self.words = Counted()
        """Clocks with each word of events."""
        self.gradients: list[int] = []
        cocotb.start_soon(self._probe())

    def port(self, name):
        return getattr(self.dut, f"{self.name}_{name}")

    async def _probe(self):
        names = ("taken", "updated", "events", "probe_valid", "probe_d")
        taken, updated, events, probe_valid, probe_d = map(self.port, names)
        while True:
            await ReadOnly()
            self.taken += int(taken.value)
            self.updated += int(updated.value)
            self.words[int(events.value)] += 1
            if int(probe_valid.value):
                self.gradients.append(probe_d.value.to_signed())
            await FallingEdge(self.dut.clk)

    async def idle(self):
        await reached(self.dut, self.port("idle"))

    async def drained(self):
        """Apply the pending update and compare all weights."""
        self.port("drain").value = 1
        await self.idle()
        units, fan_in = self.layer.units, self.layer.fan_in
        self.requests.send(
            *({"unit": u, "input": n, "write": 0, "value": 0} for u, n in np.ndindex(units, fan_in))
        )
        found = np.reshape(await self.answers.take(units * fan_in), (units, fan_in))
        await self.idle()
        assert np.array_equal(found, self.golden.read_weights()), f"{self.name}: weights"
        self.port("drain").value = 0

    def samples(self, count):
        """Random samples, some without a label."""
        layer, chance = self.layer, self.chance
        for _ in range(count):
            x = chance.integers(0, 256, layer.inputs) - 128 * layer.signed_input
            x[chance.random(layer.inputs) < 0.4] = 0
            if self.fold.skip_zeros:
                x[slice(*sorted(chance.integers(0, layer.inputs, 2)))] = 0
            yield x, int(chance.integers(layer.classes)), int(chance.random() < 0.8)

    def send(self, x, label, learn):
        """Queue a sample; returns what must come of it."""
        self.source.send(*({"x": int(value) & 0xFF, "label": label, "learn": learn} for value in x))
        self.golden.send(x, label if learn and self.fold.learns else None)
        return self.golden.trace(), label, learn

    async def judge(self, trace, label, learn):
        """Scores and activations of a sample, with its label beside them."""
        assert await self.scores.take(self.layer.classes) == trace.scores.tolist(), self.name
        if not self.layer.reads_out:
            for beat, h in zip(
                await self.activations.take(self.layer.units), trace.activations, strict=True
            ):
                assert beat == {"x": h, "label": label, "learn": learn}, self.name

    def set_register(self, register, value):
        self.golden.write_register(register, value)
        names = {Register.RATE_SHIFT: "rate", Register.MARGIN: "margin", Register.LEARN: "learn"}
        self.port(names[register]).value = value

    def counted(self, samples, updates):
        """Events of samples to the last one; of words at least what they must be."""
        counts, words = dict.fromkeys(EVENTS, 0), self.fold.weight_words(self.layer)
        for word, number in self.words.items():
            happens = {event: word >> n & 1 for n, event in enumerate(EVENTS)}
            assert sum(happens[state] for state in STATES) <= 1, f"{self.name}: {happens}"
            for event, now in happens.items():
                counts[event] += now * number
        assert counts[Counter.SAMPLES] == samples, self.name
        assert counts[Counter.UPDATES] == updates, self.name
        assert counts[Counter.UNCHANGED] == samples - updates, self.name
        read, written = counts[Activity.WORDS_READ], counts[Activity.WORDS_WRITTEN]
        assert counts[Activity.BUSY] > read
        if not self.fold.skip_zeros:
            assert written == updates * words, self.name
            assert samples * words <= read <= (samples + updates) * words, self.name

    async def run(self):
        layer = self.layer
        defaults = {
            Register.RATE_SHIFT: layer.rate_shift,
            Register.MARGIN: layer.margin,
            Register.LEARN: 1,
        }
        for register, value in defaults.items():
            self.set_register(register, value)
        await self.idle()
        await self.drained()
        traces = []
        for burst in range(4):
            chosen = list(self.samples(BURST))
            if burst == 0:  # the same again and again, until nothing is left to learn
                chosen = [(*chosen[0][:2], 1)] * REPEATS
            traces += (new := [self.send(*sample) for sample in chosen])
            for item in new:
                await self.judge(*item)
            await self.drained()
            if burst == 0 and self.fold.learns:
                assert not new[-1][0].pending, f"{self.name}: there is always something to learn"
            self.set_register(Register.RATE_SHIFT, int(self.chance.integers(layer.rate_shift_max)))
            self.set_register(Register.MARGIN, int(self.chance.integers(1, layer.margin_max)))
            self.set_register(Register.LEARN, int(burst != 2))
        pending = [trace for trace, _, _ in traces if trace.pending]
        assert bool(pending) == self.fold.learns, f"{self.name}: nothing was learnt"
        assert (self.taken, self.updated) == (len(traces), len(pending)), self.name
        self.counted(len(traces), len(pending))
        padding = [0] * (-layer.units % self.fold.pe)
        expected = [d for trace in pending for d in [*trace.gradient.tolist(), *padding]]
        assert self.gradients == expected, f"{self.name}: gradients"
        assert self.activations.untaken() == self.scores.untaken() == []


@cocotb.test()
@cocotb.parametrize(regime=list(Regime))
async def samples(dut, regime):
    component = BENCH.component()
    await start(dut, component)
    layers = [Around(dut, component, name, regime) for name in BENCHED]
    for task in [cocotb.start_soon(layer.run()) for layer in layers]:
        await task
    assert not int(dut.collision.value), "a memory was read where it was written"
