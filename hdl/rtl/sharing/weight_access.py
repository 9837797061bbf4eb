"""Single weights of all layers of an engine: drawn after a reset, then there for requests."""

from types import SimpleNamespace

from amaranth import Array, Cat, Module, Mux, Signal, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hdl.passes.sharing import EngineTable, SharedFolding
from hdl.rtl.parts.delay import registered, replicated
from hdl.rtl.parts.draws import Generator, xorshift_constant
from hdl.rtl.ports import WEIGHT_REQUEST
from hdl.rtl.sharing.lookup import lookup

READ_LATENCY = 2
"""Clocks from naming a word to its data; slow memory takes one more, and the weight two others."""
NEAR = 8
"""Lanes of which, with slow memory, one is chosen within a clock."""


class SharedWeightAccess(wiring.Component):
    """Fills the weight memory with its initial draws, then serves requests for single weights.

    =====  =====================================================================
    0      a weight's place is in hand, and its draw
    1      `address`, `write` and `value` stand, or `address` and `read`
    3      `read_data` stands; with slow memory a clock later
    =====  =====================================================================

    Parameters
    ----------
    table, folding
        The engine's layers, and how they are folded.

    Members
    -------
    i, o
        Requests, their layer counted within the engine, and the weights read, in order. Only while
        nothing else uses the memory.
    initialised
        All weights are drawn.
    address, read, read_data
        Word of the weight memory, whether it is read, and the word; all held until it is taken.
    write, value
        Whether that word is written, for each lane, and what.

    Throughput: one draw per clock; a request takes its group's number and that of the pixel that it
    looks at + 8 clocks, with slow memory 3 more. Cost: about 200 cells with the generator.
    """

    def __init__(self, table: EngineTable, folding: SharedFolding) -> None:
        self.table, self.folding = table, folding
        self.layers = [row.format for row in table.rows]
        self.bits = max(layer.weight_bits for layer in self.layers)
        super().__init__(
            {
                "i": In(stream.Signature(WEIGHT_REQUEST)),
                "o": Out(stream.Signature(signed(16))),
                "initialised": Out(1),
                "address": Out(range(table.weight_words)),
                "read": Out(1),
                "read_data": In(data.ArrayLayout(self.bits, folding.pe)),
                "write": Out(folding.pe),
                "value": Out(self.bits),
            }
        )

    def elaborate(self, platform):
        m = Module()
        rows = self.table.rows
        layer, at = Signal(range(len(rows))), self._place(m)
        constants = {
            name: lookup(m, layer, [getattr(row, name) for row in rows], name=name)
            for name in ("taps", "tap_channels", "stride", "words", "weight_base")
        }
        for name in ("fan_in", "units"):
            values = [getattr(f, name) for f in self.layers]
            constants[name] = lookup(m, layer, values, name=name)
        of = SimpleNamespace(**constants)
        drawing, named, writing = Signal(), Signal(), Signal()
        value = self._draw(m, layer, drawing)
        m.d.sync += [
            self.address.eq(at.base + at.tap),
            self.read.eq(named & ~writing),
            self.write.eq(Mux(named & writing, 1 << at.lane, 0)),
            self.value.eq(Mux(drawing, value, self.i.payload.value)),
        ]
        with m.FSM():
            with m.State("SEED"):
                # The generator starts anew; the layer's constants stand.
                m.d.sync += [
                    at.base.eq(of.weight_base),
                    at.unit.eq(of.units - 1),
                    at.input.eq(of.fan_in - 1),
                ]
                m.next = "DRAW"
            with m.State("DRAW"):
                m.d.comb += [drawing.eq(1), named.eq(1), writing.eq(1)]
                self._walk(m, layer, at, of)
            self._requests(m, layer, at, of, named, writing)
        return m

    def _place(self, m):
        """The weight in hand, in lane `lane` of word ``base + tap``.

        `unit` and `input` are what is still to be walked past, or to be drawn.
        """
        words = max(row.words for row in self.table.rows)
        return SimpleNamespace(
            lane=Signal(range(self.folding.pe), name="lane"),
            base=Signal(range(self.table.weight_words + 1), name="base"),
            tap=Signal(range(words), name="tap"),
            unit=Signal(range(max(f.units for f in self.layers) + 1), name="unit"),
            input=Signal(range(max(f.fan_in for f in self.layers)), name="input"),
            channel=Signal(range(max(row.tap_channels for row in self.table.rows)), name="channel"),
        )

    def _walk(self, m, layer, at, of):
        """On to the next weight of the unit, the next unit, the next layer."""
        last_channel = at.channel == of.tap_channels - 1
        last_lane = at.lane == self.folding.pe - 1
        m.d.sync += [
            at.input.eq(at.input - 1),
            at.channel.eq(Mux(last_channel, 0, at.channel + 1)),
            at.tap.eq(at.tap + Mux(last_channel, of.stride - of.tap_channels + 1, 1)),
        ]
        with m.If(at.input == 0):  # it was the bias
            m.d.sync += [
                at.input.eq(of.fan_in - 1),
                at.channel.eq(0),
                at.tap.eq(0),
                at.lane.eq(Mux(last_lane, 0, at.lane + 1)),
                at.unit.eq(at.unit - 1),
            ]
            with m.If(last_lane):
                m.d.sync += at.base.eq(at.base + of.words)
            with m.If(at.unit == 0):
                last = layer == len(self.layers) - 1
                m.d.sync += [at.lane.eq(0), layer.eq(Mux(last, 0, layer + 1))]
                m.next = "SEED"
                with m.If(last):
                    m.next = "IDLE"

    def _requests(self, m, layer, at, of, named, writing):
        """Walks past groups and pixels to the weight that is asked for."""
        request, pe = self.i.payload, self.folding.pe
        slow, found = self.folding.slow_memory, self.read_data[at.lane]
        if slow:
            found = self._gathered(m, at.lane)
        waited, clocks = Signal(range(8)), READ_LATENCY + 3 * slow
        with m.State("IDLE"):
            m.d.comb += self.initialised.eq(1)
            m.d.sync += [
                layer.eq(request.layer),
                at.unit.eq(request.unit),
                at.input.eq(request.input),
                at.tap.eq(0),
            ]
            with m.If(self.i.valid):
                m.next = "BASE"
        with m.State("BASE"):
            m.d.sync += at.base.eq(of.weight_base)
            m.next = "GROUP"
        with m.State("GROUP"):
            with m.If(at.unit >= pe):
                m.d.sync += [at.unit.eq(at.unit - pe), at.base.eq(at.base + of.words)]
            with m.Else():
                m.d.sync += at.lane.eq(at.unit)
                m.next = "PIXEL"
        with m.State("PIXEL"):
            m.next = "NAME"
            with m.If(at.input == of.fan_in - 1):
                m.d.sync += at.tap.eq(of.taps)
            with m.Elif(at.input >= of.tap_channels):
                m.d.sync += at.input.eq(at.input - of.tap_channels)
                m.d.sync += at.tap.eq(at.tap + of.stride)
                m.next = "PIXEL"
            with m.Else():
                m.d.sync += at.tap.eq(at.tap + at.input)
        with m.State("NAME"):
            m.d.comb += [named.eq(1), writing.eq(request.write)]
            m.next = "FETCH"
        with m.State("FETCH"):
            m.d.comb += named.eq(~request.write)
            m.d.sync += waited.eq(waited + 1)
            with m.If(waited == clocks):
                m.d.sync += waited.eq(0)
                m.next = "ANSWER"
        with m.State("ANSWER"):
            m.d.comb += [
                named.eq(~request.write),
                self.o.valid.eq(~request.write),
                self.o.payload.eq(found.as_signed()),
                self.i.ready.eq(request.write | self.o.ready),
            ]
            with m.If(self.i.ready):
                m.next = "IDLE"

    def _gathered(self, m, lane):
        """A weight out of a word from all over the chip, two clocks later."""
        parts = range(0, self.folding.pe, NEAR)
        copies = replicated(m, lane, len(parts), name="lane_read")
        bits = NEAR.bit_length() - 1
        near = [
            registered(
                m, Array(list(self.read_data)[part : part + NEAR])[copy[:bits]], name=f"near{part}"
            )
            for part, copy in zip(parts, copies, strict=True)
        ]
        return registered(m, Array(near)[copies[0][bits:]], name="found")

    def _draw(self, m, layer, drawing):
        """The weight that is drawn: odd, of as many bits as the layer starts with."""
        m.submodules.generator = generator = Generator(
            seed=self.layers[0].weight_seed, bits=1, access=True
        )
        starts = [xorshift_constant(f.weight_seed) for f in self.layers]
        m.d.comb += [
            generator.next.eq(drawing),
            generator.access.value.eq(lookup(m, layer, starts, name="seed")),
            generator.access.write.eq(~drawing),
        ]
        drawn = Signal(signed(self.bits))
        with m.Switch(layer):
            for number, f in enumerate(self.layers):
                with m.Case(number):
                    top = generator.access.state[33 - f.init_bits :]
                    m.d.comb += drawn.eq(Cat(1, top).as_signed())
        return drawn
