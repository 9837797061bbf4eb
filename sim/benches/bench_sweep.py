"""Sweep: every word once and in order, as soon as it may and not before."""

import random

import cocotb
from cocotb.triggers import FallingEdge, ReadOnly

from hdl.rtl.sweep import DenseSweep, SparseSweep
from sim.bench import Bench, clocks, start
from sim.benches.harness import Group

SWEEPS = {
    f"{kind}{groups}_{words}": (
        component,
        {"groups": groups, "words": words, "clear_slot": cleared},
    )
    for groups, words in ((1, 1), (3, 1), (1, 5), (4, 3), (2, 2))
    for kind, component, cleared in (
        ("dense", DenseSweep, False),
        ("dense_cleared", DenseSweep, True),
        ("sparse", SparseSweep, False),
        ("sparse_cleared", SparseSweep, True),
    )
    if component is DenseSweep or words > 1
}
FETCHING = {DenseSweep: 0, SparseSweep: 2}
"""Clocks before the first word that are lost on a list."""

BENCH = Bench(
    module=__name__,
    designs={"all": lambda: Group(**{name: kind(**how) for name, (kind, how) in SWEEPS.items()})},
)


class Control:
    """Asks for sweeps and plays the visit list."""

    def __init__(self, dut, name, chance) -> None:
        self.dut, self.name, self.chance = dut, name, chance
        self.kind, settings = SWEEPS[name]
        self.groups, self.words = settings["groups"], settings["words"]
        self.clear_slot = settings["clear_slot"]
        self.lists = {True: [], False: []}
        """Union, and the newest sample's own: words, and whether the sample before had them."""
        if self.kind is SparseSweep:
            cocotb.start_soon(self._answer())

    def port(self, role):
        return getattr(self.dut, f"{self.name}_{role}")

    async def _answer(self):
        """Entries, a clock after they are asked for; rubbish behind the last."""
        while True:
            await ReadOnly()
            asked, index = int(self.port("next").value), int(self.port("index").value)
            union = bool(int(self.port("union").value))
            await FallingEdge(self.dut.clk)
            if asked:
                known = index < len(self.lists[union])
                word = self.chance.randrange(self.words)
                word, before = self.lists[union][index] if known else (word, True)
                # The list of one sample knows nothing of the one before.
                self.port("listed").value = word
                self.port("before").value = before if union else self.chance.random() < 0.5

    def new_lists(self, share):
        """Samples of which a word is not zero with a probability of `share`."""
        pairs = [(self.chance.random() < share, self.chance.random() < share) for _ in range(99)]
        pairs = list(enumerate(pairs[: self.words - 1]))
        self.lists[False] = [(word, False) for word, (now, _) in pairs if now]
        self.lists[True] = [(word, before) for word, (now, before) in pairs if now or before]

    def visits(self, forward, update):
        """Word and whether it is written, in one group."""
        if self.kind is DenseSweep:
            return [(word, update) for word in range(self.words)]
        listed = self.lists[bool(forward and update)]
        written = [(word, update and (before or not forward)) for word, before in listed]
        return [*written, (self.words - 1, update)]

    async def sweep(self, *, forward, update, rate):
        """One sweep; gradients, credit, memory come with a probability of `rate` in each clock."""
        self.port("forward").value, self.port("update").value = forward, update
        if self.kind is SparseSweep:
            self.port("count").value = len(self.lists[bool(forward and update)])
        assert not int(self.port("busy").value)
        self.port("start").value = 1
        await clocks(self.dut, 1)
        self.port("start").value = 0
        for _ in range(FETCHING[self.kind]):
            await ReadOnly()
            assert int(self.port("busy").value), self.name
            assert not int(self.port("issue").value), self.name
            await clocks(self.dut, 1)
        visits, pause = self.visits(forward, update), False
        for group in range(self.groups):
            for number, (word, write) in enumerate(visits):
                first, last = number == 0, number == len(visits) - 1
                expected = [group * self.words + word, word, first, last, write]
                await self._issued(expected, forward, update, rate, pause)
                pause = last and self.clear_slot
        assert not int(self.port("busy").value), self.name
        assert not int(self.port("issue").value), self.name
        await clocks(self.dut, 1)

    async def _issued(self, expected, forward, update, rate, pause):
        """Wait for a word, which must come in the first clock in which it may."""
        _, _, first, last, _ = expected
        for _ in range(200):
            gradients, credit, free = (self.chance.random() < rate for _ in range(3))
            self.port("gradients").value, self.port("credit").value = gradients, credit
            self.port("hold").value = not free
            await ReadOnly()
            may = free and not pause and (gradients or not (first and update))
            may = may and (credit or not (last and forward))
            assert int(self.port("busy").value), f"{self.name}, word {expected}"
            assert int(self.port("issue").value) == may, f"{self.name}, word {expected}"
            if may:
                roles = ("address", "word", "first", "last", "write")
                assert [int(self.port(role).value) for role in roles] == expected, self.name
            await clocks(self.dut, 1)
            pause = False
            if may:
                return
        raise AssertionError(f"{self.name}: word {expected} never named")


@cocotb.test()
@cocotb.parametrize(rate=[1.0, 0.5])
async def sweeps(dut, rate):
    await start(dut, BENCH.component())
    chance = random.Random(3)
    for name in SWEEPS:
        control = Control(dut, name, chance)
        for share in (0.0, 0.5, 0.5, 0.5, 1.0):
            control.new_lists(share)
            for forward, update in ((1, 0), (1, 1), (0, 1), (1, 1)):
                await control.sweep(forward=forward, update=update, rate=rate)
