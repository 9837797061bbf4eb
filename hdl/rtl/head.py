"""What a layer makes of its sums: activations, scores, errors, gradients."""

from amaranth import Module, Signal, signed
from amaranth.lib import data, memory, stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from golden_model.spec.formats import ACTIVATION_BITS, DenseFormat, ReadoutFormat
from hdl.passes.stages import Folding
from hdl.rtl.activation import Activation
from hdl.rtl.classifier import LocalClassifier
from hdl.rtl.collector import Collector
from hdl.rtl.draws import Generator, Rom
from hdl.rtl.error import local_error
from hdl.rtl.gradient import LocalGradient, ReadoutGradient, draw_bits
from hdl.rtl.ports import IN_BLOCKS


class Head(wiring.Component):
    """The part of a layer behind its matrix; subclasses for hidden layers and the readout.

    Parameters
    ----------
    format, folding
        The layer and its folding.

    Members
    -------
    sums, sums_valid, release
        To the matrix.
    o
        Activations, for the next layer; the readout has none.
    o_score
        Scores, in order of class.
    label, margin
        Of the sample in hand.
    done, any
        Pulse: the errors of the sample stand; whether one is not 0.
    learn
        Pulse: give the gradients of the sample.
    o_gradient
        d, in order of unit, padded to whole groups.
    """

    def __init__(self, format: DenseFormat, folding: Folding) -> None:
        self.format, self.folding = format, folding
        self.padded_units = folding.groups(format) * folding.pe
        super().__init__(
            {
                "sums": In(data.ArrayLayout(signed(format.accumulator_bits), folding.pe)),
                "sums_valid": In(1),
                "release": Out(1),
                "o": Out(stream.Signature(ACTIVATION_BITS)),
                "o_score": Out(stream.Signature(signed(format.score_bits))),
                "label": In(8),
                "margin": In(format.score_bits - 1),
                "done": Out(1),
                "any": Out(1),
                "learn": In(1),
                "o_gradient": Out(stream.Signature(signed(format.gradient_bits))),
            }
        )

    def common(self, m, gradient):
        """Collector, error and gradient unit, wired; both heads have them."""
        m.submodules.collector = collector = Collector(
            units=self.format.units, pe=self.folding.pe, bits=self.format.accumulator_bits
        )
        m.submodules.error = error = local_error(self.format)
        m.submodules.gradient = gradient
        connect(m, gradient.o, flipped(self.o_gradient))
        m.d.comb += [
            collector.sums.eq(self.sums),
            collector.sums_valid.eq(self.sums_valid),
            self.release.eq(collector.release),
            error.label.eq(self.label),
            error.margin.eq(self.margin),
            error.address.eq(gradient.address),
            error.fetch.eq(gradient.fetch),
            gradient.e.eq(error.e),
            gradient.start.eq(self.learn),
            self.done.eq(error.done),
            self.any.eq(error.any),
        ]
        return collector, error

    def fork_scores(self, m, scores, errors):
        """A score moves when both the error unit and the world outside take it."""
        m.d.comb += [
            errors.payload.eq(scores.payload),
            self.o_score.payload.eq(scores.payload),
            errors.valid.eq(scores.valid & self.o_score.ready),
            self.o_score.valid.eq(scores.valid & errors.ready),
            scores.ready.eq(self.o_score.ready & errors.ready),
        ]


class HiddenHead(Head):
    """Activation, random classifier, local error: the head of a hidden layer.

    Throughput: `classes` + 1 clocks per unit.
    """

    def elaborate(self, platform):
        m = Module()
        layer = self.format
        gradient = LocalGradient(layer, padded_units=self.padded_units)
        collector, error = self.common(m, gradient)
        m.submodules.activation = activation = Activation(
            accumulator_bits=layer.accumulator_bits, shift=layer.activation_shift
        )
        m.submodules.classifier = classifier = LocalClassifier(layer)
        self._draws(m, "score_draws", classifier, 1)
        self._draws(m, "gradient_draws", gradient, draw_bits(layer))

        # One activation in hand, offered to the next layer and to the classifier.
        to_send, to_score, unit = Signal(), Signal(), Signal.like(collector.unit)
        sent, scored = ~to_send | self.o.ready, ~to_score | classifier.i.ready
        m.d.comb += [
            activation.i.eq(collector.o.payload),
            collector.o.ready.eq(sent & scored),
            self.o.valid.eq(to_send),
            classifier.i.valid.eq(to_score),
            classifier.i.payload.eq(self.o.payload),
        ]
        m.d.sync += [to_send.eq(~sent), to_score.eq(~scored)]
        with m.If(collector.o.valid & collector.o.ready):
            m.d.sync += [
                self.o.payload.eq(activation.o),
                unit.eq(collector.unit),
                to_send.eq(1),
                to_score.eq(1),
            ]
        self._remember_active(m, gradient, unit, to_score & classifier.i.ready)
        self.fork_scores(m, classifier.o, error.i)
        return m

    def _draws(self, m, name, user, bits):
        """The classifier's draws for one of its two users: ROM or generator, the same bits."""
        seed, count = self.format.classifier_seed, self.format.units * self.format.classes
        if self.folding.classifier_rom:
            source = Rom(seed=seed, bits=bits, count=count)
        else:
            source = Generator(seed=seed, bits=bits)
        m.submodules[name] = source
        m.d.comb += [
            user.draw.eq(source.draw),
            source.next.eq(user.next),
            source.restart.eq(user.restart),
        ]

    def _remember_active(self, m, gradient, unit, write_now):
        """Which units had h > 0, until their gradient asks for it in the next sweep."""
        m.submodules.active = active = memory.Memory(
            shape=1, depth=self.padded_units, init=[], attrs=IN_BLOCKS
        )
        write, read = active.write_port(), active.read_port()
        m.d.comb += [
            write.addr.eq(unit),
            write.data.eq(self.o.payload != 0),
            write.en.eq(write_now),
            read.addr.eq(gradient.unit),
            read.en.eq(gradient.fetch),
            gradient.active.eq(read.data),
        ]


class ReadoutHead(Head):
    """``score[c] = acc[c] >> s``, ``d = e``: the head of the trained readout.

    Throughput: one unit per clock.
    """

    def elaborate(self, platform):
        m = Module()
        gradient = ReadoutGradient(self.format, padded_units=self.padded_units)
        collector, error = self.common(m, gradient)
        score = stream.Signature(signed(self.format.score_bits)).create()
        m.d.comb += [
            score.payload.eq(collector.o.payload >> self.format.activation_shift),
            score.valid.eq(collector.o.valid),
            collector.o.ready.eq(score.ready),
        ]
        self.fork_scores(m, score, error.i)
        return m


def head(format: DenseFormat, folding: Folding) -> Head:
    """The head for the kind of layer."""
    kind = ReadoutHead if isinstance(format, ReadoutFormat) else HiddenHead
    return kind(format, folding)
