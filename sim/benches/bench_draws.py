"""Generator and ROM: both give the golden model's draws, one or several at a time."""

import random

import cocotb

from golden_model.draws import stream
from hdl.rtl.parts.draws import Generator, Rom
from sim.bench import Bench, clocks, start
from sim.benches.harness import Group, packed

SEEDS = (1, 0x80000000, 0xFFFFFFFF, 2_463_534_242)
SHAPES = {
    "1": (1, 1, 1),
    "3": (3, 1, 37),
    "16": (16, 1, 64),
    "32": (32, 1, 40),
    "1_by_10": (1, 10, 70),
    "3_by_2": (3, 2, 34),
    "3_by_5": (3, 5, 5),
    "32_by_3": (32, 3, 60),
}
"""Bits shown of each draw, how many at a time, and how many a ROM holds."""


def parts():
    for number, (name, (bits, at_a_time, count)) in enumerate(SHAPES.items()):
        settings = {"seed": SEEDS[number % len(SEEDS)], "bits": bits, "at_a_time": at_a_time}
        yield f"generator{name}", Generator(**settings)
        yield f"rom{name}", Rom(count=count, **settings)


BENCH = Bench(module=__name__, designs={"all": lambda: Group(**dict(parts()))})


@cocotb.test()
@cocotb.parametrize(rate=[1.0, 0.4])
async def draws(dut, rate):
    """Word by word, with pauses, back to the first at the end and now and then before."""
    await start(dut, BENCH.component())
    await clocks(dut, 1)  # the ROM's first word
    chance = random.Random(7)
    for place, (name, (bits, at_a_time, count)) in enumerate(SHAPES.items()):
        shown = stream(SEEDS[place % len(SEEDS)], count) >> (32 - bits)
        expected = [packed(word, bits) for word in shown.reshape(-1, at_a_time)]
        for kind in ("generator", "rom"):
            draw, following, restart = (
                getattr(dut, f"{kind}{name}_{port}") for port in ("draw", "next", "restart")
            )
            number = 0
            for _ in range(5 * len(expected)):
                assert int(draw.value) == expected[number], f"{kind}{name}, word {number}"
                goes = chance.random() < rate
                back = number == len(expected) - 1 or chance.random() < 0.02
                following.value, restart.value = goes, back
                if goes:
                    number = 0 if back else number + 1
                await clocks(dut, 1)
            following.value = 0
