"""From the sums of a block of places, one after another, to the largest activation."""

from amaranth import Module, Mux, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from golden_model.spec.layer import ACTIVATION_BITS, ACTIVATION_MAX
from hdl.passes.sharing import PLACES, EngineTable, SharedFolding
from hdl.rtl.parts.delay import delayed
from hdl.rtl.sharing.held_sums import dropped_bits, held_layout
from hdl.rtl.sharing.lookup import lookup
from hdl.rtl.sharing.window_head import score_bits
from hdl.rtl.sharing.winners import PLACE


class PlaceHead(wiring.Component):
    """What :class:`~hdl.rtl.sharing.window_head.WindowHead` does, place by place.

    =====  ========================================================
    0      the first place's sum stands at `i`, a readout's `score`
    1      its activation
    5      `h` and `place` stand, of all four
    =====  ========================================================

    Parameters
    ----------
    table, folding
        The engine's layers, and how they are folded; one filter at a time.

    Members
    -------
    layer
        Stable from 0 to 5.
    first, i, counts
        It is a window's first place, its sum, and whether it counts in a layer without pooling, of
        :class:`~hdl.rtl.sharing.held_sums.HeldSums`.
    score, h, place
        Of the filter.

    Throughput: a window in four clocks. Cost: about 60 cells.
    """

    sum_to_score = 0
    """Clocks from the first sum at `i` to a readout's scores."""

    def __init__(self, table: EngineTable, folding: SharedFolding) -> None:
        self.table, self.folding = table, folding
        super().__init__(
            {
                "layer": In(range(len(table.rows))),
                "first": In(1),
                "i": In(held_layout(table, folding)),
                "counts": In(1),
                "score": Out(data.ArrayLayout(signed(score_bits(table)), 1)),
                "h": Out(data.ArrayLayout(ACTIVATION_BITS, 1)),
                "place": Out(data.ArrayLayout(PLACE, 1)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        last = self.table.rows[-1].format
        if last.reads_out:
            shift = last.activation_shift - dropped_bits(self.table)
            m.d.comb += self.score[0].eq(self.i[0][0] >> shift)
        pools = [int(row.format.pool == 2) for row in self.table.rows]
        pools = lookup(m, self.layer, pools, name="pools")
        activation = self._activation(m)
        first = delayed(m, self.first, 1, name="first")[-1]
        counts = delayed(m, self.counts, 1, name="counts")[-1]
        here, following = Signal(range(PLACES)), Signal(range(PLACES))
        m.d.comb += here.eq(Mux(first, 0, following))
        m.d.sync += following.eq(here + 1)
        # The first one on a tie.
        with m.If(first | Mux(pools, activation > self.h[0], counts)):
            m.d.sync += [self.h[0].eq(activation), self.place[0].eq(here)]
        return m

    def _activation(self, m) -> Signal:
        """The sum shifted right, rounded half up and clipped, a clock later."""
        total, dropped = self.i[0][0], dropped_bits(self.table)
        layers = [(n, row.format) for n, row in enumerate(self.table.rows) if row.scored]
        least = min(layer.activation_shift for _, layer in layers) - dropped
        shifted, below = Signal(signed(max(len(total) - least, ACTIVATION_BITS + 1))), Signal()
        with m.Switch(self.layer):
            for number, layer in layers:
                shift = layer.activation_shift
                with m.Case(number) if number != layers[-1][0] else m.Default():
                    m.d.comb += shifted.eq(total >> (shift - dropped))
                    m.d.comb += below.eq(total[shift - dropped - 1] if shift else 0)
        rounded, activation = Signal(ACTIVATION_BITS + 1), Signal(ACTIVATION_BITS)
        m.d.comb += rounded.eq(shifted[:ACTIVATION_BITS] + below)
        beyond = shifted[ACTIVATION_BITS:].any() | rounded[-1]
        m.d.sync += activation.eq(Mux(beyond, ACTIVATION_MAX, rounded[:ACTIVATION_BITS]))
        with m.If(shifted[-1]):
            m.d.sync += activation.eq(0)
        return activation
