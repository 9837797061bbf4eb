"""Weight memory: one read and one write per clock, or one of the two."""

import random

import cocotb

from hdl.rtl.parts.weight_memory import WeightMemory
from sim.bench import Bench, clocks, start
from sim.benches.harness import Group, lanes_of, packed

KINDS = {
    "dual": (7, 3, 5, False, None),
    "single": (9, 4, 4, True, None),
    "narrow": (5, 1, 16, False, None),
    "sliced": (6, 3, 8, False, 4),
    "shared": (8, 3, 5, False, None),
}
"""Depth, lanes, weight bits, single port, bits of a slice."""
OWN = "shared"
"""Whoever writes in this one reads at the same port."""

BENCH = Bench(
    module=__name__,
    designs={
        "all": lambda: Group(
            **{
                name: WeightMemory(
                    depth=depth,
                    lanes=lanes,
                    weight_bits=bits,
                    single_port=single,
                    update_port=name == OWN,
                    slice_bits=cut,
                )
                for name, (depth, lanes, bits, single, cut) in KINDS.items()
            }
        )
    },
)


@cocotb.test()
@cocotb.parametrize(name=list(KINDS))
async def accesses(dut, name):
    """Random reads and writes of single lanes against a list."""
    await start(dut, BENCH.component())
    depth, lanes, bits, single, _ = KINDS[name]
    chance = random.Random(name)
    words = [[None] * lanes for _ in range(depth)]

    def port(role):
        return getattr(dut, f"{name}_{role}")

    expected = beside = None
    # What reaches the memory in this clock: with a port of its own, what was asked one before.
    idle = (0, 0, [0] * lanes, False, 0)
    asked = [idle] * 2
    for _ in range(1500):
        if expected is not None:
            found = lanes_of(port("read_data"), lanes)
            for lane, value in enumerate(expected):
                assert value in (None, found[lane]), f"lane {lane}"
        if beside is not None:
            found = lanes_of(port("update_data"), lanes)
            for lane, value in enumerate(beside):
                assert value in (None, found[lane]), f"lane {lane}, beside"
        place, enables = chance.randrange(depth), chance.choice([0, chance.getrandbits(lanes)])
        values = [chance.getrandbits(bits) for _ in range(lanes)]
        updates, other = not enables and chance.random() < 0.7, chance.randrange(depth)
        asked = [asked[-1], (place, enables, values, updates, other)]
        port("write_address").value, port("write_enable").value = place, enables
        port("write_data").value = packed(values, bits)
        if name == OWN:
            port("update_enable").value, port("update_address").value = updates, other
        place, enables, values, updates, other = asked[0 if name == OWN else 1]
        address = chance.choice([n for n in range(depth) if n != place or not enables])
        reads = chance.random() < 0.7 and not (single and enables)
        port("read_address").value, port("read_enable").value = address, reads
        await clocks(dut, 1)
        beside = list(words[other]) if updates and name == OWN else None
        if reads:
            expected = list(words[address])
        elif single:
            expected = None
        for lane in range(lanes):
            if enables >> lane & 1:
                words[place][lane] = values[lane]
