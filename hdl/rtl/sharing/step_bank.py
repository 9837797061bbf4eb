"""Steps of the weights of a block of taps, summed over all windows before any is rounded."""

from amaranth import Array, Cat, Module, Mux, Signal, signed, unsigned
from amaranth.lib import data, memory, wiring
from amaranth.lib.wiring import In, Out

from golden_model.spec.formats import ACTIVATION_BITS
from hdl.passes.sharing import FLAGS
from hdl.rtl.parts.adder import chosen_sum, partial_products
from hdl.rtl.parts.delay import delayed, registered, replicated
from hdl.rtl.parts.multiplier import held_product

SLOT_BITS = (FLAGS - 1).bit_length()
X_BITS = ACTIVATION_BITS + 1
STEP_BANKS = 2
"""One is added to while the other one is read."""
STEP_READ = data.StructLayout({"valid": 1, "slot": SLOT_BITS, "bank": range(STEP_BANKS)})
"""Whether steps are read, and where they stand."""

CHUNK = 16
"""Lanes with a memory of their own, and registers that tell them what to do."""
STEPS_LATENCY = 3
"""Clocks from `read` to `steps`; from afar one more."""


class StepBank(wiring.Component):
    """``step[bank][slot][o] += d[o] * x[place[o]]``, and what became of it.

    Clocks are counted from the one in which operands arrive, or, from afar, have passed registers:

    =====  ==========================================================================
    0      `add` and what it names, `x`, `gradients` and `winners`; `read`
    1      x of each lane's place, and d
    2      parts of the product; steps are read
    3      they stand at `steps`; the product is added to the step so far, which is written
    =====  ==========================================================================

    Parameters
    ----------
    pe, places
        Lanes, and inputs among which each lane has one.
    gradient_bits, step_bits
        Signed widths.
    hard
        Whether products take multiplier blocks.
    taps
        That are visited at once, 1 or 2.
    far
        Operands come from afar: they pass through registers, copies for some lanes each.

    Members
    -------
    add, bank, slot, fresh, again
        A tap is visited, and where its steps stand; they are still 0; they are those of the visit
        one clock before.
    read
        Steps to be read: those of the visit, if they are neither; else any that are complete.
    x, gradients, winners
        Inputs at the places, then those of a second tap, d of the lanes, 0 where one does not
        learn, and the lanes' places.
    steps
        What was read, for this clock only.

    Two taps at once share a slot, the first one's; single ones leave rubbish in the second half.

    Throughput: `taps` per clock. Cost: a memory of 16 words of `taps * pe * step_bits`, and a lane
    of each tap about 2 * step_bits + 8 * gradient_bits cells, in an ECP5 half as many.
    """

    def __init__(
        self,
        *,
        pe: int,
        places: int,
        gradient_bits: int,
        step_bits: int,
        hard: bool,
        taps: int = 1,
        far: bool = False,
    ) -> None:
        self.pe, self.places, self.step_bits, self.hard = pe, places, step_bits, hard
        self.taps, self.far = taps, far
        super().__init__(
            {
                "add": In(1),
                "bank": In(range(STEP_BANKS)),
                "slot": In(SLOT_BITS),
                "fresh": In(1),
                "again": In(1),
                "read": In(STEP_READ),
                "x": In(data.ArrayLayout(signed(X_BITS), places * taps)),
                "gradients": In(data.ArrayLayout(signed(gradient_bits), pe)),
                "winners": In(data.ArrayLayout(unsigned((places - 1).bit_length()), pe)),
                "steps": Out(data.ArrayLayout(signed(step_bits), pe * taps)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        plan = data.StructLayout(
            {"add": 1, "fresh": 1, "again": 1, "address": SLOT_BITS + 1, "read": STEP_READ}
        )
        visit = Signal(plan)
        m.d.comb += [
            *(visit[name].eq(getattr(self, name)) for name in ("add", "fresh", "again", "read")),
            visit.address.eq(Cat(self.slot, self.bank)),
        ]
        named = delayed(m, visit, 1 + self.far, name="visit")[-1]
        chunks = [
            range(start, min(start + CHUNK, len(self.steps)))
            for start in range(0, len(self.steps), CHUNK)
        ]
        operands = {name: getattr(self, name) for name in ("x", "gradients", "winners")}
        near = [operands] * len(chunks)
        if self.far:
            copies = [replicated(m, o, len(chunks), name=f"{n}_of") for n, o in operands.items()]
            near = [dict(zip(operands, parts, strict=True)) for parts in zip(*copies, strict=True)]
        plans = replicated(m, named, len(chunks), name="parts")
        for lanes, operands, parts in zip(chunks, near, plans, strict=True):
            name = "steps" if len(chunks) == 1 else f"steps{lanes.start}"
            terms = [self._term(m, lane, platform, **operands) for lane in lanes]
            self._chunk(m, parts, terms, lanes, name, platform)
        return m

    def _chunk(self, m, parts, terms, lanes: range, name: str, platform) -> None:
        """Some lanes: their memory, and what is added to it."""
        coming = Signal(data.StructLayout({"add": 1, "own": 1, "address": SLOT_BITS + 1}))
        m.d.comb += [
            coming.add.eq(parts.add),
            coming.own.eq(parts.again | parts.fresh),
            coming.address.eq(parts.address),
        ]
        sums = replicated(m, coming, 1, name=f"sums{lanes.start}_")[0]
        word = data.ArrayLayout(signed(self.step_bits), len(lanes))
        m.submodules[name] = steps = memory.Memory(
            shape=unsigned(len(lanes) * self.step_bits), depth=STEP_BANKS * FLAGS, init=[]
        )
        read, write = steps.read_port(), steps.write_port()
        before, written = Signal(word, name=f"before_{name}"), Signal(word, name=f"written_{name}")
        m.d.comb += [
            read.en.eq(parts.read.valid),
            read.addr.eq(Cat(parts.read.slot, parts.read.bank)),
            before.eq(read.data),
            write.en.eq(sums.add),
            write.addr.eq(sums.address),
            write.data.eq(written),
        ]
        for n, (lane, term) in enumerate(zip(lanes, terms, strict=True)):
            # What was written a clock ago, or 0 for a visit that finds nothing.
            last = Signal(signed(self.step_bits), name=f"last{lane}", reset_less=True)
            total = chosen_sum(m, term, last, before[n], sums.own, platform=platform)
            m.d.comb += [written[n].eq(total), self.steps[lane].eq(before[n])]
            m.d.sync += last.eq(Mux(parts.fresh, 0, written[n]))

    def _inputs(self, x, tap: int) -> Array:
        """Of a tap, at the places."""
        return Array(x[tap * self.places + place] for place in range(self.places))

    def _term(self, m, lane: int, platform, *, x, gradients, winners):
        """``d * x`` of a lane, three clocks behind them; those of a second tap come last."""
        tap, filter_ = divmod(lane, self.pe)
        x = registered(m, self._inputs(x, tap)[winners[filter_]], name=f"x{lane}")
        d = registered(m, gradients[filter_], name=f"d{lane}")
        if self.hard:
            held = held_product(m, d, x, hard=True, platform=platform, name=f"product{lane}")
            return registered(m, held, name=f"term{lane}")
        rows = partial_products(m, x, d, platform=platform)
        middle = (len(rows) + 1) // 2
        low = registered(m, _sum(rows[:middle]), name=f"low{lane}")
        high = registered(m, _sum(rows[middle:]), name=f"high{lane}")
        return registered(m, low + high, name=f"term{lane}")


def _sum(rows: list):
    """Sum of some numbers, as a tree."""
    while len(rows) > 1:
        rows = [sum(rows[n + 1 : n + 2], rows[n]) for n in range(0, len(rows), 2)]
    return rows[0]
