"""Blocks of a reference network: a linear map, an activation, max-pooling and dropout.

Activations are ``[n, units]`` behind a dense map and ``[n, height, width, channels]`` behind a
convolution. Formulas are the chain rule; :mod:`tests` checks them against finite differences.
"""

from dataclasses import dataclass
from math import prod
from typing import Protocol

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from golden_model.reference.activations import ACTIVATIONS, Activation, Slope
from golden_model.reference.losses import Real

Shape = tuple[int, ...]
"""Of one sample's activations."""


class Linear(Protocol):
    """A linear map with weights of shape ``[taps, outputs]`` and a bias ``[outputs]``."""

    weights: Real
    bias: Real
    input_shape: Shape
    output_shape: Shape

    def look(self, x: Real) -> Real:
        """What each output sees of the inputs, shape ``[..., taps]``."""

    def sums(self, seen: Real) -> Real:
        """``W x + b`` of what was seen."""

    def gradients(self, seen: Real, error: Real) -> tuple[Real, Real]:
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

    def look(self, x: Real) -> Real:
        """See `Linear`."""
        return x.reshape(len(x), -1)

    def sums(self, seen: Real) -> Real:
        """See `Linear`."""
        return seen @ self.weights + self.bias

    def gradients(self, seen: Real, error: Real) -> tuple[Real, Real]:
        """See `Linear`."""
        return seen.T @ error, error.sum(axis=0)

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

    def look(self, x: Real) -> Real:
        """See `Linear`; shape ``[n, height, width, taps]``."""
        windows = sliding_window_view(x, (self.kernel, self.kernel), axis=(1, 2))
        # Channels come out before the window's rows and columns.
        ordered = windows.transpose(0, 1, 2, 4, 5, 3)
        return np.ascontiguousarray(ordered).reshape(*ordered.shape[:3], -1)

    def sums(self, seen: Real) -> Real:
        """See `Linear`."""
        # As one matrix: a stack of them is multiplied one by one.
        sums = seen.reshape(-1, seen.shape[-1]) @ self.weights
        sums += self.bias
        return sums.reshape(*seen.shape[:-1], -1)

    def gradients(self, seen: Real, error: Real) -> tuple[Real, Real]:
        """See `Linear`."""
        flat = error.reshape(-1, error.shape[-1])
        ones = np.ones(len(flat), error.dtype)
        return seen.reshape(len(flat), -1).T @ flat, ones @ flat

    def back(self, error: Real, weights: Real) -> Real:
        """See `Linear`."""
        height, width, _ = self.output_shape
        taps = (error @ weights.T).reshape(*error.shape[:3], self.kernel, self.kernel, -1)
        x = np.zeros((len(error), *self.input_shape), error.dtype)
        for row in range(self.kernel):
            for column in range(self.kernel):
                x[:, row : row + height, column : column + width] += taps[:, :, :, row, column]
        return x


def uniform(random: np.random.Generator, shape: Shape) -> Real:
    """Standard deviation ``1 / sqrt(shape[0])``, as the integer engine's initial weights."""
    bound = np.sqrt(3 / shape[0])
    return random.uniform(-bound, bound, shape).astype(np.float32)


@dataclass(slots=True)
class Passage:
    """What a block keeps of a forward pass for the backward one.

    Members
    -------
    seen, slope, winners, kept
        What the linear map saw; the activation's slope at each output of pooling; with pooling, for
        each corner of the windows, whether it is the one that won; what dropout kept, scaled, if it
        was on.
    output
        What went out.
    """

    seen: Real
    slope: Slope
    winners: list[NDArray[np.bool_]]
    kept: Real | None
    output: Real


class Block:
    """A linear map, an activation, 2 x 2 max-pooling if asked for, dropout while learning.

    Parameters
    ----------
    linear
        The map.
    activation
        Of its sums.
    pool
        Whether to pool; an odd last row or column is left out.
    dropout
        Share of activations that are dropped while learning.
    """

    def __init__(
        self,
        linear: Linear,
        *,
        activation: Activation = Activation.RELU,
        pool: bool = False,
        dropout: float = 0.0,
    ) -> None:
        self.linear, self.pool, self.dropout = linear, pool, dropout
        self._activate, self._slope = ACTIVATIONS[activation]
        shape = linear.output_shape
        self.output_shape = (shape[0] // 2, shape[1] // 2, *shape[2:]) if pool else shape

    def forward(self, x: Real, random: np.random.Generator | None = None) -> Passage:
        """The block's answer; with `random` activations are dropped."""
        seen = self.linear.look(x)
        output = self._activate(self.linear.sums(seen))
        winners: list[NDArray[np.bool_]] = []
        if self.pool:
            output, winners = _pool(output)
        slope, kept = self._slope(output), None
        if random is not None and self.dropout:
            survives = random.random(output.shape, np.float32) >= self.dropout
            kept = survives.astype(output.dtype) / (1 - self.dropout)
            output = output * kept
        return Passage(seen, slope, winners, kept, output)

    def error_of_sums(self, passage: Passage, error: Real) -> Real:
        """The error at the linear map's output, for one at the block's output."""
        if passage.kept is not None:
            error = error * passage.kept
        error = error * passage.slope
        if not passage.winners:
            return error
        whole = np.zeros((len(error), *self.linear.output_shape), error.dtype)
        for corner, won in zip(_corners(whole), passage.winners, strict=True):
            np.multiply(error, won, out=corner)
        return whole


def _corners(x: Real) -> list[Real]:
    """Of all 2 x 2 windows the places of the same corner, row by row."""
    height, width = (size // 2 * 2 for size in x.shape[1:3])
    return [x[:, row:height:2, column:width:2] for row in (0, 1) for column in (0, 1)]


def _pool(x: Real) -> tuple[Real, list[NDArray[np.bool_]]]:
    """Largest of each 2 x 2 window, and for each corner where it is that: the first on a tie."""
    corners = _corners(x)
    largest = np.maximum(np.maximum(*corners[:2]), np.maximum(*corners[2:]))
    winners: list[NDArray[np.bool_]] = []
    taken = np.zeros(largest.shape, np.bool_)
    for corner in corners:
        winners.append((corner == largest) & ~taken)
        taken |= winners[-1]
    return largest, winners
