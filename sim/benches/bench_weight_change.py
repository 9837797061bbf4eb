"""Weight change: products of gradients and last activations, for one lane or two in turns."""

import random

import cocotb

from hdl.rtl.engine.matrix import CHANGE, NAME_TO_READ
from hdl.rtl.engine.weight_change import WeightChange
from sim.bench import Bench, clocks, start
from sim.benches.harness import Group, dense, folding, packed, put, signed_of

LAYER = dense(20, 5, 10)
CHANGES = {
    "one": folding(),
    "soft": folding(hard_update=False),
    "two": folding(pe=2, single_port=True),
}
CLOCKS = 1500

BENCH = Bench(
    module=__name__,
    designs={
        "all": lambda: Group(**{name: WeightChange(LAYER, fold) for name, fold in CHANGES.items()})
    },
)


def traffic(name):
    """What goes in in each clock, and what must come out."""
    fold, chance = CHANGES[name], random.Random(name)
    lanes = 1 + fold.takes_turns
    limits = [fold.gradient_operand_bits(LAYER), fold.previous_operand_bits(LAYER)]
    inputs, outputs = {}, {}
    clock, left, gradients = 1, 0, []
    while clock < CLOCKS:
        if not left:
            left = chance.randint(1, 8)
            largest = (1 << (limits[0] - 1)) - 1
            choices = [0, largest, -largest, chance.randint(-largest, largest)]
            gradients = [chance.choice(choices) for _ in range(lanes)]
            at = clock + (0 if fold.takes_turns else NAME_TO_READ)
            ports = inputs.setdefault(at, {})
            ports |= {"load": 1, "gradients": packed(gradients, limits[0])}
        left -= 1
        limit = 1 << (limits[1] - 1)
        previous = chance.choice([-limit, chance.randrange(-limit, limit)])
        # Two lanes: a word without an update is not multiplied, and may follow at once.
        learns = not fold.takes_turns or chance.random() < 0.7 or not left
        ports = inputs.setdefault(clock + NAME_TO_READ, {})
        ports |= {"previous": previous} | ({"learn": int(learns)} if fold.takes_turns else {})
        if learns:
            for turn, gradient in enumerate(gradients):
                outputs[clock + CHANGE + turn] = gradient * previous
            clock += lanes - 1
        clock += chance.choice([1, 1, 2])
    return inputs, outputs


@cocotb.test()
async def streaming(dut):
    """Ports that are not used carry rubbish."""
    await start(dut, BENCH.component())
    chance = random.Random(3)
    plans = {name: traffic(name) for name in CHANGES}
    for clock in range(CLOCKS):
        for name, (inputs, _) in plans.items():
            rubbish = {
                role: chance.getrandbits(len(getattr(dut, f"{name}_{role}")))
                for role in ("gradients", "previous")
            }
            quiet = {"load": 0} | ({"learn": 0} if CHANGES[name].takes_turns else {})
            for role, value in (rubbish | quiet | inputs.get(clock, {})).items():
                put(getattr(dut, f"{name}_{role}"), value)
        await cocotb.triggers.Timer(1, "ns")
        for name, (_, outputs) in plans.items():
            if clock in outputs:
                found = signed_of(getattr(dut, f"{name}_o"))
                assert found == outputs[clock], f"{name}, clock {clock}"
        await clocks(dut, 1)
