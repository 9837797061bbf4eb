"""Single weights: drawn after a reset, then read and written on request."""

from amaranth import Module, Mux, Signal, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from golden_model.spec.formats import DenseFormat
from hdl.passes.stages import Folding
from hdl.rtl.draws import Generator

ROW_REQUEST = data.StructLayout({"unit": 16, "input": 16, "write": 1, "value": 16})
"""Access to one weight of a layer."""


class WeightAccess(wiring.Component):
    """Fills a weight memory with its initial draws, then serves requests for single weights.

    Parameters
    ----------
    format, folding
        The layer and its PE and SIMD, powers of two: a unit's group and lane are bits of its
        number.

    Members
    -------
    i, o
        Requests, and the weights read, in order. Only while no sweep runs.
    initialised
        All weights are drawn.
    read_address, read_enable, read_data
        To the weight memory; data one clock after enable.
    write_address, write_enable, write_value
        To the weight memory, one enable for each lane.

    Throughput: one draw per clock; a request takes its group's number + 3 clocks.
    Cost: about 120 cells with the generator.
    """

    def __init__(self, format: DenseFormat, folding: Folding) -> None:
        self.format, self.folding = format, folding
        words, lanes = folding.weight_words(format), folding.pe * folding.simd
        super().__init__(
            {
                "i": In(stream.Signature(ROW_REQUEST)),
                "o": Out(stream.Signature(signed(16))),
                "initialised": Out(1),
                "read_address": Out(range(words)),
                "read_enable": Out(1),
                "read_data": In(data.ArrayLayout(format.weight_bits, lanes)),
                "write_address": Out(range(words)),
                "write_enable": Out(lanes),
                "write_value": Out(format.weight_bits),
            }
        )

    def elaborate(self, platform):
        m = Module()
        fan_in, units = self.format.fan_in, self.format.units
        pe, simd = self.folding.pe, self.folding.simd
        words = self.folding.words(self.format)
        m.submodules.generator = generator = Generator(
            seed=self.format.weight_seed, bits=self.format.init_bits
        )
        drawn = Signal(signed(self.format.weight_bits))
        m.d.comb += drawn.eq(generator.draw.as_signed())

        # The weight in hand: unit = group * pe + lane_unit, its group's words begin at `base`.
        unit, input_ = Signal(range(units)), Signal(range(fan_in))
        base, to_go = (
            Signal(range(self.folding.weight_words(self.format))),
            Signal(range(units + 1)),
        )
        lane_unit, lane_input = unit % pe, input_ % simd
        address = base + input_ // simd
        lane = lane_unit * simd + lane_input
        writing = Signal()
        m.d.comb += [
            self.read_address.eq(address),
            self.write_address.eq(address),
            self.write_enable.eq(Mux(writing, 1 << lane, 0)),
        ]
        request = self.i.payload
        m.d.comb += self.initialised.eq(1)
        with m.FSM():
            with m.State("DRAW"):
                last_input = input_ == fan_in - 1
                m.d.comb += [
                    self.initialised.eq(0),
                    writing.eq(1),
                    self.write_value.eq(drawn),
                    generator.next.eq(1),
                    generator.restart.eq(last_input & (unit == units - 1)),
                ]
                m.d.sync += input_.eq(Mux(last_input, 0, input_ + 1))
                with m.If(last_input):
                    m.d.sync += unit.eq(unit + 1)
                    with m.If(lane_unit == pe - 1):
                        m.d.sync += base.eq(base + words)
                    with m.If(unit == units - 1):
                        m.next = "IDLE"
            with m.State("IDLE"):
                m.d.sync += [
                    unit.eq(request.unit),
                    input_.eq(request.input),
                    base.eq(0),
                    to_go.eq(request.unit // pe),
                ]
                with m.If(self.i.valid):
                    m.next = "SEEK"
            with m.State("SEEK"):
                with m.If(to_go == 0):
                    m.next = "ACT"
                with m.Else():
                    m.d.sync += [to_go.eq(to_go - 1), base.eq(base + words)]
            with m.State("ACT"):
                m.d.comb += [
                    self.write_value.eq(request.value),
                    writing.eq(request.write),
                    self.read_enable.eq(~request.write),
                ]
                with m.If(request.write):
                    m.d.comb += self.i.ready.eq(1)
                    m.next = "IDLE"
                with m.Else():
                    m.next = "ANSWER"
            with m.State("ANSWER"):
                m.d.comb += [
                    self.read_enable.eq(1),
                    self.o.valid.eq(1),
                    self.o.payload.eq(self.read_data[lane].as_signed()),
                    self.i.ready.eq(self.o.ready),
                ]
                with m.If(self.o.ready):
                    m.next = "IDLE"
        return m
