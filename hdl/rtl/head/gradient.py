"""Gradients of a layer's units, formed from e as the units' weights come round."""

from amaranth import Module, Mux, Signal, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from golden_model.spec.formats import DenseFormat, ReadoutFormat
from golden_model.spec.network import Feedback
from golden_model.spec.random import MAGNITUDES


def draw_bits(format: DenseFormat) -> int:
    """Top bits of a classifier draw that the gradient needs: the sign, and K's magnitude."""
    return 3 if format.feedback is Feedback.SIGN_CONCORDANT else 1


class LocalGradient(wiring.Component):
    """``d[j] = sum_c K[c,j] * e[c] if h[j] > 0 else 0``.

    Subclasses sum class after class or all at once, see :func:`local_gradient`.

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
    address, fetch, e; or errors
        Of :class:`~hdl.rtl.head.error.LocalError`, serial or parallel.
    unit, ask, active
        Unit whose activation is asked for, whether it is, and whether that was above 0, a clock
        later.
    draw, next, restart
        The stream of classifier draws, one or one for each class at a time: of each the top bit is
        the sign, the others choose the magnitude.
    o
        Gradients, in order of unit.
    """

    def __init__(self, format: DenseFormat, *, padded_units: int) -> None:
        self.format, self.padded_units = format, padded_units
        super().__init__(
            {
                "start": In(1),
                "unit": Out(range(padded_units)),
                "ask": Out(1),
                "active": In(1),
                "draw": In(draw_bits(format) * self.draws(format)),
                "next": Out(1),
                "restart": Out(1),
                "o": Out(stream.Signature(signed(format.gradient_bits))),
            }
            | self.error_members()
        )

    @classmethod
    def draws(cls, format: DenseFormat) -> int:
        """Draws that are used in a clock."""
        return 1

    def walk(self, m: Module, step, final_class) -> Signal:
        """First stage: unit by unit, as long as `step` is 1; gives whether it is at work."""
        busy, last = Signal(), self.unit == self.padded_units - 1
        m.d.comb += [
            self.ask.eq(step),
            self.next.eq(step & (self.unit < self.format.units)),
            self.restart.eq((self.unit == self.format.units - 1) & final_class),
        ]
        with m.If(step & final_class):
            m.d.sync += self.unit.eq(Mux(last, 0, self.unit + 1))
            with m.If(last):
                m.d.sync += busy.eq(0)
        with m.If(self.start):
            m.d.sync += busy.eq(1)
        return busy

    def term(self, draw, e):
        """Magnitude of K times e."""
        if self.format.feedback is Feedback.SYMMETRIC:
            return e
        choices = [e, e << 1, (e << 1) + e]
        first, second, third, fourth = (choices[size - 1] for size in MAGNITUDES)
        return Mux(draw[1], Mux(draw[0], fourth, third), Mux(draw[0], second, first))


class SerialGradient(LocalGradient):
    """One addition per clock.

    Throughput: `classes` clocks per unit. Latency: `classes` + 2 clocks from `start` to the first.
    Cost: about 3 * gradient_bits + 50 cells.
    """

    def error_members(self) -> dict:
        """Members for the errors."""
        return {
            "address": Out(range(self.format.classes)),
            "fetch": Out(1),
            "e": In(signed(self.format.error_bits)),
        }

    def elaborate(self, platform):
        m = Module()
        final_class = self.address == self.format.classes - 1
        step = Signal()
        busy = self.walk(m, step, final_class)
        m.d.comb += [
            step.eq(busy & ~(self.o.valid & ~self.o.ready)),
            self.fetch.eq(step),
        ]
        with m.If(step):
            m.d.sync += self.address.eq(Mux(final_class, 0, self.address + 1))

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
        term = self.term(draw, self.e)
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


class ParallelGradient(LocalGradient):
    """All classes at once.

    Throughput: one unit per clock. Latency: four clocks from `start` to the first. Cost: about
    classes * (2 * error_bits + gradient_bits) cells.
    """

    @classmethod
    def draws(cls, format: DenseFormat) -> int:
        return format.classes

    def error_members(self) -> dict:
        """Members for the errors."""
        errors = data.ArrayLayout(signed(self.format.error_bits), self.format.classes)
        return {"errors": In(errors)}

    def elaborate(self, platform):
        m = Module()
        go = ~(self.o.valid & ~self.o.ready)
        step, asked, summed = Signal(), Signal(), Signal()
        draws, active = Signal.like(self.draw), Signal()
        m.d.comb += step.eq(self.walk(m, step, 1) & go)
        bits = draw_bits(self.format)
        terms = []
        for number, e in enumerate(self.errors):
            draw = draws[number * bits : (number + 1) * bits]
            term = self.term(draw, e)
            terms.append(Mux(draw[-1], -term, term))
        halves = [sum(terms[n : n + 3]) for n in range(0, len(terms), 3)]
        held = [
            Signal(signed(self.format.gradient_bits), name=f"sum{n}") for n in range(len(halves))
        ]
        with m.If(go):
            m.d.sync += [asked.eq(step), draws.eq(self.draw)]
            m.d.sync += [summed.eq(asked), active.eq(self.active)]
            m.d.sync += [part.eq(half) for part, half in zip(held, halves, strict=True)]
            m.d.sync += [self.o.valid.eq(summed), self.o.payload.eq(Mux(active, sum(held), 0))]
        return m


def local_gradient(format: DenseFormat, *, padded_units: int, parallel: bool) -> LocalGradient:
    """The gradient unit, all classes at once with `parallel`."""
    kind = ParallelGradient if parallel else SerialGradient
    return kind(format, padded_units=padded_units)


class ReadoutGradient(wiring.Component):
    """``d = e``: the readout's units are the classes. Members as far as needed, see LocalGradient.

    Throughput: one unit in two clocks. Latency: 2 clocks. Cost: about 20 cells.
    """

    def __init__(self, format: ReadoutFormat, *, padded_units: int) -> None:
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
