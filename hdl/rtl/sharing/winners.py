"""Which places won in a sample's windows, for the update."""

from types import SimpleNamespace

from amaranth import Cat, Const, Module, Mux, Signal, unsigned
from amaranth.lib import data, memory, wiring
from amaranth.lib.wiring import In, Out

from hdl.passes.sharing import EngineTable, SharedFolding
from hdl.rtl.parts.delay import delayed
from hdl.rtl.ports import IN_BLOCKS, IN_LARGE_BLOCKS, memory_depth
from hdl.rtl.sharing.lookup import lookup

PLACE = unsigned(2)
"""Of a 2 x 2 block: row above column, ``dy * 2 + dx``."""
TOLD = ("beat", "last", "group_last", "layer", "row", "column", "region", "places", "learns")
"""Members of :class:`Winners` that the head gives it."""


def winner_layout(table: EngineTable, folding: SharedFolding) -> data.StructLayout:
    """One window in which some filter of a group learns.

    Members
    -------
    row, column
        Of the block of 2 x 2 places.
    region
        Of the classifier.
    places, learns
        For each filter of the group: the place that won, and whether the filter learns there.
    """
    rows = table.rows
    return data.StructLayout(
        {
            "row": range(max(row.window_rows for row in rows)),
            "column": range(max(row.window_columns for row in rows)),
            "region": range(max(row.format.regions for row in rows)),
            "places": data.ArrayLayout(PLACE, folding.pe),
            "learns": folding.pe,
        }
    )


def count_shape(table: EngineTable):
    """How many entries a group has."""
    return unsigned(max(row.winners for row in table.rows).bit_length())


class Winners(wiring.Component):
    """Keeps, for each layer and group, the windows with a learner, one after another.

    Entry ``n`` of a group is at ``winner_base + group * winners + n``, their number at
    ``group_base + group``. Without pooling each place is a window of its own.

    =====  ================================================================================
    0      the last filters of a window come (`beat` and `last`); its entry is written, with slow
           memory this and all that follows a clock later
    1      behind a group's last window its number of entries is written
    =====  ================================================================================

    Reading: 0 address and enable, 1 the entry stands, until the next one is read. An entry or a
    number read must not be written in that clock.

    Parameters
    ----------
    table, folding
        The engine's layers, and how they are folded.

    Members
    -------
    beat, last, group_last
        Filters of a window come, as many as there are heads, in order; its last ones; of the last
        window of a group. Groups come in order, layers in order, sample after sample.
    layer, row, column, region, places, learns
        Of the window, and of these filters.
    address, fetch, entry
        Entry to read, whether to read, and the entry.
    grant
        It may be read; on a single port not in a clock in which an entry may be written.
    count_address, count_fetch, count
        The same of the number of entries of a group.

    Cost: the memories, about ``3 * pe`` flip-flops and 30 cells.
    """

    def __init__(self, table: EngineTable, folding: SharedFolding) -> None:
        self.table, self.folding = table, folding
        heads, layout = folding.heads, winner_layout(table, folding)
        super().__init__(
            {
                "beat": In(1),
                "last": In(1),
                "group_last": In(1),
                "layer": In(range(len(table.rows))),
                "row": In(layout["row"].shape),
                "column": In(layout["column"].shape),
                "region": In(layout["region"].shape),
                "places": In(data.ArrayLayout(PLACE, heads)),
                "learns": In(heads),
                "address": In(range(memory_depth(table.winners))),
                "fetch": In(1),
                "grant": Out(1),
                "entry": Out(layout),
                "count_address": In(range(memory_depth(table.groups))),
                "count_fetch": In(1),
                "count": Out(count_shape(table)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        table, told = self.table, self._told(m)
        winners = lookup(m, told.layer, [row.winners for row in table.rows], name="winners")
        base, place = Signal(range(table.winners)), Signal(range(table.winners + 1))
        count, group = Signal.like(self.count), Signal(range(table.groups))
        # What came before in this window, below these filters.
        places, learns = self._collect(m, told)
        write, closing = Signal(), Signal()
        m.d.comb += write.eq(told.beat & told.last & learns.any())
        m.d.sync += closing.eq(told.beat & told.last & told.group_last)
        with m.If(write):
            m.d.sync += [place.eq(place + 1), count.eq(count + 1)]
        with m.If(closing):
            # The next layer's first group lies behind the last one of this one.
            last, following = group == table.groups - 1, Signal.like(place)
            m.d.comb += following.eq(Mux(last, 0, base + winners))
            m.d.sync += [
                base.eq(following),
                place.eq(following),
                count.eq(0),
                group.eq(Mux(last, 0, group + 1)),
            ]
        entry = {"row": told.row, "column": told.column, "region": told.region}
        entry |= {"places": places, "learns": learns}
        made = Cat(entry[name] for name in self.entry.shape().members)
        found = (self.address, self.fetch, self.entry.as_value())
        single = self.folding.single_port_winners
        m.d.comb += self.grant.eq(~(told.beat & told.last) if single else Const(1))
        self._memory(m, "entries", table.winners, (place, write, made), found, single=single)
        counted = (self.count_address, self.count_fetch, self.count)
        self._memory(m, "counts", table.groups, (group, closing, count), counted)
        return m

    def _told(self, m) -> SimpleNamespace:
        """What the head tells; with slow memory a clock later, since entries lie far from it."""
        slow, members = self.folding.slow_memory, {}
        for name in TOLD:
            members[name] = delayed(m, getattr(self, name), slow, name=name)[-1]
        return SimpleNamespace(**members)

    def _collect(self, m, told):
        """Places and learners of all filters of the window, once its last ones are here."""
        fields = []
        for new, bits in ((told.places.as_value(), PLACE.width), (told.learns, 1)):
            whole = Signal(bits * self.folding.pe, name=f"whole{bits}")
            before = Signal(max(0, len(whole) - len(new)), name=f"before{bits}")
            m.d.comb += whole.eq(Cat(before, new))
            with m.If(told.beat):
                m.d.sync += before.eq(whole[len(new) :])
            fields.append(whole)
        return fields

    def _memory(self, m, name, depth, written, found, *, single=False):
        """One port to write and one to read, or one for both; given as address, enable, data."""
        shape, attributes = unsigned(len(found[2])), IN_LARGE_BLOCKS if single else IN_BLOCKS
        ram = memory.Memory(shape=shape, depth=memory_depth(depth), init=[], attrs=attributes)
        # Tools are told by this name which memory powers up undefined and goes into SPRAM.
        m.submodules[f"spram_{name}" if single else name] = ram
        write, read = ram.write_port(), ram.read_port()
        m.d.comb += [write.addr.eq(written[0]), write.en.eq(written[1]), write.data.eq(written[2])]
        m.d.comb += [read.addr.eq(found[0]), read.en.eq(found[1])]
        if single:
            address = Mux(written[1], written[0], found[0])
            m.d.comb += [write.addr.eq(address), read.addr.eq(address)]
            m.d.comb += read.en.eq(found[1] & ~written[1])
        m.d.comb += found[2].eq(read.data)
