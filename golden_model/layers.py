"""Layers of the golden model: weights, registers and counters, and the last sample's values."""

from dataclasses import dataclass
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from golden_model import rule
from golden_model.draws import Dither, classifier, initial_weights
from golden_model.rule import Exact
from golden_model.spec.control import COUNTER_MASK, Counter, Register
from golden_model.spec.formats import LayerFormat, ReadoutFormat
from golden_model.spec.learner import Weights, check_weights
from golden_model.spec.network import Rounding, check_range


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerTrace:
    """All that one layer computed for one sample, as raw int64 arrays.

    Members
    -------
    name
        The layer's, ``layer0`` or ``readout``.
    accumulators
        ``acc``, shape ``[units]``; of a convolution ``[places * units]``.
    activations
        ``h``, shape ``[outputs]``; of the readout, which has none, shape ``[0]``.
    scores
        Shape ``[classes]``.
    predicted
        The class of the highest score, the lowest on a tie.
    error
        ``e``, shape ``[classes]``; all 0 without a label and while the layer is frozen.
    gradient
        ``d``, shape ``[outputs]``, of a convolution for the winner of each window;
        all 0 where the error is.
    winners
        The place that won each window of a convolution, whose input is what `gradient` stands for,
        shape ``[outputs]``; of other layers, where nothing wins, shape ``[0]``.
    pending
        Whether the error is not all 0, which leaves an update for the layer to apply.
    """

    name: str
    accumulators: NDArray[np.int64]
    activations: NDArray[np.int64]
    scores: NDArray[np.int64]
    predicted: int
    error: NDArray[np.int64]
    gradient: NDArray[np.int64]
    winners: NDArray[np.int64]
    pending: bool


class Learnt(NamedTuple):
    """What a layer made of many samples.

    Members
    -------
    activations, scores
        Shapes ``[n, outputs]``, which is ``[n, 0]`` for the readout, and ``[n, classes]``.
    changed
        Whether a sample's error was not all 0, shape ``[n]``.
    """

    activations: NDArray[Any]
    scores: NDArray[Any]
    changed: NDArray[np.bool_]

    @classmethod
    def of(
        cls, layer: LayerFormat, samples: int, *, h: type = np.float64, score: type = np.float64
    ) -> Self:
        """Nothing learnt yet; numbers are kept in the types given."""
        return cls(
            activations=np.zeros((samples, layer.outputs), h),
            scores=np.zeros((samples, layer.classes), score),
            changed=np.zeros(samples, np.bool_),
        )


UNLABELLED = -1
"""Stands for a label among numbers, where a sample has none."""
GATHERED = 16384
"""From so many weights on a layer reads and changes only the rows of inputs that are not 0."""
LOOK_EVERY = 16
"""Updates that saturate their weights, for one look at how large all weights really are."""


