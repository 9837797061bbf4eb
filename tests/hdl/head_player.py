"""Plays windows of sums to the head of a shared engine, as the sweep and its lanes would."""

from collections.abc import Sequence

from amaranth import Module, Signal, unsigned
from amaranth.lib import data, memory, stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from hdl.passes.sharing import EngineTable, SharedFolding
from hdl.rtl.parts.delay import delayed
from hdl.rtl.sharing.head import Head
from hdl.rtl.sharing.lanes import NAME_TO_SUM, sum_bits
from hdl.rtl.sharing.lookup import lookup
from sim.benches.harness import Watched

STEP = data.StructLayout(
    {"start": 1, "layer": 5, "parity": 1, "label": 8, "learn": 1, "group_last": 1, "gap": 4}
)
"""A layer starts, or a window is named; `gap` clocks more than need be after the one before."""
TAG = ("start", "layer", "parity", "label", "learn")
HIDDEN = (*TAG, "sums", "sums_next", "sums_taken", "group_named", "credit_group", "margins")


class Player(wiring.Component):
    """A head, its windows in a memory `windows`, and a stream of steps that plays them in order.

    Parameters
    ----------
    table, folding
        The engine's.
    margins
        Of each layer.
    windows
        Sums of each, packed.

    Members
    -------
    i
        Steps.
    sums_valid, collision
        To be looked at. All other members are the head's.
    """

    def __init__(
        self,
        table: EngineTable,
        folding: SharedFolding,
        margins: Sequence[int],
        windows: Sequence[int],
    ) -> None:
        self.table, self.folding, self.margins, self.windows = table, folding, margins, windows
        self.head = Watched(Head(table, folding))
        members = self.head.signature.members
        shown = {name: members[name] for name in members if name not in HIDDEN}
        super().__init__({**shown, "i": In(stream.Signature(STEP)), "sums_valid": Out(1)})

    def elaborate(self, platform):
        m = Module()
        m.submodules.head = head = self.head
        for name, member in self.signature.members.items():
            if name in ("i", "sums_valid"):
                continue
            if member.is_signature:
                connect(m, flipped(getattr(self, name)), getattr(head, name))
            elif member.flow is Out:
                m.d.comb += getattr(self, name).eq(getattr(head, name))
            else:
                m.d.comb += getattr(head, name).eq(getattr(self, name))

        if self.folding.learns:
            m.d.comb += [
                port.eq(value) for port, value in zip(head.margins, self.margins, strict=True)
            ]
        folding, step = self.folding, self.i.payload
        clocks = [folding.window_clocks(row) for row in self.table.rows]
        least = lookup(m, head.layer, clocks, name="least")
        since, playing, named = Signal(8, init=255), Signal(), Signal()
        m.d.comb += [
            named.eq(
                self.i.valid
                & ~step.start
                & ~head.start
                & (since >= least + step.gap)
                & (head.credit_group | ~step.group_last)
            ),
            head.group_named.eq(named & step.group_last),
            self.i.ready.eq(named | (step.start & ~playing)),
        ]
        m.d.sync += [head.start.eq(0), since.eq(since + (since != 255))]
        with m.If(named):
            m.d.sync += since.eq(1)
        with m.If(head.written):
            m.d.sync += playing.eq(0)
        with m.If(self.i.valid & step.start & ~playing):
            m.d.sync += [getattr(head, name).eq(step[name]) for name in TAG]
            m.d.sync += playing.eq(1)

        lanes = folding.pe * folding.places
        m.submodules.windows = windows = memory.Memory(
            shape=unsigned(lanes * sum_bits(self.table)),
            depth=len(self.windows) + 1,
            init=self.windows,
        )
        read, count = windows.read_port(), Signal(range(len(self.windows) + 1))
        later = delayed(m, named, NAME_TO_SUM[folding.slow_memory], name="named")
        with m.If(later[-2]):
            m.d.sync += count.eq(count + 1)
        m.d.comb += [
            read.addr.eq(count),
            read.en.eq(later[-2]),
            head.sums.eq(read.data),
            head.sums_next.eq(later[-2]),
            self.sums_valid.eq(later[-1]),
        ]
        return m
