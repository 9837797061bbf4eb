"""What a weight changes by, for one lane or for two that take turns."""

from amaranth import Cat, Module, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from golden_model.spec.formats import FullyConnected
from hdl.passes.stages import Folding
from hdl.rtl.parts.delay import delayed
from hdl.rtl.parts.multiplier import held_product


class WeightChange(wiring.Component):
    """``d * x_previous``, scaled by ``2**(rate_shift_max - r)``.

    Operands and product are registers without a reset, which tools absorb into a multiplier block.
    Clocks are counted from the one in which a word is named:

    =====  ==================================================================================
    1      `previous` arrives, and `gradients` if `load` is 1
    2      they are multiplied
    3      the product stands at `o`; that of a second lane follows in the next clock
    =====  ==================================================================================

    Two lanes get their gradients a clock earlier. Only words with `learn` are multiplied for them,
    and behind such a word comes none for a clock; in that one the second lane has the multiplier.

    Parameters
    ----------
    format, folding
        The layer and its folding, which tells whether lanes take turns.

    Members
    -------
    gradients, load
        d of the unit of each lane, taken while `load` is 1.
    previous
        Activation of the last sample. It or the gradients are scaled, see `Folding`.
    learn
        With `previous`: it is of a word that changes. Two lanes only.
    o
        The product.

    Throughput: one word per clock, with two lanes one in two clocks. Cost: one multiplier; with two
    lanes 2 * gradient_operand_bits cells.
    """

    def __init__(self, format: FullyConnected, folding: Folding) -> None:
        self.lanes = 2 if folding.takes_turns else 1
        self.hard = folding.hard_update
        gradient = signed(folding.gradient_operand_bits(format))
        previous = signed(folding.previous_operand_bits(format))
        super().__init__(
            {
                "gradients": In(data.ArrayLayout(gradient, self.lanes)),
                "load": In(1),
                "previous": In(previous),
                "o": Out(signed(folding.change_bits(format))),
            }
            | ({"learn": In(1)} if self.lanes == 2 else {})
        )

    def elaborate(self, platform):
        m = Module()
        gradient = Signal.like(self.gradients[0], name="gradient", reset_less=True)
        previous = Signal.like(self.previous, name="previous_operand", reset_less=True)
        if self.lanes == 1:
            with m.If(self.load):
                m.d.sync += gradient.eq(self.gradients[0])
            m.d.sync += previous.eq(self.previous)
        else:
            m.d.sync += gradient.eq(self._take_turns(m))
            with m.If(self.learn):
                m.d.sync += previous.eq(self.previous)
        change = held_product(
            m, previous, gradient, hard=self.hard, platform=platform, name="change"
        )
        m.d.comb += self.o.eq(change)
        return m

    def _take_turns(self, m):
        """Gradient of the lane whose turn it is: the second one's in the clock after `learn`."""
        first, second = (Signal.like(g, reset_less=True) for g in self.gradients)
        turning = Cat(delayed(m, self.learn, 1, name="learn")).any()
        with m.If(self.load):
            m.d.sync += [first.eq(self.gradients[0]), second.eq(self.gradients[1])]
        with m.Elif(turning):
            m.d.sync += [first.eq(second), second.eq(first)]
        return first
