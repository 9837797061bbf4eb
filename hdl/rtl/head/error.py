"""Errors of a layer's scores against the label."""

from amaranth import Cat, Module, Mux, Signal, signed
from amaranth.lib import data, memory, wiring
from amaranth.lib.wiring import In, Out

from golden_model.spec.formats import ERROR_MAX, LayerFormat
from golden_model.spec.network import Loss
from hdl.rtl.ports import IN_BLOCKS


class LocalError(wiring.Component):
    """``e`` of one sample, formed from its scores and kept for the gradient.

    Parameters
    ----------
    format
        The layer; its loss selects the subclass, see :func:`local_error`.
    parallel
        All errors are given at once, out of flip-flops; else one at a time, out of a memory.
    rows
        Serial: so many samples' errors are kept, those of one in each row of the memory.

    Members
    -------
    score_valid, score, class_
        Scores, in order of class.
    label, label_score, learn
        Of the sample: its class, that one's score, for the pairwise hinge, and whether it is to be
        learnt. Stable from the clock before the first score until the clock behind the last one,
        with `learn` until `done`.
    margin
        Unsigned raw score units.
    done
        Pulse, for a sample to be learnt: all entries of e are kept, or are in the next clock.
    any
        With `done`: some entry is not 0.
    address, fetch, e
        Serial: entry to read, whether to read, and the entry one clock later.
    row, row_read
        Of the sample, stable until `done`, and of the entry to read; only if there are several.
    errors
        Parallel: all entries.

    Throughput: one score per clock. Latency: two clocks from the last score to `done`. Cost:
    `classes` errors, about 2 * score_bits + 30 cells.
    """

    def __init__(self, format: LayerFormat, *, parallel: bool = False, rows: int = 1) -> None:
        self.format, self.parallel, self.rows = format, parallel, rows
        score, class_ = signed(format.score_bits), range(format.classes)
        error = signed(format.error_bits)
        serial = {"address": In(class_), "fetch": In(1), "e": Out(error)}
        if rows > 1:
            serial |= {"row": In(range(rows)), "row_read": In(range(rows))}
        super().__init__(
            {
                "score_valid": In(1),
                "score": In(score),
                "class_": In(class_),
                "label": In(class_),
                "label_score": In(score),
                "learn": In(1),
                "margin": In(format.score_bits - 1),
                "done": Out(1),
                "any": Out(1),
            }
            | ({"errors": Out(data.ArrayLayout(error, format.classes))} if parallel else serial)
        )

    def elaborate(self, platform):
        m = Module()
        classes = self.format.classes
        # Second stage, one clock behind the score: how far it is on the wrong side.
        judging, judged, is_label = Signal(), Signal(range(classes)), Signal()
        distance = Signal(signed(self.format.score_bits + 2))
        m.d.sync += [
            judging.eq(self.score_valid),
            judged.eq(self.class_),
            is_label.eq(self.class_ == self.label),
            distance.eq(self.distance(m)),
            self.done.eq(judging & (judged == classes - 1) & self.learn),
        ]
        positive = ~distance[-1] & distance.any()
        self._store(m, *self.judge(m, judging, judged, is_label, distance, positive))
        return m

    def _store(self, m, write, place, value):
        """Keeps an entry of e."""
        if self.parallel:
            with m.If(write), m.Switch(place):
                for number in range(self.format.classes):
                    with m.Case(number):
                        m.d.sync += self.errors[number].eq(value)
            return
        m.submodules.errors = errors = memory.Memory(
            shape=signed(self.format.error_bits),
            depth=self.format.classes if self.rows == 1 else self.rows << len(self.address),
            init=[],
            attrs=IN_BLOCKS,
        )
        writer, read = errors.write_port(), errors.read_port()
        m.d.comb += [
            writer.addr.eq(place if self.rows == 1 else Cat(place, self.row)),
            writer.data.eq(value),
            writer.en.eq(write),
            read.addr.eq(self.address if self.rows == 1 else Cat(self.address, self.row_read)),
            read.en.eq(self.fetch),
            self.e.eq(read.data),
        ]


class HingeError(LocalError):
    """Hinge and squared hinge: each score is judged by itself."""

    def distance(self, m: Module):
        """``margin - score[label]``, or ``margin + score[c]``."""
        is_label = self.class_ == self.label
        return self.margin + Mux(is_label, ~self.score, self.score) + is_label

    def judge(self, m: Module, judging, judged, is_label, distance, positive):
        """Whether an entry is written, which one, and its value."""
        size, found = Signal(range(self.format.error_largest + 1)), Signal()
        m.d.comb += [size.eq(self.size(distance, positive)), self.any.eq(found)]
        with m.If(judging):
            m.d.sync += found.eq((found & (judged != 0)) | (size != 0))
        return judging, judged, Mux(is_label, -size, size)

    def size(self, distance, positive):
        """Magnitude of e by distance."""
        if self.format.loss is Loss.HINGE:
            return positive
        shifted = distance >> self.format.error_shift
        clipped = Mux(shifted > ERROR_MAX, ERROR_MAX, shifted[: ERROR_MAX.bit_length()])
        return Mux(positive, clipped, 0)


class PairwiseHingeError(LocalError):
    """Pairwise hinge: ``e[c] = score[label] - score[c] < margin``, ``e[label] = -sum(others)``."""

    def distance(self, m: Module):
        """``margin - score[label] + score[c]``; its first part stands a clock before the scores."""
        threshold = Signal(signed(self.format.score_bits + 1))
        m.d.sync += threshold.eq(self.margin - self.label_score)
        return threshold + self.score

    def judge(self, m: Module, judging, judged, is_label, distance, positive):
        """Whether an entry is written, which one, and its value; with `done` the label's."""
        count = Signal(range(self.format.classes))
        wrong = positive & ~is_label
        m.d.comb += self.any.eq(count != 0)
        with m.If(judging):
            m.d.sync += count.eq(Mux(judged == 0, 0, count) + wrong)
        place = Mux(self.done, self.label, judged)
        return judging | self.done, place, Mux(self.done, -count, wrong)


def local_error(format: LayerFormat, *, parallel: bool = False, rows: int = 1) -> LocalError:
    """The unit for the layer's loss."""
    kind = PairwiseHingeError if format.loss is Loss.PAIRWISE_HINGE else HingeError
    return kind(format, parallel=parallel, rows=rows)
