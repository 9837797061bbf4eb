"""Registers between two ends of a stream."""

from amaranth import Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out


class Stage(wiring.Component):
    """Cuts every path between `i` and `o`.

    Parameters
    ----------
    shape
        Of the payload.

    Latency: one clock. Throughput: one beat in two clocks. Cost: the payload's flip-flops and 2
    cells.
    """

    def __init__(self, shape) -> None:
        super().__init__({"i": In(stream.Signature(shape)), "o": Out(stream.Signature(shape))})

    def elaborate(self, platform):
        m = Module()
        m.d.comb += self.i.ready.eq(~self.o.valid)
        with m.If(self.i.ready):
            m.d.sync += [self.o.payload.eq(self.i.payload), self.o.valid.eq(self.i.valid)]
        with m.Elif(self.o.ready):
            m.d.sync += self.o.valid.eq(0)
        return m


class Pipe(wiring.Component):
    """Cuts the payload's path between `i` and `o`, but not that of `ready`.

    Parameters
    ----------
    shape
        Of the payload.

    Latency: one clock. Throughput: one beat per clock. Cost: the payload's flip-flops and 2 cells.
    """

    def __init__(self, shape) -> None:
        super().__init__({"i": In(stream.Signature(shape)), "o": Out(stream.Signature(shape))})

    def elaborate(self, platform):
        m = Module()
        m.d.comb += self.i.ready.eq(~self.o.valid | self.o.ready)
        with m.If(self.i.ready):
            m.d.sync += [self.o.payload.eq(self.i.payload), self.o.valid.eq(self.i.valid)]
        return m


class Skid(wiring.Component):
    """Cuts the path of `ready` between `i` and `o`, but not the payload's.

    Parameters
    ----------
    shape
        Of the payload.

    Latency: none. Throughput: one beat per clock. Cost: a flip-flop and a cell for each bit of the
    payload, and 3 cells.
    """

    def __init__(self, shape) -> None:
        super().__init__({"i": In(stream.Signature(shape)), "o": Out(stream.Signature(shape))})

    def elaborate(self, platform):
        m = Module()
        saved, held = Signal.like(self.i.payload), Signal()
        m.d.comb += [
            self.i.ready.eq(~held),
            self.o.valid.eq(self.i.valid | held),
            self.o.payload.eq(Mux(held, saved, self.i.payload)),
        ]
        m.d.sync += held.eq(self.o.valid & ~self.o.ready)
        with m.If(~held):
            m.d.sync += saved.eq(self.i.payload)
        return m
