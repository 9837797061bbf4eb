"""Collector: groups of sums in, one unit after another out, their sample's tag beside them."""

import random

import cocotb
from cocotb.triggers import ReadOnly

from hdl.rtl.engine.collector import Collector
from sim.bench import Bench, Regime, Sink, clocks, start
from sim.benches.harness import Group, dense, packed

SHAPES = [(1, 1, 0), (5, 1, 0), (8, 4, 0), (7, 4, 0), (3, 8, 0), (6, 2, 1), (7, 4, 1)]
"""Units, PE, and whether the second half of the sums comes a clock later."""
LAYERS = [dense(3, units, 5) for units, _, _ in SHAPES]
SAMPLES = 10

BENCH = Bench(
    module=__name__,
    designs={
        "all": lambda: Group(
            **{
                f"collector{n}": Collector(layer, pe=pe, turns=bool(turns))
                for n, (layer, (_, pe, turns)) in enumerate(zip(LAYERS, SHAPES, strict=True))
            }
        )
    },
)


@cocotb.test()
@cocotb.parametrize(number=range(len(SHAPES)), regime=list(Regime))
async def groups(dut, number, regime):
    """Padding is left out, units are counted, `release` comes with a group's last sum, and a tag
    is taken with a sample's first group."""
    component = BENCH.component()
    await start(dut, component)
    (units, pe, turns), bits = SHAPES[number], LAYERS[number].accumulator_bits
    name, chance = f"collector{number}", random.Random(number)
    sink = Sink(dut, component, f"{name}_o", stall=regime.sink)
    sums, valid, release, unit, tag, begun, o_tag = (
        getattr(dut, f"{name}_{port}")
        for port in ("sums", "sums_valid", "release", "unit", "tag", "begun", "o_tag")
    )
    for _ in range(SAMPLES):
        expected_tag = chance.getrandbits(len(tag))
        for first in range(0, units, pe):
            while regime.source and chance.random() < regime.source:
                await ReadOnly()
                assert not int(begun.value)
                await clocks(dut, 1)
            group = [chance.randrange(-1 << (bits - 1), 1 << (bits - 1)) for _ in range(pe)]
            sums.value, valid.value = packed(group, bits), 1
            tag.value = chance.getrandbits(len(tag)) if first else expected_tag
            if turns:
                await ReadOnly()
                assert not int(begun.value)
                await clocks(dut, 1)
                rubbish = [chance.getrandbits(bits) for _ in range(pe // 2)]
                sums.value, valid.value = packed([*rubbish, *group[pe // 2 :]], bits), 0
            await ReadOnly()
            assert int(begun.value) == (first == 0)
            await clocks(dut, 1)
            sums.value, valid.value = chance.getrandbits(bits * pe), 0
            tag.value = chance.getrandbits(len(tag))
            kept = min(pe, units - first)
            moved = 0
            while moved < kept:
                await ReadOnly()
                assert int(unit.value) == first + moved
                assert int(o_tag.value) == expected_tag
                moved += int(sink.valid.value) and int(sink.ready.value)
                assert int(release.value) == (moved == kept)
                await clocks(dut, 1)
            assert await sink.take(kept) == group[:kept]
    assert not int(sink.valid.value)
