"""One lane: weights stream past, are updated and multiplied, in the clocks that it promises."""

import random

import cocotb
import numpy as np

from golden_model import rule
from hdl.rtl.engine.lane import Lane
from hdl.rtl.engine.matrix import CHANGE, NAME_TO_READ, NAME_TO_WRITE, name_to_sum
from sim.bench import Bench, clocks, start
from sim.benches.harness import Group, dense, folding, put, signed_of

LANES = {
    "hard": (dense(20, 5, 10), folding(simd=4)),
    "cleared": (dense(20, 5, 10, coding="signed"), folding(simd=4, clear_slot=True)),
    "soft": (
        dense(7, 3, 3, weight_bits=4, coding="signed"),
        folding(hard_forward=False, hard_update=False),
    ),
    "squared": (dense(9, 3, 4, loss="squared-hinge"), folding(simd=2, hard_forward=False)),
    "inference": (dense(20, 5, 10), folding(simd=4, learns=False)),
    "inference_cleared": (dense(9, 3, 4, coding="signed"), folding(learns=False, clear_slot=True)),
}
CLOCKS = 1500
ARRIVE = NAME_TO_READ + 1
"""Clocks from naming a word to the weight."""

BENCH = Bench(
    module=__name__,
    designs={"all": lambda: Group(**{name: Lane(*pair) for name, pair in LANES.items()})},
)


def activation(chance, layer) -> int:
    """What the layer may be fed; often 0 and the ends of the range."""
    low, high = (-128, 127) if layer.signed_input else (0, 255)
    return chance.choice([0, low, high, chance.randint(low, high)])


class Traffic:
    """What goes into a lane in each clock and what must come out, clock by clock.

    A sum is of a group of words; a group is followed by a slot for the clear where the folding
    has one. Slots and all clocks in which a port is not used carry rubbish.
    """

    def __init__(self, name: str) -> None:
        layer, fold = LANES[name]
        chance = random.Random(name)
        self.rate = chance.randrange(layer.rate_shift_max + 1)
        self.inputs: dict[int, dict[str, int]] = {}
        self.outputs: dict[int, dict[str, int]] = {}
        limit, largest = 1 << (layer.weight_bits - 1), layer.gradient_largest
        sum_at = name_to_sum(fold)
        if fold.clear_slot:
            self._at(self.inputs, sum_at - 1, clear=1)  # as if a group ended before the first one
        clock, total, left, d = 1, 0, 0, 0
        while clock < CLOCKS:
            begins = not left
            if begins:
                left = chance.randint(1, fold.words(layer))
                d = chance.choice([0, largest, -largest, chance.randint(-largest, largest)])
            weight = chance.choice([-limit, limit - 1, chance.randrange(-limit, limit)])
            newest = activation(chance, layer)
            self._at(self.inputs, clock + ARRIVE, weight=weight)
            if fold.learns:
                weight = self._learn(chance, layer, clock, weight, d)
                self._at(self.outputs, clock + NAME_TO_WRITE, new_weight=weight)
            total = weight * newest + (0 if begins else total)
            left -= 1
            self._at(self.inputs, clock + sum_at - 2, newest=newest)
            self._at(self.inputs, clock + sum_at - 1, first=begins)
            self._at(self.outputs, clock + sum_at, sum=total)
            if not left and fold.clear_slot:
                self._at(self.inputs, clock + sum_at, clear=1)
                clock += 1
            clock += 1

    def _learn(self, chance, layer, clock, weight, d) -> int:
        """The weight as it is from now on: updated, or now and then kept or replaced."""
        if chance.random() < 0.1:
            return weight
        if chance.random() < 0.1:
            limit = 1 << (layer.weight_bits - 1)
            value = chance.randrange(-limit, limit)
            self._at(self.inputs, clock + ARRIVE, replace=1, value=value)
            return value
        x = activation(chance, layer)
        change = d * x << (layer.rate_shift_max - self.rate)
        self._at(self.inputs, clock + CHANGE, change=change, learn=1)
        row = np.array([[float(weight)]])
        rule.update(row, np.array([float(x)]), np.array([float(d)]), self.rate, layer)
        return int(row[0, 0])

    def _at(self, events, clock, **values):
        events.setdefault(clock, {}).update(values)


def drive(dut, name, chance, values):
    """Values where there are any, elsewhere rubbish, but for what says that something is meant."""
    fold = LANES[name][1]
    rubbish = ["weight", "newest"] + ["change", "value"] * fold.learns
    quiet = {"learn": 0, "replace": 0} if fold.learns else {}
    # Only one of the two begins a sum.
    quiet["clear"] = 0 if fold.clear_slot else chance.getrandbits(1)
    for role in rubbish:
        port = getattr(dut, f"{name}_{role}")
        put(port, chance.getrandbits(len(port)))
    for role, value in (quiet | values).items():
        put(getattr(dut, f"{name}_{role}"), int(value))


@cocotb.test()
async def streaming(dut):
    await start(dut, BENCH.component())
    chance = random.Random(2)
    traffic = {name: Traffic(name) for name in LANES}
    for name in LANES:
        getattr(dut, f"{name}_clear").value = 1
    await clocks(dut, 8)  # nothing but rubbish before the first clear
    for clock in range(CLOCKS):
        for name in LANES:
            drive(dut, name, chance, traffic[name].inputs.get(clock, {}))
        await cocotb.triggers.Timer(1, "ns")
        for name in LANES:
            for port, value in traffic[name].outputs.get(clock, {}).items():
                found = signed_of(getattr(dut, f"{name}_{port}"))
                assert found == value, f"{name}, clock {clock}: {port}"
        await clocks(dut, 1)
