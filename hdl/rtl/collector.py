"""Sums of PE units at once become sums of one unit after another."""

from amaranth import Module, Mux, Signal, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out


class Collector(wiring.Component):
    """Takes the sums of a group and gives them out unit by unit.

    Parameters
    ----------
    units, pe, bits
        Units of the layer, units of a group, signed width of a sum.

    Members
    -------
    sums, sums_valid
        The matrix's; must not come again before `release`.
    release
        Pulse: the last sum of the group was taken.
    o
        Sums in order of unit; those that only pad the last group are left out.
    unit
        Number of the unit at `o`.

    Throughput: one unit per clock. Latency: one clock. Cost: pe * bits flip-flops and as many
    cells if pe > 1.
    """

    def __init__(self, *, units: int, pe: int, bits: int) -> None:
        self.units, self.pe, self.bits = units, pe, bits
        super().__init__(
            {
                "sums": In(data.ArrayLayout(signed(bits), pe)),
                "sums_valid": In(1),
                "release": Out(1),
                "o": Out(stream.Signature(signed(bits))),
                "unit": Out(range(units)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        held = Signal.like(self.sums)
        left = Signal(range(self.pe + 1))
        final_unit = self.unit == self.units - 1
        m.d.comb += [
            self.o.valid.eq(left != 0),
            self.o.payload.eq(held[0]),
            self.release.eq(self.o.valid & self.o.ready & ((left == 1) | final_unit)),
        ]
        with m.If(self.sums_valid):
            m.d.sync += [held.eq(self.sums), left.eq(self.pe)]
        with m.Elif(self.o.valid & self.o.ready):
            m.d.sync += [
                held.eq(held.as_value() >> self.bits),
                left.eq(Mux(self.release, 0, left - 1)),
                self.unit.eq(Mux(final_unit, 0, self.unit + 1)),
            ]
        return m
