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
    single_port
        A word that is updated takes the clock behind it for its write.
    clear_slot
        Accumulators need a free clock behind each group to be cleared.

    Members
    -------
    start
        Pulse: sweep once through all words.
    forward, update
        Whether this sweep forms sums, and whether it applies an update; stable while `busy`.
    gradients
        The gradients of the group to come are at hand; awaited before a group with an update.
    credit
        The sums of the group in hand can be taken; awaited before a group's last word.
    issue
        A word is named in this clock.
    address, word
        Its place in the weight memory and within its group.
    first, last
        It is the first, the last of its group.

    Throughput: one word per clock, one in two for an update in single-port memory.
    Cost: about 3 cells for each bit of an address.
    """

    def __init__(self, *, groups: int, words: int, single_port: bool, clear_slot: bool) -> None:
        self.groups, self.words = groups, words
        self.single_port, self.clear_slot = single_port, clear_slot
        super().__init__(
            {
                "start": In(1),
                "forward": In(1),
                "update": In(1),
                "gradients": In(1),
                "credit": In(1),
                "busy": Out(1),
                "issue": Out(1),
                "address": Out(range(groups * words)),
                "word": Out(range(words)),
                "first": Out(1),
                "last": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        pause = Signal()
        final = self.address == self.groups * self.words - 1
        waits_for_gradients = self.first & self.update & ~self.gradients
        waits_for_credit = self.last & self.forward & ~self.credit
        m.d.comb += [
            self.first.eq(self.word == 0),
            self.last.eq(self.word == self.words - 1),
            self.issue.eq(self.busy & ~pause & ~waits_for_gradients & ~waits_for_credit),
        ]
        m.d.sync += pause.eq(0)
        with m.If(self.start):
            m.d.sync += self.busy.eq(1)
        with m.If(self.issue):
            m.d.sync += [
                self.address.eq(Mux(final, 0, self.address + 1)),
                self.word.eq(Mux(self.last, 0, self.word + 1)),
                self.busy.eq(~final),
                pause.eq((self.update & self.single_port) | (self.last & self.clear_slot)),
            ]
        return m
