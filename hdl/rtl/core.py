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
from hdl.rtl.sharing.engine import LAYER_LEAST, SharedEngine


class Core(wiring.Component):
    """Engines as a pipeline; the scores of the last one's last layer are the answer.

    Parameters
    ----------
    schedule
        The last stage of the flow.

    Members
    -------
    Those of :func:`hdl.rtl.ports.core_signature`. For simulation the engines are reached: those of
    single layers by `layers`, the one behind them that layers share, if there is one, by `shared`.

    Throughput: that of the slowest engine. Cost: the sum of the engines and of the register file.
    """

    def __init__(self, schedule: ScheduledNetwork) -> None:
        self.schedule = schedule
        self.layers = [Layer(format, folding) for format, folding in schedule.own]
        self.shared = None
        if schedule.shared is not None:
            self.shared = SharedEngine(schedule.sharing, schedule.shared)
        super().__init__(core_signature(schedule.formats.answer))

    def elaborate(self, platform):
        m = Module()
        for layer in self.layers:
            m.submodules[layer.format.name] = layer
        if self.shared is not None:
            m.submodules.shared = self.shared
        engines = [*self.layers, *([] if self.shared is None else [self.shared])]
        m.submodules.answer = answer = Answer(self.schedule.formats.answer)
        connect(m, flipped(self.i), engines[0].i)
        for lower, upper in pairwise(engines):
            connect(m, lower.o, upper.i)
            m.d.comb += lower.o_score.ready.eq(1)
        connect(m, engines[-1].o_score, answer.i)
        connect(m, answer.o, flipped(self.o))
        if self.shared is None:
            m.d.comb += engines[-1].o.ready.eq(1)
        m.d.sync += self.idle.eq(Cat(engine.idle for engine in engines).all())
        m.d.comb += [layer.drain.eq(self.drain) for layer in self.layers]
        self._weights(m, engines)
        self._registers(m)
        return m

    def _weights(self, m, engines):
        """Requests go to the engine of the layer that they name, answers come from it."""
        m.submodules.weight_answer = answer = Stage(signed(16))
        connect(m, answer.o, flipped(self.o_weight))
        # Which engine that is takes a clock of its own.
        named, asked = Signal(len(engines)), Signal()
        request = self.i_weight.payload
        m.d.sync += asked.eq(self.i_weight.valid & ~self.i_weight.ready)
        for index, engine in enumerate(engines):
            ours = request.layer == index
            if engine is self.shared:
                ours = request.layer >= index
                m.d.comb += engine.i_weight.payload.layer.eq(request.layer - index)
            m.d.sync += named[index].eq(ours)
            with m.If(named[index]):
                m.d.comb += [
                    engine.i_weight.valid.eq(asked),
                    self.i_weight.ready.eq(engine.i_weight.ready),
                    engine.o_weight.ready.eq(answer.i.ready),
                    answer.i.valid.eq(engine.o_weight.valid),
                    answer.i.payload.eq(engine.o_weight.payload),
                ]
            m.d.comb += [
                engine.i_weight.payload[name].eq(request[name])
                for name in ("unit", "input", "write", "value")
            ]

    def _registers(self, m):
        """Registers out, events in."""
        own, shared = self.layers, self.shared
        m.submodules.registers = registers = RegisterFile(
            self.schedule.formats,
            slow=self.schedule.slow_memory,
            dithering=[layer.format.name for layer in own if layer.folding.dithers(layer.format)],
            # Engines of single layers may for a while be faster than the one behind them.
            sample_clocks=1 if own else LAYER_LEAST * len(shared.formats),
        )
        connect(m, flipped(self.i_register), registers.i)
        connect(m, registers.o, flipped(self.o_register))
        for number, format in enumerate(self.schedule.formats.layers):
            values = registers.registers[format.name]
            if number < len(own):
                layer, events = own[number], own[number].events
                rate, margin, learn = layer.rate, layer.margin, layer.learn
            else:
                place = number - len(own)
                events = shared.events[place]
                rate, margin, learn = (
                    shared.rates[place],
                    shared.margins[place],
                    shared.learn[place],
                )
            m.d.comb += [
                registers.events[number].eq(events),
                rate.eq(values.rate),
                margin.eq(values.margin),
                learn.eq(values.learn),
            ]
            if format.name in registers.dithering:
                connect(m, registers.generator(format), own[number].rounding)


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
