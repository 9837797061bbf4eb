"""Which inputs the update machine looks at: groups, blocks of taps, windows with a learner."""

from types import SimpleNamespace

from amaranth import Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hdl.passes.sharing import FLAGS, EngineTable, Layout, SharedFolding
from hdl.rtl.parts.delay import delayed, registered
from hdl.rtl.ports import memory_depth
from hdl.rtl.sharing.flag_reader import flag_block
from hdl.rtl.sharing.lookup import lookup
from hdl.rtl.sharing.page_ports import inside, sides
from hdl.rtl.sharing.update_blocks import UpdateBlocks, block_members, chunks, last_mask
from hdl.rtl.sharing.winners import count_shape, winner_layout

QUARTER_BITS = 2
"""A window is at least a quarter of a word of flags to the right of the one before it."""
FEW = 3
"""Steps of layers, each of which is worth a product of its own."""
OFFSET_BITS = (FLAGS - 1).bit_length()


def update_token(table: EngineTable, folding: SharedFolding) -> data.StructLayout:
    """What goes with a block's inputs in one window.

    Members
    -------
    region, places, learns
        Of the winners.
    row, column
        Of bank row 1 and bank column 1 in units of 8 inputs, see
        :func:`~hdl.rtl.sharing.flag_reader.flag_block`; PACKED: column is the word.
    row_parity, column_parity
        Of the place in the kernel.
    row_edge, column_edge
        Nothing is below, or to the right; PACKED: it is the row's last word.
    offset
        Bit of a word that is the block's first; 0 but for PACKED.
    bias, last, last_chunk
        The block is the bias; nothing comes behind this of the block; it is a pixel's, a kernel
        row's last.
    window_row, window_column, group
        Of the entry, for simulation only: nothing in hardware reads them.
    """
    winner, block = winner_layout(table, folding), block_members(table)
    fields = {name: winner[name].shape for name in ("region", "places", "learns")}
    fields |= {f"window_{name}": winner[name].shape for name in ("row", "column")}
    fields |= {"group": range(max(row.groups for row in table.rows))}
    fields |= {"row": block["row"], "column": block["column"], "offset": OFFSET_BITS}
    names = ("row_parity", "column_parity", "row_edge", "column_edge")
    names += ("bias", "last", "last_chunk")
    return data.StructLayout(fields | dict.fromkeys(names, 1))


