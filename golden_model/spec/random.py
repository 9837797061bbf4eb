"""Declaration of the random generator: its taps, its streams and what a draw becomes.

Every draw is named by what it is for, not by when it is made. A *stream* belongs to one purpose
of one layer; draw ``n`` of a stream is the state of a 32-bit xorshift generator after ``n + 1``
steps from the stream's seed:

=============  =====================================  ==========================================
purpose        number ``n`` of the draw               what the draw becomes
=============  =====================================  ==========================================
WEIGHT         ``unit * (inputs + 1) + input``        its top ``init_bits - 1`` bits, as two's
                                                      complement, with a 1 behind them: the
                                                      initial weight, whose mean is 0
CLASSIFIER     ``unit * classes + class``; in a       bit 31: the sign of M (1 is -1);
               convolution ``region * units + unit``  bits 30..29: MAGNITUDES of K
               for ``unit``
ROUNDING       updates of the layer so far, this      xor of its 32 bits and those of
               one too                                ``unit ^ input`` in reverse order: how
                                                      this weight's update is rounded
=============  =====================================  ==========================================

Before a layer's first update, draw 0 of ROUNDING is its last one.

One step, on 32 bits: ``s ^= s << 13; s ^= s >> 17; s ^= s << 5`` (G. Marsaglia, "Xorshift RNGs",
Journal of Statistical Software 8(14), 2003; period 2**32 - 1).
"""

import zlib
from enum import IntEnum

XORSHIFT = (13, 17, 5)
"""Shifts left, right, left of one step."""

MAGNITUDES = (1, 2, 3, 2)
"""Magnitude of a sign-concordant K by two bits of the draw: mean 2, so that a rate shift one
larger gives the step of symmetric feedback."""


class Purpose(IntEnum):
    """What a stream of draws is for."""

    WEIGHT = 0
    CLASSIFIER = 1
    ROUNDING = 2


def stream_seed(seed: int, layer: int, purpose: Purpose) -> int:
    """Non-zero 32-bit state that the stream of one purpose of one layer starts from.

    A checksum spreads neighbouring seeds over all 32 bits; 0, where xorshift would stay for ever,
    becomes 1.
    """
    return zlib.crc32(f"{seed}/{layer}/{purpose.name}".encode()) or 1
