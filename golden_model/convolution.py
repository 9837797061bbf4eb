"""The golden model's convolution, as :mod:`golden_model.spec.formats` declares it."""

from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from golden_model import rule
from golden_model.layers import DenseLayer
from golden_model.rule import Exact, half
from golden_model.spec.control import Register
from golden_model.spec.formats import ACTIVATION_MAX, ConvFormat


def windows_of(image: Exact, kernel: int) -> Exact:
    """What a convolution sees at each place, shape ``[rows, columns, kernel * kernel * channels]``.

    Parameters
    ----------
    image
        Shape ``[height, width, channels]``.
    """
    windows = sliding_window_view(image, (kernel, kernel), axis=(0, 1)).transpose(0, 1, 3, 4, 2)
    return np.ascontiguousarray(windows).reshape(*windows.shape[:2], -1)


class ConvLayer(DenseLayer):
    """A convolution with its random classifier; filters are units, the taps of a window inputs."""

    format: ConvFormat

    def __init__(self, layer: ConvFormat) -> None:
        self._regions = regions_of(layer)
        super().__init__(layer)

    def _answer(self, x: NDArray[np.generic]) -> None:
        self._error, self._gradient = self._no_error, self._no_gradient
        layer = self.format
        image = x.reshape(layer.image).astype(np.float64)
        self._taps = windows_of(image, layer.kernel).reshape(-1, layer.inputs)
        self._accumulators = self._sums(self._taps).ravel()
        activations, self._winners = self._pool(self._accumulators)
        self.activations, self.scores = activations.ravel(), self._scores(activations)

    def _sums(self, taps: Exact) -> Exact:
        """acc of what is seen at some places, shape ``[..., units]``."""
        sums: Exact = taps @ self._weights[:-1] + self.format.bias_input * self._weights[-1]
        return sums

    def _pool(self, accumulators: Exact) -> tuple[Exact, NDArray[np.intp]]:
        """h of each window, and the place that won it, both ``[windows, units]``."""
        layer = self.format
        activations = rule.activate(accumulators, layer.activation_shift)
        (rows, columns), pool = layer.pooled_shape, layer.pool
        maps = activations.reshape(*layer.map_shape, layer.units)
        places = np.arange(maps[..., 0].size).reshape(layer.map_shape)

        def windows(whole: NDArray[Any]) -> NDArray[Any]:
            cut = whole[: rows * pool, : columns * pool]
            parts = cut.reshape(rows, pool, columns, pool, -1).transpose(0, 2, 1, 3, 4)
            return parts.reshape(rows * columns, pool * pool, -1)

        candidates = windows(maps)
        winners = candidates.argmax(axis=1)  # the first on a tie
        return candidates.max(axis=1), np.take_along_axis(windows(places)[..., 0], winners, axis=1)

    def _scores(self, activations: Exact) -> Exact:
        """Of h, shape ``[windows, units]``."""
        scores: Exact = (self._regions @ activations).ravel() @ self._classifier
        return scores

    def _gradient_of(self, error: Exact) -> Exact:
        by_region = self._feedback.dot(error).reshape(self.format.regions, -1)
        learning = (self.activations > 0) & (self.activations < ACTIVATION_MAX)
        gradient: Exact = (self._regions.T @ by_region).ravel() * learning
        return gradient

    def _update(self) -> None:
        layer, rate_shift = self.format, self._registers[Register.RATE_SHIFT]
        errors = np.zeros((len(self._taps), layer.units))
        errors[self._winners, np.arange(layer.units)] = self._gradient.reshape(-1, layer.units)
        step = rule.shift_right(self._taps.T @ errors + half(rate_shift), rate_shift)
        bias_shift = rate_shift + layer.bias_shift
        bias_step = layer.bias_input * errors.sum(axis=0) + half(bias_shift)
        self._weights[:-1] -= step
        self._weights[-1] -= rule.shift_right(bias_step, bias_shift)
        rule.saturate(self._weights, layer)

    def outputs_of(self, samples: Exact) -> tuple[Exact, Exact]:
        """Activations and scores of many samples, shape ``[n, input_size]``; disturbs nothing."""
        layer = self.format
        activations = np.empty((len(samples), layer.outputs))
        scores = np.empty((len(samples), layer.classes))
        for number, sample in enumerate(samples):
            taps = windows_of(sample.reshape(layer.image), layer.kernel)
            found, _ = self._pool(self._sums(taps))
            activations[number], scores[number] = found.ravel(), self._scores(found)
        return activations, scores


def regions_of(layer: ConvFormat) -> Exact:
    """1 where a window belongs to a region, shape ``[regions, windows]``."""
    across = layer.regions_across
    row, column = (np.arange(size) * across // size for size in layer.pooled_shape)
    region = (row[:, None] * across + column).ravel()
    members: Exact = (region == np.arange(layer.regions)[:, None]).astype(np.float64)
    return members
