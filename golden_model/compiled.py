"""The golden model's layers with their inner loops compiled by numba: the same integers, sooner.

It is optional, `pip install -e '.[fast]'`, and stands apart: :mod:`golden_model.layers` is the
judge, and tests hold these layers to it, every weight and every trace.
"""

from collections.abc import Mapping
from typing import NamedTuple, Protocol

import numpy as np
from numba import njit
from numpy.typing import NDArray

from golden_model.draws import classifier as draw_classifier
from golden_model.layers import UNLABELLED, DenseLayer, Learnt, ReadoutLayer
from golden_model.rule import Exact
from golden_model.spec.control import Counter, Register
from golden_model.spec.formats import ACTIVATION_MAX, ERROR_MAX, DenseFormat, ReadoutFormat
from golden_model.spec.learner import Weights
from golden_model.spec.network import Loss, Rounding
from golden_model.spec.random import XORSHIFT

Integers = NDArray[np.int64]
Narrow = NDArray[np.int32]
HINGE, PAIRWISE, SQUARED = range(3)
LOSS_NUMBERS = {Loss.HINGE: HINGE, Loss.PAIRWISE_HINGE: PAIRWISE, Loss.SQUARED_HINGE: SQUARED}
LEFT, RIGHT, LEFT_AGAIN = map(np.uint32, XORSHIFT)
Matrices = tuple[Integers, Integers]
"""M and K, shape ``[regions * units, classes]``."""
BLOCK = 256
"""So many products of 8-bit activations and 16-bit weights stay below 2**31."""


class Constants(NamedTuple):
    """How a layer learns now, as compiled loops take it.

    Members
    -------
    loss
        Its number in `LOSS_NUMBERS`.
    rate_shift
        The register's value and the layer's offset.
    limit
        Weights are ``-limit`` to ``limit - 1``.
    learns, trained, stochastic
        Whether the layer learns, is the readout, rounds stochastically.
    """

    activation_shift: int
    loss: int
    error_shift: int
    margin: int
    rate_shift: int
    limit: int
    learns: bool
    trained: bool
    stochastic: bool


class Values(NamedTuple):
    """What the last sample came to; `live` lists the inputs that are not 0, `part` is scratch."""

    x: Narrow
    live: Integers
    part: Narrow
    accumulators: Integers
    error: Integers
    gradient: Integers


class LastValues(Protocol):
    """What the last sample came to, in layers of any kind."""

    @property
    def accumulators(self) -> Integers:
        """acc."""

    @property
    def error(self) -> Integers:
        """e."""

    @property
    def gradient(self) -> Integers:
        """d."""


class Dithering(NamedTuple):
    """Of :class:`~golden_model.draws.Dither`, what compiled loops need; empty without it."""

    places: NDArray[np.uint32]
    state: NDArray[np.uint32]


def constants_of(layer: DenseFormat, registers: Mapping[Register | Counter, int]) -> Constants:
    """As the registers stand."""
    return Constants(
        activation_shift=layer.activation_shift,
        loss=LOSS_NUMBERS[layer.loss],
        error_shift=layer.error_shift,
        margin=registers[Register.MARGIN],
        rate_shift=registers[Register.RATE_SHIFT] + layer.rate_offset,
        limit=1 << (layer.weight_bits - 1),
        learns=bool(registers[Register.LEARN]),
        trained=isinstance(layer, ReadoutFormat),
        stochastic=layer.rounding is Rounding.STOCHASTIC,
    )


@njit(cache=True)  # type: ignore[untyped-decorator]
def find_live(x: Narrow, live: Integers) -> int:
    """Lists the inputs that are not 0 and says how many there are."""
    count = 0
    for i in range(len(x)):
        live[count] = i
        count += x[i] != 0
    return count


