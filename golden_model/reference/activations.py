"""What a block does to its sums, and how steep that is where the answer is known."""

from collections.abc import Callable
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from golden_model.reference.losses import Real, sigmoid

Slope = NDArray[np.bool_] | Real


class Activation(StrEnum):
    """Activations that references can have; the first one is that of the integer engine."""

    RELU = "relu"
    TANH = "tanh"
    SIGMOID = "sigmoid"


def _relu(sums: Real) -> Real:
    np.maximum(sums, 0, out=sums)
    return sums


ACTIVATIONS: dict[Activation, tuple[Callable[[Real], Real], Callable[[Real], Slope]]] = {
    Activation.RELU: (_relu, lambda output: output > 0),
    Activation.TANH: (np.tanh, lambda output: 1 - output**2),
    Activation.SIGMOID: (sigmoid, lambda output: output * (1 - output)),
}
"""Of sums, which may be overwritten; and the slope by the output, all of them rising."""
