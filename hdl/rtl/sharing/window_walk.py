"""The order in which the sweep comes to windows."""

from amaranth import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hdl.passes.sharing import FLAGS, PLACES, EngineTable, Layout, Row
from hdl.rtl.sharing.lookup import lookup


def column_step(row: Row) -> int:
    """From a window to the next one: words of flags, PACKED their bits; FLAT has one window."""
    by_layout = {
        Layout.PIXELS: row.stride // FLAGS,
        Layout.PACKED: 2 * row.stride,
        Layout.FLAT: 0,
    }
    return by_layout[row.layout]


def hangs(row: Row, side: int) -> int:
    """Whether blocks of places hang over the map's edge: below (0), on the right (1)."""
    if row.outputs_per_window != PLACES:
        return 0
    return row.format.map_shape[side] % 2


class WindowWalk(wiring.Component):
    """Groups outermost, windows in raster order.

    Parameters
    ----------
    table
        The engine's.

    Members
    -------
    start, layer, parity
        Pulse: begin; the layer and the parity of the sample stay.
    next
        Pulse: go on to the next window, behind the last one to the first.
    row, column
        Where its flags begin: of its first row with the base in it, and within the row; PACKED:
        bits within the row.
    bottom, right
        It hangs over the edge of the map there.
    final, end
        It is the last of its group, of the layer.

    Latency: one clock from `start` or `next`. Cost: about 4 cells for each bit.
    """

    def __init__(self, table: EngineTable) -> None:
        self.table = table
        columns = max(column_step(row) * row.window_columns for row in table.rows)
        super().__init__(
            {
                "start": In(1),
                "layer": In(range(len(table.rows))),
                "parity": In(1),
                "next": In(1),
                "row": Out(range(table.flag_depth)),
                "column": Out(range(columns + 1)),
                "bottom": Out(1),
                "right": Out(1),
                "final": Out(1),
                "end": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        rows = self.table.rows

        def constant(name, values):
            return lookup(m, self.layer, list(values), name=name)

        def counter(name, counts):
            """It, whether it stands at the layer's last value, and what comes next."""
            counts = list(counts)
            count, last = Signal(range(max(counts)), name=name), Signal(name=f"last_{name}")
            m.d.comb += last.eq(count == constant(f"{name}_end", (n - 1 for n in counts)))
            return count, last, Mux(last, 0, count + 1)

        i, last_row, next_i = counter("i", (r.window_rows for r in rows))
        j, last_column, next_j = counter("j", (r.window_columns for r in rows))
        group, last_group, next_group = counter("group", (r.groups for r in rows))
        bases = [constant(f"base{n}", (r.flag_bases[n] for r in rows)) for n in (0, 1)]
        base = Mux(self.parity, bases[1], bases[0])
        across = constant("across", map(column_step, rows))
        down = constant("down", (r.row_stride // FLAGS for r in rows))
        m.d.comb += [
            self.final.eq(last_row & last_column),
            self.end.eq(self.final & last_group),
            self.bottom.eq(last_row & constant("hangs_below", (hangs(r, 0) for r in rows))),
            self.right.eq(last_column & constant("hangs_right", (hangs(r, 1) for r in rows))),
        ]
        with m.If(self.next):
            m.d.sync += [j.eq(next_j), self.column.eq(Mux(last_column, 0, self.column + across))]
            with m.If(last_column):
                m.d.sync += [i.eq(next_i), self.row.eq(self.row + down)]
            with m.If(self.final):
                m.d.sync += group.eq(next_group)
        with m.If(self.start | (self.next & self.final)):
            m.d.sync += self.row.eq(base)
        return m
