"""Taps that the update machine visits, one after another, and the blocks that they belong to."""

from functools import reduce
from operator import or_

from amaranth import Cat, Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hdl.passes.sharing import FLAGS, EngineTable, Layout, SharedFolding
from hdl.rtl.parts.delay import delayed
from hdl.rtl.sharing.lookup import lookup
from hdl.rtl.sharing.page_ports import inside, page_read, sides
from hdl.rtl.sharing.step_bank import SLOT_BITS
from hdl.rtl.sharing.update_blocks import last_taps
from hdl.rtl.sharing.update_walk import update_token

WINDOW = ("region", "places", "learns", "window_row", "window_column", "group")
"""What a visit tells of its window."""


class TapWalk(wiring.Component):
    """A block in one window is in hand and gives its lowest tap until it has none.

    =====  ==========================================================================
    0      a block goes in
    1      its first tap is visited: `read`, and `add`, if that is granted
    =====  ==========================================================================

    Behind the last tap of a block in its last window, `close`, the next block's begin; `close`
    waits while the steps of the block before are not yet read, `full`. A block without any tap in
    its last window takes a clock for that, and has no `close` if it has none in any. In a layer of
    one window each tap is the last one of its own, and waits only for `pause`.

    Where nothing stands between this and the walk over blocks, the next block goes in a clock
    behind the one in which the last tap is visited.

    Where an update visits two taps at once and the layer is PIXELS, it is slots 2k and 2k + 1, in
    ascending order in one window and in descending order in the next.

    Parameters
    ----------
    table, folding
        The engine's.

    Members
    -------
    start, layer, parity
        Pulse: begin with the first group of `layer`; both stable.
    skip
        Pulse: a group is left out.
    i
        Out of the flag reader.
    ready
        The gradients of the group in hand stand.
    read, page, grant
        To U's port of :class:`~hdl.rtl.sharing.pages.Pages`.
    full, pause
        Of :class:`~hdl.rtl.sharing.step_drain.StepDrain`.
    add, close, slot, base, bias
        A tap is visited; behind it, or instead of it, its block is complete; which tap of the
        block; weight word of the block's first, and whether it is the bias.
    region, places, learns, window_row, window_column, group
        Of the visited window; the last three for simulation only.
    halves, paired
        Only if an update visits two taps at once: which of slots `slot` and `slot + 1` are visited,
        always the first one alone unless the layer's are `paired`.
    final
        With `close`: the block is the bias, the group's last one.

    Throughput: one tap per clock. Cost: about 4 cells for each bit of an address, and 60.
    """

    def __init__(self, table: EngineTable, folding: SharedFolding) -> None:
        self.table, self.folding = table, folding
        self.token = update_token(table, folding)
        into = data.StructLayout({"visits": FLAGS, "token": self.token})
        members = {"halves": Out(folding.taps), "paired": Out(1)} if folding.taps > 1 else {}
        super().__init__(
            members
            | {
                "start": In(1),
                "layer": In(range(len(table.rows))),
                "parity": In(1),
                "skip": In(1),
                "i": In(stream.Signature(into)),
                "ready": In(1),
                "read": Out(1),
                "page": Out(page_read(table, folding)),
                "grant": In(1),
                "full": In(1),
                "pause": In(1),
                "add": Out(1),
                "close": Out(1),
                "slot": Out(SLOT_BITS),
                "base": Out(range(table.weight_words)),
                "bias": Out(1),
                **{name: Out(self.token[name].shape) for name in WINDOW},
                "final": Out(1),
            }
        )

    @property
    def _at_once(self) -> bool:
        """Whether nothing stands between this and the walk over blocks."""
        return self.folding.lookup_clocks == 0

    @property
    def _ahead(self) -> bool:
        """Whether what is left is known a clock ahead: then paths from the walk are long."""
        return self._at_once and self.folding.taps == 1

    def elaborate(self, platform):
        m = Module()
        valid, visits, token = Signal(), Signal(FLAGS), Signal(self.token)
        rest, leaves = Signal(FLAGS), Signal()
        closing, open_, stuck = Signal(), Signal(), Signal()
        flat = lookup(m, self.layer, [r.layout is Layout.FLAT for r in self.table.rows], name="one")
        lowest = self._choose(m, visits, rest)
        some, more = visits.any(), rest.any()
        if self._ahead:
            more = self._look_ahead(m, rest)
        elif self.folding.slow_memory:
            some, more = self._count_ahead(m, rest)
        m.d.comb += [
            closing.eq(token.last & ~more & (open_ | some)),
            stuck.eq(closing & self.full & ~flat),
            self.read.eq(valid & some & self.ready & ~stuck & ~(flat & self.pause)),
            self.add.eq(self.read & self.grant),
            leaves.eq((self.add & ~more) | (valid & ~some & ~stuck)),
            self.close.eq(Mux(flat, self.add, leaves & closing)),
            self.final.eq(self.close & token.bias),
            self.i.ready.eq(~valid | (0 if self._at_once else leaves)),
            *(getattr(self, name).eq(token[name]) for name in WINDOW),
            self.bias.eq(token.bias),
        ]
        with m.If(self.i.ready):
            m.d.sync += [
                valid.eq(self.i.valid),
                visits.eq(self.i.payload.visits),
                token.eq(self.i.payload.token),
            ]
        with m.Elif(self.add):
            m.d.sync += visits.eq(rest)
        if self._at_once:
            with m.If(leaves):
                m.d.sync += valid.eq(0)
        with m.If(self.add):
            m.d.sync += open_.eq(1)
        with m.If(leaves & token.last):
            m.d.sync += open_.eq(0)
        ends = leaves & token.last
        # Where the next block comes two clocks later, so long may it take.
        self._blocks(m, token, delayed(m, ends, int(self._at_once), name="ends")[-1])
        self._page(m, token, lowest)
        return m

    def _choose(self, m, visits, rest):
        """What is left behind the next visit; and a bit for its tap, or for the first of two."""
        if self._ahead:
            return visits & ~rest
        if self.folding.taps == 1:
            m.d.comb += rest.eq(visits & (visits - 1))
            return visits & ~rest
        down, pairs = Signal(), Signal(FLAGS // 2)
        below, above = Signal(FLAGS // 2), Signal(FLAGS // 2)
        lowest, chosen = Signal(FLAGS), Signal(FLAGS)
        numbers = range(len(pairs))
        paired = [self.folding.taps_of(row) > 1 for row in self.table.rows]
        m.d.comb += [
            self.paired.eq(lookup(m, self.layer, paired, name="pairs_of_taps")),
            pairs.eq(visits[::2] | visits[1::2]),
            below.eq(Cat(pairs[n] & ~pairs[:n].any() for n in numbers)),
            above.eq(Cat(pairs[n] & ~pairs[n + 1 :].any() for n in numbers)),
            lowest.eq(visits & ~(visits - 1)),
            chosen.eq(lowest),
            self.halves.eq(1),
        ]
        with m.If(self.paired):
            pair = Mux(down, above, below)
            m.d.comb += [
                lowest.eq(Cat(Cat(bit, 0) for bit in pair)),
                chosen.eq(Cat(bit.replicate(2) for bit in pair)),
                self.halves.eq(Cat((pair & half).any() for half in (visits[::2], visits[1::2]))),
            ]
        m.d.comb += rest.eq(visits & ~chosen)
        # There and back: the pair that ends one window's begins the next, and is not read again.
        m.d.sync += down.eq(~self.start & (down ^ (self.add & ~rest.any())))
        return lowest

    def _look_ahead(self, m, rest) -> Signal:
        """Registers for what is left behind the next visit, and for whether that is anything."""
        more = Signal()
        following = Mux(self.i.ready, self.i.payload.visits, rest)
        behind = following & (following - 1)
        with m.If(self.i.ready | self.add):
            m.d.sync += [rest.eq(behind), more.eq(behind.any())]
        return more

    def _count_ahead(self, m, rest) -> tuple[Signal, Signal]:
        """Registers for whether there is a visit, and whether there is another one behind it."""
        some, more = Signal(), Signal()
        coming, next_ = self.i.payload.visits, self.i.ready
        with m.If(next_ | self.add):
            m.d.sync += [
                some.eq(Mux(next_, coming.any(), rest.any())),
                more.eq(Mux(next_, self._several(coming), self._several(rest))),
            ]
        return some, more

    def _several(self, taps):
        """Whether these are more than one visit."""
        several = (taps & (taps - 1)).any()
        if self.folding.taps == 1:
            return several
        pairs = taps[::2] | taps[1::2]
        return Mux(self.paired, (pairs & (pairs - 1)).any(), several)

    def _blocks(self, m, token, ends) -> None:
        """Where the block in hand has its weights."""
        rows = self.table.rows
        short = lookup(m, self.layer, [last_taps(row) for row in rows], name="last_taps")
        words = lookup(m, self.layer, [row.words for row in rows], name="words")
        begin = Signal()
        m.d.sync += begin.eq(self.start)
        block = Mux(token.bias, 1, Mux(token.last_chunk, short, FLAGS))
        with m.If(ends | self.skip):
            m.d.sync += self.base.eq(self.base + Mux(self.skip, words, block))
        with m.If(begin):
            first = lookup(m, self.layer, [row.weight_base for row in rows], name="weight_base")
            m.d.sync += self.base.eq(first)

    def _page(self, m, token, lowest) -> None:
        """The inputs of the lowest tap."""
        rows, side, page = self.table.rows, sides(self.folding), self.page
        place = Signal(SLOT_BITS)
        numbers = (Mux(lowest[n], n, 0) for n in range(FLAGS))
        m.d.comb += place.eq(reduce(or_, numbers))
        rows_of_banks = self._rows(m, side)
        flat = lookup(m, self.layer, [r.layout is Layout.FLAT for r in rows], name="flat")
        number = Cat(place, token.column)
        m.d.comb += [page.bias.eq(token.bias), self.slot.eq(place - token.offset)]
        if side == 1:
            m.d.comb += [
                page.row[0].eq(rows_of_banks[-1]),
                page.column[0].eq(number),
                page.rows.eq(1),
                page.columns.eq(1),
            ]
            return
        m.d.comb += [own.eq(row) for own, row in zip(page.row, rows_of_banks, strict=True)]
        pixels = [~flat, self._pixels(m, token, place)]
        kinds = [pixels]
        if self.table.rows[0].layout is Layout.PACKED:
            kinds.append([self.layer == 0, self._packed(token, place)])
        for condition, (columns, edge, parity) in kinds:
            with m.If(condition):
                m.d.comb += [
                    *(c.eq(value) for c, value in zip(page.column, columns, strict=True)),
                    page.rows.eq(inside(token.row_edge, token.row_parity)),
                    page.columns.eq(inside(edge, parity)),
                    page.row_parity.eq(token.row_parity),
                    page.column_parity.eq(parity),
                ]
        with m.If(flat):
            m.d.comb += [
                *(column.eq(number >> 2) for column in page.column),
                page.rows.eq(3),
                page.columns.eq(3),
                page.row_parity.eq(place[1]),
                page.column_parity.eq(place[0]),
            ]

    def _rows(self, m, side: int) -> list[Signal]:
        """Of each bank row, in the page, of the block in hand; formed as that comes."""
        rows, coming = self.table.rows, self.i.payload.token
        ahead = [
            lookup(
                m,
                self.layer,
                [row.page_bases[n] // FLAGS - row.flag_bases[n] for row in rows],
                name=f"page_ahead{n}",
            )
            for n in range(2)
        ]
        step = lookup(m, self.layer, [row.row_stride // FLAGS for row in rows], name="row_step")
        own = coming.row + Mux(self.parity, ahead[1], ahead[0])
        sums = [own + Mux(coming.row_parity, step, 0), own][-side:]
        held = [Signal.like(self.page.row[0], name=f"row{n}") for n in range(side)]
        with m.If(self.i.ready):
            m.d.sync += [row.eq(total) for row, total in zip(held, sums, strict=True)]
        return held

    def _pixels(self, m, token, place):
        """Columns of banks 0 and 1, whether nothing is to the right, and the parity."""
        steps = [r.stride // FLAGS if r.layout is Layout.PIXELS else 0 for r in self.table.rows]
        step, coming = lookup(m, self.layer, steps, name="column_step"), self.i.payload.token
        beside = coming.column + Mux(coming.column_parity, step, 0)
        right = Signal.like(beside, name="right")
        with m.If(self.i.ready):
            m.d.sync += right.eq(beside)
        columns = [Cat(place, right), Cat(place, token.column)]
        return columns, token.column_edge, token.column_parity

    def _packed(self, token, place):
        """The same of the first layer, if it is PACKED."""
        row = self.table.rows[0]
        bits = (row.stride - 1).bit_length()
        byte = Cat(place, token.column)
        channel, pixel = byte[:bits], byte[bits:]
        columns = [Cat(channel, (pixel + 1)[1:]), Cat(channel, pixel[1:])]
        last = (row.width - 1) * row.stride % FLAGS >> bits
        return columns, token.column_edge & (place[bits:] == last), pixel[0]
