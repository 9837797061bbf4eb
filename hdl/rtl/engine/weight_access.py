"""Single weights: drawn after a reset, then read and written on request."""

from amaranth import Cat, Module, Mux, Signal, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from golden_model.spec.formats import FullyConnected
from hdl.passes.stages import Folding
from hdl.rtl.parts.delay import delayed
from hdl.rtl.parts.draws import Generator

ROW_REQUEST = data.StructLayout({"unit": 16, "input": 16, "write": 1, "value": 16})
"""Access to one weight of a layer."""

VALUE_LATENCY = 2
"""Clocks from naming a word to the value that is written to it."""
READ_LATENCY = 4
"""Clocks, at most, from naming a word to the word that is read. Slow memory adds one to both, and
what takes turns is read a clock later."""


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
    address, read, read_data
        Word of the weight memory, whether it is read, and the word READ_LATENCY clocks later; all
        three are held until it is taken.
    write, value
        Whether that word is written, for each lane; the value follows VALUE_LATENCY clocks later.

    Throughput: one draw per clock; a request takes its group's number + 8 clocks at most.
    Cost: about 120 cells with the generator.
    """

    def __init__(self, format: FullyConnected, folding: Folding) -> None:
        self.format, self.folding = format, folding
        words, lanes = folding.weight_words(format), folding.pe * folding.simd
        super().__init__(
            {
                "i": In(stream.Signature(ROW_REQUEST)),
                "o": Out(stream.Signature(signed(16))),
                "initialised": Out(1),
                "address": Out(range(words)),
                "read": Out(1),
                "read_data": In(data.ArrayLayout(format.weight_bits, lanes)),
                "write": Out(lanes),
                "value": Out(format.weight_bits),
            }
        )

    def elaborate(self, platform):
        m = Module()
        fan_in, units = self.format.fan_in, self.format.units
        pe, simd = self.folding.pe, self.folding.simd
        words = self.folding.words(self.format)
        drawing, last_draw = Signal(), Signal()
        self._draw(m, drawing, last_draw)

        # The weight in hand: unit = group * pe + lane_unit, its group's words begin at `base`.
        unit, input_ = Signal(range(units)), Signal(range(fan_in))
        base, to_go = (
            Signal(range(self.folding.weight_words(self.format))),
            Signal(range(units + 1)),
        )
        lane_unit, lane_input = unit % pe, input_ % simd
        address = base + input_ // simd
        lane = lane_unit * simd + lane_input
        to_word = READ_LATENCY + self.folding.slow_memory + self.folding.takes_turns
        writing, waited = Signal(), Signal(range(to_word - 1))
        m.d.comb += [
            self.address.eq(address),
            self.write.eq(Mux(writing, 1 << lane, 0)),
        ]
        request = self.i.payload
        with m.FSM():
            with m.State("DRAW"):
                last_input = input_ == fan_in - 1
                m.d.comb += [
                    drawing.eq(1),
                    writing.eq(1),
                    last_draw.eq(last_input & (unit == units - 1)),
                ]
                m.d.sync += input_.eq(Mux(last_input, 0, input_ + 1))
                with m.If(last_input):
                    m.d.sync += unit.eq(unit + 1)
                    with m.If(lane_unit == pe - 1):
                        m.d.sync += base.eq(base + words)
                    with m.If(last_draw):
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
                    m.next = "NAME"
                with m.Else():
                    m.d.sync += [to_go.eq(to_go - 1), base.eq(base + words)]
            with m.State("NAME"):
                m.d.comb += [writing.eq(request.write), self.read.eq(~request.write)]
                m.next = "FETCH"
            with m.State("FETCH"):
                m.d.comb += self.read.eq(~request.write)
                m.d.sync += waited.eq(waited + 1)
                with m.If(waited == to_word - 2):
                    m.d.sync += waited.eq(0)
                    m.next = "ANSWER"
            with m.State("ANSWER"):
                m.d.comb += [
                    self.read.eq(~request.write),
                    self.o.valid.eq(~request.write),
                    self.o.payload.eq(self.read_data[lane].as_signed()),
                    self.i.ready.eq(request.write | self.o.ready),
                ]
                with m.If(self.i.ready):
                    m.next = "IDLE"
        return m

    def _draw(self, m, drawing, last_draw):
        """Values: draws, one for each clock of `drawing`, and afterwards the requests'."""
        m.submodules.generator = generator = Generator(
            seed=self.format.weight_seed, bits=self.format.init_bits - 1
        )
        drawn = Signal(signed(self.format.weight_bits))
        m.d.comb += drawn.eq(Cat(1, generator.draw).as_signed())
        # The generator follows the walk through the weights, so that no value has to wait.
        to_value = VALUE_LATENCY + self.folding.slow_memory
        following = delayed(m, drawing, to_value, name="drawing")
        m.d.sync += self.initialised.eq(~Cat(following).any())
        m.d.comb += [
            generator.next.eq(following[-1]),
            generator.restart.eq(delayed(m, last_draw, to_value, name="last_draw")[-1]),
            self.value.eq(Mux(following[-1], drawn, self.i.payload.value)),
        ]
