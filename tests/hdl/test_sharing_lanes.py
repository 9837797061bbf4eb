"""Sums of lanes whose multiplier blocks add up: also those that run over a block's accumulator."""

import random
from collections import deque

import numpy as np
import pytest
from amaranth.sim import Simulator

from golden_model.spec.formats import infer_formats
from golden_model.spec.network import Conv, Network, Readout
from hdl.passes.sharing import PLACES, SharedFolding, table
from hdl.rtl.sharing import lanes

TERM_BITS = 25
"""Of a product of a weight of 16 bits and a byte with a sign."""
PE, WINDOWS = 2, 40


@pytest.mark.parametrize("bits", [TERM_BITS + 1, TERM_BITS + 2, 32])
def test_sums_are_exact_however_far_they_run_over(monkeypatch, bits):
    monkeypatch.setattr(lanes, "ACCUMULATOR_BITS", bits)
    network = Network(
        name="wide",
        inputs=[28, 28, 3],
        classes=3,
        layers=(Conv(filters=40, kernel=5),),
        readout=Readout(),
    )
    folding = SharedFolding(pe=PE, weight_memory="any", single_port=True, clear_slot=True)
    dut = lanes.Lanes(table(infer_formats(network).layers, folding), folding)
    assert len(dut.sums[0][0]) > 32
    chance, expected, found = random.Random(bits), [], []

    async def bench(ctx):
        words = deque([([0] * PE, [0] * PLACES)] * 4, maxlen=4)

        async def clock(issue=0, last=0):
            """A word is named, or none; weights of words come two clocks later, inputs three."""
            ctx.set(dut.issue, issue)
            ctx.set(dut.last, last)
            ctx.set(dut.weights, words[-3][0])
            ctx.set(dut.x, words[-4][1])
            coming = ctx.get(dut.sums_next)
            await ctx.tick()
            if coming:
                found.append([[ctx.get(s) for s in places] for places in dut.sums])

        for _ in range(WINDOWS):
            count, end = chance.randrange(1, 90), chance.choice([-32768, 32767, None])
            total = np.zeros((PE, PLACES), int)
            for n in range(count):
                w = [end or chance.randrange(-32768, 32768) for _ in range(PE)]
                x = [chance.choice([0, 255, chance.randrange(256)]) for _ in range(PLACES)]
                words.append((w, x))
                total += np.outer(w, x)
                await clock(issue=1, last=n == count - 1)
            expected.append(total.tolist())
            for _ in range(chance.choice([1, 1, 3])):
                words.append(([1] * PE, [1] * PLACES))  # is not named, and must not count
                await clock()
        for _ in range(8):
            words.append(([0] * PE, [0] * PLACES))
            await clock()

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    assert found == expected
    over = np.abs(expected).max() >= 1 << (bits - 1)
    assert over == (bits < 32)
