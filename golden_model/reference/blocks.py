"""Blocks of a reference network: a linear map, then ReLU, max-pooling and dropout.

Activations are ``[n, units]`` behind a dense map and ``[n, height, width, channels]`` behind a
convolution. Formulas are the chain rule; :mod:`tests` checks them against finite differences.
"""

from dataclasses import dataclass
from math import prod
from typing import Protocol

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from golden_model.reference.losses import Real

Shape = tuple[int, ...]
"""Of one sample's activations."""


class Linear(Protocol):
    """A linear map with weights of shape ``[taps, outputs]`` and a bias ``[outputs]``."""

    weights: Real
    bias: Real
    input_shape: Shape
    output_shape: Shape

    def forward(self, x: Real) -> Real:
        """``W x + b``."""

    def gradients(self, x: Real, error: Real) -> tuple[Real, Real]:
        """Of weights and bias, summed over the samples, for an error at the output."""

    def back(self, error: Real, weights: Real) -> Real:
        """The error at the input, carried back by `weights`: its own, or others of its shape."""


class DenseMap:
    """Every output sees every input; a sample of any shape is flattened.

    Parameters
    ----------
    input_shape, units
        Of a sample that comes in; outputs.
    random
        Draws the weights: uniform with standard deviation ``1 / sqrt(inputs)``.
    """

    def __init__(self, input_shape: Shape, units: int, random: np.random.Generator) -> None:
        self.input_shape = input_shape
        self.output_shape: Shape = (units,)
        self.weights = uniform(random, (prod(input_shape), units))
        self.bias: Real = np.zeros(units, np.float32)

    def forward(self, x: Real) -> Real:
        """See `Linear`."""
        return x.reshape(len(x), -1) @ self.weights + self.bias

    def gradients(self, x: Real, error: Real) -> tuple[Real, Real]:
        """See `Linear`."""
        return x.reshape(len(x), -1).T @ error, error.sum(axis=0)

    def back(self, error: Real, weights: Real) -> Real:
        """See `Linear`."""
        return (error @ weights.T).reshape(len(error), *self.input_shape)


class ConvMap:
    """A convolution without padding, stride 1.

    Parameters
    ----------
    input_shape
        ``(height, width, channels)``.
    filters, kernel
        Outputs at every position; height and width of the window.
    random
        As for `DenseMap`, of the window's taps.
    """

    def __init__(
        self, input_shape: Shape, filters: int, kernel: int, random: np.random.Generator
    ) -> None:
        height, width, channels = input_shape
        self.kernel = kernel
        self.input_shape = input_shape
        self.output_shape: Shape = (height - kernel + 1, width - kernel + 1, filters)
        self.weights = uniform(random, (kernel * kernel * channels, filters))
        self.bias: Real = np.zeros(filters, np.float32)

    def forward(self, x: Real) -> Real:
        """See `Linear`."""
        return self._windows(x) @ self.weights + self.bias

    def gradients(self, x: Real, error: Real) -> tuple[Real, Real]:
        """See `Linear`."""
        windows, flat = self._windows(x), error.reshape(-1, error.shape[-1])
        return windows.reshape(len(flat), -1).T @ flat, flat.sum(axis=0)

    def back(self, error: Real, weights: Real) -> Real:
        """See `Linear`."""
        height, width, _ = self.output_shape
        taps = (error @ weights.T).reshape(*error.shape[:3], self.kernel, self.kernel, -1)
        x = np.zeros((len(error), *self.input_shape), error.dtype)
        for row in range(self.kernel):
            for column in range(self.kernel):
                x[:, row : row + height, column : column + width] += taps[:, :, :, row, column]
        return x

    def _windows(self, x: Real) -> Real:
        """Shape ``[n, height, width, taps]``."""
        windows = sliding_window_view(x, (self.kernel, self.kernel), axis=(1, 2))
        # Channels come out before the window's rows and columns.
        ordered = windows.transpose(0, 1, 2, 4, 5, 3)
        return np.ascontiguousarray(ordered).reshape(*ordered.shape[:3], -1)


def uniform(random: np.random.Generator, shape: Shape) -> Real:
    """Standard deviation ``1 / sqrt(shape[0])``, as the integer engine's initial weights."""
    bound = np.sqrt(3 / shape[0])
    return random.uniform(-bound, bound, shape).astype(np.float32)


@dataclass(slots=True)
class Passage:
    """What a block keeps of a forward pass for the backward one.

    Members
    -------
    x, active, places, kept
        What came in; which outputs of the ReLU are above 0; which of each window is the largest,
        with pooling; what dropout kept, scaled, if it was on.
    output
        What went out.
    """

    x: Real
    active: Real
    places: Real | None
    kept: Real | None
    output: Real


class Block:
    """A linear map, ReLU, 2 x 2 max-pooling if asked for, dropout while learning.

    Parameters
    ----------
    linear
        The map.
    pool
        Whether to pool; an odd last row or column is left out.
    dropout
        Share of activations that are dropped while learning.
    """

    def __init__(self, linear: Linear, *, pool: bool = False, dropout: float = 0.0) -> None:
        self.linear, self.pool, self.dropout = linear, pool, dropout
        shape = linear.output_shape
        self.output_shape = (shape[0] // 2, shape[1] // 2, *shape[2:]) if pool else shape

    def forward(self, x: Real, random: np.random.Generator | None = None) -> Passage:
        """The block's answer; with `random` activations are dropped."""
        sums = self.linear.forward(x)
        output, places = np.maximum(sums, 0), None
        if self.pool:
            output, places = _pool(output)
        kept = None
        if random is not None and self.dropout:
            survives = random.random(output.shape, np.float32) >= self.dropout
            kept = survives.astype(output.dtype) / (1 - self.dropout)
            output = output * kept
        return Passage(x, (sums > 0).astype(sums.dtype), places, kept, output)

    def error_of_sums(self, passage: Passage, error: Real) -> Real:
        """The error at the linear map's output, for one at the block's output."""
        if passage.kept is not None:
            error = error * passage.kept
        if passage.places is not None:
            error = _unpool(error, passage.places, passage.active.shape)
        return error * passage.active


def _pool(x: Real) -> tuple[Real, Real]:
    """Largest of each 2 x 2 window, and one-hot which: the first one on a tie."""
    n, height, width, channels = x.shape
    cut = x[:, : height // 2 * 2, : width // 2 * 2]
    windows = cut.reshape(n, height // 2, 2, width // 2, 2, channels).transpose(0, 1, 3, 5, 2, 4)
    flat = windows.reshape(*windows.shape[:4], 4)
    winner = flat.argmax(axis=-1)
    return flat.max(axis=-1), np.eye(4, dtype=x.dtype)[winner]


def _unpool(error: Real, places: Real, shape: Shape) -> Real:
    """Each error to the place of its winner."""
    n, height, width, channels = shape
    spread = (error[..., None] * places).reshape(*error.shape, 2, 2).transpose(0, 1, 4, 2, 5, 3)
    whole = np.zeros(shape, error.dtype)
    whole[:, : height // 2 * 2, : width // 2 * 2] = spread.reshape(
        n, height // 2 * 2, width // 2 * 2, channels
    )
    return whole
