"""Scores of a layer's fixed random classifier."""

from amaranth import Module, Mux, Signal, signed
from amaranth.lib import memory, stream, wiring
from amaranth.lib.wiring import In, Out

from golden_model.spec.formats import ACTIVATION_BITS, DenseFormat
from hdl.rtl.ports import IN_BLOCKS, tag_layout


class LocalClassifier(wiring.Component):
    """``score[c] = sum_j M[c,j] * h[j]``; the scores are kept until the next sample's first unit.

    Subclasses add for one class after the other or for all at once, see :func:`classifier`.

    Parameters
    ----------
    format
        The layer; its units and classes are walked unit by unit, class by class.

    Members
    -------
    i, i_tag
        Activations h, in order of unit, and their sample's tag.
    draw, next, restart
        The stream of classifier draws: a bit for each class at a time is its sign, 1 for -1.
    scored
        Pulse: all scores of a sample stand from the next clock on.
    tag
        Of that sample.
    reading
        The scores are being read: the next sample's first unit must wait.
    address, fetch, score
        Class to read, whether to read, and its score one clock later.
    """

    def __init__(self, format: DenseFormat) -> None:
        self.format = format
        super().__init__(
            {
                "i": In(stream.Signature(ACTIVATION_BITS)),
                "i_tag": In(tag_layout(format)),
                "draw": In(self.draws(format)),
                "next": Out(1),
                "restart": Out(1),
                "scored": Out(1),
                "tag": Out(tag_layout(format)),
                "reading": In(1),
                "address": In(range(format.classes)),
                "fetch": In(1),
                "score": Out(signed(format.score_bits)),
            }
        )

    @classmethod
    def draws(cls, format: DenseFormat) -> int:
        """Draws, of one bit each, that are used in a clock."""
        return 1

    def walk(self, m: Module, final_class):
        """First stage: unit by unit; says in which clocks something is added, and to which unit."""
        unit, first = Signal(range(self.format.units)), Signal(init=1)
        last = unit == self.format.units - 1
        open_ = ~(first & self.reading)
        step = self.i.valid & open_
        m.d.comb += [
            self.i.ready.eq(final_class & open_),
            self.next.eq(step),
            self.restart.eq(last & final_class),
        ]
        m.d.sync += self.scored.eq(step & final_class & last)
        with m.If(step & final_class):
            m.d.sync += [unit.eq(Mux(last, 0, unit + 1)), first.eq(last)]
        with m.If(step & first):
            m.d.sync += self.tag.eq(self.i_tag)
        return step, first


class SerialClassifier(LocalClassifier):
    """One addition per clock. Throughput: `classes` clocks per unit. Cost: a memory of `classes`
    scores, about score_bits + 50 cells."""

    def elaborate(self, platform):
        m = Module()
        m.submodules.scores = scores = memory.Memory(
            shape=signed(self.format.score_bits),
            depth=self.format.classes,
            init=[],
            attrs=IN_BLOCKS,
        )
        write, read = scores.write_port(), scores.read_port()
        class_ = Signal(range(self.format.classes))
        final_class = class_ == self.format.classes - 1
        step, first = self.walk(m, final_class)
        with m.If(step):
            m.d.sync += class_.eq(Mux(final_class, 0, class_ + 1))
        m.d.comb += [
            read.addr.eq(Mux(self.fetch, self.address, class_)),
            read.en.eq(step | self.fetch),
            self.score.eq(read.data),
        ]

        # Second stage: score[c] += M[c,j] * h[j].
        h, sign, fresh = Signal(ACTIVATION_BITS), Signal(), Signal()
        m.d.sync += [
            write.en.eq(step),
            write.addr.eq(class_),
            fresh.eq(first),
            sign.eq(self.draw),
            h.eq(self.i.payload),
        ]
        before = Signal.like(read.data)
        m.d.comb += [
            before.eq(Mux(fresh, 0, read.data)),
            write.data.eq(Mux(sign, before - h, before + h)),
        ]
        return m


class ParallelClassifier(LocalClassifier):
    """All classes at once. Throughput: one clock per unit. Cost: about 2 * classes * score_bits
    cells."""

    @classmethod
    def draws(cls, format: DenseFormat) -> int:
        return format.classes

    def elaborate(self, platform):
        m = Module()
        step, first = self.walk(m, 1)

        # Second stage: score[c] += M[c,j] * h[j].
        h, adding, fresh = Signal(ACTIVATION_BITS), Signal(), Signal()
        signs = Signal.like(self.draw)
        m.d.sync += [
            adding.eq(step),
            fresh.eq(first),
            signs.eq(self.draw),
            h.eq(self.i.payload),
        ]
        shape = self.score.shape()
        scores = [Signal(shape, name=f"score{c}") for c in range(self.format.classes)]
        for score, sign in zip(scores, signs, strict=True):
            before = Signal.like(score)
            m.d.comb += before.eq(Mux(fresh, 0, score))
            with m.If(adding):
                m.d.sync += score.eq(Mux(sign, before - h, before + h))
        with m.If(self.fetch), m.Switch(self.address):
            for number, score in enumerate(scores):
                with m.Case(number):
                    m.d.sync += self.score.eq(score)
        return m


def classifier(format: DenseFormat, *, parallel: bool) -> LocalClassifier:
    """The classifier unit, all classes at once with `parallel`."""
    return (ParallelClassifier if parallel else SerialClassifier)(format)
