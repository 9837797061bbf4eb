"""A layer that answers, and learns from its own error."""

from amaranth import Cat, Const, Module, Mux, Signal, signed
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from golden_model.spec.control import Activity, Counter
from golden_model.spec.formats import FullyConnected
from hdl.passes.stages import Folding
from hdl.rtl.engine.matrix import Matrix
from hdl.rtl.engine.weight_access import ROW_REQUEST
from hdl.rtl.head.layer_head import head
from hdl.rtl.parts.draws import ACCESS
from hdl.rtl.parts.stage import Pipe
from hdl.rtl.ports import EVENTS, SAMPLE


class Layer(wiring.Component):
    """Streams samples through: takes activations, gives activations and scores, and learns.

    A labelled sample whose errors are not all zero leaves an update pending. It is applied while
    the next sample's sums are formed, or in a sweep of its own when `drain` asks for it. The next
    sweep waits for the errors of a sample that is to be learnt; behind another sample it follows
    at once, while that one is still being scored.

    Parameters
    ----------
    format, folding
        The layer and its folding.

    Members
    -------
    i, o
        Samples in, samples of activations out (the readout gives none), with label and learn.
    o_score
        Scores of each sample, in order of class.
    rate, margin, learn
        Registers; change only while `idle`. A layer that cannot learn ignores them.
    drain
        Apply a pending update as soon as no sample waits.
    idle
        Weights are drawn, no sample is in hand, no update pending.
    events
        What happens in this clock, in the order of `EVENTS`.
    taken, updated
        Two of them: a sample was taken; a sample left an update pending.
    i_weight, o_weight
        Access to single weights, while `idle`.
    rounding : Out(ACCESS)
        The same to the stream of stochastic rounding; only if the layer learns with it.
    probe_valid, probe_d
        Gradients as they are handed to the matrix, unit by unit, for simulation only.

    Latency, throughput: :mod:`hdl.passes.cycles` gives them exactly. Cost: the sum of its parts.
    """

    def __init__(self, format: FullyConnected, folding: Folding) -> None:
        self.format, self.folding = format, folding
        super().__init__(
            {
                "i": In(stream.Signature(SAMPLE)),
                "o": Out(stream.Signature(SAMPLE)),
                "o_score": Out(stream.Signature(signed(format.score_bits))),
                "rate": In(range(format.rate_shift_max + 1)),
                "margin": In(format.score_bits - 1),
                "learn": In(1),
                "drain": In(1),
                "idle": Out(1),
                "events": Out(len(EVENTS)),
                "taken": Out(1),
                "updated": Out(1),
                "i_weight": In(stream.Signature(ROW_REQUEST)),
                "o_weight": Out(stream.Signature(signed(16))),
                "probe_valid": Out(1),
                "probe_d": Out(signed(format.gradient_bits)),
            }
            | ({"rounding": Out(ACCESS)} if folding.dithers(format) else {})
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.matrix = matrix = Matrix(self.format, self.folding)
        m.submodules.head = tail = head(self.format, self.folding)
        connect(m, flipped(self.i), matrix.i)
        connect(m, flipped(self.i_weight), matrix.i_weight)
        connect(m, matrix.o_weight, flipped(self.o_weight))
        connect(m, tail.o_score, flipped(self.o_score))
        m.d.comb += [
            tail.sums.eq(matrix.sums),
            tail.sums_valid.eq(matrix.sums_valid),
            matrix.release.eq(tail.release),
            self.o.valid.eq(tail.o.valid),
            self.o.payload.x.eq(tail.o.payload),
            self.o.payload.label.eq(tail.o_tag.label),
            self.o.payload.learn.eq(tail.o_tag.learn),
            tail.o.ready.eq(self.o.ready),
        ]
        if self.folding.learns:
            m.submodules.gradient = gradient = Pipe(tail.o_gradient.payload.shape())
            connect(m, tail.o_gradient, gradient.i)
            connect(m, gradient.o, matrix.i_gradient)
            m.d.comb += [
                matrix.rate.eq(self.rate),
                tail.margin.eq(self.margin),
                self.probe_valid.eq(tail.o_gradient.valid & tail.o_gradient.ready),
                self.probe_d.eq(tail.o_gradient.payload),
            ]
        if self.folding.dithers(self.format):
            connect(m, flipped(self.rounding), matrix.rounding)
        self._control(m, matrix, tail)
        return m

    def _control(self, m, matrix, tail):
        """One sample after another: sweep, then wait for errors that may be learnt."""
        learns = self.folding.learns
        forward, pending, judged = Signal(), Signal(), Signal()
        tag, tag_in_use, unscored = Signal.like(tail.tag), Signal(), Signal(2)
        # A sample's tag is with the matrix until its first sums have left.
        free = matrix.initialised & ~tag_in_use
        learnable = matrix.tag.learn & self.learn & Const(learns)
        ready, wanted = Signal(), matrix.full | (self.drain & pending)
        m.d.comb += [matrix.forward.eq(forward), tail.tag.eq(tag)]
        if learns:
            m.d.comb += matrix.update.eq(pending)
        with m.If(tail.begun):
            m.d.sync += tag_in_use.eq(0)
        m.d.sync += unscored.eq(unscored + self.taken - tail.scored)
        with m.FSM():
            with m.State("READY"):
                m.d.comb += [
                    ready.eq(1),
                    matrix.forward.eq(matrix.full),
                    matrix.start.eq(free & wanted),
                    self.taken.eq(free & matrix.full),
                    self.idle.eq(free & matrix.empty & ~pending & (unscored == 0) & ~tail.o.valid),
                ]
                with m.If(matrix.start):
                    m.d.sync += forward.eq(matrix.full)
                    m.next = "SWEEP"
                with m.If(self.taken):
                    m.d.sync += [tag.eq(matrix.tag), tag_in_use.eq(1)]
            with m.State("SWEEP"), m.If(~matrix.busy):
                m.d.sync += pending.eq(0)
                m.next = "READY"
                if learns:
                    with m.If(forward & tag.learn & self.learn):
                        m.next = "JUDGE"
            if learns:
                with m.State("JUDGE"), m.If(tail.done):
                    m.d.comb += [judged.eq(1), tail.learn.eq(tail.any), self.updated.eq(tail.any)]
                    m.d.sync += pending.eq(tail.any)
                    m.next = "READY"
        blocked = Mux(ready, wanted & ~free, matrix.blocked)
        self._report(
            m,
            matrix,
            {
                Counter.SAMPLES: self.taken,
                Counter.UPDATES: self.updated,
                Counter.UNCHANGED: Mux(ready, self.taken & ~learnable, judged & ~self.updated),
                Activity.BUSY: ~blocked & (~ready | wanted),
                Activity.WAITING: ready & ~wanted & ~self.drain,
                Activity.BLOCKED: blocked,
                Activity.WORDS_READ: matrix.read,
                Activity.WORDS_WRITTEN: matrix.written,
            },
        )

    def _report(self, m, matrix, happens):
        """The events; none before the weights are drawn."""
        m.d.comb += self.events.eq(
            Mux(matrix.initialised, Cat(happens[event] for event in EVENTS), 0)
        )
