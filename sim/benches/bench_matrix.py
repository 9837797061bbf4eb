"""Matrix: sums of a sample while the update of the one before is applied on the way."""

import cocotb
import numpy as np
from cocotb.triggers import FallingEdge, ReadOnly

from golden_model import rule
from golden_model.draws import Dither, initial_weights
from golden_model.spec.network import Rounding
from hdl.passes.cycles import every_word, nonzero_words
from hdl.rtl.engine.matrix import Matrix
from sim.bench import Bench, Regime, Sink, Source, any_rises, clocks, reached, start
from sim.benches.harness import Group, Watched, dense, folding, lanes_of

MATRICES = {
    "plain": (dense(6, 5, 3), folding(pe=2, simd=2)),
    "spram": (
        dense(7, 3, 4, weight_bits=8, loss="squared-hinge", seed=3),
        folding(pe=1, simd=4, single_port=True, clear_slot=True),
    ),
    "soft": (
        dense(3, 4, 3, weight_bits=6, seed=4, coding="signed"),
        folding(pe=4, simd=1, hard_forward=False, hard_update=False),
    ),
    "turns": (
        dense(6, 7, 3, seed=7, coding="signed"),
        folding(pe=4, single_port=True, clear_slot=True),
    ),
    "sparse_turns": (
        dense(17, 3, 3, weight_bits=12, seed=8),
        folding(pe=2, simd=2, single_port=True, skip_zeros=True),
    ),
    "sparse": (dense(9, 5, 3, seed=5), folding(pe=2, simd=2, skip_zeros=True)),
    "sparse_spram": (
        dense(8, 3, 4, weight_bits=8, seed=6, coding="signed"),
        folding(pe=1, simd=1, single_port=True, clear_slot=True, skip_zeros=True),
    ),
    "stochastic": (
        dense(7, 6, 3, weight_bits=8, seed=9, rounding="stochastic"),
        folding(pe=4, simd=2, single_port=True),
    ),
    "sparse_stochastic": (
        dense(18, 5, 3, weight_bits=12, seed=10, rounding="stochastic", coding="signed"),
        folding(pe=2, simd=2, skip_zeros=True, slow_memory=True),
    ),
    "inference": (dense(6, 5, 3, coding="signed"), folding(pe=2, simd=2, learns=False)),
    "sparse_inference": (
        dense(19, 5, 3),
        folding(pe=1, simd=2, skip_zeros=True, single_port=True, learns=False),
    ),
}
SWEEPS = 9

BENCH = Bench(
    module=__name__,
    designs={
        "all": lambda: Watched(Group(**{name: Matrix(*pair) for name, pair in MATRICES.items()}))
    },
)


