"""Collector: groups of sums in, one unit after another out."""

import random

import cocotb
from cocotb.triggers import ReadOnly

from hdl.rtl.collector import Collector
from sim.bench import Bench, Regime, Sink, clocks, start
from sim.benches.harness import Group, packed

SHAPES = [(1, 1), (5, 1), (8, 4), (7, 4), (3, 8)]
"""Units and PE."""
BITS = 11
SAMPLES = 10

BENCH = Bench(
    module=__name__,
    designs={
        "all": lambda: Group(
            **{
                f"collector{n}": Collector(units=u, pe=p, bits=BITS)
                for n, (u, p) in enumerate(SHAPES)
            }
        )
    },
)


@cocotb.test()
@cocotb.parametrize(number=range(len(SHAPES)), regime=list(Regime))
async def groups(dut, number, regime):
    """Padding is left out, units are counted, and `release` comes with a group's last sum."""
    component = BENCH.component()
    await start(dut, component)
    units, pe = SHAPES[number]
    name, chance = f"collector{number}", random.Random(number)
    sink = Sink(dut, component, f"{name}_o", stall=regime.sink)
    sums, valid, release, unit = (
        getattr(dut, f"{name}_{port}") for port in ("sums", "sums_valid", "release", "unit")
    )
    for _ in range(SAMPLES):
        for first in range(0, units, pe):
            while regime.source and chance.random() < regime.source:
                await clocks(dut, 1)
            group = [chance.randrange(-1 << (BITS - 1), 1 << (BITS - 1)) for _ in range(pe)]
            sums.value, valid.value = packed(group, BITS), 1
            await clocks(dut, 1)
            sums.value, valid.value = chance.getrandbits(BITS * pe), 0
            kept = min(pe, units - first)
            moved = 0
            while moved < kept:
                await ReadOnly()
                assert int(unit.value) == first + moved
                moved += int(sink.valid.value) and int(sink.ready.value)
                assert int(release.value) == (moved == kept)
                await clocks(dut, 1)
            assert await sink.take(kept) == group[:kept]
    assert not int(sink.valid.value)
