"""The golden model's layers with their inner loops compiled by numba: the same integers, sooner.

It is optional, `pip install -e '.[fast]'`, and stands apart: :mod:`golden_model.layers` is the
judge, and tests hold these layers to it, every weight and every trace.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from golden_model.layers import DenseLayer, ReadoutLayer
from golden_model.rule import Exact, half
from golden_model.spec.control import Register
from golden_model.spec.formats import ERROR_MAX, DenseFormat, ReadoutFormat
from golden_model.spec.learner import Weights
from golden_model.spec.network import Loss

Integers = NDArray[np.int64]
HINGE, PAIRWISE, SQUARED = range(3)
LOSS_NUMBERS = {Loss.HINGE: HINGE, Loss.PAIRWISE_HINGE: PAIRWISE, Loss.SQUARED_HINGE: SQUARED}


@njit(cache=True)  # type: ignore[untyped-decorator]
def accumulate(x: Integers, weights: Weights, accumulators: Integers) -> None:
    """``acc[j] = sum_i W[i,j] * x[i]``; inputs of 0 are passed over."""
    accumulators[:] = 0
    for i in range(len(x)):
        value = x[i]
        if value != 0:
            for j in range(len(accumulators)):
                accumulators[j] += value * weights[i, j]


@njit(cache=True)  # type: ignore[untyped-decorator]
def judge(
    scores: Integers, label: int, margin: int, loss: int, error_shift: int, error: Integers
) -> None:
    """Fills in e."""
    own = scores[label]
    near = 0
    for c in range(len(scores)):
        if loss == PAIRWISE:
            error[c] = c != label and own - scores[c] < margin
            near += error[c]
        else:
            distance = margin - scores[c] if c == label else margin + scores[c]
            size = 1 if distance > 0 else 0
            if loss == SQUARED:
                size = min(max(distance, 0) >> error_shift, ERROR_MAX)
            error[c] = -size if c == label else size
    if loss == PAIRWISE:
        error[label] = -near


@njit(cache=True)  # type: ignore[untyped-decorator]
def update(
    x: Integers, gradient: Integers, rate_shift: int, rounding: int, limit: int, weights: Weights
) -> None:
    """``W[i,j] = saturate(W[i,j] - ((d[j] * x[i] + rounding) >> r))`` where x is not 0."""
    for i in range(len(x)):
        value = x[i]
        if value != 0:
            for j in range(len(gradient)):
                moved = weights[i, j] - ((gradient[j] * value + rounding) >> rate_shift)
                weights[i, j] = min(max(moved, -limit), limit - 1)


@njit(cache=True)  # type: ignore[untyped-decorator]
def update_dithered(
    x: Integers,
    gradient: Integers,
    rate_shift: int,
    state: np.uint32,
    places: NDArray[np.uint32],
    limit: int,
    weights: Weights,
) -> None:
    """The same with ``u >> (32 - r)`` for the rounding; see :class:`golden_model.draws.Dither`."""
    for i in range(len(x)):
        value = x[i]
        if value != 0:
            for j in range(len(gradient)):
                dither = np.int64((places[i, j] ^ state) >> 1) >> (31 - rate_shift)
                moved = weights[i, j] - ((gradient[j] * value + dither) >> rate_shift)
                weights[i, j] = min(max(moved, -limit), limit - 1)


class CompiledJudge(DenseLayer):
    """What compiled layers of all kinds share: the error of their scores."""

    def __init__(self, layer: DenseFormat) -> None:
        self._loss = LOSS_NUMBERS[layer.loss]
        self._errors = np.zeros(layer.classes, np.int64)
        super().__init__(layer)

    def _error_of(self, label: int) -> Exact:
        layer, margin = self.format, self._registers[Register.MARGIN]
        scores = self.scores.astype(np.int64)
        judge(scores, label, margin, self._loss, layer.error_shift, self._errors)
        return self._errors.astype(np.float64)


class CompiledLayer(CompiledJudge):
    """A :class:`~golden_model.layers.DenseLayer` on int32 weights and compiled loops."""

    def __init__(self, layer: DenseFormat) -> None:
        self._inputs_held = np.zeros(layer.fan_in, np.int64)
        self._inputs_held[-1] = layer.bias_input
        self._sums = np.zeros(layer.units, np.int64)
        super().__init__(layer)

    def _set_weights(self, weights: Weights) -> None:
        self._columns = np.ascontiguousarray(weights.T, np.int32)

    def _answer(self, x: NDArray[np.generic]) -> None:
        self._error, self._gradient = self._no_error, self._no_gradient
        self._inputs_held[:-1] = x
        accumulate(self._inputs_held, self._columns, self._sums)
        self._accumulators = self._sums.astype(np.float64)
        self.activations, self.scores = self.outputs(self._accumulators)

    def _update(self) -> None:
        rate_shift = self._registers[Register.RATE_SHIFT] + self.format.rate_offset
        limit = 1 << (self.format.weight_bits - 1)
        gradient = self._gradient.astype(np.int64)
        if self._dither is None:
            update(self._inputs_held, gradient, rate_shift, half(rate_shift), limit, self._columns)
            return
        self._dither.next()
        update_dithered(
            self._inputs_held,
            gradient,
            rate_shift,
            self._dither.state[0],
            self._dither.places,
            limit,
            self._columns,
        )

    def outputs_of(self, samples: Exact) -> tuple[Exact, Exact]:
        """As the layer that it stands for."""
        weights = self._columns.astype(np.float64)
        return self.outputs(samples @ weights[:-1] + self.format.bias_input * weights[-1])

    def read_weights(self) -> Weights:
        """As the layer that it stands for."""
        return np.ascontiguousarray(self._columns.T)


class CompiledReadout(CompiledLayer, ReadoutLayer):
    """The readout on compiled loops."""

    format: ReadoutFormat
