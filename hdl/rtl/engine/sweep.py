"""The order in which the weights of a layer stream past."""

from functools import reduce
from operator import or_

from amaranth import Cat, Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from hdl.passes.stages import CHUNK, chunks_of
from hdl.rtl.engine.visit_map import chunk_entry

CHUNK_BITS = (CHUNK - 1).bit_length()


class Sweep(wiring.Component):
    """Names one weight word per clock, units outermost, inputs inner.

    Parameters
    ----------
    groups, words
        Groups of PE units, and words of SIMD inputs in each.
    pause
        Each group is followed by a free clock.

    Members
    -------
    start
        Pulse: sweep once through all groups.
    forward, update
        Whether this sweep forms sums, and whether it applies an update; stable while `busy`.
    gradients
        The gradients of the group to come are at hand; awaited before a group with an update.
    credit
        The sums of the group in hand can be taken; awaited before a group's last word.
    hold
        The memory cannot be read in this clock.
    issue
        A word is named in this clock.
    address, word
        Its place in the weight memory and within its group.
    first, last
        It is the first, the last of its group.
    write
        The update changes it.
    blocked
        Nothing but `credit` is missing.

    Throughput: one word per clock. Cost: about 3 cells for each bit of an address.
    """

    def __init__(self, *, groups: int, words: int, pause: bool) -> None:
        self.groups, self.words, self.pause = groups, words, pause
        super().__init__(
            self.more_members()
            | {
                "start": In(1),
                "forward": In(1),
                "update": In(1),
                "gradients": In(1),
                "credit": In(1),
                "hold": In(1),
                "busy": Out(1),
                "issue": Out(1),
                "address": Out(range(groups * words)),
                "word": Out(range(words)),
                "first": Out(1),
                "last": Out(1),
                "write": Out(1),
                "blocked": Out(1),
            }
        )

    def more_members(self) -> dict:
        """Members of a subclass."""
        return {}

    def gate(self, m: Module, ready, needs_gradients, needs_credit) -> None:
        """`issue` when a word is `ready` and nothing that it needs is missing."""
        pause = Signal()
        possible = ready & ~(pause | self.hold | (needs_gradients & ~self.gradients))
        m.d.comb += [
            self.issue.eq(possible & ~(needs_credit & ~self.credit)),
            self.blocked.eq(possible & needs_credit & ~self.credit),
        ]
        m.d.sync += pause.eq(self.issue & self.last & self.pause)


class DenseSweep(Sweep):
    """Names every word. Latency: the first one clock after `start`."""

    def elaborate(self, platform):
        m = Module()
        running = Signal()
        self.gate(m, running, self.first & self.update, self.last & self.forward)
        final = self.address == self.groups * self.words - 1
        begins, ends = Signal(init=1), Signal(init=self.words == 1)
        m.d.comb += [
            self.busy.eq(running),
            self.first.eq(begins),
            self.last.eq(ends),
            self.write.eq(self.update),
        ]
        with m.If(self.start):
            m.d.sync += running.eq(1)
        with m.If(self.issue):
            m.d.sync += [
                self.address.eq(Mux(final, 0, self.address + 1)),
                self.word.eq(Mux(self.last, 0, self.word + 1)),
                begins.eq(ends),
                ends.eq((self.word == self.words - 2) | (self.words == 1)),
                running.eq(~final),
            ]
        return m


