"""Blocks of taps, as the update machine goes through them: what each layer's are like."""

from collections.abc import Sequence

from amaranth import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hdl.passes.sharing import FLAGS, EngineTable, Layout, Row
from hdl.rtl.sharing.lookup import lookup

NEVER = 1
"""For an edge that no window has: an odd distance to it, and only even ones count."""


def chunks(row: Row) -> int:
    """Blocks of a pixel, or, PACKED, of a row of the kernel."""
    if row.layout is Layout.PACKED:
        return -(-row.format.kernel * row.stride // FLAGS)
    return -(-row.stride // FLAGS)


def last_taps(row: Row) -> int:
    """Taps in the last of these blocks; in all others there are 8."""
    whole = row.format.kernel * row.stride if row.layout is Layout.PACKED else row.stride
    return whole - FLAGS * (chunks(row) - 1)


def last_mask(row: Row) -> int:
    """Those of them that are no padding, as far as one block after another shows it."""
    if row.layout is Layout.PACKED:
        return (1 << last_taps(row)) - 1
    return (1 << (row.tap_channels - FLAGS * (chunks(row) - 1))) - 1


def shape(row: Row) -> tuple[int, int, int]:
    """Rows and columns of the kernel that are walked through, and blocks at each place."""
    kernel = row.format.kernel
    if row.layout is Layout.FLAT:
        return 1, row.tap_pixels, chunks(row)
    return kernel, 1 if row.layout is Layout.PACKED else kernel, chunks(row)


def block_members(table: EngineTable) -> dict:
    """Members of :class:`UpdateBlocks` that describe a block."""
    rows = table.rows
    edges = range(max(2, *(max(row.height, row.width) for row in rows)))
    columns = range(max(max(row.row_stride // FLAGS, row.flag_words) for row in rows) + 1)
    return {
        "bias": 1,
        "row": range(table.flag_depth),
        "column": columns,
        "row_parity": 1,
        "column_parity": 1,
        "row_edge": edges,
        "column_edge": edges,
        "last_chunk": 1,
    }


class UpdateBlocks(wiring.Component):
    """Blocks of a layer, one after another, and behind them the bias; then from the first again.

    Parameters
    ----------
    table
        The engine's.

    Members
    -------
    start, layer, parity
        Pulse: begin with the first block of `layer`, of a sample of that parity; both stable.
    next
        Go on to the next block, two clocks behind `start` at the earliest.
    bias
        It is the bias.
    row, column
        What a window's own place is added to, in units of 8 inputs, see
        :func:`~hdl.rtl.sharing.flag_reader.flag_block`: of bank row 1 with the flags' base, and of
        bank column 1; of PACKED the word, of FLAT the block's number.
    row_parity, column_parity
        Of the place in the kernel.
    row_edge, column_edge
        Twice the row, the column, of a window that meets the last row or column of the map here; an
        odd number where none does.
    last_chunk
        It is the last block of a pixel, or of a kernel's row.

    Cost: about 3 cells for each bit of an address.
    """

    def __init__(self, table: EngineTable) -> None:
        self.rows = table.rows
        super().__init__(
            {
                "start": In(1),
                "layer": In(range(len(table.rows))),
                "parity": In(1),
                "next": In(1),
                **{name: Out(shape) for name, shape in block_members(table).items()},
            }
        )

    def _of_layer(self, m: Module, name: str, values: Sequence[int]) -> Signal:
        return lookup(m, self.layer, values, name=name)

    def elaborate(self, platform):
        m = Module()
        rows = self.rows
        flat = self._of_layer(m, "flat", [row.layout is Layout.FLAT for row in rows])
        lasts = [
            self._of_layer(m, f"last{axis}", [shape(row)[axis] - 1 for row in rows])
            for axis in range(3)
        ]
        counts = [Signal.like(last, name=f"count{axis}") for axis, last in enumerate(lasts)]
        y, x, chunk = counts
        ends = [count == last for count, last in zip(counts, lasts, strict=True)]
        final_chunk, final_x, final = Signal(), Signal(), Signal()
        m.d.comb += [
            final_chunk.eq(ends[2]),
            final_x.eq(final_chunk & ends[1]),
            final.eq(final_x & ends[0]),
            self.last_chunk.eq(final_chunk),
            self.row_parity.eq(y[0] & ~flat),
            self.column_parity.eq(x[0] & ~flat),
        ]
        begin = Signal()
        m.d.sync += begin.eq(self.start)
        with m.If(self.next & ~self.bias):
            m.d.sync += [self.bias.eq(final), chunk.eq(Mux(final_chunk, 0, chunk + 1))]
            with m.If(final_chunk):
                m.d.sync += x.eq(Mux(final_x, 0, x + 1))
            with m.If(final_x):
                m.d.sync += y.eq(Mux(final, 0, y + 1))
        with m.If(begin | (self.next & self.bias)):
            m.d.sync += [self.bias.eq(0), *(count.eq(0) for count in counts)]
        self._rows(m, final_x, begin)
        self._columns(m, flat, final_chunk, final_x, begin)
        return m

    def _rows(self, m, final_x, begin):
        """The row goes on when the one in the kernel becomes even again."""
        rows = self.rows
        bases = [
            self._of_layer(m, f"flag_base{parity}", [row.flag_bases[parity] for row in rows])
            for parity in range(2)
        ]
        step = self._of_layer(m, "row_step", [row.row_stride // FLAGS for row in rows])
        conv = [row.layout is not Layout.FLAT for row in rows]
        edges = [row.height - 1 if c else NEVER for row, c in zip(rows, conv, strict=True)]
        edge = self._of_layer(m, "height_edge", edges)
        with m.If(self.next & final_x):
            m.d.sync += [
                self.row.eq(self.row + Mux(self.row_parity, step, 0)),
                self.row_edge.eq(self.row_edge - 1),
            ]
        with m.If(begin | (self.next & self.bias)):
            m.d.sync += [self.row.eq(Mux(self.parity, *bases[::-1])), self.row_edge.eq(edge)]

    def _columns(self, m, flat, final_chunk, final_x, begin):
        """Behind a pixel's last chunk the next pixel of this bank, or the same of the other."""
        first = Signal.like(self.column, name="first")
        edges = [row.width - 1 if row.layout is Layout.PIXELS else NEVER for row in self.rows]
        edge = self._of_layer(m, "width_edge", edges)
        back, following = Signal(), Signal.like(self.column, name="following")
        m.d.comb += [
            back.eq(final_chunk & ~self.column_parity & ~flat),
            following.eq(Mux(back, first, self.column + 1)),
        ]
        with m.If(self.next):
            m.d.sync += self.column.eq(following)
            with m.If(final_chunk):
                m.d.sync += [first.eq(following), self.column_edge.eq(self.column_edge - 1)]
        with m.If(begin | (self.next & (final_x | self.bias))):
            m.d.sync += [self.column.eq(0), first.eq(0), self.column_edge.eq(edge)]
