"""One lane: weights stream past, are updated and multiplied, in the clocks that it promises."""

import random

import cocotb
import numpy as np

from golden_model import rule
from hdl.rtl.lane import Lane
from sim.bench import Bench, clocks, start
from sim.benches.harness import Group, dense, folding, put, signed_of

LANES = {
    "hard": (dense(20, 5, 10), folding(simd=4)),
    "cleared": (dense(20, 5, 10), folding(simd=4, clear_slot=True)),
    "soft": (dense(7, 3, 3, weight_bits=4), folding(hard_forward=False, hard_update=False)),
    "squared": (dense(9, 3, 4, loss="squared-hinge"), folding(simd=2, hard_forward=False)),
}
CLOCKS = 1500

BENCH = Bench(
    module=__name__,
    designs={"all": lambda: Group(**{name: Lane(*pair) for name, pair in LANES.items()})},
)


class Traffic:
    """What goes into a lane in each clock and what must come out, clock by clock.

    A sum is of a group of words; a group is followed by a slot for the clear where the folding
    has one. Slots and all clocks behind a port's last use carry rubbish.
    """

    def __init__(self, name: str) -> None:
        layer, fold = LANES[name]
        chance = random.Random(name)
        rate = chance.randrange(layer.rate_shift_max + 1)
        scale = layer.rate_shift_max - rate
        self.inputs: dict[int, dict[str, int]] = {}
        self.outputs: dict[int, dict[str, int]] = {}
        limit, largest = 1 << (layer.weight_bits - 1), layer.gradient_largest
        clock, total, left = 0, 0, 0
        while clock < CLOCKS:
            begins = not left
            left = left or chance.randint(1, fold.words(layer))
            weight = chance.choice([-limit, limit - 1, chance.randrange(-limit, limit)])
            d = chance.choice([0, largest, -largest, chance.randint(-largest, largest)])
            x, newest = chance.choice([0, 255, chance.randrange(256)]), chance.randrange(256)
            row = np.array([[float(weight)]])
            rule.update(row, np.array([float(x)]), np.array([float(d)]), rate, layer)
            updated = int(row[0, 0])
            total = updated * newest + (0 if begins else total)
            left -= 1
            self._at(self.inputs, clock, weight=weight)
            self._at(self.inputs, clock, gradient=d << (scale if fold.hard_update else 0))
            self._at(self.inputs, clock, previous=x << (0 if fold.hard_update else scale))
            self._at(self.inputs, clock + 4, newest=newest)
            self._at(self.inputs, clock + 5, first=begins)
            self._at(self.outputs, clock + 2, new_weight=updated)
            self._at(self.outputs, clock + 6, sum=total)
            clock += 1
            if not left and fold.clear_slot:
                self._at(self.inputs, clock + 5, clear=1)
                clock += 1

    def _at(self, events, clock, **values):
        events.setdefault(clock, {}).update(values)


@cocotb.test()
async def streaming(dut):
    await start(dut, BENCH.component())
    chance = random.Random(2)
    traffic = {name: Traffic(name) for name in LANES}
    for name in LANES:
        getattr(dut, f"{name}_clear").value = 1
    await clocks(dut, 8)  # nothing but rubbish before the first clear
    for clock in range(CLOCKS):
        for name, (_, fold) in LANES.items():
            ports = {p: getattr(dut, f"{name}_{p}") for p in ("weight", "gradient", "newest")}
            for port in ports.values():
                put(port, chance.getrandbits(len(port)))
            getattr(dut, f"{name}_clear").value = 0 if fold.clear_slot else chance.getrandbits(1)
            for port, value in traffic[name].inputs.get(clock, {}).items():
                put(getattr(dut, f"{name}_{port}"), int(value))
        await cocotb.triggers.Timer(1, "ns")
        for name in LANES:
            for port, value in traffic[name].outputs.get(clock, {}).items():
                found = signed_of(getattr(dut, f"{name}_{port}"))
                assert found == value, f"{name}, clock {clock}: {port}"
        await clocks(dut, 1)
