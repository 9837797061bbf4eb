"""PE x PLACES sums, formed at once."""

from amaranth import Cat, Module, Mux, ResetSignal, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from golden_model.spec.layer import ACTIVATION_BITS
from hdl.passes.sharing import EngineTable, SharedFolding
from hdl.rtl.parts.adder import masked_sum
from hdl.rtl.parts.delay import delayed, replicated
from hdl.rtl.parts.multiplier import held_product

ACCUMULATOR_BITS = 32
"""Of a sum that a multiplier block adds up by itself."""
NAME_TO_SUM = (5, 8)
"""Clocks from naming a window's last word to its sums, plain and with slow memory."""
SHARE = 8
"""Filters whose inputs come out of registers of their own, with slow memory."""


def weight_bits(table: EngineTable) -> int:
    """Width of a weight of any layer."""
    return max(row.format.weight_bits for row in table.rows)


def sum_bits(table: EngineTable) -> int:
    """Signed width of a sum of any layer."""
    return max(row.format.accumulator_bits for row in table.rows)


def sums_layout(table: EngineTable, folding: SharedFolding) -> data.ArrayLayout:
    """Sums by filter and place."""
    places = data.ArrayLayout(signed(sum_bits(table)), folding.places)
    return data.ArrayLayout(places, folding.pe)


class Lanes(wiring.Component):
    """``sum[o][p] += W[o] * x[p]`` for PE filters and the places of a block.

    Clocks are counted from the one in which a word is named, and with slow memory:

    =====  =====  ===================================================================
    plain  slow
    =====  =====  ===================================================================
    0      0      `issue`, `first`, `last`
    2      3      `weights` arrive
    3      4      `x` arrives, a register; the weights' one stands too
    -      5      both stand in registers on the way, since multipliers are far,
    -      6      and in registers of the multiplier's own
    4      7      products stand, in the multiplier
    4      7      `sums_next` behind a window's last word
    5      8      sums stand; with clear slots they are cleared
    =====  =====  ===================================================================

    Parameters
    ----------
    table, folding
        The engine's layers, and how they are folded.

    Members
    -------
    issue, first, last
        A word is named; it is a window's first one, its last one.
    weights
        The word, PE weights.
    x
        A byte for each place, in two's complement.
    sums, sums_next
        By filter and place; a window's stand for one clock, the one behind `sums_next`; or, place
        by place, until the next window's first word comes, or `taken`.
    taken
        Only place by place and with clear slots: the sums are cleared.

    Throughput: one word per clock; with clear slots not in the clock behind a window's last one.
    Cost: PE * PLACES multipliers and as many sums; with clear slots these are inside of multiplier
    blocks, but for 8 cells each where they are wider than 32 bits.
    """

    def __init__(self, table: EngineTable, folding: SharedFolding) -> None:
        self.table, self.folding = table, folding
        places, pe = folding.places, folding.pe
        super().__init__(
            {
                "issue": In(1),
                "first": In(1),
                "last": In(1),
                "weights": In(data.ArrayLayout(signed(weight_bits(table)), pe)),
                "x": In(data.ArrayLayout(signed(ACTIVATION_BITS + 1), places)),
                "sums": Out(sums_layout(table, folding)),
                "sums_next": Out(1),
            }
            | ({"taken": In(1)} if self._stay else {})
        )

    @property
    def _stay(self) -> bool:
        """Whether sums that are to be cleared stay until they are taken."""
        return self.folding.place_by_place and self.folding.clear_slot

    @property
    def latency(self) -> int:
        """Clocks from naming a window's last word to its sums."""
        return NAME_TO_SUM[self.folding.slow_memory]

    def elaborate(self, platform):
        m = Module()
        late = {
            name: delayed(m, value, self.latency - 2, name=name)[-1]
            for name, value in (("issue", self.issue), ("first", self.first), ("last", self.last))
        }
        m.d.sync += self.sums_next.eq(late["issue"] & late["last"])
        adding = replicated(m, late["issue"], self.folding.pe, name="adding")
        first = replicated(m, late["first"], self.folding.pe, name="first")
        over = self.taken if self._stay else delayed(m, self.sums_next, 1, name="ends")[-1]
        clear = over | ResetSignal()
        slow, inputs = self.folding.slow_memory, [self.x] * self.folding.pe
        if slow:
            near = replicated(m, self.x, -(-self.folding.pe // SHARE), name="x_of")
            inputs = [near[o // SHARE] for o in range(self.folding.pe)]
        for o, weight in enumerate(self.weights):
            operand = delayed(m, weight, 1 + slow, name=f"weight{o}", reset_less=True)[-1]
            for p, x in enumerate(inputs[o]):
                term = held_product(
                    m,
                    operand,
                    x,
                    hard=self.folding.hard_forward,
                    platform=platform,
                    name=f"term{o}_{p}",
                    hold_operands=slow,
                )
                if self.folding.clear_slot:
                    total = self._accumulate(m, term, adding[o], clear, name=f"sum{o}_{p}")
                else:
                    total = Signal.like(self.sums[o][p], name=f"sum{o}_{p}", reset_less=True)
                    added = masked_sum(m, term, total, first[o], platform=platform)
                    with m.If(adding[o]):
                        m.d.sync += total.eq(added)
                m.d.comb += self.sums[o][p].eq(total)
        return m

    def _accumulate(self, m, term, adding, clear, *, name: str):
        """The sum in a multiplier block's accumulator, and bits beyond it in cells.

        A term changes the highest two of the accumulator's bits, taken as a number, by one at most,
        so a carry or a borrow out of it is seen a clock later: bits 11 have become 00, or 00 11.
        """
        width = sum_bits(self.table)
        # A reset of its own would come before the enable, which multiplier blocks do not have.
        total = Signal(signed(min(width, ACCUMULATOR_BITS)), name=name, reset_less=True)
        with m.If(clear | adding):
            m.d.sync += total.eq(Mux(clear, 0, total + term))
        if width == len(total):
            return total
        before, top = Signal(2, name=f"{name}_before"), total[-2:]
        beyond, now = (Signal(width - len(total), name=f"{name}_{n}") for n in ("beyond", "now"))
        m.d.comb += now.eq(beyond)
        with m.If((before == 3) & (top == 0)):
            m.d.comb += now.eq(beyond + 1)
        with m.If((before == 0) & (top == 3)):
            m.d.comb += now.eq(beyond - 1)
        m.d.sync += [before.eq(Mux(clear, 0, top)), beyond.eq(Mux(clear, 0, now))]
        return Cat(total, now).as_signed()
