"""The rule in real numbers with its inner loops compiled: the same but for the order of sums."""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from golden_model.compiled import Constants, Integers, constants_of, judge
from golden_model.layers import UNLABELLED, Learnt
from golden_model.reference.twin import FloatLayer, FloatReadout
from golden_model.rule import Exact
from golden_model.spec.control import Counter


@njit(cache=True)  # type: ignore[untyped-decorator]
def answer_real(
    sums: Exact, constants: Constants, classifier: Exact, activations: Exact, scores: Exact
) -> None:
    """h and scores of scaled sums; the readout has no h."""
    if constants.trained:
        scores[:] = sums
        return
    activations[:] = np.maximum(sums, 0.0)
    scores[:] = 0
    for j in range(len(activations)):
        for c in range(len(scores)):
            scores[c] += activations[j] * classifier[j, c]


@njit(cache=True)  # type: ignore[untyped-decorator]
def learn_real(
    samples: Exact,
    labels: Integers,
    constants: Constants,
    classifier: Exact,
    feedback: Exact,
    weights: Exact,
    bias_input: int,
    learnt: Learnt,
) -> None:
    """Answers and learns samples of shape ``[n, inputs]``, one after the other."""
    units = weights.shape[1]
    sums, gradient = np.zeros(units), np.zeros(units)
    error = np.zeros(learnt.scores.shape[1], np.int64)
    scale, rate = 2.0**-constants.activation_shift, 2.0**-constants.rate_shift
    for n in range(len(samples)):
        x, activations, scores = samples[n], learnt.activations[n], learnt.scores[n]
        live = x.nonzero()[0]
        sums[:] = bias_input * weights[-1]
        for i in live:
            for j in range(units):
                sums[j] += x[i] * weights[i, j]
        answer_real(sums * scale, constants, classifier, activations, scores)
        if labels[n] == UNLABELLED or not constants.learns:
            continue
        learnt.changed[n] = judge(scores, labels[n], constants, error)
        if not learnt.changed[n]:
            continue
        for j in range(units):
            gradient[j] = error[j] if constants.trained else 0.0
            if not constants.trained and activations[j] > 0:
                for c in range(len(scores)):
                    gradient[j] += feedback[j, c] * error[c]
            gradient[j] *= rate
            weights[-1, j] -= bias_input * gradient[j]
        for i in live:
            for j in range(units):
                weights[i, j] -= x[i] * gradient[j]


class CompiledFloatLayer(FloatLayer):
    """A :class:`~golden_model.reference.twin.FloatLayer` that learns samples in compiled loops."""

    def send_many(self, samples: NDArray[np.generic], labels: Integers) -> Learnt:
        """As the layer that it stands for."""
        learnt = Learnt.of(self.format, len(labels))
        learn_real(
            samples.astype(np.float64),
            labels,
            constants_of(self.format, self._registers),
            *self._matrices(),
            self._weights,
            self.format.bias_input,
            learnt,
        )
        self._registers[Counter.SAMPLES] += len(labels)
        self._registers[Counter.UPDATES] += int(learnt.changed.sum())
        return learnt

    def _matrices(self) -> tuple[Exact, Exact]:
        return self._classifier, self._feedback


class CompiledFloatReadout(CompiledFloatLayer, FloatReadout):
    """The trained readout."""

    def _matrices(self) -> tuple[Exact, Exact]:
        # Compiled loops want arrays; these are never looked at.
        return np.zeros((0, 0)), np.zeros((0, 0))
