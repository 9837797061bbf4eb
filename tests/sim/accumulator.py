"""A small component to try the simulators on, and its bench's configurations."""

from amaranth.hdl import Array, Const, Module, Mux, Signal, signed
from amaranth.lib import data, memory, stream, wiring
from amaranth.lib.wiring import In, Out

TERM = data.StructLayout({"x": 8, "w": signed(5), "last": 1})


class Accumulator(wiring.Component):
    """Sums ``w * x`` up to `last`, adds the next offset, sends the total and keeps it.

    Parameters
    ----------
    depth
        Words of the memory ``totals`` and offsets, used in turn.
    faulty
        Break it: the output stream withdraws an offer, and totals are one too large.

    Members
    -------
    i : In(stream.Signature(TERM))
    o : Out(stream.Signature(signed(20)))
    enable : In(1)
        Level; nothing is taken without it.
    """

    def __init__(self, depth: int = 6, *, faulty: bool = False):
        self.depth, self.faulty = depth, faulty
        super().__init__(
            {
                "i": In(stream.Signature(TERM)),
                "o": Out(stream.Signature(signed(20))),
                "enable": In(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.totals = totals = memory.Memory(shape=signed(20), depth=self.depth, init=[])
        write = totals.write_port()
        offset = Array(Const(7 - 3 * n, signed(20)) for n in range(self.depth))
        address = Signal(range(self.depth))
        product = Signal(signed(13))
        total = Signal(signed(20))
        taken = Signal()
        m.d.comb += [
            self.i.ready.eq(self.enable & ~self.o.valid),
            taken.eq(self.i.valid & self.i.ready),
            product.eq(self.i.p.x * self.i.p.w),
            write.addr.eq(address),
            write.data.eq(self.o.payload),
            write.en.eq(self.o.valid & self.o.ready),
        ]
        with m.If(write.en):
            m.d.sync += [
                address.eq(Mux(address == self.depth - 1, 0, address + 1)),
                self.o.valid.eq(0),
            ]
        with m.If(taken):
            m.d.sync += total.eq(total + product)
            with m.If(self.i.p.last):
                m.d.sync += [
                    total.eq(0),
                    self.o.payload.eq(total + product + offset[address] + int(self.faulty)),
                    self.o.valid.eq(1),
                ]
        if self.faulty:
            with m.If(self.o.valid):
                m.d.sync += self.o.valid.eq(0)
        return m


def expected_totals(samples, depth=6):
    """Totals of lists of ``(x, w)``."""
    return [
        sum(x * w for x, w in terms) + 7 - 3 * (number % depth)
        for number, terms in enumerate(samples)
    ]
