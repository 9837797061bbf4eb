"""Registers and counters that every layer has, by the numbers that the host link uses."""

from enum import IntEnum


class Register(IntEnum):
    """Writable; unsigned 32 bits on the wire. A write first applies the pending update."""

    RATE_SHIFT = 0
    """``r`` of the update, 0 to the layer's `rate_shift_max`."""
    MARGIN = 1
    """Raw score units, 0 to the layer's `margin_max`."""
    LEARN = 2
    """1: labelled samples change the layer's weights; 0: it is frozen."""


class Counter(IntEnum):
    """Readable; unsigned, 32 bits, wrapping. A reset of the chip clears them."""

    SAMPLES = 16
    """Samples taken, labelled or not."""
    UPDATES = 17
    """Of those, the ones whose error was not all zero while the layer was learning."""