@njit(cache=True)  # type: ignore[untyped-decorator]
def accumulate(
    x: Narrow, live: Integers, weights: Weights, part: Narrow, accumulators: Integers
) -> None:
    """``acc[j] += sum_i W[i,j] * x[i]`` over the `live` inputs.

    32 bits hold the sum of a block. Four rows at a time spare loads and stores.
    """
    units = len(accumulators)
    for start in range(0, len(live), BLOCK):
        stop = min(start + BLOCK, len(live))
        part[:] = 0
        fours = start + (stop - start) // 4 * 4
        for n in range(start, fours, 4):
            i0, i1, i2, i3 = live[n], live[n + 1], live[n + 2], live[n + 3]
            x0, x1, x2, x3 = x[i0], x[i1], x[i2], x[i3]
            w0, w1, w2, w3 = weights[i0], weights[i1], weights[i2], weights[i3]
            for j in range(units):
                part[j] += x0 * w0[j] + x1 * w1[j] + x2 * w2[j] + x3 * w3[j]
        for n in range(fours, stop):
            x0, w0 = x[live[n]], weights[live[n]]
            for j in range(units):
                part[j] += x0 * w0[j]
        for j in range(units):
            accumulators[j] += part[j]


@njit(cache=True)  # type: ignore[untyped-decorator]
def judge(scores: Integers, label: int, constants: Constants, error: Integers) -> bool:
    """Fills in e, and says whether it is not all 0."""
    margin, own = constants.margin, scores[label]
    near, wrong = 0, False
    for c in range(len(scores)):
        if constants.loss == PAIRWISE:
            size = 1 if c != label and own - scores[c] < margin else 0
            near += size
        else:
            distance = margin - scores[c] if c == label else margin + scores[c]
            size = 1 if distance > 0 else 0
            if constants.loss == SQUARED:
                size = min(int(max(distance, 0)) >> constants.error_shift, ERROR_MAX)
        error[c] = -size if c == label else size
        wrong |= size != 0
    if constants.loss == PAIRWISE:
        error[label] = -near
    return wrong


@njit(cache=True)  # type: ignore[untyped-decorator]
def xorshift(state: np.uint32) -> np.uint32:
    """The next state of the generator."""
    state ^= np.uint32(state << LEFT)
    state ^= np.uint32(state >> RIGHT)
    return np.uint32(state ^ np.uint32(state << LEFT_AGAIN))


@njit(cache=True)  # type: ignore[untyped-decorator]
def update(
    values: Values, live: Integers, constants: Constants, dither: Dithering, weights: Weights
) -> None:
    """``W[i,j] = saturate(W[i,j] - ((d[j] * x[i] + rounding) >> r))`` over the `live` inputs.

    The rounding is half of what is shifted away or, if it is stochastic, ``u >> (32 - r)``, see
    :class:`golden_model.draws.Dither`.
    """
    shift, limit = constants.rate_shift, constants.limit
    nearest = np.int64((1 << shift) >> 1)
    if constants.stochastic:
        dither.state[0] = xorshift(dither.state[0])
    for i in live:
        value = values.x[i]
        for j in range(len(values.gradient)):
            rounding = nearest
            if constants.stochastic:
                draw = dither.places[i, j] ^ dither.state[0]
                rounding = np.int64(draw >> np.uint32(1)) >> (31 - shift)
            moved = weights[i, j] - ((values.gradient[j] * value + rounding) >> shift)
            weights[i, j] = min(max(moved, -limit), limit - 1)


@njit(cache=True)  # type: ignore[untyped-decorator]
def answer(
    values: Values,
    constants: Constants,
    classifier: Integers,
    activations: Narrow,
    scores: Integers,
) -> None:
    """h and scores of acc; the readout has no h."""
    shift = constants.activation_shift
    if constants.trained:
        for c in range(len(scores)):
            scores[c] = values.accumulators[c] >> shift
        return
    rounding = (1 << shift) >> 1
    scores[:] = 0
    for j in range(len(activations)):
        h = min(max((values.accumulators[j] + rounding) >> shift, 0), ACTIVATION_MAX)
        activations[j] = h
        if h:
            for c in range(len(scores)):
                scores[c] += h * classifier[j, c]


@njit(cache=True)  # type: ignore[untyped-decorator]
def spread(values: Values, constants: Constants, feedback: Integers, activations: Narrow) -> None:
    """d of e."""
    if constants.trained:
        values.gradient[:] = values.error
        return
    for j in range(len(activations)):
        if activations[j]:
            for c in range(len(values.error)):
                values.gradient[j] += feedback[j, c] * values.error[c]


