"""Sweep: every word once and in order, as soon as it may and not before."""

import random

import cocotb
from cocotb.triggers import ReadOnly

from hdl.rtl.sweep import Sweep
from sim.bench import Bench, clocks, start
from sim.benches.harness import Group

SWEEPS = {
    f"{kind}{groups}_{words}": {"groups": groups, "words": words, **settings}
    for groups, words in ((1, 1), (3, 1), (1, 5), (4, 3))
    for kind, settings in {
        "dual": {"single_port": False, "clear_slot": False},
        "single": {"single_port": True, "clear_slot": False},
        "cleared": {"single_port": False, "clear_slot": True},
        "both": {"single_port": True, "clear_slot": True},
    }.items()
}

BENCH = Bench(
    module=__name__,
    designs={"all": lambda: Group(**{name: Sweep(**kind) for name, kind in SWEEPS.items()})},
)


async def sweep(dut, name, *, forward, update, rate, chance):
    """One sweep; gradients and credit come with a probability of `rate` in each clock."""
    settings = SWEEPS[name]
    groups, words = settings["groups"], settings["words"]

    def port(role):
        return getattr(dut, f"{name}_{role}")

    port("forward").value, port("update").value, port("start").value = forward, update, 1
    assert not int(port("busy").value)
    await clocks(dut, 1)
    port("start").value = 0
    pause = False
    for number in range(groups * words):
        first, last = number % words == 0, number % words == words - 1
        issued = False
        for _ in range(200):
            gradients, credit = chance.random() < rate, chance.random() < rate
            port("gradients").value, port("credit").value = gradients, credit
            await ReadOnly()
            may = not pause and (gradients or not (first and update))
            may = may and (credit or not (last and forward))
            assert int(port("busy").value), f"{name}, word {number}"
            assert int(port("issue").value) == may, f"{name}, word {number}"
            if may:
                found = [int(port(p).value) for p in ("address", "word", "first", "last")]
                assert found == [number, number % words, first, last], name
            issued = issued or may
            await clocks(dut, 1)
            pause = may and (
                (update and settings["single_port"]) or (last and settings["clear_slot"])
            )
            if may:
                break
        assert issued
    assert not int(port("busy").value)
    assert not int(port("issue").value)
    await clocks(dut, 1)


@cocotb.test()
@cocotb.parametrize(rate=[1.0, 0.5])
async def sweeps(dut, rate):
    await start(dut, BENCH.component())
    chance = random.Random(3)
    for name in SWEEPS:
        for forward, update in ((1, 0), (1, 1), (0, 1), (1, 1)):
            await sweep(dut, name, forward=forward, update=update, rate=rate, chance=chance)
