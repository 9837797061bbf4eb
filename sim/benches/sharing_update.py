"""The update machine beside its pages, winners and weights, and a sweep that gets in its way."""

from amaranth import Array, Module, Mux, Signal, signed, unsigned
from amaranth.lib import data, memory, wiring
from amaranth.lib.wiring import In, Out, connect

from hdl.passes.sharing import EngineTable, SharedFolding
from hdl.rtl.parts.delay import delayed
from hdl.rtl.parts.draws import Generator
from hdl.rtl.parts.weight_memory import WeightMemory
from hdl.rtl.ports import memory_depth
from hdl.rtl.sharing.pages import Pages
from hdl.rtl.sharing.updater import Updater

ODDS = 4
"""One clock in so many the sweep leaves a page, and in as many it leaves the weights."""


class UpdateBench(wiring.Component):
    """U, with memories that a test fills.

    Members
    -------
    start, layer, parity, rate, errors, busy, group
        U's.
    rough
        The sweep reads pages and weights at random.
    fill
        Never 1: memories that a test fills are written in no other way.
    visit, read, write, ..., in_the_way, flags_in_the_way
        What U does, and whether the sweep reads the page, or the flags, in the only copy.
    clash
        From the first clock on in which a single port is read and written.
    """

    def __init__(self, table: EngineTable, folding: SharedFolding) -> None:
        self.table, self.folding = table, folding
        self.updater = u = Updater(table, folding)
        names = ("start", "layer", "parity", "rate")
        outs = ("busy", "group", "page_read", "read", "read_address")
        outs += ("write", "write_address", "write_data")
        super().__init__(
            {
                **{name: u.signature.members[name] for name in names},
                "errors": In(data.ArrayLayout(signed(u.gradients.error_bits), u.gradients.classes)),
                **{name: u.signature.members[name] for name in outs},
                "rough": In(1),
                "fill": In(1),
                "in_the_way": Out(1),
                "flags_in_the_way": Out(1),
                "visit": Out(1),
                "clash": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.updater = u = self.updater
        m.submodules.pages = pages = Pages(self.table, self.folding)
        # What is never written would be taken for a ROM.
        m.d.comb += pages.host.valid.eq(self.fill)
        for name in ("start", "layer", "parity", "rate"):
            m.d.comb += getattr(u, name).eq(getattr(self, name))
        self._errors(m, u)
        for name in ("busy", "group", "page_read", "read", "read_address"):
            m.d.comb += getattr(self, name).eq(getattr(u, name))
        for name in ("write", "write_address", "write_data"):
            m.d.comb += getattr(self, name).eq(getattr(u, name))
        m.d.comb += [
            pages.u_read.eq(u.page_read),
            pages.u.eq(u.page),
            pages.u_layer.eq(u.layer),
            u.page_grant.eq(pages.u_page_grant),
            u.entry_grant.eq(1),
            u.x.eq(pages.u_x),
            self.visit.eq(u.page_read & u.page_grant),
        ]
        if self.folding.skip_zeros:
            connect(m, u.flags, pages.u_flags)
        self._list(m, "entries", self.table.winners, u.entry_address, u.entry_fetch, u.entry)
        self._list(m, "counts", self.table.groups, u.count_address, u.count_fetch, u.count)
        m.submodules.random = random = Generator(seed=7, bits=8)
        m.d.comb += random.next.eq(1)
        chance = random.draw
        shared = self.folding.page_copies == 1
        m.d.comb += [
            self.in_the_way.eq(self.rough & (chance[:2] == 0) & shared),
            pages.f_read.eq(self.in_the_way),
        ]
        if self.folding.skip_zeros:
            m.d.comb += [
                self.flags_in_the_way.eq(self.rough & (chance[2:4] == 0) & shared),
                pages.f_flags.read.eq(self.flags_in_the_way),
            ]
        self._weights(m, u, self.rough & (chance[4:6] != 0))
        return m

    def _errors(self, m, u) -> None:
        """All at once, or one as a memory gives it."""
        if self.folding.parallel_classes:
            m.d.comb += u.errors.eq(self.errors)
            return
        with m.If(u.error_fetch):
            m.d.sync += u.error.eq(Array(self.errors)[u.error_address])

    def _list(self, m, name, depth, address, fetch, value) -> None:
        """A memory that is only read, as the winners'."""
        target = value.as_value() if hasattr(value, "as_value") else value
        ram = memory.Memory(shape=unsigned(len(target)), depth=memory_depth(depth), init=[])
        m.submodules[name] = ram
        read = ram.read_port()
        m.d.comb += [read.addr.eq(address), read.en.eq(fetch)]
        m.d.comb += target.eq(read.data)
        m.d.comb += ram.write_port().en.eq(self.fill)

    def _weights(self, m, u, sweeping) -> None:
        """Read by the sweep too: a word behind all others, or, at once, the last that was written
        to a group that is through."""
        fold, depth = self.folding, self.table.weight_words + 1
        m.submodules.weights = weights = WeightMemory(
            depth=depth,
            lanes=fold.pe,
            weight_bits=u.weights.weight_bits,
            single_port=fold.single_port,
            update_port=fold.update_port,
        )
        group, last = Signal.like(u.group), Signal(range(depth))
        m.d.sync += group.eq(u.group)
        with m.If(u.write):
            m.d.sync += last.eq(u.write_address)
        through = self.rough & (u.group != group)
        issue = (sweeping | through) & ~u.hold
        own, swept = fold.update_port, Mux(through, last, self.table.weight_words)
        m.d.sync += [
            weights.read_address.eq(swept if own else Mux(u.read, u.read_address, swept)),
            weights.read_enable.eq(issue if own else u.read | issue),
        ]
        if own:
            m.d.comb += [
                weights.update_address.eq(u.read_address),
                weights.update_enable.eq(u.read),
            ]
        found = weights.update_data if own else weights.read_data
        held = delayed(m, found, fold.slow_memory, name="weights_read")[-1]
        m.d.comb += [
            u.read_data.eq(held),
            weights.write_address.eq(u.write_address),
            weights.write_enable.eq(u.write.replicate(fold.pe)),
            weights.write_data.eq(u.write_data),
        ]
        if fold.one_port:
            with m.If(u.write & (weights.update_enable if own else weights.read_enable)):
                m.d.sync += self.clash.eq(1)
        with m.If((u.read & ~u.hold) if not own else u.hold):
            m.d.sync += self.clash.eq(1)