@njit(cache=True)  # type: ignore[untyped-decorator]
def learn(
    samples: Narrow,
    labels: Integers,
    constants: Constants,
    matrices: Matrices,
    dither: Dithering,
    weights: Weights,
    values: Values,
    learnt: Learnt,
) -> None:
    """Answers and learns samples of shape ``[n, inputs]``, one after the other."""
    classifier, feedback = matrices
    for n in range(len(samples)):
        values.x[:-1] = samples[n]
        live = values.live[: find_live(values.x, values.live)]
        values.accumulators[:] = 0
        accumulate(values.x, live, weights, values.part, values.accumulators)
        activations, scores = learnt.activations[n], learnt.scores[n]
        answer(values, constants, classifier, activations, scores)
        values.error[:] = 0
        values.gradient[:] = 0
        learnt.changed[n] = (
            constants.learns
            and labels[n] != UNLABELLED
            and judge(scores, labels[n], constants, values.error)
        )
        if learnt.changed[n]:
            spread(values, constants, feedback, activations)
            update(values, live, constants, dither, weights)


class CompiledLayer(DenseLayer):
    """A :class:`~golden_model.layers.DenseLayer` on int32 weights and compiled loops.

    Single samples are chunks of one.
    """

    def _draw_classifier(self) -> None:
        self._matrices = draw_classifier(self.format)

    def _set_weights(self, weights: Weights) -> None:
        self._columns = np.ascontiguousarray(weights.T, np.int32)

    def send(self, x: NDArray[np.generic], label: int | None) -> bool:
        """As the layer that it stands for."""
        labels = np.array([UNLABELLED if label is None else label])
        return bool(self.send_many(x[np.newaxis], labels).changed[0])

    def send_many(self, samples: NDArray[np.generic], labels: Integers) -> Learnt:
        """As the layer that it stands for."""
        learnt = self._learn(samples, labels)
        self._registers[Counter.SAMPLES] += len(labels)
        self._registers[Counter.UPDATES] += int(learnt.changed.sum())
        return learnt

    def _answer(self, x: NDArray[np.generic]) -> None:
        self._learn(x[np.newaxis], np.array([UNLABELLED]))

    def _learn(self, samples: NDArray[np.generic], labels: Integers) -> Learnt:
        """Learn, and keep what the last sample came to."""
        learnt, values = self._run(samples, labels)
        self._accumulators = values.accumulators.ravel().astype(np.float64)
        self._error = values.error.astype(np.float64)
        self._gradient = values.gradient.ravel().astype(np.float64)
        self.activations = learnt.activations[-1].astype(np.float64)
        self.scores = learnt.scores[-1].astype(np.float64)
        return learnt

    def _run(self, samples: NDArray[np.generic], labels: Integers) -> tuple[Learnt, LastValues]:
        learnt, values = self._nothing_learnt(labels), self._values()
        dither = self._dither
        none = np.zeros((0, 0), np.uint32), np.zeros(1, np.uint32)
        learn(
            samples.astype(np.int32),
            labels,
            constants_of(self.format, self._registers),
            self._matrices,
            Dithering(*((dither.places, dither.state) if dither else none)),
            self._columns,
            values,
            learnt,
        )
        return learnt, values

    def _nothing_learnt(self, labels: Integers) -> Learnt:
        return Learnt.of(self.format, len(labels), h=np.int32, score=np.int64)

    def _values(self) -> Values:
        layer = self.format
        x = np.full(layer.fan_in, layer.bias_input, np.int32)
        return Values(
            x=x,
            live=np.zeros(layer.fan_in, np.int64),
            part=np.zeros(layer.units, np.int32),
            accumulators=np.zeros(layer.units, np.int64),
            error=np.zeros(layer.classes, np.int64),
            gradient=np.zeros(layer.units, np.int64),
        )

    def outputs_of(self, samples: Exact) -> tuple[Exact, Exact]:
        """As the layer that it stands for."""
        learnt, _ = self._run(samples, np.full(len(samples), UNLABELLED))
        return learnt.activations.astype(np.float64), learnt.scores.astype(np.float64)

    def read_weights(self) -> Weights:
        """As the layer that it stands for."""
        return np.ascontiguousarray(self._columns.T)


class CompiledReadout(CompiledLayer, ReadoutLayer):
    """The readout on compiled loops."""

    format: ReadoutFormat

    def _draw_classifier(self) -> None:
        # Compiled loops want arrays; these are never looked at.
        self._matrices = 2 * (np.zeros((0, 0), np.int64),)
