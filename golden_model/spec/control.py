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
    ROUNDING = 3
    """The last draw of the layer's ROUNDING stream, see :mod:`golden_model.spec.random`: with
    stochastic rounding any state, from which the stream goes on; 0 otherwise."""


COUNTER_MASK = 0xFFFFFFFF
"""Of a counter's value, and of a difference of two: both wrap."""


class Counter(IntEnum):
    """Of samples. Readable; unsigned, 32 bits, wrapping. A reset of the chip clears them."""

    SAMPLES = 16
    """Samples taken, labelled or not."""
    UPDATES = 17
    """Of those, the ones whose error was not all zero while the layer was learning."""
    UNCHANGED = 18
    """Of those, the others: they change no weight."""


class Activity(IntEnum):
    """Of clocks and memory words, like `Counter`; only hardware has them.

    In each clock from the end of the initial draws a layer is busy, waiting or blocked, or it
    rests: there is nothing to do while pending updates are asked for.
    """

    BUSY = 19
    """Clocks in which weights stream past or the errors of a sample are formed."""
    WAITING = 20
    """Clocks in which a sample could be taken, but none has come in yet."""
    BLOCKED = 21
    """Clocks lost because the sums before were not yet taken: scored, and, where there is a next
    layer, handed on to it."""
    WORDS_READ = 22
    """Weight words read by sweeps; a word holds PE x SIMD weights. What updates read beside them,
    at a port of their own, is as much as they write, and does not count."""
    WORDS_WRITTEN = 23
    """Weight words written by sweeps."""
