"""Visit map: chunks of words that are not all zero, with the flags of this sample and the last."""

import random

import cocotb
from cocotb.triggers import ReadOnly

from hdl.passes.cycles import FILL
from hdl.passes.stages import CHUNK, chunks_of
from hdl.rtl.engine.visit_map import VisitMap
from sim.bench import Bench, clocks, start
from sim.benches.harness import Group, Watched, packed

WORDS = (2, 3, CHUNK, CHUNK + 1, CHUNK + 2, 3 * CHUNK, 4 * CHUNK + 5)
SAMPLES = 40
SHARES = (0.0, 0.1, 0.6, 1.0)
"""Probabilities of a word that is not zero."""

BENCH = Bench(
    module=__name__,
    designs={"all": lambda: Watched(Group(**{f"map{n}": VisitMap(words=n) for n in WORDS}))},
)


class Map:
    """One visit map, fed and read in every clock, and the entries that it should hold."""

    def __init__(self, dut, words, gaps) -> None:
        self.dut, self.name, self.words, self.gaps = dut, f"map{words}", words, gaps
        self.chance = random.Random(f"{words}/{gaps}")
        self.known = False
        """Reset leaves memory as it is: what came before the first sample is not known."""
        self.newest = [False] * (words - 1)
        self.entries: list[int] = []
        self.shown: int | None = None
        """The entry read last, None where there was none."""
        self.compared = 0

    def port(self, role):
        return getattr(self.dut, f"{self.name}_{role}")

    async def clock(self, *, group=None, nonzero=False, advance=False):
        """One clock, in which an entry may be read and what shows is compared."""
        reads, index = self.chance.random() < 0.8, self.chance.randrange(chunks_of(self.words) + 1)
        self.port("group_valid").value = group is not None
        self.port("group").value = self.chance.randrange(self.words) if group is None else group
        self.port("group_nonzero").value = nonzero
        self.port("advance").value = advance
        self.port("index").value, self.port("next").value = index, reads
        await ReadOnly()
        if self.known:
            assert int(self.port("count").value) == len(self.entries), f"{self.name}: count"
        if self.shown is not None:
            assert int(self.port("entry").value) == self.shown, f"{self.name}: entry"
            self.compared += 1
        await clocks(self.dut, 1)
        if reads:
            listed = self.known and index < len(self.entries)
            self.shown = self.entries[index] if listed else None

    def entries_of(self, flags):
        """Chunks in which a flag of this sample or of the one before is set."""
        entries = []
        for number in range(chunks_of(self.words)):
            part = slice(CHUNK * number, CHUNK * (number + 1))
            own, before = packed(flags[part], 1), packed(self.newest[part], 1)
            if own or before:
                entries.append(own | before << CHUNK | number << 2 * CHUNK)
        return entries

    async def sample(self, share, *, last_complete):
        """A sample comes in while the list of the one before is read, then becomes the newest."""
        flags = [self.chance.random() < share for _ in range(self.words)]
        for group in range(self.words - (not last_complete)):
            while self.chance.random() < self.gaps:
                await self.clock(nonzero=self.chance.random() < 0.5)
            await self.clock(group=group, nonzero=flags[group])
        for _ in range(FILL - 1):
            await self.clock(nonzero=True)
        while self.chance.random() < self.gaps:
            await self.clock()
        await self.clock(advance=True)
        self.entries, self.newest = self.entries_of(flags[:-1]), flags[:-1]

    async def run(self):
        for number in range(SAMPLES):
            share = self.chance.choice(SHARES)
            # The last word is complete before the bias, where inputs share it.
            await self.sample(share, last_complete=bool(self.words % 2 or number % 2))
            self.known = number > 0
            for _ in range(self.chance.randrange(2 * chunks_of(self.words) + 2)):
                await self.clock(nonzero=True)
        assert self.compared > SAMPLES, f"{self.name}: hardly anything was listed"


@cocotb.test()
@cocotb.parametrize(gaps=[0.0, 0.5])
async def maps(dut, gaps):
    """No sample disturbs the list of the one before; it holds what it must, in order."""
    await start(dut, BENCH.component())
    for task in [cocotb.start_soon(Map(dut, words, gaps).run()) for words in WORDS]:
        await task
    assert not int(dut.collision.value), "a list was read where it was written"