class SparseSweep(Sweep):
    """Names the words that a visit map lists, and the bias's behind them.

    One chunk of words is in hand and gives its lowest word until it has none; another one is kept
    ready, and a third comes out of the memory.

    Members
    -------
    index, next, entry, count
        To a :class:`~hdl.rtl.engine.visit_map.VisitMap`.

    Latency: the first word five clocks after `start`. Throughput: one word per clock, as long as
    chunks without anything to visit, which take a clock each, are outweighed by the one in hand.
    Cost: about 110 cells.
    """

    def more_members(self) -> dict:
        chunks = chunks_of(self.words)
        return {
            "index": Out(range(chunks + 1)),
            "next": Out(1),
            "entry": In(chunk_entry(chunks)),
            "count": In(range(chunks + 1)),
        }

    def elaborate(self, platform):
        m = Module()
        running, flush, named = Signal(), Signal(), Signal()
        layout = data.StructLayout(
            {
                "valid": 1,  # some word is left
                "visits": CHUNK,
                "write": CHUNK,
                "chunk": range(chunks_of(self.words)),
                "bias": 1,
            }
        )
        ahead, current = Signal(layout), Signal(layout)
        # What is left behind the lowest word, and whether that is nothing.
        rest, single = Signal(CHUNK), Signal()
        free = ~named | self.issue
        emptied = ~current.valid | (free & single)

        self._fetch(m, running, ahead, emptied)
        following = Mux(emptied, ahead.visits, rest)
        behind = following & (following - 1)
        with m.If(emptied):
            m.d.sync += current.eq(ahead)
        with m.Elif(free):
            m.d.sync += current.visits.eq(rest)
        with m.If(emptied | free):
            m.d.sync += [rest.eq(behind), single.eq(~behind.any())]
        self._name(m, free, current, current.visits & ~rest, named, flush)
        with m.If(self.start):
            m.d.sync += running.eq(1)
        with m.If(flush):
            m.d.sync += [running.eq(0), self.index.eq(0), ahead.valid.eq(0), current.valid.eq(0)]
        m.d.comb += self.busy.eq(running | named)
        return m

    def _fetch(self, m, running, ahead, emptied):
        """Reads entries one after another, the bias's behind the last, and then anew."""
        fetched, is_bias, at_end = Signal(), Signal(), self.index == self.count
        load = running & fetched & (~ahead.valid | emptied)
        m.d.comb += self.next.eq(running & (~fetched | load))
        m.d.sync += fetched.eq(running & (self.next | (fetched & ~load)))
        with m.If(self.next):
            m.d.sync += [self.index.eq(Mux(at_end, 0, self.index + 1)), is_bias.eq(at_end)]

        entry, both = self.entry, self.forward & self.update
        number, place = divmod(self.words - 1, CHUNK)
        visits = entry.own | Mux(both, entry.before, 0)
        with m.If(emptied):
            m.d.sync += ahead.valid.eq(0)
        with m.If(load):
            m.d.sync += [
                ahead.valid.eq(visits.any() | is_bias),
                ahead.visits.eq(visits),
                ahead.write.eq(Mux(self.forward, entry.before, entry.own)),
                ahead.chunk.eq(entry.chunk),
                ahead.bias.eq(is_bias),
            ]
            with m.If(is_bias):
                m.d.sync += [
                    ahead.visits.eq(1 << place),
                    ahead.write.eq(1 << place),
                    ahead.chunk.eq(number),
                ]

    def _name(self, m, free, current, lowest, named, flush):
        """Names the word in hand; behind a bias the next group begins."""
        last_base = (self.groups - 1) * self.words
        base, fresh = Signal.like(self.address), Signal(init=1)
        needs_gradients, needs_credit = Signal(), Signal()
        word = Signal(range(chunks_of(self.words) * CHUNK))
        numbers = (Mux(lowest[n], n, 0) for n in range(CHUNK))
        m.d.comb += [
            word.eq(Cat(reduce(or_, numbers)[:CHUNK_BITS], current.chunk)),
            flush.eq(free & current.valid & current.bias & (base == last_base)),
        ]
        with m.If(free):
            m.d.sync += [
                named.eq(current.valid),
                self.word.eq(word),
                self.address.eq(base + word),
                self.first.eq(fresh),
                self.last.eq(current.bias),
                self.write.eq(self.update & (current.write & lowest).any()),
                needs_gradients.eq(fresh & self.update),
                needs_credit.eq(current.bias & self.forward),
            ]
            with m.If(current.valid):
                m.d.sync += fresh.eq(current.bias)
                with m.If(current.bias):
                    m.d.sync += base.eq(Mux(base == last_base, 0, base + self.words))
        self.gate(m, named, needs_gradients, needs_credit)
