"""Sweep: every word once and in order, in the very clock that the cycle model says."""

import random
from collections.abc import Iterator
from itertools import count

import cocotb
from cocotb.triggers import FallingEdge, ReadOnly

from hdl.passes import cycles
from hdl.passes.stages import CHUNK, chunks_of
from hdl.rtl.engine.sweep import DenseSweep, SparseSweep
from sim.bench import Bench, clocks, start
from sim.benches.harness import Group, folding, packed

SWEEPS = {
    f"{'sparse' if sparse else 'dense'}{'_cleared' * cleared}{groups}_{words}": (
        SparseSweep if sparse else DenseSweep,
        {"groups": groups, "words": words, "pause": cleared},
    )
    for groups, words in ((1, 1), (3, 1), (1, 5), (4, 3), (2, 2), (3, CHUNK + 1), (2, 6 * CHUNK))
    for sparse in (False, True)
    for cleared in (False, True)
    if words > 1 or not sparse
}

BENCH = Bench(
    module=__name__,
    designs={"all": lambda: Group(**{name: kind(**how) for name, (kind, how) in SWEEPS.items()})},
)


class Expected(cycles.Sweep):
    """The cycle model, where what is awaited comes and goes clock by clock.

    Parameters
    ----------
    gates
        For each clock, whether gradients are at hand, sums can be taken, the memory can be read.
    """

    def __init__(self, gates, **settings) -> None:
        super().__init__(start=0, **settings)
        self.gates = gates
        self.named: list[int] = []
        self.waits: list[int] = []
        """Clocks in which nothing but the credit was missing."""

    def _dense(self, words, gradients, credit):
        first = len(self.named)
        for place, write in enumerate(words):
            last = place == len(words) - 1
            awaited = gradients if place == 0 else 0, credit if last else 0
            self._gate(self.last + 1, write, *awaited)
        return self.named[first], self.last

    def _gate(self, clock, write, gradients, credit):
        for now in count(clock):
            has_gradients, has_credit, has_memory = self.gates[now]
            if now == self._pause or not has_memory or (gradients and not has_gradients):
                continue
            if not credit or has_credit:
                break
            self.waits.append(now)
        self.named.append(now)
        self.last = now
        return now


class Control:
    """Asks for sweeps and plays the visit map."""

    def __init__(self, dut, name, chance) -> None:
        self.dut, self.name, self.chance = dut, name, chance
        self.kind, settings = SWEEPS[name]
        self.groups, self.words = settings["groups"], settings["words"]
        self.fold = folding(skip_zeros=self.kind is SparseSweep, clear_slot=settings["pause"])
        self.entries: list[int] = []
        if self.fold.skip_zeros:
            cocotb.start_soon(self._answer())

    def port(self, role):
        return getattr(self.dut, f"{self.name}_{role}")

    async def _answer(self):
        """Entries, a clock after they are asked for; rubbish behind the last."""
        entry = self.port("entry")
        while True:
            await ReadOnly()
            asked, index = int(self.port("next").value), int(self.port("index").value)
            await FallingEdge(self.dut.clk)
            if asked:
                known = index < len(self.entries)
                entry.value = self.entries[index] if known else self.chance.getrandbits(len(entry))

    def new_sample(self, share):
        """Samples of which a word is not zero with a probability of `share`."""
        self.newest, self.previous = (
            [self.chance.random() < share for _ in range(self.words - 1)] for _ in range(2)
        )
        self.entries = []
        for number in range(chunks_of(self.words)):
            part = slice(CHUNK * number, CHUNK * (number + 1))
            own, before = packed(self.newest[part], 1), packed(self.previous[part], 1)
            if own or before:
                self.entries.append(own | before << CHUNK | number << 2 * CHUNK)

    def visits(self, forward, update) -> Iterator[tuple[int, bool]]:
        """Word and whether it is written, in one group."""
        for word in range(self.words):
            is_bias = word == self.words - 1
            now, before = (is_bias or page[word] for page in (self.newest, self.previous))
            written = update and (before if forward else now)
            if not self.fold.skip_zeros:
                yield word, update
            elif now or written:
                yield word, written

    def expected(self, forward, update, rate):
        """The model's clocks, with gates at random."""
        gates = [[self.chance.random() < rate for _ in range(3)] for _ in range(9000)]
        model = Expected(gates, folding=self.fold, forward=forward, update=update)
        flags = [*self.newest, True], [*self.previous, True]
        visits = [[update] * self.words]
        if self.fold.skip_zeros:
            visits = cycles.nonzero_words(*flags, update=update, forward=forward)
        for _ in range(self.groups):
            model.group(visits, update, forward)
        return model

    async def sweep(self, *, forward, update, rate):
        """One sweep; gradients, credit, memory come with a probability of `rate` in each clock."""
        model = self.expected(forward, update, rate)
        visits = list(self.visits(forward, update))
        words = [
            [group * self.words + word, word, number == 0, number == len(visits) - 1, write]
            for group in range(self.groups)
            for number, (word, write) in enumerate(visits)
        ]
        self.port("forward").value, self.port("update").value = forward, update
        if self.fold.skip_zeros:
            self.port("count").value = len(self.entries)
        upcoming = dict(zip(model.named, words, strict=True))
        for clock in range(model.last + 3):
            self.port("start").value = clock == 0
            for role, value in zip(("gradients", "credit"), model.gates[clock], strict=False):
                self.port(role).value = value
            self.port("hold").value = not model.gates[clock][2]
            await ReadOnly()
            what = f"{self.name}, clock {clock}"
            assert int(self.port("busy").value) == (0 < clock <= model.last), what
            assert int(self.port("issue").value) == (clock in upcoming), what
            assert int(self.port("blocked").value) == (clock in model.waits), what
            if clock in upcoming:
                roles = ("address", "word", "first", "last", "write")
                assert [int(self.port(role).value) for role in roles] == upcoming[clock], what
            await clocks(self.dut, 1)


@cocotb.test()
@cocotb.parametrize(rate=[1.0, 0.5])
async def sweeps(dut, rate):
    await start(dut, BENCH.component())
    chance = random.Random(3)
    for name in SWEEPS:
        control = Control(dut, name, chance)
        for share in (0.0, 0.05, 0.2, 0.5, 1.0):
            control.new_sample(share)
            for forward, update in ((1, 0), (1, 1), (0, 1), (1, 1)):
                await control.sweep(forward=bool(forward), update=bool(update), rate=rate)


@cocotb.test()
async def latency(dut):
    """The first word comes one clock after `start`, five where zeros are skipped."""
    await start(dut, BENCH.component())
    for name in ("dense1_5", f"sparse3_{CHUNK + 1}"):
        control = Control(dut, name, random.Random(4))
        control.new_sample(1.0)
        model = control.expected(forward=True, update=False, rate=1.0)
        assert model.named[0] == (5 if control.fold.skip_zeros else 1)
        assert len(model.named) == model.last - model.named[0] + 1  # a word in each clock
        await control.sweep(forward=True, update=False, rate=1.0)
