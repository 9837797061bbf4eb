"""Constants of the layer in hand."""

from collections.abc import Sequence

from amaranth import Module, Shape, Signal


def lookup(m: Module, index, values: Sequence[int], *, name: str) -> Signal:
    """``values[index]``, combinational; wide enough for every one of them, signed if need be.

    Inside a condition it is 0 where that does not hold, and so hangs on it: ask outside.

    One bit at least, since the inverse of none is 0.

    Cost: nothing where all are equal, else a few cells a bit.
    """
    chosen = Signal(Shape.cast(range(min(0, *values), max(1, *values) + 1)), name=name)
    if len(set(values)) == 1:
        m.d.comb += chosen.eq(values[0])
        return chosen
    with m.Switch(index):
        for number, value in enumerate(values[:-1]):
            with m.Case(number):
                m.d.comb += chosen.eq(value)
        with m.Default():
            m.d.comb += chosen.eq(values[-1])
    return chosen
