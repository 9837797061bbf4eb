"""The order in which the weights of a layer stream past."""

from amaranth import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out


class Sweep(wiring.Component):
    """Names one weight word per clock, units outermost, inputs inner.

    Parameters
    ----------
    groups, words
        Groups of PE units, and words of SIMD inputs in each.
    clear_slot
        Accumulators need a free clock behind each group to be cleared.

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

    Throughput: one word per clock. Cost: about 3 cells for each bit of an address.
    """

    def __init__(self, *, groups: int, words: int, clear_slot: bool) -> None:
        self.groups, self.words, self.clear_slot = groups, words, clear_slot
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
            }
        )

    def more_members(self) -> dict:
        """Members of a subclass."""
        return {}

    def gate(self, m: Module, ready) -> None:
        """`issue` when a word is `ready` and nothing is awaited."""
        pause = Signal()
        waits_for_gradients = self.first & self.update & ~self.gradients
        waits_for_credit = self.last & self.forward & ~self.credit
        waits = pause | self.hold | waits_for_gradients | waits_for_credit
        m.d.comb += self.issue.eq(ready & ~waits)
        m.d.sync += pause.eq(self.issue & self.last & self.clear_slot)


class DenseSweep(Sweep):
    """Names every word. Latency: the first one clock after `start`."""

    def elaborate(self, platform):
        m = Module()
        running = Signal()
        self.gate(m, running)
        final = self.address == self.groups * self.words - 1
        m.d.comb += [
            self.busy.eq(running),
            self.first.eq(self.word == 0),
            self.last.eq(self.word == self.words - 1),
            self.write.eq(self.update),
        ]
        with m.If(self.start):
            m.d.sync += running.eq(1)
        with m.If(self.issue):
            m.d.sync += [
                self.address.eq(Mux(final, 0, self.address + 1)),
                self.word.eq(Mux(self.last, 0, self.word + 1)),
                running.eq(~final),
            ]
        return m


class SparseSweep(Sweep):
    """Names the words on a visit list, and the bias's behind them.

    Members
    -------
    union, index, next, listed, before, count
        To a :class:`~hdl.rtl.visit_list.VisitList`; `listed` is its `word`.

    Latency: the first word three clocks after `start`. Cost: about 90 cells.
    """

    def more_members(self) -> dict:
        words = range(self.words)
        return {
            "union": Out(1),
            "index": Out(words),
            "next": Out(1),
            "listed": In(words),
            "before": In(1),
            "count": In(words),
        }

    def elaborate(self, platform):
        m = Module()
        bias, last_base = self.words - 1, (self.groups - 1) * self.words

        # First stage: which entry of the list, of which group.
        running, base = Signal(), Signal.like(self.address)
        at_bias = self.index == self.count
        fetched, named = Signal(), Signal()
        free = ~named | self.issue
        m.d.comb += [
            self.union.eq(self.forward & self.update),
            self.next.eq(running & (~fetched | free)),
        ]
        with m.If(self.start):
            m.d.sync += running.eq(1)
        with m.If(self.next):
            m.d.sync += self.index.eq(Mux(at_bias, 0, self.index + 1))
            with m.If(at_bias):
                m.d.sync += base.eq(Mux(base == last_base, 0, base + self.words))
                with m.If(base == last_base):
                    m.d.sync += running.eq(0)

        # Second stage: the list answers.
        fetched_base, fetched_first, fetched_bias = Signal.like(base), Signal(), Signal()
        with m.If(self.next):
            m.d.sync += [
                fetched.eq(1),
                fetched_base.eq(base),
                fetched_first.eq(self.index == 0),
                fetched_bias.eq(at_bias),
            ]
        with m.Elif(free):
            m.d.sync += fetched.eq(0)

        # Third stage: the word, until it is issued.
        word = Mux(fetched_bias, bias, self.listed)
        with m.If(free):
            m.d.sync += [
                named.eq(fetched),
                self.word.eq(word),
                self.address.eq(fetched_base + word),
                self.first.eq(fetched_first),
                self.last.eq(fetched_bias),
                self.write.eq(self.update & (fetched_bias | self.before | ~self.forward)),
            ]
        self.gate(m, named)
        m.d.comb += self.busy.eq(running | fetched | named)
        return m
