"""When the summed steps of a block of taps are read: in clocks that summing leaves."""

from amaranth import Cat, Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from hdl.passes.sharing import FLAGS, EngineTable, SharedFolding
from hdl.rtl.sharing.step_bank import SLOT_BITS, STEP_READ


def drained_word(table: EngineTable) -> data.StructLayout:
    """A word whose steps are read: its address, and whether it is the bias, a group's last one."""
    return data.StructLayout({"valid": 1, "bias": 1, "address": range(table.weight_words)})


class StepDrain(wiring.Component):
    """Plans, visit by visit, what :class:`~hdl.rtl.sharing.step_bank.StepBank` will do.

    Steps are read to be added to, unless the visit is the first one of its slot, or follows upon
    another one. In all other clocks a slot of a block that is complete is read, the lowest first.
    What was planned comes to pass a fixed number of clocks later, so nothing has to wait for it.

    =====  ==========================================================================
    0      `add` and `slot`; with the last of a block, or instead of it, `close`
    2      its first slot may be read: `word`; by then what was added to it is written
    =====  ==========================================================================

    Parameters
    ----------
    table, folding
        The engine's.

    Members
    -------
    start
        Pulse: an update begins.
    add, close, slot, base, bias
        Of :class:`~hdl.rtl.sharing.tap_walk.TapWalk`, a clock later.
    bank, fresh, again
        Where the visited slot's steps stand; they are still 0; they are those of the visit before.
    read, word
        Steps to be read, and whether they are complete: the weight word that they change.
    full
        No block may be closed in this clock, as the one before has slots left.
    halves, paired, half
        Only if two taps may be visited at once, see :class:`~hdl.rtl.sharing.tap_walk.TapWalk`;
        which half of the steps that are read is the word's.
    pause
        A block of one visit may not either; 0 in one of so many clocks as words take.

    Cost: about 3 cells for each bit of an address, and 50.
    """

    def __init__(self, table: EngineTable, folding: SharedFolding) -> None:
        self.period, self.word_layout = folding.word_period, drained_word(table)
        self.taps = folding.taps
        address = self.word_layout["address"].shape
        members = {}
        if self.taps > 1:
            members = {"halves": In(self.taps), "paired": In(1), "half": Out(1)}
        super().__init__(
            members
            | {
                "start": In(1),
                "add": In(1),
                "close": In(1),
                "slot": In(SLOT_BITS),
                "base": In(address),
                "bias": In(1),
                "bank": Out(1),
                "fresh": Out(1),
                "again": Out(1),
                "read": Out(STEP_READ),
                "word": Out(self.word_layout),
                "full": Out(1),
                "pause": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        touched, now, added, before = Signal(FLAGS), Signal(FLAGS), Signal(), Signal(SLOT_BITS)
        m.d.comb += [
            now.eq(touched | Mux(self.add, self._visited() << self.slot, 0)),
            self.fresh.eq(~self._touched(touched)),
            self.again.eq(~self.fresh & added & (self.slot == before)),
        ]
        m.d.sync += [
            touched.eq(Mux(self.close, 0, now)),
            added.eq(self.add),
            before.eq(self.slot),
            self.bank.eq(self.bank ^ self.close),
        ]
        closed = data.StructLayout(
            {"slots": FLAGS, "bank": 1, "bias": 1, "base": self.base.shape()}
        )
        closing, left, closes = Signal(closed), Signal(closed), Signal()
        rest, turn = Signal(FLAGS), Signal(init=1)
        if self.period == 2:
            m.d.sync += turn.eq(self.start | ~turn)
            m.d.comb += self.pause.eq(turn)
        elif self.period > 2:
            phase = Signal(range(self.period))
            m.d.sync += phase.eq(Mux(self.start, 0, phase + 1))
            m.d.comb += [turn.eq(phase == 0), self.pause.eq(phase != 1)]
        # A single slot is read beside the next block's first visit, which is fresh.
        behind, many = Signal(), rest if self.period == 1 else left.slots
        m.d.comb += [
            rest.eq(left.slots & (left.slots - 1)),
            self.full.eq(behind | self.close),
        ]
        m.d.sync += behind.eq(many.any() | closes | self.close)
        m.d.sync += [
            closes.eq(self.close),
            closing.slots.eq(now),
            closing.bank.eq(self.bank),
            closing.bias.eq(self.bias),
            closing.base.eq(self.base),
        ]
        self._read(m, left, rest, turn)
        with m.If(self.word.valid):
            m.d.sync += left.slots.eq(rest)
        with m.If(closes):
            m.d.sync += left.eq(closing)
        return m

    def _visited(self):
        """Bits of the visited slot, and of the one behind it, if both are visited at once."""
        return 1 if self.taps == 1 else self.halves

    def _touched(self, touched):
        """Whether the visited slot's steps, or those beside them in their word, are not 0."""
        first = touched.bit_select(self.slot, 1)
        if self.taps == 1:
            return first
        return first | (self.paired & Cat(touched[1:], 0).bit_select(self.slot, 1))

    def _read(self, m, left, rest, turn) -> None:
        """What the visit adds to, or else the lowest slot that is left."""
        own, lowest = Signal(), left.slots & ~rest
        slot = Cat(
            lowest[1] | lowest[3] | lowest[5] | lowest[7],
            lowest[2] | lowest[3] | lowest[6] | lowest[7],
            lowest[4:].any(),
        )
        word = slot
        if self.taps > 1:
            m.d.comb += self.half.eq(slot[0] & self.paired)
            word = Cat(slot[0] & ~self.paired, slot[1:])
        m.d.comb += [
            own.eq(self.add & ~self.fresh & ~self.again),
            self.word.valid.eq(left.slots.any() & turn & ~own),
            self.word.bias.eq(left.bias),
            self.word.address.eq(left.base + slot),
            self.read.valid.eq(own | self.word.valid),
            self.read.bank.eq(Mux(own, self.bank, left.bank)),
            self.read.slot.eq(Mux(own, self.slot, word)),
        ]