class UpdateWalk(wiring.Component):
    """Group by group, block by block, window by window with a learner: what is to be looked at.

    Clocks are counted from the one in which an entry of the winners is asked for:

    =====  ==========================================================================
    0      `fetch` at `address`
    1      `entry`, until the next `fetch`; with slow memory it stands a clock later
    2      it goes out with its block, both as registers; of PACKED, if it reaches into
           a second word, that one follows in the next clock
    =====  ==========================================================================

    and of a group from the one in which its number of entries is asked for:

    =====  ==========================================================================
    0      `count_fetch`; two clocks behind `start`
    1      the number stands; with slow memory a clock later
    2      the first `fetch`; or `skip`, if there are none, when `settled`
    =====  ==========================================================================

    `count_fetch` of the next group comes a clock behind `skip`, or two behind the one in which the
    bias block's last entry leaves clock 1.

    Parameters
    ----------
    table, folding
        The engine's.

    Members
    -------
    start, layer, parity
        Pulse: begin with `layer`, of a sample of that parity; both stable until all is through.
    address, fetch, grant, entry, count_address, count_fetch, count
        Of :class:`~hdl.rtl.sharing.winners.Winners`.
    o
        Of each block in each window, in the order of
        :class:`~hdl.rtl.sharing.update_blocks.UpdateBlocks`; to the flag reader.
    group
        The one in hand.
    settled, skip
        All groups before it are done, so it may be skipped, and its gradients stand; pulse: it is.

    Throughput: an entry in a clock. Cost: 4 * address bits, about 8 cells for each bit of a
    window's row and of its column, and with slow memory a register for an entry.
    """

    def __init__(self, table: EngineTable, folding: SharedFolding) -> None:
        self.table, self.folding = table, folding
        self.out = data.StructLayout(
            {"block": flag_block(table, folding), "token": update_token(table, folding)}
        )
        super().__init__(
            {
                "start": In(1),
                "layer": In(range(len(table.rows))),
                "parity": In(1),
                "address": Out(range(memory_depth(table.winners))),
                "fetch": Out(1),
                "grant": In(1),
                "entry": In(winner_layout(table, folding)),
                "count_address": Out(range(memory_depth(table.groups))),
                "count_fetch": Out(1),
                "count": In(count_shape(table)),
                "o": Out(stream.Signature(self.out)),
                "group": Out(range(max(row.groups for row in table.rows))),
                "settled": In(1),
                "skip": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.blocks = blocks = UpdateBlocks(self.table)
        of = self._of_layer(m)
        m.d.comb += [
            blocks.start.eq(self.start),
            blocks.layer.eq(self.layer),
            blocks.parity.eq(self.parity),
        ]
        leaves, last, group_ends = Signal(), Signal(), Signal()
        m.d.comb += [
            blocks.next.eq(leaves & last),
            group_ends.eq(leaves & last & blocks.bias),
        ]
        running = self._groups(m, of, group_ends)
        stands, entry = self._entries(m, running & ~group_ends, leaves, last)
        self._send(m, of, blocks, entry, stands, leaves, last)
        return m

    def _of_layer(self, m) -> SimpleNamespace:
        rows, packed = self.table.rows, [r.layout is Layout.PACKED for r in self.table.rows]
        pixels = [row.layout is Layout.PIXELS for row in rows]
        conv = [row.layout is not Layout.FLAT for row in rows]
        quarters = [
            row.stride if p else (row.stride << QUARTER_BITS) // FLAGS if c else 0
            for row, p, c in zip(rows, packed, conv, strict=True)
        ]
        values = {
            "winner_base": [row.winner_base for row in rows],
            "winners": [row.winners for row in rows],
            "group_base": [row.group_base for row in rows],
            "last_group": [row.groups - 1 for row in rows],
            "row_step": [row.row_stride // FLAGS for row in rows],
            "column_step": [chunks(r) if p else 0 for r, p in zip(rows, pixels, strict=True)],
            "quarters": quarters,
            "packed": packed,
            "flat": [not c for c in conv],
            "last_mask": [last_mask(row) for row in rows],
            "last_word": [
                row.flag_words - 1 if p else 0 for row, p in zip(rows, packed, strict=True)
            ],
        }
        return SimpleNamespace(
            **{name: lookup(m, self.layer, numbers, name=name) for name, numbers in values.items()},
            values=values,
        )

    def _groups(self, m, of, group_ends):
        """One after another; says while one that has entries is gone through."""
        slow = self.folding.slow_memory
        last_group, running = Signal(), Signal()
        first = Signal.like(self.address, name="first")
        left = Signal.like(self.count, name="left")
        self._left, self._first = left, first
        m.d.comb += last_group.eq(self.group == of.last_group)
        entries = Signal.like(self.count, name="entries")
        self._entries_of_group = entries
        count = registered(m, self.count, name="count") if slow else self.count
        counted = delayed(m, self.count_fetch, 1 + slow, name="counted")[-1]
        ends = Signal()
        m.d.comb += ends.eq(group_ends | self.skip)
        with m.FSM():
            with m.State("IDLE"), m.If(self.start):
                m.d.sync += self.group.eq(0)
                m.next = "LAYER"
            with m.State("LAYER"):
                m.d.sync += [first.eq(of.winner_base), self.count_address.eq(of.group_base)]
                m.next = "COUNT"
            with m.State("COUNT"):
                m.d.comb += self.count_fetch.eq(1)
                m.next = "COUNTED"
            with m.State("COUNTED"), m.If(counted):
                m.d.sync += [
                    entries.eq(count - 1),
                    left.eq(count - 1),
                    self.address.eq(first),
                ]
                m.next = "GROUP"
                with m.If(~count.any()):
                    m.next = "EMPTY"
            with m.State("GROUP"):
                m.d.comb += running.eq(1)
                with m.If(group_ends):
                    m.next = "NEXT"
            with m.State("EMPTY"):
                m.d.comb += self.skip.eq(self.settled)
                with m.If(self.settled):
                    m.next = "NEXT"
            with m.State("NEXT"):
                m.next = "COUNT"
                with m.If(last_group):
                    m.next = "IDLE"
                m.d.sync += [
                    self.group.eq(self.group + 1),
                    self.count_address.eq(self.count_address + 1),
                    first.eq(first + of.winners),
                ]
        return running

    def _entries(self, m, running, leaves, last):
        """From the first to the last, again for each block; whether one stands, and that one."""
        stands, final = Signal(), Signal()
        m.d.comb += final.eq(~self._left.any())
        with m.If(self.fetch):
            m.d.sync += [
                self._left.eq(Mux(final, self._entries_of_group, self._left - 1)),
                self.address.eq(Mux(final, self._first, self.address + 1)),
            ]
        entry, free = self.entry, ~stands | leaves
        if self.folding.slow_memory:
            # One more stands behind the memory; another group's must not.
            asked, last_asked = Signal(), Signal()
            entry = Signal.like(self.entry, name="standing")
            # While running, whenever there is room: so it is empty only in the first clock.
            m.d.comb += self.fetch.eq(running & (~asked | free))
            m.d.sync += asked.eq(running)
            with m.If(self.fetch):
                m.d.sync += last_asked.eq(final)
            with m.If(free):
                m.d.sync += [stands.eq(asked & running), entry.eq(self.entry), last.eq(last_asked)]
            return stands, entry
        m.d.comb += self.fetch.eq(running & free & self.grant)
        with m.If(free):
            m.d.sync += stands.eq(self.fetch)
        with m.If(self.fetch):
            m.d.sync += last.eq(final)
        return stands, entry

    def _send(self, m, of, blocks, entry, stands, leaves, last) -> None:
        """An entry and its block become addresses; a second word of flags follows the first."""
        out, valid = Signal(update_token(self.table, self.folding), name="out"), Signal()
        masks = Signal(2 * FLAGS)
        more, free = Signal(), Signal()
        m.d.comb += [
            more.eq(masks[FLAGS:].any()),
            free.eq(~valid | (self.o.ready & ~more)),
            leaves.eq(stands & free),
            self.o.valid.eq(valid),
        ]
        rows = self._times(m, entry.row, of, "row_step", name="rows")
        quarters = self._times(m, entry.column, of, "quarters", name="quarters")
        words = quarters >> QUARTER_BITS
        offset = quarters[:QUARTER_BITS] << 1
        mask = Mux(blocks.last_chunk, of.last_mask, (1 << FLAGS) - 1)
        with m.If(free):
            m.d.sync += [
                valid.eq(stands),
                *(out[name].eq(entry[name]) for name in ("region", "places", "learns")),
                out.window_row.eq(entry.row),
                out.window_column.eq(entry.column),
                out.group.eq(self.group),
                out.row.eq(rows + blocks.row),
                out.column.eq(words + blocks.column),
                out.row_parity.eq(blocks.row_parity),
                out.column_parity.eq(blocks.column_parity),
                out.row_edge.eq((entry.row << 1) == blocks.row_edge),
                out.column_edge.eq((entry.column << 1) == blocks.column_edge),
                out.offset.eq(Mux(blocks.bias, 0, offset)),
                out.bias.eq(blocks.bias),
                out.last.eq(last),
                out.last_chunk.eq(blocks.last_chunk),
                masks.eq(Mux(blocks.bias, 1, (mask << offset) & self._exist(of, 2 * FLAGS))),
            ]
        with m.Elif(self.o.ready):
            m.d.sync += [
                masks.eq(masks[FLAGS:]),
                out.column.eq(out.column + 1),
            ]
        self._describe(m, of, out, masks, more)

    def _exist(self, of, bits: int):
        """Bits of words that are inputs and no padding."""
        first = self.table.rows[0]
        real = sum(1 << n for n in range(bits) if n % first.stride < first.channels)
        return Mux(of.packed, real, (1 << bits) - 1)

    def _describe(self, m, of, out, masks, more) -> None:
        """The addresses of its flags."""
        token, block, side = self.o.payload.token, self.o.payload.block, sides(self.folding)
        edge, last = Signal(name="edge"), Signal(name="last_of_block")
        m.d.comb += [
            edge.eq(Mux(of.packed, out.column == of.last_word, out.column_edge)),
            token.eq(out),
            last.eq(out.last & ~more),
            token.last.eq(last),
            token.column_edge.eq(edge),
            block.mask.eq(masks[:FLAGS]),
            block.packed.eq(of.packed),
            block.odd.eq(out.column[0]),
            block.sure.eq(out.bias),
            block.keep.eq(last),
        ]
        m.d.comb += block.row[0].eq(out.row + Mux(out.row_parity, of.row_step, 0))
        m.d.comb += block.column[0].eq(
            Mux(
                of.packed,
                (out.column + 1) >> 1,
                out.column + Mux(out.column_parity, of.column_step, 0),
            )
        )
        if side == 1:
            m.d.comb += [block.rows.eq(1), block.columns.eq(1)]
            return
        parity = Mux(of.packed, out.column[0], out.column_parity)
        m.d.comb += [
            block.row[1].eq(out.row),
            block.column[1].eq(Mux(of.packed, out.column >> 1, out.column)),
            block.rows.eq(Mux(of.flat, 1, inside(out.row_edge, out.row_parity))),
            block.columns.eq(Mux(of.flat, 1, inside(edge, parity))),
        ]

    def _times(self, m, a, of, step: str, *, name: str) -> Signal:
        """Product of a small unsigned number and a constant of the layer, in cells."""
        b = getattr(of, step)
        product = Signal(len(a) + len(b) + OFFSET_BITS, name=name)
        values = of.values[step]
        if len({*values}) <= FEW and not self.folding.slow_memory:
            # One of a few products with constants, most of which are a shift.
            with m.Switch(self.layer):
                for number, value in enumerate(values):
                    places = [n for n in range(value.bit_length()) if value >> n & 1]
                    with m.Case(number):
                        m.d.comb += product.eq(sum(a << place for place in places))
            return product
        rows = [Mux(bit, b << place, 0) for place, bit in enumerate(a)] or [0]
        while len(rows) > 1:
            rows = [sum(rows[n + 1 : n + 2], rows[n]) for n in range(0, len(rows), 2)]
        m.d.comb += product.eq(rows[0])
        return product
