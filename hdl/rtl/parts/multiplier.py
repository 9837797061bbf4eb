"""Products, in a hard multiplier or in logic cells."""

from amaranth import Module, Signal, signed

from hdl.rtl.parts.adder import rows
from hdl.rtl.parts.delay import registered


def held_product(
    m: Module, a, b, *, hard: bool, platform, name: str, hold_operands: bool = False
) -> Signal:
    """Product of two signed values, one clock later; without a reset.

    With `hold_operands` they pass through registers of their own, and it comes two clocks later.

    A platform whose tools do not draw the registers into the multiplier block by themselves has
    ``get_held_product(m, a, b, hold_operands)``, which instantiates that block; simulators never
    see it.
    """
    if hard and hasattr(platform, "get_held_product"):
        return platform.get_held_product(m, a, b, hold_operands)
    if hold_operands:
        a, b = registered(m, a, name=f"{name}_a"), registered(m, b, name=f"{name}_b")
    value = Signal(signed(len(a) + len(b)), name=name)
    m.d.comb += value.eq(product(a, b, hard=hard))
    return registered(m, value, name=f"{name}_held")


def product(a, b, *, hard: bool):
    """Product of two signed values, combinational.

    With `hard` the tools put it into a multiplier block. Without, it is a sum of rows of `a`, one
    for each bit of `b`, since tools told to use multipliers would take a ``*`` for one; it costs
    about ``2 * len(b) * len(a)`` cells, so `b` should be the narrower.
    """
    if hard:
        return a * b
    terms = rows(a, b)
    while len(terms) > 1:
        terms = [sum(terms[n : n + 2]) for n in range(0, len(terms), 2)]
    return terms[0]
