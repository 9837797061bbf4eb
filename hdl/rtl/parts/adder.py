"""Sums that mask or choose their addends.

Yosys puts what masks and chooses into cells in front of the adder's, though some families' carry
chains have inputs to spare for it. The platform of such a family has
``get_sum(m, kind, *operands)``, which instantiates the chain; simulators never see it. Operands are
equally wide, and so is the sum:

==============  ===============================
kind            sum
==============  ===============================
``masked``      ``a + (b & ~c)``
``chosen``      ``a + (b & d | c & ~d)``
``products``    ``(a & b) + (c & d)``
``difference``  ``(c & d) - (a & b)``
==============  ===============================
"""

from amaranth import Module, Mux, Signal, signed


def masked_sum(m: Module, a, b, mask, *, platform):
    """``a + b`` of signed values, or `a` where `mask` is 1; at least as wide as the wider one."""
    if not hasattr(platform, "get_sum"):
        return Mux(mask, 0, b) + a
    width = max(len(a), len(b))
    return _chain(m, platform, "masked", width, a, b, mask.replicate(width))


def chosen_sum(m: Module, a, b, c, choose, *, platform):
    """``a + b`` of signed values where `choose` is 1, else ``a + c``; at least as wide as any."""
    if not hasattr(platform, "get_sum"):
        return Mux(choose, b, c) + a
    width = max(len(a), len(b), len(c))
    return _chain(m, platform, "chosen", width, a, b, c, choose.replicate(width))


def rows(a, b) -> list:
    """Signed values whose sum is ``a * b``, of signed ones: for each bit of `b`."""
    found = [Mux(bit, a << place, 0) for place, bit in enumerate(b)]
    found[-1] = -found[-1]  # the sign of two's complement
    return found


def partial_products(m: Module, a, b, *, platform) -> list:
    """Like :func:`rows`, or, where the platform can, one value for two bits of `b`."""
    if not hasattr(platform, "get_sum"):
        return rows(a, b)
    width, places = len(a) + 2, range(0, len(b), 2)
    bits = _extended(m, b, 2 * len(places))
    products = []
    for place in places:
        low, high = (bits[place + n].replicate(width) for n in range(2))
        kind = "difference" if place == places[-1] else "products"
        products.append(_chain(m, platform, kind, width, a << 1, high, a, low) << place)
    return products


def _chain(m: Module, platform, kind: str, width: int, *operands):
    """Of operands that are extended to `width`, if they are signed values."""
    return platform.get_sum(m, kind, *(_extended(m, o, width) for o in operands)).as_signed()


def _extended(m: Module, value, width: int) -> Signal:
    extended = Signal(signed(width))
    m.d.comb += extended.eq(value)
    return extended
