"""PE x PLACES sums, formed at once."""

from amaranth import Module, Mux, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from golden_model.spec.layer import ACTIVATION_BITS
from hdl.passes.sharing import EngineTable, SharedFolding
from hdl.rtl.parts.delay import delayed, registered, replicated
from hdl.rtl.parts.multiplier import held_product

NAME_TO_SUM = 5
"""Clocks from naming a window's last word to its sums; slow memory takes two more."""


def weight_bits(table: EngineTable) -> int:
    """Width of a weight of any layer."""
    return max(row.format.weight_bits for row in table.rows)


def sum_bits(table: EngineTable) -> int:
    """Signed width of a sum of any layer."""
    return max(row.format.accumulator_bits for row in table.rows)


class Lanes(wiring.Component):
    """``sum[o][p] += W[o] * x[p]`` for PE filters and the places of a block.

    Clocks are counted from the one in which a word is named, and with slow memory:

    =====  =====  ===================================================================
    plain  slow
    =====  =====  ===================================================================
    0      0      `issue`, `first`, `last`
    2      3      `weights` arrive
    3      4      `x` arrives, a register; the weights' one stands too
    -      5      both stand in registers of the multiplier's own, since it is far
    4      6      products stand; `sums_next` behind a window's last word
    5      7      sums stand
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
        By filter and place; a window's stand for one clock, the one behind `sums_next`.

    Throughput: one word per clock. Cost: PE * PLACES multipliers and as many sums.
    """

    def __init__(self, table: EngineTable, folding: SharedFolding) -> None:
        self.table, self.folding = table, folding
        places, pe = folding.places, folding.pe
        sums = data.ArrayLayout(data.ArrayLayout(signed(sum_bits(table)), places), pe)
        super().__init__(
            {
                "issue": In(1),
                "first": In(1),
                "last": In(1),
                "weights": In(data.ArrayLayout(signed(weight_bits(table)), pe)),
                "x": In(data.ArrayLayout(signed(ACTIVATION_BITS + 1), places)),
                "sums": Out(sums),
                "sums_next": Out(1),
            }
        )

    @property
    def latency(self) -> int:
        """Clocks from naming a window's last word to its sums."""
        return NAME_TO_SUM + 2 * self.folding.slow_memory

    def elaborate(self, platform):
        m = Module()
        late = {
            name: delayed(m, value, self.latency - 2, name=name)[-1]
            for name, value in (("issue", self.issue), ("first", self.first), ("last", self.last))
        }
        m.d.sync += self.sums_next.eq(late["issue"] & late["last"])
        adding = replicated(m, late["issue"], self.folding.pe, name="adding")
        first = replicated(m, late["first"], self.folding.pe, name="first")
        for o, weight in enumerate(self.weights):
            operand = registered(m, weight, name=f"weight{o}")
            for p, x in enumerate(self.x):
                term = held_product(
                    m,
                    operand,
                    x,
                    hard=self.folding.hard_forward,
                    platform=platform,
                    name=f"term{o}_{p}",
                    hold_operands=self.folding.slow_memory,
                )
                total = Signal.like(self.sums[o][p], name=f"sum{o}_{p}", reset_less=True)
                with m.If(adding[o]):
                    m.d.sync += total.eq(Mux(first[o], 0, total) + term)
                m.d.comb += self.sums[o][p].eq(total)
        return m
