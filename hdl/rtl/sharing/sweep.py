"""F, the machine that names the words of a layer's sums."""

from functools import reduce
from operator import or_

from amaranth import Cat, Const, Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from hdl.passes.sharing import FLAGS, EngineTable, Layout, SharedFolding
from hdl.rtl.parts.stage import Skid
from hdl.rtl.sharing.block_walk import BlockWalk, packed_row, sweep_token
from hdl.rtl.sharing.flag_reader import FlagReader
from hdl.rtl.sharing.lookup import lookup
from hdl.rtl.sharing.page_ports import flag_port, inside, page_read
from hdl.rtl.sharing.window_walk import hangs

NUMBER_BITS = (FLAGS - 1).bit_length()


class ForwardSweep(wiring.Component):
    """Names weight words of a layer, one a clock: those that meet an input that is not 0.

    Groups outermost, then windows in raster order, then taps, the bias behind them. A block of 8
    inputs is in hand and gives its lowest one until it has none; two more with something to
    visit are kept ready, and others are looked up. Clocks are counted from `start`:

    =====  =================================================================================
    2      the first block is looked up
    5      its visits are known, see `lookup_clocks` of the folding
    6      it is in hand
    7      its first word stands at the outputs; it is named with `issue`
    =====  =================================================================================

    and for every word from `issue`: :class:`~hdl.rtl.sharing.pages.Pages` has its inputs 3 clocks
    later, with slow memory 4.

    Parameters
    ----------
    table, folding
        The engine's.

    Members
    -------
    start
        Pulse: sweep once, not before the last `done`.
    layer, parity
        Which layer of which sample; stable from `start` until the next one.
    busy, done
        From the clock behind `start` to that of `done`; pulse: the last word is named.
    enter_group, may_enter
        The group that comes next or is in hand, and whether it may begin; awaited before its first
        word.
    credit_group
        Awaited before the last word of a group.
    hold
        Nothing may be named in this clock.
    issue
        A word is named in this clock.
    group_named
        It is the last one of its group.
    address
        Its place in the weight memory.
    place
        Of its inputs, to :class:`~hdl.rtl.sharing.pages.Pages`, and whether it is the bias.
    first, last
        It is the first, the last of its window.
    blocked
        A word stands there and is not named.
    flags
        To :class:`~hdl.rtl.sharing.pages.Pages`; only if zeros are skipped.

    The last words of windows keep a distance, so that sums may leave while the next are formed:
    `window_clocks` of the folding. With clear slots no word is named in the clock behind one, and
    place by place none for as long as the distance.

    If nothing is looked up, and memories are fast, a block comes a clock behind the one before it.

    Throughput: one word a clock, as long as blocks without anything to visit, which take a clock
    each, are outweighed by those in hand. Cost: about 40 cells for each bit of an address; 605 LUTs
    and 452 flip-flops for two convolutions and a readout on an iCE40.
    """

    def __init__(self, table: EngineTable, folding: SharedFolding) -> None:
        self.table, self.folding = table, folding
        self.packed, self.token = packed_row(table), sweep_token(table)
        members = {
            "start": In(1),
            "layer": In(range(len(table.rows))),
            "parity": In(1),
            "busy": Out(1),
            "done": Out(1),
            "enter_group": Out(range(max(row.groups for row in table.rows) + 1)),
            "may_enter": In(1),
            "credit_group": In(1),
            "hold": In(1),
            "issue": Out(1),
            "group_named": Out(1),
            "address": Out(range(table.weight_words)),
            "place": Out(page_read(table, folding)),
            "first": Out(1),
            "last": Out(1),
            "blocked": Out(1),
        }
        if folding.skip_zeros:
            members["flags"] = Out(flag_port(table, folding))
        super().__init__(members)

    def elaborate(self, platform):
        m = Module()
        m.submodules.walk = walk = BlockWalk(self.table, self.folding)
        m.submodules.reader = reader = FlagReader(self.table, self.folding, token=self.token)
        connect(m, walk.o, reader.i)
        found = reader.o
        if self.folding.lookup_clocks:
            # So that what holds a word up does not hold up the walk in the same clock.
            m.submodules.skid = skid = Skid(reader.o.payload.shape())
            connect(m, reader.o, skid.i)
            found = skid.o
        if self.folding.skip_zeros:
            connect(m, reader.flags, flipped(self.flags))
        m.d.comb += [
            walk.start.eq(self.start),
            walk.layer.eq(self.layer),
            walk.parity.eq(self.parity),
        ]
        in_hand = data.StructLayout(
            {"valid": 1, "visits": FLAGS, "token": self.token, "address": self.address.shape()}
        )
        current, page_row = Signal(in_hand), Signal.like(self.place.row[0])
        # What is left behind the lowest input, and whether that is nothing.
        rest, single, named = Signal(FLAGS), Signal(), Signal()
        free = ~named | self.issue
        emptied = ~current.valid | (free & single)
        if not self.folding.lookup_clocks:
            # Else what holds a word up would, through the block in hand, hold up the walk.
            emptied = ~current.valid
        ahead = found.payload
        following = Mux(emptied, ahead.visits, rest)
        behind = following & (following - 1)
        m.d.comb += found.ready.eq(emptied)
        with m.If(emptied | free):
            m.d.sync += [current.visits.eq(following), rest.eq(behind), single.eq(~behind.any())]
        with m.If(emptied):
            m.d.sync += [current.valid.eq(found.valid), current.token.eq(ahead.token)]
        if not self.folding.lookup_clocks:
            with m.Elif(free & single):
                m.d.sync += current.valid.eq(0)
        self._locate(m, current, ahead.token, found.valid & emptied, page_row)

        number = Signal(NUMBER_BITS)
        lowest = current.visits & ~rest
        m.d.comb += number.eq(reduce(or_, (Mux(lowest[n], n, 0) for n in range(FLAGS))))
        fresh, final, end = Signal(init=1), Signal(), Signal()
        with m.If(free):
            m.d.sync += [
                named.eq(current.valid),
                self.address.eq(current.address + number),
                self.last.eq(current.token.bias),
                final.eq(current.token.final),
                end.eq(current.token.end),
            ]
            with m.If(current.valid):
                m.d.sync += [self.first.eq(fresh), fresh.eq(current.token.bias)]
        self._place(m, current.token, page_row, number, free)
        self._gate(m, named, final, end)
        return m

    def _constant(self, m, name, value):
        """Of the layer in hand."""
        return lookup(m, self.layer, [int(value(row)) for row in self.table.rows], name=name)

    def _locate(self, m, current, token, comes, page_row):
        """Where a block that comes begins, in the weight memory and in the pages."""
        offsets = [
            self._constant(
                m,
                f"page_offset{n}",
                lambda row, n=n: row.page_bases[n] // FLAGS - row.flag_bases[n],
            )
            for n in (0, 1)
        ]
        base = Signal.like(self.address, name="base")
        first = self._constant(m, "weight_base", lambda row: row.weight_base)
        words = self._constant(m, "words", lambda row: row.words)
        with m.If(comes):
            m.d.sync += [
                current.address.eq(base + token.tap),
                page_row.eq(token.row + Mux(self.parity, offsets[1], offsets[0])),
            ]
        with m.If(self.start):
            m.d.sync += base.eq(first)
        with m.Elif(comes & token.final):
            m.d.sync += base.eq(base + words)

    def _place(self, m, token, page_row, number, free):
        """Parts of the addresses of the inputs, see `page_read`, while the outputs are free."""
        place = self.place
        whole = Signal(len(token.column) + NUMBER_BITS, name="whole")
        m.d.comb += whole.eq(Cat(number, token.column))
        if self.folding.places == 1:
            with m.If(free):
                m.d.sync += [
                    place.bias.eq(token.bias),
                    place.row[0].eq(page_row),
                    place.column[0].eq(whole),
                    place.rows.eq(1),
                    place.columns.eq(1),
                ]
            return
        down = self._constant(m, "down", lambda row: row.row_stride // FLAGS)
        across = self._constant(m, "across", lambda row: row.stride // FLAGS)
        beside = Mux(token.column_odd, across, 0)
        columns = [Cat(number, token.column + beside), whole]
        column_odd, right = token.column_odd, token.right
        if self.packed is not None:
            packed = self._constant(m, "packed", lambda row: row.layout is Layout.PACKED)
            shift, stride = self.packed.stride.bit_length() - 1, self.packed.stride
            own = [(whole + stride) >> (shift + 1), whole >> (shift + 1)]
            columns = [
                Mux(packed, Cat(whole[:shift], pixel), column)
                for pixel, column in zip(own, columns, strict=True)
            ]
            column_odd = Mux(packed, whole[shift], column_odd)
            if hangs(self.packed, 1):
                edge = (whole >> shift) == self.packed.width - 1
                right = Mux(packed, edge, right)
        flat = self._constant(m, "flat", lambda row: row.layout is Layout.FLAT)
        with m.If(free):
            m.d.sync += [
                place.bias.eq(token.bias),
                place.row[0].eq(page_row + Mux(token.row_odd, down, 0)),
                place.row[1].eq(page_row),
                *(place.column[n].eq(Mux(flat, whole >> 2, columns[n])) for n in range(2)),
                place.row_parity.eq(Mux(flat, whole[1], token.row_odd)),
                place.column_parity.eq(Mux(flat, whole[0], column_odd)),
                place.rows.eq(inside(token.bottom, token.row_odd)),
                place.columns.eq(inside(right, column_odd)),
            ]

    def _gate(self, m, named, final, end):
        """`issue` when nothing that the word needs is missing."""
        enters = Signal(init=1)
        by_place, clocks = self.folding.place_by_place, self.folding.window_clocks
        distance, apart = Signal(range(max(map(clocks, self.table.rows)))), Signal(init=1)
        least = self._constant(m, "distance", lambda row: clocks(row) - 1)
        missing, hold = Signal(), self.hold
        if self.folding.clear_slot and not by_place:
            clearing = Signal()
            m.d.sync += clearing.eq(self.issue & self.last)
            hold = hold | clearing
        m.d.comb += [
            missing.eq(
                hold
                | (enters & ~self.may_enter)
                | ((Const(1) if by_place else self.last) & ~apart)
                | (final & ~self.credit_group)
            ),
            self.issue.eq(named & ~missing),
            self.blocked.eq(named & missing),
            self.done.eq(self.issue & end),
            self.group_named.eq(self.issue & final),
        ]
        # `apart` is that the distance is 0, known a clock ahead.
        m.d.sync += [distance.eq(distance - (distance != 0)), apart.eq(distance <= 1)]
        with m.If(self.issue):
            m.d.sync += enters.eq(final)
            with m.If(self.last):
                m.d.sync += [distance.eq(least), apart.eq(least == 0)]
            with m.If(final):
                m.d.sync += self.enter_group.eq(Mux(end, 0, self.enter_group + 1))
        with m.If(self.start):
            m.d.sync += self.busy.eq(1)
        with m.Elif(self.done):
            m.d.sync += self.busy.eq(0)
