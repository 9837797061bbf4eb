"""Gradients of a layer's units, formed from e as the units' weights come round."""

from amaranth import Module, Mux, Signal, signed
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from golden_model.spec.formats import DenseFormat, Feedback
from golden_model.spec.random import MAGNITUDES


def draw_bits(format: DenseFormat) -> int:
    """Top bits of a classifier draw that the gradient needs: the sign, and K's magnitude."""
    return 3 if format.feedback is Feedback.SIGN_CONCORDANT else 1


class LocalGradient(wiring.Component):
    """``d[j] = sum_c K[c,j] * e[c] if h[j] > 0 else 0``, one addition per clock.

    Parameters
    ----------
    format
        The layer.
    padded_units
        Units rounded up to whole groups; those beyond the layer's get 0.

    Members
    -------
    start
        Pulse: e is ready, give the gradients of all units.
    address, fetch, e
        Entry of e to read, whether to read, and the entry one clock later.
    unit, active
        Unit whose activation is asked for, and whether it was above 0, one clock later.
    draw, next, restart
        The stream of classifier draws: the top bit is the sign, the others choose the magnitude.
    o
        Gradients, in order of unit.

    Throughput: `classes` clocks per unit. Latency: `classes` + 2 clocks from `start` to the first.
    Cost: about 3 * gradient_bits + 50 cells.
    """

    def __init__(self, format: DenseFormat, *, padded_units: int) -> None:
        self.format, self.padded_units = format, padded_units
        super().__init__(
            {
                "start": In(1),
                "address": Out(range(format.classes)),
                "fetch": Out(1),
                "e": In(signed(format.error_bits)),
                "unit": Out(range(padded_units)),
                "active": In(1),
                "draw": In(draw_bits(format)),
                "next": Out(1),
                "restart": Out(1),
                "o": Out(stream.Signature(signed(format.gradient_bits))),
            }
        )

    def elaborate(self, platform):
        m = Module()
        units, classes = self.format.units, self.format.classes
        busy, final_class = Signal(), self.address == classes - 1
        held = self.o.valid & ~self.o.ready
        step = busy & ~held

        # First stage: walk through units and classes, ask for e[c].
        m.d.comb += [
            self.fetch.eq(step),
            self.next.eq(step & (self.unit < units)),
            self.restart.eq((self.unit == units - 1) & final_class),
        ]
        with m.If(self.start):
            m.d.sync += busy.eq(1)
        with m.If(step):
            m.d.sync += self.address.eq(Mux(final_class, 0, self.address + 1))
            with m.If(final_class):
                last = self.unit == self.padded_units - 1
                m.d.sync += self.unit.eq(Mux(last, 0, self.unit + 1))
                with m.If(last):
                    m.d.sync += busy.eq(0)

        # Second stage: sum += K[c,j] * e[c].
        adding, fresh, leaving = Signal(), Signal(), Signal()
        draw, total = Signal.like(self.draw), Signal(signed(self.format.gradient_bits))
        m.d.sync += [
            adding.eq(step),
            fresh.eq(self.address == 0),
            leaving.eq(final_class),
            draw.eq(self.draw),
        ]
        before, after = Mux(fresh, 0, total), Signal.like(total)
        term = self.term(draw)
        m.d.comb += after.eq(Mux(draw[-1], before - term, before + term))
        with m.If(self.o.ready):
            m.d.sync += self.o.valid.eq(0)
        with m.If(adding):
            m.d.sync += total.eq(after)
            with m.If(leaving):
                m.d.sync += [
                    self.o.payload.eq(Mux(self.active, after, 0)),
                    self.o.valid.eq(1),
                ]
        return m

    def term(self, draw):
        """Magnitude of K times e."""
        if self.format.feedback is Feedback.SYMMETRIC:
            return self.e
        choices = [self.e, self.e << 1, (self.e << 1) + self.e]
        first, second, third, fourth = (choices[size - 1] for size in MAGNITUDES)
        return Mux(draw[1], Mux(draw[0], fourth, third), Mux(draw[0], second, first))


class ReadoutGradient(wiring.Component):
    """``d = e``: the readout's units are the classes. Members as far as needed, see LocalGradient.

    Throughput: one unit in two clocks. Latency: 2 clocks. Cost: about 20 cells.
    """

    def __init__(self, format: DenseFormat, *, padded_units: int) -> None:
        self.format, self.padded_units = format, padded_units
        super().__init__(
            {
                "start": In(1),
                "address": Out(range(format.classes)),
                "fetch": Out(1),
                "e": In(signed(format.error_bits)),
                "o": Out(stream.Signature(signed(format.gradient_bits))),
            }
        )

    def elaborate(self, platform):
        m = Module()
        unit, busy, fetched = Signal(range(self.padded_units)), Signal(), Signal()
        m.d.comb += [
            self.address.eq(unit),
            self.fetch.eq(busy & ~fetched),
            self.o.valid.eq(fetched),
            self.o.payload.eq(Mux(unit < self.format.units, self.e, 0)),
        ]
        m.d.sync += fetched.eq(self.fetch | (fetched & ~self.o.ready))
        with m.If(self.start):
            m.d.sync += busy.eq(1)
        with m.If(self.o.valid & self.o.ready):
            last = unit == self.padded_units - 1
            m.d.sync += unit.eq(Mux(last, 0, unit + 1))
            with m.If(last):
                m.d.sync += busy.eq(0)
        return m
