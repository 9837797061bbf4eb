"""PE x PLACES sums, formed at once."""

from amaranth import Module, Mux, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from golden_model.spec.layer import ACTIVATION_BITS
from hdl.passes.sharing import EngineTable, SharedFolding
from hdl.rtl.parts.delay import delayed, registered
from hdl.rtl.parts.multiplier import held_product

NAME_TO_SUM = 5
"""Clocks from naming a window's last word to its sums; slow memory takes one more."""


def weight_bits(table: EngineTable) -> int:
    """Width of a weight of any layer."""
    return max(row.format.weight_bits for row in table.rows)


def sum_bits(table: EngineTable) -> int:
    """Signed width of a sum of any layer."""
    return max(row.format.accumulator_bits for row in table.rows)


class Lanes(wiring.Component):
    """``sum[o][p] += W[o] * x[p]`` for PE filters and the places of a block.

    Clocks are counted from the one in which a word is named; with slow memory all from 2 on come a
    clock later:

    =====  ==========================================================================
    0      `issue`, `first`, `last`
    2      `weights` arrive
    3      `x` arrives, an operand register; the weights' one stands too
    4      products stand
    5      sums stand; `sums_valid` behind a window's last word
    =====  ==========================================================================

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
    sums, sums_valid
        By filter and place, for the one clock in which they are valid.

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
                "sums_valid": Out(1),
            }
        )

    @property
    def latency(self) -> int:
        """Clocks from naming a window's last word to its sums."""
        return NAME_TO_SUM + self.folding.slow_memory

    def elaborate(self, platform):
        m = Module()
        adding = delayed(m, self.issue, self.latency - 1, name="adding")[-1]
        first = delayed(m, self.first, self.latency - 1, name="first")[-1]
        ends = delayed(m, self.issue & self.last, self.latency, name="ends")[-1]
        m.d.comb += self.sums_valid.eq(ends)
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
                )
                total = Signal.like(self.sums[o][p], name=f"sum{o}_{p}", reset_less=True)
                with m.If(adding):
                    m.d.sync += total.eq(Mux(first, 0, total) + term)
                m.d.comb += self.sums[o][p].eq(total)
        return m
