"""A layer that answers, and learns from its own error."""

from amaranth import Module, Signal, signed
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from golden_model.spec.formats import DenseFormat
from hdl.passes.stages import Folding
from hdl.rtl.head import head
from hdl.rtl.matrix import Matrix
from hdl.rtl.ports import SAMPLE
from hdl.rtl.weight_access import ROW_REQUEST


class Layer(wiring.Component):
    """Streams samples through: takes activations, gives activations and scores, and learns.

    A labelled sample whose errors are not all zero leaves an update pending. It is applied while
    the next sample's sums are formed, or in a sweep of its own when `drain` asks for it.

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
        Registers; change only while `idle`.
    drain
        Apply a pending update as soon as no sample waits.
    idle
        Weights are drawn, no sample is in hand, no update pending.
    taken, updated
        Pulses: a sample was taken; a sample left an update pending.
    i_weight, o_weight
        Access to single weights, while `idle`.
    probe_valid, probe_d
        Gradients as they are handed to the matrix, unit by unit, for simulation only.

    Latency, throughput: :mod:`hdl.passes.cycles` gives them exactly. Cost: the sum of its parts.
    """

    def __init__(self, format: DenseFormat, folding: Folding) -> None:
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
                "taken": Out(1),
                "updated": Out(1),
                "i_weight": In(stream.Signature(ROW_REQUEST)),
                "o_weight": Out(stream.Signature(signed(16))),
                "probe_valid": Out(1),
                "probe_d": Out(signed(format.gradient_bits)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.matrix = matrix = Matrix(self.format, self.folding)
        m.submodules.head = tail = head(self.format, self.folding)
        label, labelled, pending = Signal(8), Signal(), Signal()
        connect(m, flipped(self.i), matrix.i)
        connect(m, flipped(self.i_weight), matrix.i_weight)
        connect(m, matrix.o_weight, flipped(self.o_weight))
        connect(m, tail.o_gradient, matrix.i_gradient)
        connect(m, tail.o_score, flipped(self.o_score))
        m.d.comb += [
            matrix.rate.eq(self.rate),
            tail.sums.eq(matrix.sums),
            tail.sums_valid.eq(matrix.sums_valid),
            matrix.release.eq(tail.release),
            tail.label.eq(label),
            tail.margin.eq(self.margin),
            self.o.valid.eq(tail.o.valid),
            self.o.payload.x.eq(tail.o.payload),
            self.o.payload.label.eq(label),
            self.o.payload.learn.eq(labelled),
            tail.o.ready.eq(self.o.ready),
            self.probe_valid.eq(tail.o_gradient.valid & tail.o_gradient.ready),
            self.probe_d.eq(tail.o_gradient.payload),
        ]
        self._control(m, matrix, tail, label, labelled, pending)
        return m

    def _control(self, m, matrix, tail, label, labelled, pending):
        """One sample after another: sweep, then wait for the errors."""
        forward = Signal()
        # The last activation must have left before the label beside it changes.
        free = matrix.initialised & ~tail.o.valid
        learns = tail.any & labelled & self.learn
        m.d.comb += [matrix.forward.eq(forward), matrix.update.eq(pending)]
        with m.FSM():
            with m.State("READY"):
                m.d.comb += [
                    matrix.forward.eq(matrix.full),
                    matrix.start.eq(free & (matrix.full | (self.drain & pending))),
                    self.taken.eq(free & matrix.full),
                    self.idle.eq(free & matrix.empty & ~pending),
                ]
                with m.If(matrix.start):
                    m.d.sync += forward.eq(matrix.full)
                    m.next = "SWEEP"
                with m.If(self.taken):
                    m.d.sync += [label.eq(matrix.label), labelled.eq(matrix.learn)]
            with m.State("SWEEP"), m.If(~matrix.busy):
                m.d.sync += pending.eq(0)
                with m.If(forward):
                    m.next = "JUDGE"
                with m.Else():
                    m.next = "READY"
            with m.State("JUDGE"), m.If(tail.done):
                m.d.comb += [tail.learn.eq(learns), self.updated.eq(learns)]
                m.d.sync += pending.eq(learns)
                m.next = "READY"
