"""Steps of the weights of a block of taps, summed over all windows before any is rounded."""

from amaranth import Cat, Module, Mux, Signal, signed, unsigned
from amaranth.lib import data, memory, wiring
from amaranth.lib.wiring import In, Out

from golden_model.spec.formats import ACTIVATION_BITS
from hdl.passes.sharing import FLAGS
from hdl.rtl.parts.delay import registered
from hdl.rtl.parts.multiplier import held_product

SLOT_BITS = (FLAGS - 1).bit_length()
X_BITS = ACTIVATION_BITS + 1
STEP_BANKS = 2
"""One is added to while the other one is read."""


class StepBank(wiring.Component):
    """``step[bank][slot][o] += d[o] * x[place[o]]``, and what became of it.

    Clocks are counted from the one in which operands arrive:

    =====  ==========================================================================
    0      `add`, `slot`, `bank`, `x`, `gradients` and `winners`; `close` with the
           last of a bank, or instead of it
    1      x of each lane's place, and d
    2      parts of the product; the step so far is read
    3      the product is added and the step written; `closed`, if that was to close
    4      `closed` bank may be read: `fetch`, where `free` is 1
    5      its `steps`, for this clock only
    =====  ==========================================================================

    Parameters
    ----------
    pe, places
        Lanes, and inputs among which each lane has one.
    gradient_bits, step_bits
        Signed widths.
    hard
        Whether products take multiplier blocks.

    Members
    -------
    add, close, bank, slot
        A tap is visited, and where its steps stand; the visited bank's slots are all read before
        anything is added to it again.
    x, gradients, winners
        Inputs at the places, d of the lanes, 0 where one does not learn, and the lanes' places.
    closed, touched
        Pulse, and the slots of that bank that were added to.
    free, fetch, fetch_bank, fetch_slot, steps
        Reading the other bank, in clocks that adding leaves.

    Throughput: one tap per clock. Cost: a memory of 16 words of `pe * step_bits`, and a lane about
    2 * step_bits + 8 * gradient_bits cells.
    """

    def __init__(
        self, *, pe: int, places: int, gradient_bits: int, step_bits: int, hard: bool
    ) -> None:
        self.pe, self.places, self.step_bits, self.hard = pe, places, step_bits, hard
        super().__init__(
            {
                "add": In(1),
                "close": In(1),
                "bank": In(range(STEP_BANKS)),
                "slot": In(SLOT_BITS),
                "x": In(data.ArrayLayout(signed(X_BITS), places)),
                "gradients": In(data.ArrayLayout(signed(gradient_bits), pe)),
                "winners": In(data.ArrayLayout(unsigned((places - 1).bit_length()), pe)),
                "closed": Out(1),
                "touched": Out(FLAGS),
                "free": Out(1),
                "fetch": In(1),
                "fetch_bank": In(range(STEP_BANKS)),
                "fetch_slot": In(SLOT_BITS),
                "steps": Out(data.ArrayLayout(signed(step_bits), pe)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        address = Cat(self.slot, self.bank)
        named = data.StructLayout({"add": 1, "close": 1, "address": len(address), "again": 1})
        operands, parts, sums = (Signal(named, name=name) for name in ("operands", "parts", "sums"))
        m.d.sync += [
            operands.add.eq(self.add),
            operands.close.eq(self.close),
            operands.address.eq(address),
            parts.eq(operands),
            # What is written in this very clock cannot be read; it is still at hand.
            parts.again.eq(operands.add & parts.add & (operands.address == parts.address)),
            sums.eq(parts),
            self.closed.eq(parts.close),
        ]
        reading = Signal()
        m.d.comb += [reading.eq(parts.add & ~parts.again), self.free.eq(~reading)]
        fresh = self._touch(m, parts)

        m.submodules.steps = steps = memory.Memory(
            shape=unsigned(self.pe * self.step_bits), depth=STEP_BANKS * FLAGS, init=[]
        )
        read, write = steps.read_port(), steps.write_port()
        fetched = Cat(self.fetch_slot, self.fetch_bank)
        before = Signal.like(self.steps)
        written = Signal.like(self.steps)
        m.d.comb += [
            read.en.eq(reading | self.fetch),
            read.addr.eq(Mux(reading, parts.address, fetched)),
            before.eq(read.data),
            self.steps.eq(read.data),
            write.en.eq(sums.add),
            write.addr.eq(sums.address),
            write.data.eq(written),
        ]
        for lane in range(self.pe):
            term = self._term(m, lane, platform)
            last = Signal(signed(self.step_bits), name=f"last{lane}", reset_less=True)
            known = Mux(sums.again, last, Mux(fresh, 0, before[lane]))
            m.d.comb += written[lane].eq(known + term)
            m.d.sync += last.eq(written[lane])
        return m

    def _touch(self, m, parts) -> Signal:
        """Notes which slots have something; gives, a clock later, whether that one had nothing."""
        touched, fresh = Signal(FLAGS), Signal()
        now = Signal(FLAGS)
        visited = Mux(parts.add, 1 << parts.address[:SLOT_BITS], 0)
        m.d.comb += now.eq(touched | visited)
        m.d.sync += [
            fresh.eq(~(touched & visited).any()),
            touched.eq(Mux(parts.close, 0, now)),
            self.touched.eq(now),
        ]
        return fresh

    def _term(self, m, lane: int, platform):
        """``d * x`` of a lane, three clocks behind them."""
        x = registered(m, self.x[self.winners[lane]], name=f"x{lane}")
        d = registered(m, self.gradients[lane], name=f"d{lane}")
        if self.hard:
            held = held_product(m, d, x, hard=True, platform=platform, name=f"product{lane}")
            return registered(m, held, name=f"term{lane}")
        rows = [Mux(bit, x << place, 0) for place, bit in enumerate(d)]
        rows[-1] = -rows[-1]  # the sign of two's complement
        middle = (len(rows) + 1) // 2
        low = registered(m, _sum(rows[:middle]), name=f"low{lane}")
        high = registered(m, _sum(rows[middle:]), name=f"high{lane}")
        return registered(m, low + high, name=f"term{lane}")


def _sum(rows: list):
    """Sum of some numbers, as a tree."""
    while len(rows) > 1:
        rows = [sum(rows[n + 1 : n + 2], rows[n]) for n in range(0, len(rows), 2)]
    return rows[0]
