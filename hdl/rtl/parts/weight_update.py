"""One weight, one step."""

from amaranth import Cat, Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out


class WeightUpdate(wiring.Component):
    """``o = saturate(w - ((step + half) >> shift))``: round half up, saturate, never wrap.

    Without `learn` ``o = w``. With `stochastic` there is a dither instead of the half.

    Parameters
    ----------
    weight_bits
        Signed width of the weight.
    step_bits, shift
        Signed width of the scaled product, and the constant shift that scales it back.
    stochastic
        Whether there is a `dither`.

    Members
    -------
    w, step, learn, o
        Weight before, ``d * x * 2**(shift - r)``, whether it is due, weight after.
    dither
        Random bits, `shift` of them.

    Combinational. Cost: about 2 * weight_bits + 2 cells, and `shift` cells for a dither.
    """

    def __init__(
        self, *, weight_bits: int, step_bits: int, shift: int, stochastic: bool = False
    ) -> None:
        self.weight_bits, self.step_bits, self.shift = weight_bits, step_bits, shift
        self.stochastic = stochastic
        super().__init__(
            {
                "w": In(signed(weight_bits)),
                "step": In(signed(step_bits)),
                "learn": In(1),
                "o": Out(signed(weight_bits)),
            }
            | ({"dither": In(shift)} if stochastic else {})
        )

    def elaborate(self, platform):
        m = Module()
        bits = max(self.weight_bits, self.step_bits - self.shift + 1) + 1
        moved = Signal(signed(bits))
        # w - floor(step / 2**shift) - carry is w + ~floor + (1 - carry): one adder with a carry in.
        # Of few bits a weight's step may be shorter than what it is shifted by.
        step = Signal(signed(max(self.step_bits, self.shift + 1)))
        m.d.comb += step.eq(self.step)
        floor, carry = step >> self.shift, step[self.shift - 1] if self.shift else 0
        if self.stochastic:
            carry = step[: self.shift] > ~self.dither  # their sum reaches 2**shift
        m.d.comb += moved.eq(self.w + ~floor + Mux(carry, 0, 1))
        beyond = moved[self.weight_bits - 1 :]
        # Two bits choose among four, so that it takes one cell for each bit of the weight.
        clipped, other = Signal(), Signal()
        m.d.comb += [
            clipped.eq(self.learn & beyond.any() & ~beyond.all()),
            other.eq(Mux(clipped, ~moved[-1], self.learn)),
        ]
        largest = Cat(other.replicate(self.weight_bits - 1), ~other)
        m.d.comb += self.o.eq(Mux(clipped, largest, Mux(other, moved, self.w)))
        return m
