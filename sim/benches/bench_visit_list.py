"""Visit list: the groups that are not all zero, of one sample and of two."""

import random

import cocotb
from cocotb.triggers import ReadOnly

from hdl.rtl.visit_list import VisitList
from sim.bench import Bench, clocks, start
from sim.benches.harness import Group, Watched

WORDS = (2, 3, 4, 8, 13)
SAMPLES = 40
SHARES = (0.0, 0.3, 0.7, 1.0)
"""Probabilities of a group that is not zero."""

BENCH = Bench(
    module=__name__,
    designs={
        "all": lambda: Watched(Group(**{f"list{n}": VisitList(words=n) for n in WORDS})),
    },
)


class Lists:
    """One visit list, fed and read in every clock, and the lists that it should keep."""

    def __init__(self, dut, words, gaps) -> None:
        self.dut, self.name, self.words, self.gaps = dut, f"list{words}", words, gaps
        self.chance = random.Random(f"{words}/{gaps}")
        self.started = False
        self.newest = [False] * words
        self.own, self.union = [], []
        self.shown = None
        """The entry read last, of both lists; None where there was none."""
        self.compared = 0

    def port(self, role):
        return getattr(self.dut, f"{self.name}_{role}")

    async def clock(self, *, group=None, nonzero=False, advance=False):
        """One clock, in which an entry may be read and what shows is compared."""
        # Reset leaves memory as it is: what the first sample adds to what was before is unknown.
        union, reads = self.started and self.chance.random() < 0.5, self.chance.random() < 0.8
        index = self.chance.randrange(self.words)
        self.port("group_valid").value = group is not None
        self.port("group").value = self.chance.randrange(self.words) if group is None else group
        self.port("group_nonzero").value = nonzero
        self.port("advance").value, self.port("union").value = advance, union
        self.port("index").value, self.port("next").value = index, reads
        await ReadOnly()
        chosen = self.union if union else self.own
        assert int(self.port("count").value) == len(chosen), f"{self.name}: count"
        if (entry := self.shown and self.shown[union]) is not None:
            word, before = entry
            assert int(self.port("word").value) == word, f"{self.name}: word"
            if union:
                assert int(self.port("before").value) == before, f"{self.name}: before"
            self.compared += 1
        await clocks(self.dut, 1)
        if reads:
            kept = (self.own, self.union)
            self.shown = [entries[index] if index < len(entries) else None for entries in kept]

    async def sample(self, share, *, last_complete):
        """A sample comes in while the lists of the one before are read, then becomes the newest."""
        flags = [self.chance.random() < share for _ in range(self.words)]
        for group in range(self.words - (not last_complete)):
            while self.chance.random() < self.gaps:
                await self.clock(nonzero=self.chance.random() < 0.5)
            await self.clock(group=group, nonzero=flags[group])
        await self.clock(nonzero=True)
        while self.chance.random() < self.gaps:
            await self.clock()
        await self.clock(advance=True)
        pairs = list(enumerate(zip(flags, self.newest, strict=True)))[:-1]
        self.own = [(group, None) for group, (now, _) in pairs if now]
        self.union = [(group, before) for group, (now, before) in pairs if now or before]
        self.newest = flags

    async def run(self):
        for number in range(SAMPLES):
            # The last group is complete before the bias, where inputs share it.
            share = self.chance.choice(SHARES)
            if number == 2:
                self.started, self.shown = True, None
            await self.sample(share, last_complete=bool(self.words % 2 or number % 2))
            for _ in range(self.chance.randrange(2 * self.words)):
                await self.clock(nonzero=True)
        assert self.compared > SAMPLES, f"{self.name}: hardly anything was listed"


@cocotb.test()
@cocotb.parametrize(gaps=[0.0, 0.5])
async def lists(dut, gaps):
    """No sample disturbs the lists of the one before; both lists hold what they must, in order."""
    await start(dut, BENCH.component())
    for task in [cocotb.start_soon(Lists(dut, words, gaps).run()) for words in WORDS]:
        await task
    assert not int(dut.collision.value), "a list was read where it was written"
