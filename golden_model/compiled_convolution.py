"""The convolution with its inner loops compiled: the same integers, sooner.

What each place sees is never copied together: a window's row is contiguous in the image. A sample
costs ``places * taps * filters`` multiplications less those of inputs that are 0; one that is
learnt another ``windows * taps * filters`` for winners whose d is not 0.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from golden_model.compiled import CompiledJudge
from golden_model.convolution import ConvLayer
from golden_model.rule import Exact, half
from golden_model.spec.control import Register
from golden_model.spec.formats import ACTIVATION_MAX, ConvFormat
from golden_model.spec.learner import Weights

Integers = NDArray[np.int64]
LARGEST_32 = 2**31 - 1


@njit(cache=True)  # type: ignore[untyped-decorator]
def convolve(
    image: NDArray[np.int32],
    weights: Weights,
    biases: NDArray[np.int64],
    kernel: int,
    sums: NDArray[np.integer],
) -> None:
    """``sums[row, column, o]``; of 32 bits where no sum of these weights can leave them.

    Parameters
    ----------
    image
        Shape ``[height, width, channels]``.
    weights
        Shape ``[kernel, kernel * channels, filters]``.
    biases
        What each sum starts from.
    """
    rows, columns, filters = sums.shape
    channels = image.shape[2]
    flat = image.reshape(image.shape[0], -1)
    for row in range(rows):
        for column in range(columns):
            place = sums[row, column]
            for o in range(filters):
                place[o] = biases[o]
            first = column * channels
            for y in range(kernel):
                for k in range(kernel * channels):
                    value = flat[row + y, first + k]
                    if value != 0:
                        for o in range(filters):
                            place[o] += value * weights[y, k, o]


@njit(cache=True)  # type: ignore[untyped-decorator]
def pool_maps(
    sums: NDArray[np.integer],
    shift: int,
    rounding: int,
    pool: int,
    activations: NDArray[np.int64],
    winners: NDArray[np.int64],
) -> None:
    """h of each window, and the number of the place that won it, ``[rows, columns, filters]``."""
    rows, columns, filters = activations.shape
    for row in range(rows):
        for column in range(columns):
            for o in range(filters):
                best, winner = -1, 0
                for y in range(row * pool, row * pool + pool):
                    for x in range(column * pool, column * pool + pool):
                        value = int(sums[y, x, o]) + rounding >> shift
                        value = min(max(value, 0), ACTIVATION_MAX)
                        if value > best:
                            best, winner = value, y * sums.shape[1] + x
                activations[row, column, o] = best
                winners[row, column, o] = winner


@njit(cache=True)  # type: ignore[untyped-decorator]
def gather(
    image: NDArray[np.int32],
    gradient: Integers,
    winners: Integers,
    kernel: int,
    columns: int,
    sums: Integers,
    bias_sums: Integers,
) -> None:
    """``sums[o, y, k] = sum_p d[p,o] * x[p,k]``, and of each filter the sum of d.

    Parameters
    ----------
    gradient, winners
        d and place of each window's winner, shape ``[windows, filters]``.
    columns
        Places in a row.
    """
    channels = image.shape[2]
    flat = image.reshape(image.shape[0], -1)
    sums[:] = 0
    bias_sums[:] = 0
    for window in range(len(gradient)):
        for o in range(gradient.shape[1]):
            d = gradient[window, o]
            if d != 0:
                bias_sums[o] += d
                row, column = divmod(winners[window, o], columns)
                first = column * channels
                for y in range(kernel):
                    for k in range(kernel * channels):
                        sums[o, y, k] += d * flat[row + y, first + k]


@njit(cache=True)  # type: ignore[untyped-decorator]
def move(sums: Integers, rate_shift: int, rounding: int, limit: int, weights: Weights) -> None:
    """``W = saturate(W - ((sums + rounding) >> r))``; sums are ``[o, y, k]``, W ``[y, k, o]``."""
    for y in range(weights.shape[0]):
        for k in range(weights.shape[1]):
            for o in range(weights.shape[2]):
                moved = weights[y, k, o] - ((sums[o, y, k] + rounding) >> rate_shift)
                weights[y, k, o] = min(max(moved, -limit), limit - 1)


class CompiledConvolution(CompiledJudge, ConvLayer):
    """A :class:`~golden_model.convolution.ConvLayer` on int32 weights and compiled loops."""

    def __init__(self, layer: ConvFormat) -> None:
        rows, columns = layer.map_shape
        taps = layer.kernel * layer.image[2]
        self._image = np.zeros(layer.image, np.int32)
        self._maps = {
            kind: np.zeros((rows, columns, layer.units), kind) for kind in (np.int32, np.int64)
        }
        self._found = np.zeros((2, *layer.pooled_shape, layer.units), np.int64)
        self._steps = np.zeros((layer.units, layer.kernel, taps), np.int64)
        self._bias_steps = np.zeros(layer.units, np.int64)
        super().__init__(layer)

    def _set_weights(self, weights: Weights) -> None:
        layer = self.format
        columns = np.ascontiguousarray(weights.T, np.int32)
        shape = (layer.kernel, layer.kernel * layer.image[2], layer.units)
        self._kernels, self._biases = columns[:-1].reshape(shape), columns[-1].copy()

    def _answer(self, x: NDArray[np.generic]) -> None:
        self._error, self._gradient = self._no_error, self._no_gradient
        layer, shift = self.format, self.format.activation_shift
        self._image[...] = x.reshape(layer.image)
        biases = layer.bias_input * self._biases.astype(np.int64)
        largest = max(abs(int(self._kernels.min())), abs(int(self._kernels.max())))
        bound = ACTIVATION_MAX * largest * layer.inputs + int(np.abs(biases).max())
        sums = self._maps[np.int32 if bound <= LARGEST_32 else np.int64]
        convolve(self._image, self._kernels, biases, layer.kernel, sums)
        self._accumulators = sums.ravel().astype(np.float64)
        pool_maps(sums, shift, half(shift), layer.pool, *self._found)
        activations = self._found[0].reshape(layer.windows, -1).astype(np.float64)
        self.activations, self.scores = activations.ravel(), self._scores(activations)

    def _update(self) -> None:
        layer, rate_shift = self.format, self._registers[Register.RATE_SHIFT]
        limit = 1 << (layer.weight_bits - 1)
        gradient = self._gradient.reshape(layer.windows, -1).astype(np.int64)
        winners = self._found[1].reshape(layer.windows, -1)
        columns = layer.map_shape[1]
        gather(self._image, gradient, winners, layer.kernel, columns, self._steps, self._bias_steps)
        move(self._steps, rate_shift, half(rate_shift), limit, self._kernels)
        bias_shift = rate_shift + layer.bias_shift
        step = (layer.bias_input * self._bias_steps + half(bias_shift)) >> bias_shift
        self._biases = np.clip(self._biases - step, -limit, limit - 1)

    def outputs_of(self, samples: Exact) -> tuple[Exact, Exact]:
        """As the layer that it stands for."""
        self._weights = self.read_weights().T.astype(np.float64)
        return super().outputs_of(samples)

    def read_weights(self) -> Weights:
        """As the layer that it stands for."""
        taps = self._kernels.reshape(self.format.inputs, -1)
        return np.ascontiguousarray(np.vstack([taps, self._biases]).T, np.int32)
