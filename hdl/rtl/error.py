"""Errors of a layer's scores against the label."""

from amaranth import Module, Mux, Signal, signed
from amaranth.lib import memory, stream, wiring
from amaranth.lib.wiring import In, Out

from golden_model.spec.formats import ERROR_MAX, DenseFormat, Loss


class LocalError(wiring.Component):
    """``e`` of one sample, formed from its scores and kept for the gradient.

    Parameters
    ----------
    format
        The layer; its loss selects the subclass, see :func:`local_error`.

    Members
    -------
    i
        Scores, in order of class.
    label
        Stable from the first score to `done`.
    margin
        Unsigned raw score units.
    done
        Pulse: all entries of e are kept.
    any
        With `done` and after: some entry is not 0.
    address, fetch, e
        Entry to read, whether to read, and the entry one clock later.

    Throughput: one score per clock. Cost: a memory of `classes` errors, about
    2 * score_bits + 30 cells.
    """

    def __init__(self, format: DenseFormat) -> None:
        self.format = format
        super().__init__(
            {
                "i": In(stream.Signature(signed(format.score_bits))),
                "label": In(8),
                "margin": In(format.score_bits - 1),
                "done": Out(1),
                "any": Out(1),
                "address": In(range(format.classes)),
                "fetch": In(1),
                "e": Out(signed(format.error_bits)),
            }
        )

    def store(self, m: Module):
        """Memory of the errors; its write port."""
        m.submodules.errors = errors = memory.Memory(
            shape=signed(self.format.error_bits), depth=self.format.classes, init=[]
        )
        read = errors.read_port()
        m.d.comb += [
            read.addr.eq(self.address),
            read.en.eq(self.fetch),
            self.e.eq(read.data),
        ]
        return errors.write_port()


class HingeError(LocalError):
    """Hinge and squared hinge: each score is judged by itself, two clocks later."""

    def elaborate(self, platform):
        m = Module()
        write = self.store(m)
        score_bits, classes = self.format.score_bits, self.format.classes
        class_, beat = Signal(range(classes)), self.i.valid & self.i.ready
        final, is_label = class_ == classes - 1, class_ == self.label

        # distance = margin - score[label], or score[c] + margin; wrong where it is positive.
        distance, judging = Signal(signed(score_bits + 1)), Signal()
        judged, judged_label = Signal.like(class_), Signal()
        signed_score = Mux(is_label, ~self.i.payload, self.i.payload)
        m.d.comb += self.i.ready.eq(1)
        m.d.sync += [
            judging.eq(beat),
            judged.eq(class_),
            judged_label.eq(is_label),
            distance.eq(self.margin + signed_score + is_label),
        ]
        with m.If(beat):
            m.d.sync += class_.eq(Mux(final, 0, class_ + 1))

        size, found = Signal(range(self.format.error_largest + 1)), Signal()
        m.d.comb += [
            size.eq(self.size(distance)),
            write.addr.eq(judged),
            write.data.eq(Mux(judged_label, -size, size)),
            write.en.eq(judging),
            self.any.eq(found),
        ]
        with m.If(judging):
            m.d.sync += found.eq((found & (judged != 0)) | (size != 0))
        m.d.sync += self.done.eq(judging & (judged == classes - 1))
        return m

    def size(self, distance):
        """Magnitude of e by distance."""
        positive = ~distance[-1] & distance.any()
        if self.format.loss is Loss.HINGE:
            return positive
        shifted = distance >> self.format.error_shift
        return Mux(
            positive, Mux(shifted > ERROR_MAX, ERROR_MAX, shifted[: ERROR_MAX.bit_length()]), 0
        )


class PairwiseHingeError(LocalError):
    """Pairwise hinge: every score is judged against the label's, in a second pass.

    Latency: `classes` + 2 clocks behind the last score. Cost: a memory of `classes` scores more.
    """

    def elaborate(self, platform):
        m = Module()
        write = self.store(m)
        classes, score_bits = self.format.classes, self.format.score_bits
        m.submodules.scores = scores = memory.Memory(
            shape=signed(score_bits), depth=classes, init=[]
        )
        keep, read = scores.write_port(), scores.read_port()
        class_, judged = Signal(range(classes)), Signal(range(classes))
        count, label_score = Signal(range(classes)), Signal(signed(score_bits))
        final, judging = class_ == classes - 1, Signal()
        distance = Signal(signed(score_bits + 2))
        wrong = ~distance[-1] & distance.any() & (judged != self.label)
        m.d.comb += [
            keep.addr.eq(class_),
            keep.data.eq(self.i.payload),
            read.addr.eq(class_),
            read.en.eq(0),
            distance.eq(self.margin - label_score + read.data),
            write.addr.eq(judged),
            write.data.eq(wrong),
            write.en.eq(judging),
            self.any.eq(count != 0),
        ]
        m.d.sync += [judged.eq(class_), self.done.eq(0)]
        with m.FSM():
            with m.State("COLLECT"):
                m.d.comb += [self.i.ready.eq(1), keep.en.eq(self.i.valid)]
                with m.If(self.i.valid):
                    m.d.sync += class_.eq(Mux(final, 0, class_ + 1))
                    with m.If(class_ == self.label):
                        m.d.sync += label_score.eq(self.i.payload)
                    with m.If(final):
                        m.d.sync += count.eq(0)
                        m.next = "JUDGE"
            with m.State("JUDGE"):  # e[c] = score[label] - score[c] < margin, a clock later
                m.d.comb += read.en.eq(1)
                m.d.sync += [judging.eq(1), class_.eq(Mux(final, 0, class_ + 1))]
                with m.If(final):
                    m.next = "LABEL"
            with m.State("LABEL"):
                with m.If(judging):
                    m.d.sync += judging.eq(0)
                with m.Else():  # e[label] = -count
                    m.d.comb += [
                        write.addr.eq(self.label),
                        write.data.eq(-count),
                        write.en.eq(1),
                    ]
                    m.d.sync += self.done.eq(1)
                    m.next = "COLLECT"
        with m.If(judging):
            m.d.sync += count.eq(count + wrong)
        return m


def local_error(format: DenseFormat) -> LocalError:
    """The unit for the layer's loss."""
    kind = PairwiseHingeError if format.loss is Loss.PAIRWISE_HINGE else HingeError
    return kind(format)
