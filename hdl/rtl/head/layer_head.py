"""What a layer makes of its sums: activations, scores, errors, gradients."""

from amaranth import Module, Signal, signed
from amaranth.lib import data, memory, stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from golden_model.spec.formats import ACTIVATION_BITS, DenseFormat, FullyConnected, ReadoutFormat
from hdl.passes.stages import Folding
from hdl.rtl.engine.collector import Collector
from hdl.rtl.head.activation import Activation
from hdl.rtl.head.classifier import classifier
from hdl.rtl.head.error import local_error
from hdl.rtl.head.gradient import ReadoutGradient, draw_bits, local_gradient
from hdl.rtl.head.score_walk import ScoreWalk
from hdl.rtl.parts.draws import Generator, Rom
from hdl.rtl.ports import IN_BLOCKS, memory_depth, tag_layout


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
    tag, begun
        Of the sample whose sums come; it may change from the pulse `begun` on.
    o, o_tag
        Activations, for the next layer, and their sample's tag; the readout has none.
    o_score
        Scores, in order of class.
    scored
        Pulse: the last score of a sample has left.
    margin
        Of the loss.
    done, any
        Pulse: the errors of a sample that is to be learnt stand; whether one is not 0.
    learn
        Pulse, with `done`: give the gradients of that sample.
    o_gradient
        d, in order of unit, padded to whole groups.

    The last five are there only if the layer learns.
    """

    def __init__(self, format: FullyConnected, folding: Folding) -> None:
        self.format, self.folding = format, folding
        self.padded_units = folding.groups(format) * folding.pe
        learning = {
            "margin": In(format.score_bits - 1),
            "done": Out(1),
            "any": Out(1),
            "learn": In(1),
            "o_gradient": Out(stream.Signature(signed(format.gradient_bits))),
        }
        super().__init__(
            {
                "sums": In(data.ArrayLayout(signed(format.accumulator_bits), folding.pe)),
                "sums_valid": In(1),
                "release": Out(1),
                "tag": In(tag_layout(format)),
                "begun": Out(1),
                "o": Out(stream.Signature(ACTIVATION_BITS)),
                "o_tag": Out(tag_layout(format)),
                "o_score": Out(stream.Signature(signed(format.score_bits))),
                "scored": Out(1),
            }
            | (learning if folding.learns else {})
        )

    def collect(self, m):
        """The sums, unit by unit."""
        m.submodules.collector = collector = Collector(
            self.format, pe=self.folding.pe, turns=self.folding.takes_turns
        )
        m.d.comb += [
            collector.sums.eq(self.sums),
            collector.sums_valid.eq(self.sums_valid),
            collector.tag.eq(self.tag),
            self.begun.eq(collector.begun),
            self.release.eq(collector.release),
        ]
        return collector

    def walk_scores(self, m, tag):
        """Hands out the scores of the sample with that tag."""
        m.submodules.walk = walk = ScoreWalk(self.format)
        connect(m, walk.o, flipped(self.o_score))
        last = walk.class_ == self.format.classes - 1
        m.d.comb += [
            walk.label.eq(tag.label),
            self.scored.eq(walk.o.valid & walk.o.ready & last),
        ]
        return walk

    def judge(self, m, walk, tag, error, gradient):
        """Error and gradient of the scores that leave."""
        m.submodules.error = error
        m.submodules.gradient = gradient
        connect(m, gradient.o, flipped(self.o_gradient))
        m.d.comb += [
            error.score_valid.eq(walk.o.valid & walk.o.ready),
            error.score.eq(walk.o.payload),
            error.class_.eq(walk.class_),
            error.label.eq(tag.label),
            error.label_score.eq(walk.label_score),
            error.margin.eq(self.margin),
            gradient.start.eq(self.learn),
            error.learn.eq(tag.learn),
            self.done.eq(error.done),
            self.any.eq(error.any),
        ]
        if error.parallel:
            m.d.comb += gradient.errors.eq(error.errors)
        else:
            m.d.comb += [
                error.address.eq(gradient.address),
                error.fetch.eq(gradient.fetch),
                gradient.e.eq(error.e),
            ]


class HiddenHead(Head):
    """Activation, random classifier, local error: the head of a hidden layer.

    Throughput: `classes` clocks per unit, with parallel classes one.
    """

    def elaborate(self, platform):
        m = Module()
        layer, parallel = self.format, self.folding.parallel_classes
        collector = self.collect(m)
        m.submodules.activation = activation = Activation(
            accumulator_bits=layer.accumulator_bits, shift=layer.activation_shift
        )
        m.submodules.classifier = scores = classifier(layer, parallel=parallel)
        self._draws(m, "score_draws", scores, 1)
        walk = self.walk_scores(m, scores.tag)
        m.d.comb += [
            walk.start.eq(scores.scored),
            scores.reading.eq(walk.busy),
            scores.address.eq(walk.address),
            scores.fetch.eq(walk.fetch),
            walk.score.eq(scores.score),
        ]

        # One activation in hand, offered to the next layer and to the classifier.
        to_send, to_score, unit = Signal(), Signal(), Signal.like(collector.unit)
        sent, scored = ~to_send | self.o.ready, ~to_score | scores.i.ready
        m.d.comb += [
            activation.i.eq(collector.o.payload),
            collector.o.ready.eq(sent & scored),
            self.o.valid.eq(to_send),
            scores.i.valid.eq(to_score),
            scores.i.payload.eq(self.o.payload),
            scores.i_tag.eq(self.o_tag),
        ]
        m.d.sync += [to_send.eq(~sent), to_score.eq(~scored)]
        with m.If(collector.o.valid & collector.o.ready):
            m.d.sync += [
                self.o.payload.eq(activation.o),
                self.o_tag.eq(collector.o_tag),
                unit.eq(collector.unit),
                to_send.eq(1),
                to_score.eq(1),
            ]
        if self.folding.learns:
            gradient = local_gradient(layer, padded_units=self.padded_units, parallel=parallel)
            self._draws(m, "gradient_draws", gradient, draw_bits(layer))
            self.judge(m, walk, scores.tag, local_error(layer, parallel=parallel), gradient)
            self._remember_active(m, gradient, unit, to_score & scores.i.ready)
        return m

    def _draws(self, m, name, user, bits):
        """The classifier's draws for one of its two users: ROM or generator, the same bits."""
        layer, at_a_time = self.format, user.draws(self.format)
        settings = {"seed": layer.classifier_seed, "bits": bits, "at_a_time": at_a_time}
        if self.folding.classifier_rom:
            source = Rom(count=layer.units * layer.classes, **settings)
        else:
            source = Generator(**settings)
        m.submodules[name] = source
        m.d.comb += [
            user.draw.eq(source.draw),
            source.next.eq(user.next),
            source.restart.eq(user.restart),
        ]

    def _remember_active(self, m, gradient, unit, write_now):
        """Which units had h > 0, until their gradient asks for it in the next sweep."""
        m.submodules.active = active = memory.Memory(
            shape=1, depth=memory_depth(self.padded_units), init=[], attrs=IN_BLOCKS
        )
        write, read = active.write_port(), active.read_port()
        m.d.comb += [
            write.addr.eq(unit),
            write.data.eq(self.o.payload != 0),
            write.en.eq(write_now),
            read.addr.eq(gradient.unit),
            read.en.eq(gradient.ask),
            gradient.active.eq(read.data),
        ]


