"""From accumulator to activation."""

from amaranth import Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from golden_model.spec.formats import ACTIVATION_BITS, ACTIVATION_MAX


def round_half_up(value, shift: int):
    """``(value + half) >> shift`` with ``half = (1 << shift) >> 1``, for a signed value.

    The bit below the cut is the carry, so that one addition rounds.
    """
    if shift == 0:
        return value
    return (value >> shift) + value[shift - 1]


class Activation(wiring.Component):
    """``o = clip((i + half) >> shift, 0, 255)``: round half up, ReLU, saturate.

    Parameters
    ----------
    accumulator_bits, shift
        Signed width of `i`, and the activation shift.

    Combinational. Cost: about 2 * (accumulator_bits - shift) cells.
    """

    def __init__(self, *, accumulator_bits: int, shift: int) -> None:
        self.accumulator_bits, self.shift = accumulator_bits, shift
        super().__init__({"i": In(signed(accumulator_bits)), "o": Out(ACTIVATION_BITS)})

    def elaborate(self, platform):
        m = Module()
        rounded = Signal(signed(self.accumulator_bits - self.shift + 1))
        m.d.comb += rounded.eq(round_half_up(self.i, self.shift))
        positive = Mux(rounded > ACTIVATION_MAX, ACTIVATION_MAX, rounded[:ACTIVATION_BITS])
        m.d.comb += self.o.eq(Mux(rounded[-1], 0, positive))
        return m
