"""The sweep of a shared engine with its pages, as tests drive it: all in streams."""

from amaranth import Cat, Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from hdl.passes.sharing import EngineTable, SharedFolding
from hdl.rtl.parts.delay import delayed
from hdl.rtl.ports import SAMPLE
from hdl.rtl.sharing.flag_reader import FlagReader, flag_block
from hdl.rtl.sharing.page_filler import PageFiller
from hdl.rtl.sharing.page_ports import head_write, page_read
from hdl.rtl.sharing.pages import Pages
from hdl.rtl.sharing.sweep import ForwardSweep

CHANCE = data.StructLayout({"hold": 1, "may_enter": 1, "credit_group": 1, "start": 1, "release": 1})
"""Random bits of a clock; `start` and `release` let happen what is due."""
TOKEN = 8
OF_SAMPLE = {"sample": 4, "last": 1}
"""Which sample something is for, and whether nothing follows for it."""


class SweepBench(wiring.Component):
    """Sends samples through all layers; what a head would write, and U read, comes in streams.

    Parameters
    ----------
    table, folding
        The engine's.

    Members
    -------
    i
        Samples.
    chance
        A word in each clock.
    writes
        Of the head, taken as soon as the sample two before has been swept.
    reads
        Of U: bytes; taken while their sample is swept.
    blocks, visits
        Of U: through a reader of flags. The last block of a sample is to be kept.
    tick
        Always 1, and all others for probes: what F does in this clock.
    """

    def __init__(self, table: EngineTable, folding: SharedFolding) -> None:
        self.table, self.folding = table, folding
        layers = range(len(table.rows))
        write = data.StructLayout({"write": head_write(table, folding), **OF_SAMPLE})
        members = {
            "i": In(stream.Signature(SAMPLE)),
            "chance": In(stream.Signature(CHANCE)),
            "writes": In(stream.Signature(write)),
            "tick": Out(1, init=1),
            "start": Out(1),
            "layer": Out(layers),
            "busy": Out(1),
            "done": Out(1),
            "issue": Out(1),
            "blocked": Out(1),
            "address": Out(range(table.weight_words)),
            "enter_group": Out(16),
            "first": Out(1),
            "last": Out(1),
            "random": Out(CHANCE),
            "f_x": Out(9 * folding.places),
            "tag": Out(9),
            "full": Out(1),
        }
        if folding.learns:
            read = {"place": page_read(table, folding), "layer": layers, **OF_SAMPLE}
            members |= {
                "reads": In(stream.Signature(data.StructLayout(read))),
                "read_came": Out(1),
                "u_x": Out(9 * folding.places),
            }
        if self.looks:
            block = {"block": flag_block(table, folding), "token": TOKEN, **OF_SAMPLE}
            visits = data.StructLayout({"visits": 8, "token": TOKEN})
            members |= {
                "blocks": In(stream.Signature(data.StructLayout(block))),
                "visits": Out(stream.Signature(visits)),
            }
        super().__init__(members)

    @property
    def looks(self) -> bool:
        """Whether U looks at flags."""
        return self.folding.learns and self.folding.skip_zeros

    def elaborate(self, platform):
        m = Module()
        m.submodules.pages = pages = Pages(self.table, self.folding)
        m.submodules.filler = filler = PageFiller(self.table, self.folding)
        m.submodules.sweep = sweep = ForwardSweep(self.table, self.folding)
        connect(m, flipped(self.i), filler.i)
        connect(m, filler.o, pages.host)
        chance = Signal(CHANCE)
        m.d.comb += [
            self.tick.eq(1),
            self.chance.ready.eq(1),
            chance.eq(Mux(self.chance.valid, self.chance.payload, 0)),
            self.random.eq(chance),
            sweep.hold.eq(chance.hold),
            sweep.may_enter.eq(chance.may_enter),
            sweep.credit_group.eq(chance.credit_group),
            pages.f_read.eq(sweep.issue),
            pages.f.eq(sweep.place),
            pages.f_layer.eq(sweep.layer),
            self.f_x.eq(pages.f_x),
            self.full.eq(filler.full),
            self.tag.eq(Cat(filler.tag.label, filler.tag.learn)),
        ]
        if self.folding.skip_zeros:
            connect(m, sweep.flags, pages.f_flags)
        for name in ("start", "layer", "busy", "done", "issue", "blocked", "address"):
            m.d.comb += getattr(self, name).eq(getattr(sweep, name))
        for name in ("enter_group", "first", "last"):
            m.d.comb += getattr(self, name).eq(getattr(sweep, name))
        sample, active, through = self._order(m, sweep, filler, chance)
        self._write(m, pages, sample)
        if self.folding.learns:
            self._read(m, pages, sample, active, through)
        if self.looks:
            self._look(m, pages, sample, active, through)
        return m

    def _order(self, m, sweep, filler, chance):
        """Layer after layer, sample after sample."""
        sample, active, layer = Signal(4), Signal(), Signal(range(len(self.table.rows) + 1))
        released, through = Signal(4), Signal()
        self.written = Signal(4)
        m.d.comb += [
            sweep.layer.eq(layer),
            sweep.parity.eq(sample[0]),
            through.eq(active & (layer == len(self.table.rows)) & ~sweep.busy),
            filler.release.eq(chance.release & (released != sample)),
        ]
        m.d.sync += released.eq(released + filler.release)
        due = ~sweep.busy & (layer != len(self.table.rows))
        ready = active | (filler.full & (self.written > sample))
        m.d.comb += [
            sweep.start.eq(due & ready & chance.start),
            filler.take.eq(sweep.start & ~active),
        ]
        with m.If(sweep.start):
            m.d.sync += active.eq(1)
        with m.If(sweep.done):
            m.d.sync += layer.eq(layer + 1)
        self.gone = [Signal(4, name=f"gone{n}") for n in range(2)]
        all_gone = [g > sample for g in self.gone[: self.folding.learns + self.looks]]
        with m.If(through & (Cat(all_gone).all() if all_gone else 1)):
            m.d.sync += [sample.eq(sample + 1), active.eq(0), layer.eq(0)]
        return sample, active, through

    def _write(self, m, pages, sample):
        write = self.writes.payload
        m.d.comb += [
            self.writes.ready.eq(write.sample <= sample + 1),
            pages.write.eq(write.write),
            pages.write_valid.eq(self.writes.valid & self.writes.ready),
        ]
        with m.If(pages.write_valid & write.last):
            m.d.sync += self.written.eq(self.written + 1)

    def _read(self, m, pages, sample, active, through):
        read, granted = self.reads.payload, Signal()
        m.d.comb += [
            pages.u_read.eq(self.reads.valid & active & (read.sample == sample)),
            pages.u.eq(read.place),
            pages.u_layer.eq(read.layer),
            granted.eq(pages.u_read & pages.u_page_grant),
            self.reads.ready.eq(granted),
            self.u_x.eq(pages.u_x),
        ]
        m.d.comb += self.read_came.eq(
            delayed(m, granted, 3 + self.folding.slow_memory, name="read")[-1]
        )
        with m.If(granted & read.last):
            m.d.sync += self.gone[0].eq(self.gone[0] + 1)

    def _look(self, m, pages, sample, active, through):
        token = data.StructLayout({"token": TOKEN, "last": 1})
        m.submodules.reader = reader = FlagReader(self.table, self.folding, token=token)
        connect(m, reader.flags, pages.u_flags)
        block, mine = self.blocks.payload, Signal()
        out = reader.o.payload
        m.d.comb += [
            mine.eq(active & (block.sample == sample)),
            reader.i.valid.eq(self.blocks.valid & mine),
            self.blocks.ready.eq(reader.i.ready & mine),
            reader.i.payload.block.eq(block.block),
            reader.i.payload.token.token.eq(block.token),
            reader.i.payload.token.last.eq(block.last),
            self.visits.valid.eq(reader.o.valid),
            reader.o.ready.eq(self.visits.ready),
            self.visits.payload.visits.eq(out.visits),
            self.visits.payload.token.eq(out.token.token),
        ]
        with m.If(self.visits.valid & self.visits.ready & out.token.last):
            m.d.sync += self.gone[1].eq(self.gone[1] + 1)
