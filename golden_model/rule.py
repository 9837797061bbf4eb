"""The steps of the learning rule, as :mod:`golden_model.spec.formats` declares them.

All numbers are integers kept in float64, which holds them exactly below 2**53 and multiplies them
fast; shifts are divisions by a power of two, rounded down. The largest number of any step is an
accumulator of at most 39 bits. Functions take one sample or, with a leading axis, many.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from golden_model.spec.formats import ACTIVATION_MAX, ERROR_MAX, LayerFormat
from golden_model.spec.network import Loss

Exact = NDArray[np.float64]
"""Integers in float64."""


def half(shift: int) -> int:
    """What makes a right shift round half up; nothing for a shift of 0."""
    return (1 << shift) >> 1


def shift_right(value: Exact, shift: int) -> Exact:
    """``value >> shift``, rounding down."""
    return np.floor(value * 2.0**-shift)


def activate(accumulators: Exact, shift: int) -> Exact:
    """``clip((acc + half(s)) >> s, 0, 255)``."""
    rounded = accumulators + half(shift)
    rounded *= 2.0**-shift
    np.floor(rounded, out=rounded)
    return rounded.clip(0.0, ACTIVATION_MAX, out=rounded)


def hinge(scores: Exact, label: int, margin: int, error_shift: int) -> Exact:
    """-1 for a label's score below the margin, +1 for any other above minus the margin."""
    error = (scores > -margin).astype(np.float64)
    error[label] = -1.0 if scores[label] < margin else 0.0
    return error


def pairwise_hinge(scores: Exact, label: int, margin: int, error_shift: int) -> Exact:
    """+1 for each class that is not the margin below the label, which gets minus their number."""
    near = scores > scores.item(label) - margin
    near[label] = False
    error: Exact = near.astype(np.float64)
    error[label] = -np.count_nonzero(near)
    return error


def squared_hinge(scores: Exact, label: int, margin: int, error_shift: int) -> Exact:
    """The hinge's distances instead of their signs, shifted right and at most 127."""
    distances = scores + margin
    distances[label] = margin - scores[label]
    error = np.minimum(shift_right(np.maximum(distances, 0), error_shift), ERROR_MAX)
    error[label] = -error[label]
    return error


ERRORS: dict[Loss, Callable[[Exact, int, int, int], Exact]] = {
    Loss.HINGE: hinge,
    Loss.PAIRWISE_HINGE: pairwise_hinge,
    Loss.SQUARED_HINGE: squared_hinge,
}
"""Error of a sample's scores, both of shape ``[classes]``, by the loss that defines it."""


def step(
    inputs: Exact, gradient: Exact, rate_shift: int, dither: NDArray[np.uint32] | None = None
) -> Exact:
    """``(d * x + half(r)) >> r``, shape ``[n, units]``; with a dither, that instead of the half.

    Parameters
    ----------
    inputs
        Shape ``[2, n]``: ``x``, and a row of ones.
    gradient
        ``d``, shape ``[units]``.
    """
    if dither is not None:
        return shift_right(np.outer(inputs[0], gradient) + dither, rate_shift)
    # With ones beside x and half(r) beside d, the matrix product rounds as well.
    scale = 2.0**-rate_shift
    right = np.empty((2, gradient.size))
    right[0] = gradient * scale
    right[1] = half(rate_shift) * scale
    moved: Exact = inputs.T.dot(right)
    return np.floor(moved, out=moved)


def largest_step(rate_shift: int, layer: LayerFormat) -> int:
    """No update moves a weight by more."""
    return (layer.gradient_largest * ACTIVATION_MAX >> rate_shift) + 1


def saturate(weights: Exact, layer: LayerFormat) -> None:
    """Bring weights back into their range, in place."""
    limit = 2.0 ** (layer.weight_bits - 1)
    weights.clip(-limit, limit - 1, out=weights)


def update(
    rows: Exact,
    inputs: Exact,
    gradient: Exact,
    rate_shift: int,
    layer: LayerFormat,
    dither: NDArray[np.uint32] | None = None,
) -> None:
    """Apply one sample's update in place.

    Parameters
    ----------
    rows
        Weights of the inputs given, shape ``[n, units]``.
    inputs
        ``x``, shape ``[n]``.
    gradient
        ``d``, shape ``[units]``.
    dither
        Of stochastic rounding, shape ``[n, units]``; see :class:`golden_model.draws.Dither`.
    """
    rows -= step(np.stack([inputs, np.ones_like(inputs)]), gradient, rate_shift, dither)
    saturate(rows, layer)
