"""The order in which the sweep comes to blocks of inputs."""

from types import SimpleNamespace

from amaranth import Module, Mux, Shape, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hdl.passes.sharing import FLAGS, EngineTable, Layout, Row, SharedFolding
from hdl.rtl.sharing.flag_reader import flag_block
from hdl.rtl.sharing.lookup import lookup
from hdl.rtl.sharing.page_ports import inside
from hdl.rtl.sharing.window_walk import WindowWalk

ALL = (1 << FLAGS) - 1


def packed_row(table: EngineTable) -> Row | None:
    """The layer whose flags follow each other along a row, if there is one: the first."""
    first = table.rows[0]
    return first if first.layout is Layout.PACKED else None


def sweep_token(table: EngineTable) -> data.StructLayout:
    """What the sweep knows of a block.

    Members
    -------
    row, column
        ``row[1]`` and ``column[1]`` of its flags; PACKED, FLAT: column is its word of flags.
    row_odd, column_odd
        Of its kernel place.
    bottom, right
        The lower, the right half of the places is outside the map; right: of PIXELS only.
    tap
        Number of its first input, which with PACKED may be below 0; of the bias its own.
    bias
        No block, but the bias behind a window's last one.
    final, end
        With the bias: of the last window of a group, of the layer.
    """
    taps = max(row.taps for row in table.rows)
    return data.StructLayout(
        {
            "row": range(table.flag_depth),
            "column": range(max(map(_columns, table.rows)) + 1),
            "row_odd": 1,
            "column_odd": 1,
            "bottom": 1,
            "right": 1,
            "tap": Shape.cast(range(-FLAGS if packed_row(table) else 0, taps + 1)),
            "bias": 1,
            "final": 1,
            "end": 1,
        }
    )


