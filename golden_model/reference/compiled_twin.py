"""The rule in real numbers on compiled loops: the same but for the order of sums."""

import numpy as np
from numpy.typing import NDArray

from golden_model.compiled import constants_of
from golden_model.layers import Learnt
from golden_model.loops import Integers, learn_real
from golden_model.reference.twin import FloatLayer, FloatReadout
from golden_model.rule import Exact
from golden_model.spec.control import Counter


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
