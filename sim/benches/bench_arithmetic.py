"""Activation, weight update and products: small formats exhaustively, large ones at random."""

import itertools
import random

import cocotb
import numpy as np
from amaranth import Module, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from cocotb.triggers import Timer

from golden_model import rule
from hdl.rtl.head.activation import Activation
from hdl.rtl.parts.multiplier import product
from hdl.rtl.parts.weight_update import WeightUpdate
from sim.bench import Bench, start
from sim.benches.harness import Group, dense, put, signed_of

ACTIVATIONS = [(6, 0), (9, 0), (10, 1), (11, 3), (12, 7), (12, 11), (12, 2)]
"""Accumulator bits and shift."""
UPDATES = [
    (4, 8, 0),
    (4, 8, 1),
    (4, 8, 3),
    (4, 8, 7),
    (5, 4, 2),
    (4, 8, 8),
    (16, 24, 10),
    (4, 6, 9),
]
"""Weight bits, step bits and shift."""
PRODUCTS = [(5, 5, True), (5, 5, False), (6, 2, False), (3, 6, False), (2, 6, True)]
"""Bits of both operands, and whether a multiplier block is meant."""


class Product(wiring.Component):
    """The function as a component."""

    def __init__(self, a: int, b: int, hard: bool) -> None:
        self.hard = hard
        super().__init__({"a": In(signed(a)), "b": In(signed(b)), "o": Out(signed(a + b))})

    def elaborate(self, platform):
        m = Module()
        m.d.comb += self.o.eq(product(self.a, self.b, hard=self.hard))
        return m


def parts():
    for n, (bits, shift) in enumerate(ACTIVATIONS):
        yield f"activation{n}", Activation(accumulator_bits=bits, shift=shift)
    for n, (weight, step, shift) in enumerate(UPDATES):
        yield f"update{n}", WeightUpdate(weight_bits=weight, step_bits=step, shift=shift)
        yield (
            f"dithered{n}",
            WeightUpdate(weight_bits=weight, step_bits=step, shift=shift, stochastic=True),
        )
    for n, settings in enumerate(PRODUCTS):
        yield f"product{n}", Product(*settings)


BENCH = Bench(module=__name__, designs={"all": lambda: Group(**dict(parts()))})


def values(bits: int) -> range:
    """All values of a signed number."""
    return range(-(1 << (bits - 1)), 1 << (bits - 1))


async def check(dut, name, inputs, vectors, expected, *, output=signed_of):
    """Drive each vector and compare port ``o``."""
    handles = [getattr(dut, f"{name}_{port}") for port in inputs]
    result = getattr(dut, f"{name}_o")
    for vector, wanted in zip(vectors, expected, strict=True):
        for handle, value in zip(handles, vector, strict=True):
            put(handle, int(value))
        await Timer(1, "ns")
        assert output(result) == wanted, f"{name}: {vector}"


@cocotb.test()
async def activation(dut):
    await start(dut, BENCH.component())
    for n, (bits, shift) in enumerate(ACTIVATIONS):
        vectors = [(value,) for value in values(bits)]
        expected = rule.activate(np.array(vectors, np.float64)[:, 0], shift)
        await check(dut, f"activation{n}", "i", vectors, expected, output=lambda o: int(o.value))


@cocotb.test()
async def weight_update(dut):
    await start(dut, BENCH.component())
    chance = random.Random(1)
    for n, (weight, step, shift) in enumerate(UPDATES):
        if weight + step <= 12:
            vectors = list(itertools.product(values(weight), values(step)))
        else:
            weights, steps = values(weight), values(step)
            half = 1 << (shift - 1)
            near = [0, -1, 1, half, half - 1, -half, -half - 1, steps[0], steps[-1]]
            extreme = [weights[0], weights[0] + 1, 0, -1, weights[-1] - 1, weights[-1]]
            vectors = list(itertools.product(extreme, near))
            vectors += [(chance.choice(weights), chance.choice(steps)) for _ in range(2000)]
        rows, inputs = np.array(vectors, np.float64).T.reshape(2, -1, 1)
        rule.update(rows, inputs[:, 0], np.ones(1), shift, dense(1, 1, 2, weight_bits=weight))
        due = [(*vector, 1) for vector in vectors]
        await check(dut, f"update{n}", ("w", "step", "learn"), due, rows[:, 0])
        dithers = [chance.choice([0, (1 << shift) - 1, chance.getrandbits(shift)]) for _ in vectors]
        steps = [step + dither >> shift for (_, step), dither in zip(vectors, dithers, strict=True)]
        low, high = -(1 << (weight - 1)), (1 << (weight - 1)) - 1
        moved = [min(max(w - step, low), high) for (w, _), step in zip(vectors, steps, strict=True)]
        dithered = [(*vector, dither) for vector, dither in zip(due, dithers, strict=True)]
        await check(dut, f"dithered{n}", ("w", "step", "learn", "dither"), dithered, moved)
        kept = [(*vector, 0) for vector in vectors]
        await check(dut, f"update{n}", ("w", "step", "learn"), kept, [w for w, _ in vectors])


@cocotb.test()
async def products(dut):
    await start(dut, BENCH.component())
    for n, (a, b, _) in enumerate(PRODUCTS):
        vectors = list(itertools.product(values(a), values(b)))
        await check(dut, f"product{n}", "ab", vectors, [x * y for x, y in vectors])
