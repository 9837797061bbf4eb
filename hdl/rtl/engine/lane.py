"""One lane of a matrix: a weight per clock, updated and multiplied."""

from amaranth import Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from golden_model.spec.formats import ACTIVATION_BITS, FullyConnected
from golden_model.spec.network import Rounding
from hdl.passes.stages import Folding
from hdl.rtl.parts.adder import masked_sum
from hdl.rtl.parts.delay import registered
from hdl.rtl.parts.multiplier import held_product
from hdl.rtl.parts.weight_update import WeightUpdate


class Lane(wiring.Component):
    """``W' = saturate(W - round(d * x_previous / 2**r))`` and ``sum += W' * x_newest``.

    Registers have no reset and products their full width, which is what lets tools absorb operand,
    product and accumulator registers into a multiplier block; operands are declared signed for the
    same reason. Clocks are counted from the one in which a word is named:

    =====  ==========================================================================
    2      `weight` arrives, or, with `replace`, `value` instead
    3      `change` is subtracted, with `learn`
    4      the new weight stands at `new_weight`, to be written
    5      `newest` and the new weight are the operands of the second product
    6      the product is added to the sum, or, with `first`, begins it
    7      the sum stands; `clear` empties it, and what is added in that clock is lost
    =====  ==========================================================================

    With slow memory `weight` and all that follows come a clock later.

    A lane that does not learn multiplies the weight as it arrives, two clocks earlier.

    Parameters
    ----------
    format, folding
        The layer and its folding.

    Members
    -------
    weight
        Out of the memory.
    change, learn
        Of :class:`~hdl.rtl.engine.weight_change.WeightChange`, and whether it is due.
    replace, value
        A weight to be written as it is, without `learn`.
    new_weight
        Two clocks behind `weight`.
    newest
        Activation of this sample with the new weight as operand; 0 where there is none.
    first, clear
        How a sum begins: with `first`, or, if the folding has clear slots, by `clear`.
    sum
        Of this lane's share of the products.

    dither
        For the rounding of `change`, with it; only with stochastic rounding.

    Those from `change` to `new_weight` are there only in a lane that learns.

    Cost: a multiplier, and with learning about 4 * weight_bits cells.
    """

    def __init__(self, format: FullyConnected, folding: Folding) -> None:
        self.format, self.folding = format, folding
        learning = {
            "change": In(signed(folding.change_bits(format))),
            "learn": In(1),
            "replace": In(1),
            "value": In(signed(format.weight_bits)),
            "new_weight": Out(signed(format.weight_bits)),
        }
        if format.rounding is Rounding.STOCHASTIC:
            learning["dither"] = In(format.rate_shift_max + format.rate_offset)
        super().__init__(
            {
                "weight": In(signed(format.weight_bits)),
                "newest": In(signed(ACTIVATION_BITS + 1)),
                "first": In(1),
                "clear": In(1),
                "sum": Out(signed(folding.lane_accumulator_bits(format))),
            }
            | (learning if folding.learns else {})
        )

    def elaborate(self, platform):
        m = Module()
        fold = self.folding
        if fold.learns:
            self._update(m)
        # The saturating choice must not feed the operand register: it would become one with a
        # reset, which multiplier blocks cannot absorb. Hence `new_weight` is a register too.
        weight = self.new_weight if fold.learns else self.weight
        weight = registered(m, weight, name="weight_operand")
        term = held_product(
            m, weight, self.newest, hard=fold.hard_forward, platform=platform, name="term"
        )
        total = Signal.like(self.sum, reset_less=True)
        if fold.clear_slot:
            m.d.sync += total.eq(Mux(self.clear, 0, total + term))
        else:
            m.d.sync += total.eq(masked_sum(m, term, total, self.first, platform=platform))
        m.d.comb += self.sum.eq(total)
        return m

    def _update(self, m):
        """The weight as it is from now on."""
        layer = self.format
        weight = Mux(self.replace, self.value, self.weight)
        m.submodules.update = update = WeightUpdate(
            weight_bits=layer.weight_bits,
            step_bits=len(self.change),
            shift=layer.rate_shift_max + layer.rate_offset,
            stochastic=layer.rounding is Rounding.STOCHASTIC,
        )
        if layer.rounding is Rounding.STOCHASTIC:
            m.d.comb += update.dither.eq(self.dither)
        m.d.comb += [
            update.w.eq(registered(m, weight, name="weight_held")),
            update.step.eq(self.change),
            update.learn.eq(self.learn),
            self.new_weight.eq(registered(m, update.o, name="new_weight_held")),
        ]