class Control:
    """Plays the rest of a layer, with gradients at random, and keeps the golden weights."""

    def __init__(self, dut, component, name, regime) -> None:
        self.dut, self.name = dut, name
        self.layer, self.fold = MATRICES[name]
        self.chance = np.random.default_rng(11)
        self.stall = regime.sink
        self.source = Source(dut, component, f"{name}_i", stall=regime.source, seed=1)
        if self.fold.learns:
            stall = regime.source
            self.gradients = Source(dut, component, f"{name}_i_gradient", stall=stall, seed=2)
        self.requests = Source(dut, component, f"{name}_i_weight", stall=regime.source, seed=3)
        self.answers = Sink(dut, component, f"{name}_o_weight", stall=regime.sink, seed=4)
        self.weights = initial_weights(self.layer).astype(np.float64).T
        stochastic = self.layer.rounding is Rounding.STOCHASTIC
        self.dither = Dither(self.layer) if stochastic else None
        self.sums: list[int] = []
        self.words = {"read": 0, "written": 0}
        """Read and written so far."""
        self.flags = [False] * self.fold.words(self.layer)
        """Words of the newest sample that are not zero."""
        cocotb.start_soon(self._take_sums())
        cocotb.start_soon(self._count_words())

    def port(self, name):
        return getattr(self.dut, f"{self.name}_{name}")

    async def _take_sums(self):
        """Take groups of sums, releasing them after a while."""
        while True:
            self.port("release").value = 0
            await ReadOnly()
            while not int(self.port("sums_valid").value):
                await any_rises(self.dut, self.port("sums_valid"))
            found = lanes_of(self.port("sums"), self.fold.pe, signed=True)
            await FallingEdge(self.dut.clk)
            if self.fold.takes_turns:
                await ReadOnly()
                later = lanes_of(self.port("sums"), self.fold.pe, signed=True)
                half = self.fold.pe // 2
                found = found[:half] + later[half:]
                await FallingEdge(self.dut.clk)
            self.sums += found
            while self.chance.random() < self.stall:
                await clocks(self.dut, 1)
                assert not int(self.port("sums_valid").value), "sums before release"
            self.port("release").value = 1
            await clocks(self.dut, 1)

    async def _count_words(self):
        ports = [self.port(event) for event in self.words]
        await ReadOnly()
        while True:
            moved = [int(port.value) for port in ports]
            if any(moved):
                for event, count in zip(self.words, moved, strict=True):
                    self.words[event] += count
                await FallingEdge(self.dut.clk)
                await ReadOnly()
            else:
                await any_rises(self.dut, *ports)

    def expected_words(self, x, update):
        """Words that a sweep reads and writes; it makes `x` the newest sample, if there is one."""
        layer, fold = self.layer, self.fold
        groups, words, before = fold.groups(layer), fold.words(layer), self.flags
        if x is not None:
            padded = np.pad(x[:-1], (0, words * fold.simd - layer.inputs))
            self.flags = padded.reshape(words, fold.simd).any(axis=1).tolist()
        visits = every_word(layer, fold, update)
        if fold.skip_zeros:
            flags = [*self.flags[:-1], True], [*before[:-1], True]
            visits = nonzero_words(*flags, update=update, forward=x is not None)
        return {"read": groups * sum(map(len, visits)), "written": groups * sum(map(sum, visits))}

    async def sweep(self, x, gradient, rate):
        """One sweep; `x` for the sum and `gradient` for the update may be None."""
        self.port("forward").value = x is not None
        if self.fold.learns:
            self.port("update").value = gradient is not None
            self.port("rate").value = rate
        words_before = self.words.copy()
        self.port("start").value = 1
        await clocks(self.dut, 1)
        self.port("start").value = 0
        if gradient is not None:
            padded = np.pad(gradient, (0, -len(gradient) % self.fold.pe))
            self.gradients.send(*(int(d) for d in padded))
        await reached(self.dut, self.port("busy"), 0)
        moved = {event: count - words_before[event] for event, count in self.words.items()}
        assert moved == self.expected_words(x, gradient is not None), f"{self.name}: words"
        expected = self.weights.T @ x if x is not None else []
        for _ in range(200):
            if len(self.sums) >= len(expected):
                break
            await clocks(self.dut, 1)
        assert self.sums[: len(expected)] == list(expected), f"{self.name}: sums"
        assert len(self.sums) <= len(expected) + self.fold.pe - 1
        self.sums.clear()
        if self.fold.learns:
            self.port("update").value = 0
        await clocks(self.dut, 3)

    async def same_weights(self):
        units, fan_in = self.layer.units, self.layer.fan_in
        self.requests.send(
            *({"unit": u, "input": n, "write": 0, "value": 0} for u, n in np.ndindex(units, fan_in))
        )
        found = np.reshape(await self.answers.take(units * fan_in), (units, fan_in))
        assert np.array_equal(found, self.weights.T), f"{self.name}: weights"

    def update(self, x, gradient, rate):
        rate, dither = rate + self.layer.rate_offset, None
        if self.dither:
            self.dither.next()
            dither = self.dither.below(rate, slice(None))
        rule.update(self.weights, x, gradient.astype(np.float64), rate, self.layer, dither)

    async def run(self):
        layer, chance = self.layer, self.chance
        await reached(self.dut, self.port("initialised"))
        await self.same_weights()
        pending = before = None
        rate = 0
        for number in range(SWEEPS):
            x = np.append(chance.integers(0, 256, layer.inputs), layer.bias_input)
            x -= 128 * layer.signed_input
            x[chance.random(layer.fan_in) < 0.3] = 0
            x[slice(*sorted(chance.integers(0, layer.fan_in, 2)))] = 0
            x[-1] = layer.bias_input
            self.source.send(
                *({"x": int(value) & 0xFF, "label": 9, "learn": 1} for value in x[:-1])
            )
            await reached(self.dut, self.port("full"))
            if pending is not None:
                self.update(before, pending, rate)
            await self.sweep(x.astype(np.float64), pending, rate)
            largest = 1 if number % 3 else layer.gradient_largest
            learns = self.fold.learns and chance.random() < 0.7
            pending = chance.integers(-largest, largest + 1, layer.units) if learns else None
            before, rate = x.astype(np.float64), int(chance.integers(layer.rate_shift_max + 1))
            if pending is not None and chance.random() < 0.3:  # drained by a sweep of its own
                self.update(before, pending, rate)
                await self.sweep(None, pending, rate)
                pending = None
            if pending is None:
                await self.same_weights()


@cocotb.test()
@cocotb.parametrize(regime=list(Regime))
async def sweeps(dut, regime):
    component = BENCH.component()
    await start(dut, component)
    controls = [Control(dut, component, name, regime) for name in MATRICES]
    for task in [cocotb.start_soon(control.run()) for control in controls]:
        await task
    assert not int(dut.collision.value), "a memory was read where it was written"
