"""Scores of a sample, read in order of class."""

from amaranth import Module, Mux, Signal, signed
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from golden_model.spec.formats import LayerFormat
from golden_model.spec.network import Loss


class ScoreWalk(wiring.Component):
    """Hands the scores of a sample out, one after another, once all of them stand.

    Parameters
    ----------
    format
        The layer. With the pairwise hinge the label's score is read first.

    Members
    -------
    start
        Pulse: scores of a sample can be read from the next clock on.
    label
        Of that sample.
    busy
        From `start` to the last score's leaving: the scores must stay.
    address, fetch, score
        To where they are kept: class, whether to read it, its score one clock later.
    o, class_
        Scores, in order of class, and whose it is.
    label_score
        From the clock before the first score on: the label's, if it is read.

    Throughput: one score per clock. Latency: three clocks from `start` to the first, one more with
    the pairwise hinge. Cost: about 2 * score_bits + 20 cells.
    """

    def __init__(self, format: LayerFormat) -> None:
        self.format = format
        self.label_first = format.loss is Loss.PAIRWISE_HINGE
        super().__init__(
            {
                "start": In(1),
                "label": In(range(format.classes)),
                "busy": Out(1),
                "address": Out(range(format.classes)),
                "fetch": Out(1),
                "score": In(signed(format.score_bits)),
                "o": Out(stream.Signature(signed(format.score_bits))),
                "class_": Out(range(format.classes), init=format.classes - 1),
                "label_score": Out(signed(format.score_bits)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        asked, last = Signal(range(self.format.classes)), self.format.classes - 1
        arrived, asked_label, resting = Signal(), Signal(), Signal()
        free = ~self.o.valid | self.o.ready
        m.d.sync += asked_label.eq(0)
        m.d.comb += [
            self.address.eq(asked),
            self.busy.eq(self.start | ~resting),
        ]
        walking = Signal()
        with m.FSM():
            with m.State("REST"):
                m.d.comb += resting.eq(1)
                with m.If(self.start):
                    m.next = "LABEL" if self.label_first else "WALK"
            if self.label_first:
                with m.State("LABEL"):
                    m.d.comb += [self.address.eq(self.label), self.fetch.eq(1)]
                    m.d.sync += asked_label.eq(1)
                    m.next = "WALK"
            with m.State("WALK"):
                m.d.comb += walking.eq(~arrived | free)
                with m.If(walking):
                    m.d.comb += self.fetch.eq(1)
                    m.d.sync += asked.eq(Mux(asked == last, 0, asked + 1))
                    with m.If(asked == last):
                        m.next = "LEAVE"
            with m.State("LEAVE"), m.If(self.o.valid & self.o.ready & (self.class_ == last)):
                m.next = "REST"
        m.d.sync += arrived.eq(walking | (arrived & ~free))
        with m.If(asked_label):
            m.d.sync += self.label_score.eq(self.score)
        with m.If(free):
            m.d.sync += self.o.valid.eq(arrived)
            with m.If(arrived):
                m.d.sync += [
                    self.o.payload.eq(self.score),
                    self.class_.eq(Mux(self.class_ == last, 0, self.class_ + 1)),
                ]
        return m
