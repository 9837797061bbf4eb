"""The whole network: layers in a row, their registers and counters."""

from itertools import pairwise

from amaranth import Cat, Module, Mux, Signal, signed
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from golden_model.spec.formats import LayerFormat
from hdl.passes.stages import ScheduledNetwork
from hdl.rtl.engine.layer import Layer
from hdl.rtl.parts.register_file import RegisterFile
from hdl.rtl.parts.stage import Stage
from hdl.rtl.ports import core_signature, score_layout


class Core(wiring.Component):
    """Layers as a pipeline; the last one's scores are the answer.

    Parameters
    ----------
    schedule
        The last stage of the flow.

    Members
    -------
    Those of :func:`hdl.rtl.ports.core_signature`. The layers' own are reached by `layers`, for
    simulation.

    Throughput: that of the slowest layer. Cost: the sum of the layers and of the register file.
    """

    def __init__(self, schedule: ScheduledNetwork) -> None:
        self.schedule = schedule
        pairs = zip(schedule.formats.fully_connected, schedule.foldings, strict=True)
        self.layers = [Layer(format, folding) for format, folding in pairs]
        super().__init__(core_signature(schedule.formats.answer))

    def elaborate(self, platform):
        m = Module()
        layers = self.layers
        for layer in layers:
            m.submodules[layer.format.name] = layer
        m.submodules.answer = answer = Answer(layers[-1].format)
        connect(m, flipped(self.i), layers[0].i)
        for lower, upper in pairwise(layers):
            connect(m, lower.o, upper.i)
            m.d.comb += lower.o_score.ready.eq(1)
        connect(m, layers[-1].o_score, answer.i)
        connect(m, answer.o, flipped(self.o))
        m.d.comb += layers[-1].o.ready.eq(1)
        m.d.sync += self.idle.eq(Cat(layer.idle for layer in layers).all())
        m.d.comb += [layer.drain.eq(self.drain) for layer in layers]
        self._weights(m, layers)
        self._registers(m, layers)
        return m

    def _weights(self, m, layers):
        """Requests go to the layer they name, answers come from it."""
        m.submodules.weight_answer = answer = Stage(signed(16))
        connect(m, answer.o, flipped(self.o_weight))
        # Which layer that is takes a clock of its own.
        named, asked = Signal(len(layers)), Signal()
        m.d.sync += asked.eq(self.i_weight.valid & ~self.i_weight.ready)
        for index, layer in enumerate(layers):
            m.d.sync += named[index].eq(self.i_weight.payload.layer == index)
            with m.If(named[index]):
                m.d.comb += [
                    layer.i_weight.valid.eq(asked),
                    self.i_weight.ready.eq(layer.i_weight.ready),
                    layer.o_weight.ready.eq(answer.i.ready),
                    answer.i.valid.eq(layer.o_weight.valid),
                    answer.i.payload.eq(layer.o_weight.payload),
                ]
            m.d.comb += [
                layer.i_weight.payload[name].eq(self.i_weight.payload[name])
                for name in ("unit", "input", "write", "value")
            ]

    def _registers(self, m, layers):
        """Registers out, events in."""
        m.submodules.registers = registers = RegisterFile(
            self.schedule.formats,
            slow=any(folding.slow_memory for folding in self.schedule.foldings),
            dithering=[
                layer.format.name for layer in layers if layer.folding.dithers(layer.format)
            ],
        )
        connect(m, flipped(self.i_register), registers.i)
        connect(m, registers.o, flipped(self.o_register))
        for number, layer in enumerate(layers):
            values = registers.registers[layer.format.name]
            m.d.comb += [
                registers.events[number].eq(layer.events),
                layer.rate.eq(values.rate),
                layer.margin.eq(values.margin),
                layer.learn.eq(values.learn),
            ]
            if layer.format.name in registers.dithering:
                connect(m, registers.generator(layer.format), layer.rounding)


class Answer(wiring.Component):
    """Finds the best score on the way: the highest, the lowest class on a tie.

    Members
    -------
    i, o
        Scores in order of class, without and with the winner so far.

    A score that is not taken at once is set aside, so that the chain of `ready` ends here.

    Latency: none. Cost: about 4 * score_bits + 40 cells.
    """

    def __init__(self, format: LayerFormat) -> None:
        self.format = format
        super().__init__(
            {
                "i": In(stream.Signature(signed(format.score_bits))),
                "o": Out(stream.Signature(score_layout(format))),
            }
        )

    def elaborate(self, platform):
        m = Module()
        class_, best = Signal(range(self.format.classes)), Signal(8)
        lowest = -1 << (self.format.score_bits - 1)
        highest, final = Signal.like(self.i.payload, init=lowest), class_ == self.format.classes - 1
        # A subtraction, since tools take no carry chain for a comparison.
        lead = Signal(signed(self.format.score_bits + 1))
        wins = lead[-1]
        answer, aside = Signal.like(self.o.payload), Signal.like(self.o.payload)
        set_aside = Signal()
        m.d.comb += [
            lead.eq(highest - self.i.payload),
            answer.score.eq(self.i.payload),
            answer.best.eq(Mux(wins, class_, best)),
            answer.last.eq(final),
            self.i.ready.eq(~set_aside),
            self.o.valid.eq(self.i.valid | set_aside),
            self.o.payload.eq(Mux(set_aside, aside, answer)),
        ]
        with m.If(self.o.ready):
            m.d.sync += set_aside.eq(0)
        with m.If(self.i.valid & self.i.ready):
            m.d.sync += [
                class_.eq(Mux(final, 0, class_ + 1)),
                set_aside.eq(~self.o.ready),
                aside.eq(answer),
            ]
            with m.If(final):
                m.d.sync += [best.eq(0), highest.eq(lowest)]
            with m.Elif(wins):
                m.d.sync += [best.eq(class_), highest.eq(self.i.payload)]
        return m
