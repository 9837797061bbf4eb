"""Where the filters stand that come out of the head, and where their activations go."""

from types import SimpleNamespace

from amaranth import Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hdl.passes.sharing import PLACES, EngineTable, Layout, Row, SharedFolding
from hdl.rtl.parts.delay import delayed
from hdl.rtl.sharing.lookup import lookup

SHOWN_TO_TURN = 3
"""Clocks from sums that are shown to the place that counts without pooling."""
SHOWN_TO_OUT = 6
"""Clocks from sums that are shown to all that is said of them."""


class HeadWalk(wiring.Component):
    """Groups, windows of a group and places of a window, in the order in which sums are shown.

    =====  ===========================================================================
    0      filters are shown: `beat`, `first`, `last`
    2      group, window and turn stand
    3      `turn`; the place in the map, and its part of the page's address
    4      whether it is inside the map, its parts of regions, the group's part
    5      the region, the filter's number
    6      everything else
    =====  ===========================================================================

    What is counted goes on two clocks behind `ends`, not before the first three of these clocks;
    what is used longer is held from `first` on.

    Parameters
    ----------
    table, folding
        The engine's layers, and how they are folded.

    Members
    -------
    start, layer, parity
        Pulse before a layer's first window; the others stay until `written`.
    beat, first, last, ends, window_ends
        Of :class:`~hdl.rtl.sharing.held_sums.HeldSums`.
    turn
        The place that counts in a layer without pooling.
    o_beat, o_first, o_last
        Filters are here, the first ones of their place, the last ones.
    inside, exists
        Their place is in the map; each filter is one of the layer's.
    row, column, region, region_first
        Block of places, region of the classifier, and whether no window before was in it.
    group_last, layer_last
        It is a group's last place, and the group the layer's last one.
    bank, address, feeds
        Of the first filter's activation in the next layer's page, if it `feeds` one.
    written
        Behind a layer's last filters.

    Cost: about 200 cells.
    """

    def __init__(self, table: EngineTable, folding: SharedFolding) -> None:
        self.table, self.folding = table, folding
        rows = table.rows
        shown = ("start", "parity", "beat", "first", "last", "ends", "window_ends")
        said = ("o_beat", "o_first", "o_last", "inside", "region_first", "group_last", "layer_last")
        super().__init__(
            {name: In(1) for name in shown}
            | {name: Out(1) for name in (*said, "feeds", "written")}
            | {
                "layer": In(range(len(rows))),
                "turn": Out(range(PLACES)),
                "exists": Out(folding.heads),
                "row": Out(range(max(row.window_rows for row in rows))),
                "column": Out(range(max(row.window_columns for row in rows))),
                "region": Out(range(max(row.format.regions for row in rows))),
                "bank": Out(range(folding.places)),
                "address": Out(range(table.page_depth)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        first = delayed(m, self.first, SHOWN_TO_OUT, name="first")
        at = self._count(m)
        row, column = self._place(m, at)
        inside, region, begins = self._region(m, row, column)
        self._page(m, at, row, column, first)
        self._filters(m, at, first)
        written = Signal()
        m.d.comb += [
            self.o_beat.eq(delayed(m, self.beat, SHOWN_TO_OUT, name="beat")[-1]),
            self.o_first.eq(first[-1]),
            self.o_last.eq(delayed(m, self.last, SHOWN_TO_OUT, name="last")[-1]),
            written.eq(self.o_last & self.group_last & self.layer_last),
        ]
        m.d.sync += self.written.eq(written)
        with m.If(first[5]):
            m.d.sync += [
                self.row.eq(at.row),
                self.column.eq(at.column),
                self.region.eq(region),
                self.region_first.eq(begins),
                self.inside.eq(inside),
                self.group_last.eq(at.last_window & (at.turn == at.turns)),
                self.layer_last.eq(at.last_group),
            ]
        return m

    def _of(self, m, name, value):
        """A constant of the layer, `value` of its row."""
        values = [value(row) for row in self.table.rows]
        return lookup(m, self.layer, values, name=name)

    def _count(self, m):
        """Group, window, turn; and what is known of them a clock later."""
        rows = self.table.rows
        ends = delayed(m, self.ends, 2, name="ends")[-1]
        window_ends = delayed(m, self.window_ends, 2, name="window_ends")[-1]
        at = SimpleNamespace(
            group=Signal(range(max(row.groups for row in rows)), name="group"),
            row=Signal(max(1, len(self.row)), name="at_row"),
            column=Signal(max(1, len(self.column)), name="at_column"),
            turn=Signal(range(PLACES), name="at_turn"),
            turns=self._of(m, "turns", lambda row: row.outputs_per_window - 1),
            last_column=Signal(name="last_column"),
            last_window=Signal(name="last_window"),
            last_group=Signal(name="last_group"),
            group_ends=Signal(name="group_ends"),
        )
        last_row = self._of(m, "last_row", lambda row: row.window_rows - 1)
        last_column = self._of(m, "last_column_is", lambda row: row.window_columns - 1)
        last_group = self._of(m, "last_group_is", lambda row: row.groups - 1)
        m.d.sync += [
            at.last_column.eq(at.column == last_column),
            at.last_window.eq((at.column == last_column) & (at.row == last_row)),
            at.last_group.eq(at.group == last_group),
        ]
        at.window_ends = window_ends
        with m.If(ends):
            m.d.sync += at.turn.eq(Mux(window_ends, 0, at.turn + 1))
        with m.If(window_ends):
            m.d.sync += at.column.eq(Mux(at.last_column, 0, at.column + 1))
            with m.If(at.last_column):
                m.d.sync += at.row.eq(Mux(at.last_window, 0, at.row + 1))
            with m.If(at.last_window):
                m.d.sync += at.group.eq(at.group + 1)
        with m.If(self.start):
            m.d.sync += [at.group.eq(0), at.row.eq(0), at.column.eq(0)]
        return at

    def _place(self, m, at):
        """Row and column of the activation in its map; of a block, or of one of its places."""
        apart = self._of(m, "apart", lambda row: int(row.outputs_per_window == PLACES))
        row, column = Signal(len(at.row) + 1), Signal(len(at.column) + 1)
        m.d.sync += [
            self.turn.eq(at.turn),
            row.eq(Mux(apart, Cat(at.turn[1], at.row), at.row)),
            column.eq(Mux(apart, Cat(at.turn[0], at.column), at.column)),
        ]
        return row, column

    def _region(self, m, row, column):
        """Whether a place is inside the map, its region, and whether that begins with it."""
        last_row = self._of(m, "map_last_row", lambda row: row.format.pooled_shape[0] - 1)
        last_column = self._of(m, "map_last_column", lambda row: row.format.pooled_shape[1] - 1)
        inside, inside_held, begins = Signal(), Signal(), Signal()
        region = Signal.like(self.region, name="region_at")
        row_part, row_begins = self._part(m, row, 0)
        column_part, column_begins = self._part(m, column, 1)
        m.d.sync += [
            inside.eq((row <= last_row) & (column <= last_column)),
            inside_held.eq(inside),
            region.eq(row_part + column_part),
            begins.eq(row_begins & column_begins),
        ]
        return inside_held, region, begins

    def _part(self, m, position, axis):
        """First region of the part of rows, or of columns, that a position is in, a clock later;
        and whether it is the part's first one."""
        part, begins = Signal.like(self.region, name=f"part{axis}"), Signal(name=f"begins{axis}")
        m.d.sync += [part.eq(0), begins.eq(position == 0)]
        with m.Switch(self.layer):
            for number, layer in enumerate(row.format for row in self.table.rows):
                across, size = layer.regions_across, layer.pooled_shape[axis]
                if across == 1:
                    continue
                parts = [place * across // size for place in range(size)]
                with m.Case(number), m.Switch(position):
                    for place, found in enumerate(parts):
                        with m.Case(place):
                            m.d.sync += [
                                part.eq(found if axis else found * across),
                                begins.eq(place == 0 or parts[place - 1] != found),
                            ]
        return part, begins

    def _page(self, m, at, row, column, first):
        """Address in the page of the layer that is fed."""
        rows, pe, heads = self.table.rows, self.folding.pe, self.folding.heads
        steps = [_Steps(row, above) for row, above in zip(rows, (*rows[1:], None), strict=True)]
        largest = max(4 * self.table.page_depth, 2)
        number, row_number = Signal(range(largest)), Signal(range(largest))
        filters = Signal(range(max(row.groups for row in rows) * pe + 1))
        by_row, by_column = (
            lookup(
                m,
                Cat(odd, self.layer),
                [getattr(step, kind)[n] for step in steps for n in range(2)],
                name=kind,
            )
            for kind, odd in (("by_row", at.row[:1]), ("by_column", at.column[:1]))
        )
        with m.If(at.window_ends):
            m.d.sync += number.eq(number + by_column)
            with m.If(at.last_column):
                m.d.sync += [
                    number.eq(row_number + by_row),
                    row_number.eq(row_number + by_row),
                ]
            with m.If(at.last_window):
                m.d.sync += [number.eq(0), row_number.eq(0), filters.eq(filters + pe)]
        with m.If(self.start):
            m.d.sync += [number.eq(0), row_number.eq(0), filters.eq(0)]

        places = [step.by_place[n] for step in steps for n in range(PLACES)]
        place = lookup(m, Cat(at.turn, self.layer), places, name="by_place")
        of_place, of_group, here = (Signal.like(number, name=f"number{n}") for n in range(3))
        bank = Signal(range(PLACES)), Signal(range(PLACES))
        if pe == heads and not self.folding.slow_memory:
            # Nothing is counted on, and all that is added still stands when it is used.
            m.d.comb += [here.eq(number + place + filters), bank[1].eq(Cat(column[0], row[0]))]
        else:
            m.d.sync += [
                of_place.eq(number + place),
                of_group.eq(of_place + filters),
                here.eq(Mux(first[4], of_group, here + heads)),
                bank[0].eq(Cat(column[0], row[0])),
            ]
            with m.If(first[4]):
                m.d.sync += bank[1].eq(bank[0])
        bases = [base for step in steps for base in step.bases]
        base = lookup(m, Cat(self.parity, self.layer), bases, name="page_base")
        flat = lookup(m, self.layer, [int(step.flat) for step in steps], name="flat")
        spread = self.folding.places > 1
        m.d.sync += [
            self.bank.eq(Mux(flat, here[:2], bank[1]) if spread else 0),
            self.address.eq(base + Mux(flat & spread, here >> 2, here)),
        ]
        feeds = [int(n < len(rows) - 1) for n in range(len(rows))]
        # Whether the host must wait for a write hangs on it.
        m.d.sync += self.feeds.eq(lookup(m, self.layer, feeds, name="feeds_one"))

    def _filters(self, m, at, first):
        """Which filters of the last group are the layer's."""
        pe, heads = self.folding.pe, self.folding.heads
        filled = [row.format.units - (row.groups - 1) * pe for row in self.table.rows]
        filled = lookup(m, self.layer, filled, name="filled")
        lane, last_group = Signal(range(pe)), Signal()
        m.d.sync += lane.eq(Mux(first[4], 0, lane + heads))
        with m.If(first[4]):
            m.d.sync += last_group.eq(at.last_group)
        for k in range(heads):
            m.d.sync += self.exists[k].eq(~last_group | (lane + k < filled))


class _Steps:
    """How far apart windows are in the page of the layer above, in bytes of a bank (PIXELS) or of
    all (FLAT): to the next column and row, from an even and from an odd one, and for each place."""

    def __init__(self, row: Row, above: Row | None) -> None:
        self.by_row, self.by_column, self.by_place = (0, 0), (0, 0), (0,) * PLACES
        self.bases, self.flat = (0, 0), False
        if above is None:
            return
        self.bases, self.flat = above.page_bases, above.layout is Layout.FLAT
        apart, stride = row.outputs_per_window == PLACES, above.stride
        if self.flat:
            down = row.format.pooled_shape[1] * stride
            self.by_row = (down * (1 + apart),) * 2
            self.by_column = (stride * (1 + apart),) * 2
            if apart:
                self.by_place = (0, stride, down, down + stride)
        elif apart:
            self.by_row, self.by_column = (above.row_stride,) * 2, (stride,) * 2
        else:
            self.by_row, self.by_column = (0, above.row_stride), (0, stride)
