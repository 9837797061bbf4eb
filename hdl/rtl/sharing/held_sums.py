"""Sums of a window on their way out, while the next window is summed."""

from amaranth import Cat, Module, Mux, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from hdl.passes.sharing import PLACES, EngineTable, SharedFolding
from hdl.rtl.sharing.lanes import sum_bits
from hdl.rtl.sharing.lookup import lookup


class HeldSums(wiring.Component):
    """A second register for the sums, that turns by as many filters a clock as there are heads.

    =======================  ==================================================================
    0                        `sums_valid`: the sums are taken
    1                        the first filters stand at `o`, `beat` and `first`
    filters / heads          the last ones, `beat` and `last`
    head_clocks              `ends`: from the next clock on another window may stand, or the
                             same one once more, for the next place; `window_ends` at the last
    =======================  ==================================================================

    Parameters
    ----------
    table, folding
        The engine's layers, and how they are folded.

    Members
    -------
    sums, sums_valid
        Of :class:`~hdl.rtl.sharing.lanes.Lanes`, at the earliest in the clock of `window_ends`.
    layer
        Stable as long as its sums stand.
    o
        Sums of some filters, by filter and place.
    beat, first, last
        They stand; they are a window's first ones, its last ones.
    ends, window_ends
        The filters have been shown for one place, for all places that count for themselves.

    Throughput: a window in `head_clocks` clocks, without pooling four times that. Cost: about
    PE * PLACES * sum_bits cells.
    """

    def __init__(self, table: EngineTable, folding: SharedFolding) -> None:
        self.table, self.folding = table, folding
        places = data.ArrayLayout(signed(sum_bits(table)), folding.places)
        super().__init__(
            {
                "sums": In(data.ArrayLayout(places, folding.pe)),
                "sums_valid": In(1),
                "layer": In(range(len(table.rows))),
                "o": Out(data.ArrayLayout(places, folding.heads)),
                "beat": Out(1),
                "first": Out(1),
                "last": Out(1),
                "ends": Out(1),
                "window_ends": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        held, shown = Signal(len(self.sums.as_value()), reset_less=True), len(self.o.as_value())
        m.d.comb += self.o.eq(held[:shown])
        with m.If(self.sums_valid):
            m.d.sync += held.eq(self.sums)
        with m.Elif(self.beat):
            m.d.sync += held.eq(Cat(held[shown:], held[:shown]))

        clocks, beats = self.folding.head_clocks, self.folding.pe // self.folding.heads
        busy, step, turn = Signal(), Signal(range(clocks)), Signal(range(PLACES))
        turns = [row.outputs_per_window - 1 for row in self.table.rows]
        m.d.comb += [
            self.beat.eq(busy & (step < beats)),
            self.first.eq(busy & (step == 0)),
            self.last.eq(busy & (step == beats - 1)),
            self.ends.eq(busy & (step == clocks - 1)),
            self.window_ends.eq(self.ends & (turn == lookup(m, self.layer, turns, name="turns"))),
        ]
        m.d.sync += step.eq(Mux(self.ends | ~busy, 0, step + 1))
        with m.If(self.ends):
            m.d.sync += turn.eq(Mux(self.window_ends, 0, turn + 1))
        with m.If(self.window_ends):
            m.d.sync += busy.eq(0)
        with m.If(self.sums_valid):
            m.d.sync += busy.eq(1)
        return m
