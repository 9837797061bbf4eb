"""Sums of PE units at once become sums of one unit after another."""

from amaranth import Module, Mux, Signal, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from golden_model.spec.formats import FullyConnected
from hdl.rtl.parts.delay import delayed
from hdl.rtl.ports import tag_layout


class Collector(wiring.Component):
    """Takes the sums of a group and gives them out unit by unit.

    Parameters
    ----------
    format, pe
        The layer, and units of a group.
    turns
        The sums of the second half of the units come one clock later.

    Members
    -------
    sums, sums_valid
        The matrix's; must not come again before `release`.
    tag
        Of the sample whose sums come; kept with them from the first group on.
    begun
        Pulse: the first group of a sample has come, `tag` may change.
    release
        Pulse: the last sum of the group was taken.
    o, o_tag
        Sums in order of unit, those that only pad the last group left out, and their sample's tag.
    unit
        Number of the unit at `o`.

    Throughput: one unit per clock. Latency: one clock from the last sums. Cost: pe *
    accumulator_bits flip-flops and as many cells if pe > 1.
    """

    def __init__(self, format: FullyConnected, *, pe: int, turns: bool = False) -> None:
        self.format, self.pe, self.turns = format, pe, turns
        bits = format.accumulator_bits
        super().__init__(
            {
                "sums": In(data.ArrayLayout(signed(bits), pe)),
                "sums_valid": In(1),
                "tag": In(tag_layout(format)),
                "begun": Out(1),
                "release": Out(1),
                "o": Out(stream.Signature(signed(bits))),
                "o_tag": Out(tag_layout(format)),
                "unit": Out(range(format.units)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        held = Signal.like(self.sums)
        left = Signal(range(self.pe + 1))
        final_unit = self.unit == self.format.units - 1
        valid = delayed(m, self.sums_valid, self.turns, name="sums_valid")
        m.d.comb += [
            self.begun.eq(valid[-1] & (self.unit == 0)),
            self.o.valid.eq(left != 0),
            self.o.payload.eq(held[0]),
            self.release.eq(self.o.valid & self.o.ready & ((left == 1) | final_unit)),
        ]
        with m.If(self.begun):
            m.d.sync += self.o_tag.eq(self.tag)
        with m.If(self.o.valid & self.o.ready):
            m.d.sync += [
                held.eq(held.as_value() >> self.format.accumulator_bits),
                left.eq(Mux(self.release, 0, left - 1)),
                self.unit.eq(Mux(final_unit, 0, self.unit + 1)),
            ]
        for unit in range(self.pe):
            with m.If(valid[unit >= self.pe // 2] if self.turns else valid[0]):
                m.d.sync += held[unit].eq(self.sums[unit])
        with m.If(valid[-1]):
            m.d.sync += left.eq(self.pe)
        return m
