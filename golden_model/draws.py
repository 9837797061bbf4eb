"""The random draws that :mod:`golden_model.spec.random` declares, many at a time.

One xorshift step is linear over single bits, so ``m`` steps are one 32 x 32 bit matrix. The first
``m`` draws of a stream, each leapt ``m`` steps ahead, are the next ``m``.
"""

import numpy as np
from numpy.typing import NDArray

from golden_model.spec.formats import LayerFormat
from golden_model.spec.learner import Weights
from golden_model.spec.network import Feedback
from golden_model.spec.random import MAGNITUDES, XORSHIFT

States = NDArray[np.uint32]
"""States of the generator, or the columns of a bit matrix: where it takes each single bit."""

SIGN_BIT = 31
MAGNITUDE_BIT = 29


def stream(seed: int, count: int) -> States:
    """Draws 0 to ``count - 1`` of the stream that starts from `seed`, shape ``[count]``."""
    states = _step(np.array([seed], np.uint32))
    leap = _step(np.array([1 << bit for bit in range(32)], np.uint32))
    while states.size < count:
        states = np.concatenate([states, _transform(leap, states)])
        leap = _transform(leap, leap)
    return states[:count]


def initial_weights(layer: LayerFormat) -> Weights:
    """Weights that `layer` starts from, shape ``[units, inputs + 1]``."""
    draws = stream(layer.weight_seed, layer.weight_count).view(np.int32)
    weights = (draws >> (33 - layer.init_bits) << 1) | 1
    return weights.reshape(layer.units, layer.fan_in)


def classifier(layer: LayerFormat) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """M and K of a hidden `layer`, each of shape ``[regions * units, classes]``."""
    rows = layer.regions * layer.units
    draws = stream(layer.classifier_seed, rows * layer.classes).reshape(rows, layer.classes)
    signs = 1 - 2 * (draws >> SIGN_BIT).astype(np.int64)
    if layer.feedback is Feedback.SYMMETRIC:
        return signs, signs
    return signs, signs * np.array(MAGNITUDES)[(draws >> MAGNITUDE_BIT) & 3]


class Dither:
    """What stochastic rounding adds to ``d * x`` before it is shifted right.

    `next` goes on to a layer's next update, `restart` before its first. `state` is the last draw.
    """

    def __init__(self, layer: LayerFormat) -> None:
        self._seed = layer.rounding_seed
        places = np.arange(layer.fan_in)[:, None] ^ np.arange(layer.units)
        self.places = np.zeros(places.shape, np.uint32)
        """The part of u that a weight's place gives, shape ``[inputs + 1, units]``."""
        for bit in range(16):
            self.places |= ((places >> bit & 1) << (31 - bit)).astype(np.uint32)
        self.restart()

    def restart(self) -> None:
        """No update yet."""
        self.state = _step(np.array([self._seed], np.uint32))

    def go_on_from(self, state: int) -> None:
        """As if this had been the last draw."""
        self.state = np.array([state], np.uint32)

    def next(self) -> None:
        """The next update."""
        self.state = _step(self.state)

    def below(self, shift: int, rows: NDArray[np.intp] | slice) -> NDArray[np.uint32]:
        """``u >> (32 - shift)`` of the weights of some inputs, shape ``[n, units]``."""
        dither = (self.places[rows] ^ self.state) >> np.uint32(1) >> np.uint32(31 - shift)
        return dither.astype(np.uint32)


def _step(states: States) -> States:
    left, right, left_again = XORSHIFT
    states = states.copy()
    states ^= states << left
    states ^= states >> right
    states ^= states << left_again
    return states


def _transform(matrix: States, states: States) -> States:
    """Matrix times state over single bits: the sum (xor) of the columns whose bit is set."""
    result = np.zeros_like(states)
    for bit, column in enumerate(matrix):
        result ^= column * ((states >> bit) & 1)
    return result
