"""The one interface of everything that learns: golden engine, simulated chip, board on a wire."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from golden_model.spec.control import Counter, Register
from golden_model.spec.formats import FormattedNetwork

Sample = NDArray[np.uint8]
"""One sample, shape ``[inputs]``."""
Weights = NDArray[np.int32]
"""A layer's weights, shape ``[units, inputs + 1]``, raw; the last column is the bias."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What a network answers to one sample.

    Members
    -------
    predicted
        The class: highest score, lowest class on a tie.
    scores
        Raw scores of the answering layer, shape ``[classes]``.
    """

    predicted: int
    scores: NDArray[np.int64]


class Learner(Protocol):
    """Takes samples in order, answers each, and learns from those that carry a label."""

    formats: FormattedNetwork

    def send(self, sample: Sample, label: int | None = None) -> None:
        """Hand over a sample; with a label it is learnt, without it is only answered."""

    def results(self) -> list[Result]:
        """Results of all samples sent since the last call, in order; waits for them."""

    def read_weights(self, layer: int) -> Weights:
        """Weights of a layer after everything sent so far has been learnt."""

    def write_weights(self, layer: int, weights: Weights) -> None:
        """Replace a layer's weights; takes effect for the next sample."""

    def write_register(self, layer: int, register: Register, value: int) -> None:
        """Set a register; takes effect for the next sample."""

    def read_register(self, layer: int, number: Register | Counter) -> int:
        """Value of a register or counter; hardware also has those of `Activity`."""

    def reset(self) -> None:
        """Back to the initial weights, the described registers and counters of zero."""
