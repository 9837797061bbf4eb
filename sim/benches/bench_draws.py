"""Generator and ROM: both give the golden model's draws, whenever asked for."""

import random

import cocotb

from golden_model.draws import stream
from hdl.rtl.draws import Generator, Rom
from sim.bench import Bench, clocks, start
from sim.benches.harness import Group

SEEDS = (1, 0x80000000, 0xFFFFFFFF, 2_463_534_242)
COUNTS = {1: 1, 3: 37, 16: 64, 32: 40}
"""For each width shown, how many draws a ROM holds."""


def parts():
    for seed, (bits, count) in zip(SEEDS, COUNTS.items(), strict=True):
        yield f"generator{bits}", Generator(seed=seed, bits=bits)
        yield f"rom{bits}", Rom(seed=seed, bits=bits, count=count)


BENCH = Bench(module=__name__, designs={"all": lambda: Group(**dict(parts()))})


@cocotb.test()
@cocotb.parametrize(rate=[1.0, 0.4])
async def draws(dut, rate):
    """Draw by draw, with pauses, back to the first at the end and now and then before."""
    await start(dut, BENCH.component())
    await clocks(dut, 1)  # the ROM's first word
    chance = random.Random(7)
    for seed, (bits, count) in zip(SEEDS, COUNTS.items(), strict=True):
        expected = [int(draw) >> (32 - bits) for draw in stream(seed, count)]
        for kind in ("generator", "rom"):
            draw, following, restart = (
                getattr(dut, f"{kind}{bits}_{port}") for port in ("draw", "next", "restart")
            )
            number = 0
            for _ in range(5 * count):
                assert int(draw.value) == expected[number], f"{kind}, draw {number}"
                goes = chance.random() < rate
                back = number == count - 1 or chance.random() < 0.02
                following.value, restart.value = goes, back
                if goes:
                    number = 0 if back else number + 1
                await clocks(dut, 1)
            following.value = 0
