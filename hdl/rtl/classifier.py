"""Scores of a layer's fixed random classifier."""

from amaranth import Module, Mux, Signal, signed
from amaranth.lib import memory, stream, wiring
from amaranth.lib.wiring import In, Out

from golden_model.spec.formats import ACTIVATION_BITS, DenseFormat
from hdl.rtl.ports import IN_BLOCKS


class LocalClassifier(wiring.Component):
    """``score[c] = sum_j M[c,j] * h[j]``, one addition per clock.

    Parameters
    ----------
    format
        The layer; its units and classes are walked unit by unit, class by class.

    Members
    -------
    i
        Activations h, in order of unit.
    o
        Scores of a sample, in order of class, while its last unit is added.
    draw, next, restart
        The stream of classifier draws: bit 0 of `draw` is the sign, 1 for -1.

    Throughput: `classes` clocks per unit. Latency: a score leaves one clock after its last
    addition began. Cost: a memory of `classes` scores, about score_bits + 40 cells.
    """

    def __init__(self, format: DenseFormat) -> None:
        self.format = format
        super().__init__(
            {
                "i": In(stream.Signature(ACTIVATION_BITS)),
                "o": Out(stream.Signature(signed(format.score_bits))),
                "draw": In(1),
                "next": Out(1),
                "restart": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        units, classes = self.format.units, self.format.classes
        m.submodules.scores = scores = memory.Memory(
            shape=signed(self.format.score_bits), depth=classes, init=[], attrs=IN_BLOCKS
        )
        write, read = scores.write_port(), scores.read_port()

        # First stage: walk through units and classes, ask for the score so far.
        unit, class_, held = Signal(range(units)), Signal(range(classes)), Signal()
        first, last = unit == 0, unit == units - 1
        step, final_class = self.i.valid & ~held, class_ == classes - 1
        m.d.comb += [
            self.i.ready.eq(final_class & ~held),
            self.next.eq(step),
            self.restart.eq(last & final_class),
            read.addr.eq(class_),
            read.en.eq(step),
        ]
        with m.If(step):
            m.d.sync += class_.eq(Mux(final_class, 0, class_ + 1))
            with m.If(final_class):
                m.d.sync += unit.eq(Mux(last, 0, unit + 1))

        # Second stage: score[c] += M[c,j] * h[j].
        adding, leaving, fresh = Signal(), Signal(), Signal()
        sign, h, place = Signal(), Signal(ACTIVATION_BITS), Signal(range(classes))
        with m.If(~held):
            m.d.sync += [
                adding.eq(step),
                leaving.eq(last),
                fresh.eq(first),
                sign.eq(self.draw),
                h.eq(self.i.payload),
                place.eq(class_),
            ]
        before, after = Signal.like(read.data), Signal.like(read.data)
        m.d.comb += [
            before.eq(Mux(fresh, 0, read.data)),
            after.eq(Mux(sign, before - h, before + h)),
            write.addr.eq(place),
            write.data.eq(after),
            write.en.eq(adding),
            self.o.payload.eq(after),
            self.o.valid.eq(adding & leaving),
            held.eq(self.o.valid & ~self.o.ready),
        ]
        return m