class DenseLayer:
    """A dense hidden layer with its random classifier.

    Weights are kept transposed, ``[inputs + 1, units]``: the non-zero inputs of a sample are then
    contiguous rows, and they are all that a sample reads or changes. In a small layer it takes
    less time to read and change all.
    """

    def __init__(self, layer: LayerFormat) -> None:
        self.format = layer
        self._no_error = np.zeros(layer.classes)
        self._no_gradient = np.zeros(layer.windows * layer.units)
        self._winners: NDArray[np.integer[Any]] = np.zeros(0, np.intp)
        # The sample with its bias, above ones as rule.step wants them.
        self._x: Exact = np.ones((2, layer.fan_in))
        self._x[0, -1] = layer.bias_input
        self._gathers = layer.weight_count >= GATHERED
        self._limit = 1 << (layer.weight_bits - 1)
        self._live: NDArray[np.intp]
        self._rows: Exact
        self._inputs: Exact
        self.activations: Exact
        self.scores: Exact
        self._dither = Dither(layer) if layer.rounding is Rounding.STOCHASTIC else None
        self._draw_classifier()
        self.reset()

    def _draw_classifier(self) -> None:
        self._classifier, self._feedback = (
            matrix.astype(np.float64) for matrix in classifier(self.format)
        )

    def reset(self) -> None:
        """Initial weights, the described registers, counters of zero."""
        self._set_weights(initial_weights(self.format))
        self._registers: dict[Register | Counter, int] = {
            Register.RATE_SHIFT: self.format.rate_shift,
            Register.MARGIN: self.format.margin,
            Register.LEARN: 1,
            Counter.SAMPLES: 0,
            Counter.UPDATES: 0,
        }
        if self._dither:
            self._dither.restart()
        self._answer(np.zeros(self.format.input_size))

    def _set_weights(self, weights: Weights) -> None:
        self._weights = np.ascontiguousarray(weights.T, np.float64)
        self._saturated = 0
        self._look()

    def _look(self) -> None:
        """Find the largest magnitude of all weights."""
        self._largest = max(int(self._weights.max()), -int(self._weights.min()))

    def send(self, x: NDArray[np.generic], label: int | None) -> bool:
        """Take activations of shape ``[inputs]`` and learn; says whether the error was not 0."""
        registers = self._registers
        registers[Counter.SAMPLES] += 1
        self._answer(x)
        if label is None or not registers[Register.LEARN]:
            return False
        error = self._error_of(label)
        if not np.count_nonzero(error):
            return False
        registers[Counter.UPDATES] += 1
        self._error, self._gradient = error, self._gradient_of(error)
        self._update()
        return True

    def send_many(self, samples: NDArray[np.generic], labels: NDArray[np.int64]) -> Learnt:
        """Send samples of shape ``[n, inputs]``, one after the other; see `UNLABELLED`."""
        learnt = Learnt.of(self.format, len(labels))
        for number, (x, label) in enumerate(zip(samples, labels.tolist(), strict=True)):
            learnt.changed[number] = self.send(x, None if label == UNLABELLED else label)
            learnt.activations[number] = self.activations
            learnt.scores[number] = self.scores
        return learnt

    def _error_of(self, label: int) -> Exact:
        layer, margin = self.format, self._registers[Register.MARGIN]
        return rule.ERRORS[layer.loss](self.scores, label, margin, layer.error_shift)

    def _answer(self, x: NDArray[np.generic]) -> None:
        self._error, self._gradient = self._no_error, self._no_gradient
        self._x[0, :-1] = x
        if self._gathers:
            self._live = self._x[0].nonzero()[0]
            self._inputs = self._x.take(self._live, axis=1)
            self._rows = self._weights.take(self._live, axis=0)
        else:
            self._inputs, self._rows = self._x, self._weights
        self._accumulators = self._inputs[0].dot(self._rows)
        self.activations, self.scores = self.outputs(self._accumulators)

    def _update(self) -> None:
        rate_shift = self._registers[Register.RATE_SHIFT] + self.format.rate_offset
        dither = None
        if self._dither:
            self._dither.next()
            dither = self._dither.below(rate_shift, self._live if self._gathers else slice(None))
        self._rows -= rule.step(self._inputs, self._gradient, rate_shift, dither)
        # Most updates cannot bring any weight to the end of its range.
        self._largest += rule.largest_step(rate_shift, self.format)
        near = self._largest >= self._limit
        if near:
            rule.saturate(self._rows, self.format)
        if self._gathers:
            self._weights[self._live] = self._rows
        if near:
            self._saturated += 1
            if self._saturated % LOOK_EVERY == 0:
                self._look()

    def outputs(self, accumulators: Exact) -> tuple[Exact, Exact]:
        """Activations and scores, shapes ``[..., units]`` and ``[..., classes]``."""
        activations = rule.activate(accumulators, self.format.activation_shift)
        return activations, activations.dot(self._classifier)

    def _gradient_of(self, error: Exact) -> Exact:
        gradient: Exact = self._feedback.dot(error) * (self.activations > 0)
        return gradient

    def outputs_of(self, samples: Exact) -> tuple[Exact, Exact]:
        """Activations and scores of many samples, shape ``[n, inputs]``; disturbs nothing."""
        return self.outputs(
            samples @ self._weights[:-1] + self.format.bias_input * self._weights[-1]
        )

    def trace(self) -> LayerTrace:
        """What the last sample came to."""
        return LayerTrace(
            name=self.format.name,
            accumulators=self._accumulators.astype(np.int64),
            activations=self.activations.astype(np.int64),
            scores=self.scores.astype(np.int64),
            predicted=int(self.scores.argmax()),
            error=self._error.astype(np.int64),
            gradient=self._gradient.astype(np.int64),
            winners=self._winners.ravel().astype(np.int64),
            pending=bool(self._error.any()),
        )

    def read_weights(self) -> Weights:
        """A copy of the weights, shape ``[units, inputs + 1]``."""
        return np.ascontiguousarray(self._weights.T, np.int32)

    def write_weights(self, weights: Weights) -> None:
        """Replace the weights; :class:`SpecError` for a wrong shape or a weight out of range."""
        check_weights(self.format, weights)
        self._set_weights(weights)

    def write_register(self, register: Register, value: int) -> None:
        """Set a register; :class:`SpecError` for a value out of range."""
        largest = {
            Register.RATE_SHIFT: self.format.rate_shift_max,
            Register.MARGIN: self.format.margin_max,
            Register.LEARN: 1,
            Register.ROUNDING: self.format.rounding_max,
        }[register]
        check_range(f"{self.format.name}.{register.name}", value, range(largest + 1))
        if register is not Register.ROUNDING:
            self._registers[register] = value
        elif self._dither:
            self._dither.go_on_from(value)

    def read_register(self, number: Register | Counter) -> int:
        """A register or counter as the wire carries it, 32 bits."""
        if number is Register.ROUNDING:
            value = int(self._dither.state[0]) if self._dither else 0
        elif number is Counter.UNCHANGED:
            value = self._registers[Counter.SAMPLES] - self._registers[Counter.UPDATES]
        else:
            value = self._registers[number]
        return value & COUNTER_MASK


class ReadoutLayer(DenseLayer):
    """The trained readout: its accumulators are its scores, its error is its gradient."""

    format: ReadoutFormat

    def _draw_classifier(self) -> None:
        pass

    def outputs(self, accumulators: Exact) -> tuple[Exact, Exact]:
        """No activations, and scores of shape ``[..., classes]``."""
        return accumulators[..., :0], rule.shift_right(accumulators, self.format.activation_shift)

    def _gradient_of(self, error: Exact) -> Exact:
        return error
