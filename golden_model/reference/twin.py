"""The integer rule in real numbers: nothing is rounded, clipped or saturated.

What integers lose is the difference to this, all else being equal: initial weights, classifiers,
losses, margins, rates and the order of samples.
"""

import numpy as np
from numpy.typing import NDArray

from golden_model.engine import GoldenEngine, LayerKinds, can_compile
from golden_model.layers import DenseLayer, ReadoutLayer
from golden_model.rule import Exact
from golden_model.spec.control import Register
from golden_model.spec.formats import DenseFormat, FormattedNetwork, ReadoutFormat
from golden_model.spec.learner import Samples


class FloatLayer(DenseLayer):
    """A dense hidden layer; numbers are in raw units, a weight's 1.0 is ``2**weight_fraction``."""

    def outputs(self, accumulators: Exact) -> tuple[Exact, Exact]:
        """ReLU activations and scores, shapes ``[..., units]`` and ``[..., classes]``."""
        activations = np.maximum(accumulators * 2.0**-self.format.activation_shift, 0)
        return activations, activations.dot(self._classifier)

    def _update(self) -> None:
        rate_shift = self._registers[Register.RATE_SHIFT] + self.format.rate_offset
        self._rows -= np.outer(self._inputs[0], self._gradient * 2.0**-rate_shift)
        if self._gathers:
            self._weights[self._live] = self._rows


class FloatReadout(FloatLayer, ReadoutLayer):
    """The trained readout."""

    format: ReadoutFormat

    def outputs(self, accumulators: Exact) -> tuple[Exact, Exact]:
        """No activations, and scores of shape ``[..., classes]``."""
        return accumulators[..., :0], accumulators * 2.0**-self.format.activation_shift


class FloatTwin(GoldenEngine):
    """A :class:`~golden_model.spec.learner.Learner` that learns as the integers do, in float64.

    Parameters
    ----------
    formats
        A network of dense layers.
    """

    def __init__(self, formats: FormattedNetwork) -> None:
        super().__init__(formats)

    def _kinds(self) -> LayerKinds:
        if not can_compile():
            return {DenseFormat: FloatLayer, ReadoutFormat: FloatReadout}
        # Imported here because numba is optional, and takes a second.
        from golden_model.reference.compiled_twin import (  # noqa: PLC0415
            CompiledFloatLayer,
            CompiledFloatReadout,
        )

        return {DenseFormat: CompiledFloatLayer, ReadoutFormat: CompiledFloatReadout}

    def scores(self, samples: Samples) -> list[NDArray[np.number]]:
        """Each layer's scores of many samples at once, not rounded; learns and counts nothing."""
        return [scores for _, scores in self.outputs(samples)]
