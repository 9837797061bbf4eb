"""Sums of a window on their way out, while the next window is summed."""

from amaranth import Module, Mux, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from hdl.passes.sharing import PLACES, EngineTable, SharedFolding
from hdl.rtl.parts.delay import replicated
from hdl.rtl.sharing.lanes import sum_bits, sums_layout
from hdl.rtl.sharing.lookup import lookup


def dropped_bits(table: EngineTable) -> int:
    """Lowest bits of a sum that no layer looks at: all below the one that rounds."""
    return max(min(row.format.activation_shift for row in table.rows) - 1, 0)


def held_layout(table: EngineTable, folding: SharedFolding) -> data.ArrayLayout:
    """Those of some filters, or of one of its places, without the lowest bits."""
    bits = sum_bits(table) - dropped_bits(table)
    places = 1 if folding.place_by_place else folding.places
    return data.ArrayLayout(data.ArrayLayout(signed(bits), places), folding.heads)


class HeldSums(wiring.Component):
    """A second register for the sums, that turns by as many filters a clock as there are heads; or,
    place by place, none, and the sums stay where they are until `window_ends`.

    =======================  ==================================================================
    0                        the sums stand and are taken; `sums_next` in the clock before
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
    sums, sums_next
        Of :class:`~hdl.rtl.sharing.lanes.Lanes`, at the earliest in the clock of `window_ends`.
    layer
        Stable as long as its sums stand.
    o
        Sums of some filters, by filter and place, without the lowest bits, see `dropped_bits`; or,
        place by place, that of its first place, and in the clocks behind it those of the others.
    counts
        Only place by place: it is the one that counts, if one place does.
    beat, first, last
        They stand; they are a window's first ones, its last ones.
    ends, window_ends
        The filters have been shown for one place, for all places that count for themselves.

    Throughput: a window in `head_clocks` clocks, without pooling four times that. Cost: about
    PE * PLACES * (sum_bits - dropped bits) cells.
    """

    def __init__(self, table: EngineTable, folding: SharedFolding) -> None:
        self.table, self.folding = table, folding
        super().__init__(
            {
                "sums": In(sums_layout(table, folding)),
                "sums_next": In(1),
                "layer": In(range(len(table.rows))),
                "o": Out(held_layout(table, folding)),
                "beat": Out(1),
                "first": Out(1),
                "last": Out(1),
                "ends": Out(1),
                "window_ends": Out(1),
            }
            | ({"counts": Out(1)} if folding.place_by_place else {})
        )

    def elaborate(self, platform):
        m = Module()
        clocks, beats = self.folding.head_clocks, self.folding.pe // self.folding.heads
        # Of the clock to come, so that what goes to all sums comes out of registers.
        busy, step, turn = Signal(), Signal(range(clocks)), Signal(range(PLACES))
        beat, ends, window_ends = Signal(), Signal(), Signal()
        turns = [row.outputs_per_window - 1 for row in self.table.rows]
        m.d.comb += [
            beat.eq(busy & (step < beats)),
            ends.eq(busy & (step == clocks - 1)),
            window_ends.eq(ends & (turn == lookup(m, self.layer, turns, name="turns"))),
        ]
        m.d.sync += [
            step.eq(Mux(ends | ~busy, 0, step + 1)),
            self.beat.eq(beat),
            self.first.eq(busy & (step == 0)),
            self.last.eq(busy & (step == beats - 1)),
            self.ends.eq(ends),
            self.window_ends.eq(window_ends),
        ]
        with m.If(ends):
            m.d.sync += turn.eq(Mux(window_ends, 0, turn + 1))
        with m.If(window_ends):
            m.d.sync += busy.eq(0)
        with m.If(self.sums_next):
            m.d.sync += busy.eq(1)
        if self.folding.place_by_place:
            shown = Signal.like(step, name="shown")
            m.d.sync += [shown.eq(step), self.counts.eq(step == turn)]
            m.d.comb += self.o[0][0].eq(self.sums[0][shown][dropped_bits(self.table) :])
        else:
            self._hold(m, beat)
        return m

    def _hold(self, m, beat) -> None:
        """The registers: what a filter's load or pass on is told by copies of its own."""
        pe, heads = self.folding.pe, self.folding.heads
        loads = replicated(m, self.sums_next, pe, name="loads")
        turns = replicated(m, beat, pe, name="turns")
        held = [Signal.like(self.o[0], name=f"held{o}", reset_less=True) for o in range(pe)]
        dropped = dropped_bits(self.table)
        for o, places in enumerate(held):
            with m.If(loads[o]):
                m.d.sync += [
                    place.eq(total[dropped:])
                    for place, total in zip(places, self.sums[o], strict=True)
                ]
            with m.Elif(turns[o]):
                m.d.sync += places.eq(held[(o + heads) % pe])
        m.d.comb += [shown.eq(places) for shown, places in zip(self.o, held, strict=False)]
