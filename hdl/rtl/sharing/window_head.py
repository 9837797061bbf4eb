"""From the sums of a block of places to activations: round, shift, clip, take the largest."""

from amaranth import Cat, Const, Module, Mux, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from golden_model.spec.layer import ACTIVATION_BITS, ACTIVATION_MAX
from hdl.passes.sharing import PLACES, EngineTable, Layout, SharedFolding
from hdl.rtl.parts.delay import delayed
from hdl.rtl.sharing.held_sums import dropped_bits, held_layout
from hdl.rtl.sharing.lanes import sum_bits
from hdl.rtl.sharing.lookup import lookup
from hdl.rtl.sharing.winners import PLACE

SUM_TO_ACTIVATION = 5
"""Clocks from sums at `i` to the activation of their window, and its place."""


def score_bits(table: EngineTable) -> int:
    """Signed width of a score of any layer."""
    return max(row.format.score_bits for row in table.rows)


class WindowHead(wiring.Component):
    """``a[p] = clip((acc[p] + half(s)) >> s, 0, 255)``, ``h = max a[p]``, at its first place.

    Without pooling `turn` says which place counts. A readout's ``score = acc[0] >> s``.

    =====  ========================================================
    0      sums stand at `i`
    1      shifted; `score` stands
    2      rounded
    3      clipped
    4      the larger one of each row of places
    5      `h` and `place` stand
    =====  ========================================================

    Parameters
    ----------
    table, folding
        The engine's layers, and how they are folded.

    Members
    -------
    layer
        Stable from 0 to 5.
    i
        Sums of some filters, by filter and place, as :class:`~hdl.rtl.sharing.held_sums.HeldSums`
        holds them.
    turn
        Place of a layer without pooling, three clocks behind its sums; 0 for layers of one place.
    score
        Of each filter.
    h, place
        Of each filter.

    Throughput: one window of `heads` filters a clock. Cost: about heads * (PLACES * (sum_bits + 30)
    + 50) cells.
    """

    sum_to_score = 1
    """Clocks from sums at `i` to a readout's scores."""

    def __init__(self, table: EngineTable, folding: SharedFolding) -> None:
        self.table, self.folding = table, folding
        heads = folding.heads
        super().__init__(
            {
                "layer": In(range(len(table.rows))),
                "i": In(held_layout(table, folding)),
                "turn": In(range(PLACES)),
                "score": Out(data.ArrayLayout(signed(score_bits(table)), heads)),
                "h": Out(data.ArrayLayout(ACTIVATION_BITS, heads)),
                "place": Out(data.ArrayLayout(PLACE, heads)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        pools = [int(row.format.pool == 2) for row in self.table.rows]
        pools = lookup(m, self.layer, pools, name="pools")
        turns = delayed(m, self.turn, 1, name="turn")
        for k in range(self.folding.heads):
            best = [(self._activate(m, k, p), Const(0, 0)) for p in range(self.folding.places)]
            for bit, turn in enumerate(turns):  # columns, then rows
                pairs = list(zip(best[::2], best[1::2], strict=False)) or [(best[0], best[0])]
                best = [
                    self._larger(m, pair, pools, turn[bit], name=f"larger{k}_{bit}_{n}")
                    for n, pair in enumerate(pairs)
                ]
            m.d.comb += [self.h[k].eq(best[0][0]), self.place[k].eq(best[0][1])]
        return m

    def _activate(self, m, k, p):
        """The clipped activation of one place."""
        shifted, carry = self._shift(m, k, p)
        # Only a first place is ever a readout's.
        if p == 0:
            m.d.comb += self.score[k].eq(shifted)
        rounded, beyond = Signal(ACTIVATION_BITS + 1, name=f"rounded{k}_{p}"), Signal()
        negative = Signal(name=f"negative{k}_{p}")
        clipped = Signal(ACTIVATION_BITS, name=f"clipped{k}_{p}")
        m.d.sync += [
            rounded.eq(shifted[:ACTIVATION_BITS] + carry),
            beyond.eq(shifted[ACTIVATION_BITS:].any()),
            negative.eq(shifted[-1]),
            clipped.eq(Mux(beyond | rounded[-1], ACTIVATION_MAX, rounded[:ACTIVATION_BITS])),
        ]
        with m.If(negative):
            m.d.sync += clipped.eq(0)
        return clipped

    def _shift(self, m, k, p):
        """The sum shifted right, and the bit below the cut, which rounds it half up."""
        value = self.i[k][p]
        used = [p == 0 or row.layout is not Layout.FLAT for row in self.table.rows]
        used = used if any(used) else [True] * len(used)
        shifts = [row.format.activation_shift for row in self.table.rows]
        used_shifts = [s for s, use in zip(shifts, used, strict=True) if use]
        dropped = dropped_bits(self.table)
        kept = max(sum_bits(self.table) - min(used_shifts), ACTIVATION_BITS + 1)
        shifted, carry = Signal(signed(kept), name=f"shifted{k}_{p}"), Signal(name=f"carry{k}_{p}")

        def take(shift):
            below = value[shift - 1 - dropped] if shift else 0
            m.d.sync += [shifted.eq(value >> (shift - dropped)), carry.eq(below)]

        take(used_shifts[-1])
        if len(set(used_shifts)) > 1:
            with m.Switch(self.layer):
                for number, (shift, use) in enumerate(zip(shifts, used, strict=True)):
                    if use and shift != used_shifts[-1]:
                        with m.Case(number):
                            take(shift)
        return shifted, carry

    def _larger(self, m, pair, pools, turn, *, name):
        """The larger one of two, the first on a tie, or without pooling that of the turn; and where
        it was, a bit for each choice so far."""
        (a, place), (b, other_place) = pair
        larger, where = (
            Signal(ACTIVATION_BITS, name=name),
            Signal(len(place) + 1, name=f"{name}_at"),
        )
        second = Mux(pools, b > a, turn)
        m.d.sync += [
            larger.eq(Mux(second, b, a)),
            where.eq(Cat(Mux(second, other_place, place), second)),
        ]
        return larger, where