class ReadoutHead(Head):
    """``score[c] = acc[c] >> s``, ``d = e``: the head of the trained readout.

    Throughput: one unit per clock.
    """

    def elaborate(self, platform):
        m = Module()
        layer = self.format
        collector = self.collect(m)
        tag = Signal.like(collector.o_tag)
        walk = self.walk_scores(m, tag)
        m.submodules.scores = scores = memory.Memory(
            shape=signed(layer.score_bits), depth=layer.classes, init=[], attrs=IN_BLOCKS
        )
        write, read = scores.write_port(), scores.read_port()
        first, last = collector.unit == 0, collector.unit == layer.classes - 1
        kept = collector.o.valid & collector.o.ready
        m.d.comb += [
            collector.o.ready.eq(~(first & walk.busy)),
            write.addr.eq(collector.unit),
            write.data.eq(collector.o.payload >> layer.activation_shift),
            write.en.eq(kept),
            read.addr.eq(walk.address),
            read.en.eq(walk.fetch),
            walk.score.eq(read.data),
        ]
        m.d.sync += walk.start.eq(kept & last)
        with m.If(kept & first):
            m.d.sync += tag.eq(collector.o_tag)
        if self.folding.learns:
            gradient = ReadoutGradient(layer, padded_units=self.padded_units)
            self.judge(m, walk, tag, local_error(layer), gradient)
        return m


HEADS = {DenseFormat: HiddenHead, ReadoutFormat: ReadoutHead}
"""The head of each kind of layer."""


def head(format: FullyConnected, folding: Folding) -> Head:
    """The head for the kind of layer."""
    return HEADS[type(format)](format, folding)