def _columns(row: Row) -> int:
    """Words of flags in a row that are looked at, those beside it among them."""
    if row.layout is Layout.PIXELS:
        return (row.window_columns + row.format.kernel // 2 + 1) * row.stride // FLAGS
    return row.flag_words


class BlockWalk(wiring.Component):
    """Walks a layer: groups outermost, windows in raster order, kernel rows, columns, chunks.

    A chunk is 8 channels of a kernel place, with PACKED a word of a row of flags, with FLAT 8
    inputs, where pixels take the place of kernel columns. Behind the last block of a window comes
    its bias. Addresses are counted on, nothing is multiplied.

    Parameters
    ----------
    table, folding
        The engine's.

    Members
    -------
    start
        Pulse: walk once.
    layer, parity
        Of what; stable from `start` until the walk is through.
    o
        Blocks, to a :class:`~hdl.rtl.sharing.flag_reader.FlagReader`.

    Latency: the first block two clocks after `start`. Throughput: one a clock. Cost: about 15 cells
    for each bit of an address.
    """

    def __init__(self, table: EngineTable, folding: SharedFolding) -> None:
        self.table, self.folding = table, folding
        self.packed = packed_row(table)
        out = data.StructLayout({"block": flag_block(table, folding), "token": sweep_token(table)})
        super().__init__(
            {
                "start": In(1),
                "layer": In(range(len(table.rows))),
                "parity": In(1),
                "o": Out(stream.Signature(out)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        token, loading, running = self.o.payload.token, Signal(), Signal()
        # A step sends a block on its way; a window begins in the step of the bias before it.
        step, begin, bias, final, end = (Signal() for _ in range(5))
        m.submodules.windows = windows = WindowWalk(self.table)
        columns = [Signal.like(token.column, name=f"column{n}") for n in range(2)]
        at, last, ends = self._kernel(m, windows, columns, step & ~bias, begin)
        m.d.comb += [
            windows.start.eq(self.start),
            windows.layer.eq(self.layer),
            windows.parity.eq(self.parity),
            windows.next.eq(ends.window),
            self.o.valid.eq(running),
            step.eq(running & self.o.ready),
            begin.eq(loading | (step & bias)),
            token.bias.eq(bias),
            token.final.eq(final),
            token.end.eq(end),
        ]
        m.d.sync += loading.eq(self.start)
        with m.If(step):
            m.d.sync += [
                bias.eq(ends.window),
                final.eq(ends.window & windows.final),
                end.eq(ends.window & windows.end),
            ]
        with m.If(loading):
            m.d.sync += running.eq(1)
        with m.Elif(step & end):
            m.d.sync += running.eq(0)
        self._rows(m, windows, at, last, ends, begin)
        self._columns(m, windows, columns, at, last, ends, step, begin)
        self._taps(m, windows, ends, step, begin, bias)
        self._mask(m, windows, at, last, bias)
        return m

    def _constant(self, m, name, value):
        """Of the layer in hand."""
        return lookup(m, self.layer, [int(value(row)) for row in self.table.rows], name=name)

    def _is(self, m, layout):
        return self._constant(m, layout.name.lower(), lambda row: row.layout is layout)

    def _kernel(self, m, windows, columns, step, begin):
        """Counters, whether they stand at their last value, and which of them end in this step."""
        ranges = {
            "chunk": lambda row: -(-row.stride // FLAGS),
            "column": lambda row: {
                Layout.PIXELS: row.format.kernel,
                Layout.PACKED: 1,
                Layout.FLAT: row.tap_pixels,
            }[row.layout],
            "row": lambda row: 1 if row.layout is Layout.FLAT else row.format.kernel,
        }
        counts = {name: max(map(of, self.table.rows)) for name, of in ranges.items()}
        if self.packed:
            bits = self.packed.format.kernel * self.packed.stride
            counts["chunk"] = max(counts["chunk"], 1 + (FLAGS - 1 + bits - 1) // FLAGS)
        at = Signal(data.StructLayout({n: max(1, (c - 1).bit_length()) for n, c in counts.items()}))
        last = Signal(data.StructLayout(dict.fromkeys(counts, 1)))
        ends = SimpleNamespace(chunk=Signal(), row=Signal(), window=Signal())
        for name, of in ranges.items():
            final = self._constant(m, f"last_{name}", lambda row, of=of: of(row) - 1)
            m.d.comb += last[name].eq(at[name] == final)
        if self.packed:
            # A kernel row covers the words from its first bit's to its last bit's.
            final = Signal.like(columns[1], name="last_word")
            with m.If(begin):
                m.d.sync += final.eq((windows.column + (bits - 1)) >> 3)
            with m.If(self._is(m, Layout.PACKED)):
                m.d.comb += last.chunk.eq(columns[1] == final)
        m.d.comb += [
            ends.chunk.eq(step & last.chunk),
            ends.row.eq(ends.chunk & last.column),
            ends.window.eq(ends.row & last.row),
        ]
        with m.If(step):
            m.d.sync += at.chunk.eq(at.chunk + 1)
        with m.If(ends.chunk):
            m.d.sync += [at.chunk.eq(0), at.column.eq(at.column + 1)]
        with m.If(ends.row):
            m.d.sync += [at.column.eq(0), at.row.eq(at.row + 1)]
        with m.If(begin):
            m.d.sync += at.row.eq(0)
        return at, last, ends

    def _rows(self, m, windows, at, last, ends, begin):
        """``row[0]`` goes on behind even kernel rows, ``row[1]`` behind odd ones."""
        block, token = self.o.payload.block, self.o.payload.token
        down = self._constant(m, "down", lambda row: row.row_stride // FLAGS)
        rows = [Signal(range(self.table.flag_depth), name=f"row{n}") for n in range(2)]
        for parity, row in enumerate(rows):
            with m.If(begin):
                m.d.sync += row.eq(windows.row)
            with m.Elif(ends.row & (at.row[0] == parity)):
                m.d.sync += row.eq(row + down)
        bottom = windows.bottom & last.row
        m.d.comb += [
            token.row.eq(rows[1]),
            token.row_odd.eq(at.row[0]),
            token.bottom.eq(bottom),
        ]
        for side in range(len(block.row)):
            m.d.comb += block.row[side].eq(rows[side])
        # Of flat inputs all flags are in one bank.
        rows_inside = Mux(self._is(m, Layout.FLAT), 1, inside(bottom, at.row[0]))
        m.d.comb += block.rows.eq(rows_inside)

    def _columns(self, m, windows, columns, at, last, ends, step, begin):
        """Behind a chunk, place or row, see :class:`~hdl.rtl.sharing.flag_reader.flag_block`."""
        block, token = self.o.payload.block, self.o.payload.token
        flat, packed = self._is(m, Layout.FLAT), self._is(m, Layout.PACKED)
        start = Signal.like(token.column, name="column_start")  # of the kernel place, in bank 1
        beginning = Mux(packed, windows.column >> 3, windows.column)
        following, stays = columns[1] + 1, ~(at.column[0] | flat)
        with m.If(step):
            m.d.sync += [columns[0].eq(columns[0] + 1), columns[1].eq(following)]
        with m.If(ends.chunk):
            # From an even column to the next one the bank of odd columns stays where it is.
            m.d.sync += columns[0].eq(following)
            with m.If(stays):
                m.d.sync += columns[1].eq(start)
            with m.Else():
                m.d.sync += start.eq(following)
        with m.If(begin | ends.row):
            m.d.sync += [c.eq(beginning) for c in (*columns, start)]
        right = windows.right & last.column & ~packed
        m.d.comb += [
            token.column.eq(columns[1]),
            token.column_odd.eq(at.column[0]),
            token.right.eq(right),
        ]
        if len(block.column) == 1:
            m.d.comb += block.column[0].eq(columns[1])
        else:
            m.d.comb += [
                block.column[0].eq(Mux(packed, following >> 1, columns[0])),
                block.column[1].eq(Mux(packed, columns[1] >> 1, columns[1])),
            ]
        outside, odd = right, at.column[0]
        if self.packed:
            beyond = columns[1] == self.packed.flag_words - 1
            outside = Mux(packed, beyond, right)
            odd = Mux(packed, columns[1][0], odd)
        m.d.comb += [
            block.columns.eq(Mux(flat, 1, inside(outside, odd))),
            block.packed.eq(packed),
            block.odd.eq(columns[1][0]),
        ]

    def _taps(self, m, windows, ends, step, begin, bias):
        """Eight a block; with PACKED a kernel row begins within a word, and so below its tap."""
        token = self.o.payload.token
        tap = Signal(token.tap.shape(), name="tap")
        own = self._constant(m, "bias_tap", lambda row: row.taps)
        m.d.comb += token.tap.eq(Mux(bias, own, tap))
        with m.If(step):
            m.d.sync += tap.eq(tap + FLAGS)
        with m.If(begin):
            m.d.sync += tap.eq(0)
        if not self.packed:
            return
        bits = self.packed.format.kernel * self.packed.stride
        start = Signal(tap.shape(), name="row_tap")
        with m.If(self._is(m, Layout.PACKED)):
            with m.If(ends.row):
                m.d.sync += [tap.eq(start + bits), start.eq(start + bits)]
            with m.If(begin):
                m.d.sync += [v.eq(-windows.column[:3]) for v in (tap, start)]

    def _mask(self, m, windows, at, last, bias):
        """Channels that there are; PACKED: bits of the kernel row."""
        block = self.o.payload.block
        left = [row.tap_channels - FLAGS * (-(-row.stride // FLAGS) - 1) for row in self.table.rows]
        ends = lookup(m, self.layer, [(1 << n) - 1 for n in left], name="last_mask")
        m.d.comb += [
            block.mask.eq(Mux(last.chunk, ends, ALL)),
            block.sure.eq(bias | int(not self.folding.skip_zeros)),
        ]
        if self.packed:
            with m.If(self._is(m, Layout.PACKED)):
                m.d.comb += block.mask.eq(self._packed_mask(m, windows, at, last))
        with m.If(bias):
            m.d.comb += block.mask.eq(1)

    def _packed_mask(self, m, windows, at, last):
        row, low = self.packed, windows.column[:3]
        channels = (1 << row.tap_channels) - 1
        pixels = sum(channels << first for first in range(0, FLAGS, row.stride))
        high = Signal(3, name="last_bit")
        m.d.comb += high.eq(low + (row.format.kernel * row.stride - 1))
        from_low = Mux(at.chunk == 0, (ALL << low)[:FLAGS], ALL)
        to_high = Mux(last.chunk, ((2 << high) - 1)[:FLAGS], ALL)
        return from_low & to_high & pixels
