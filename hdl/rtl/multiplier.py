"""Products, in a hard multiplier or in logic cells."""

from amaranth import Mux


def product(a, b, *, hard: bool):
    """Product of the signed `a` and the signed, but never negative `b`, combinational.

    With `hard` the tools put it into a multiplier block. Without, it is a sum of rows of `a`, one
    for each bit of `b`, since tools told to use multipliers would take a ``*`` for one; it costs
    about ``(len(b) - 1) * (len(a) + 1)`` cells.
    """
    if hard:
        return a * b
    rows = [Mux(bit, a << place, 0) for place, bit in enumerate(b[:-1])]
    while len(rows) > 1:
        rows = [sum(rows[n : n + 2]) for n in range(0, len(rows), 2)]
    return rows[0]
