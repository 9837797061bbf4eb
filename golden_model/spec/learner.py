"""The one interface of everything that learns: golden engine, simulated chip, board on a wire."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from golden_model.spec.control import COUNTER_MASK, Counter, Register
from golden_model.spec.errors import SpecError
from golden_model.spec.formats import FormattedNetwork, LayerFormat
from golden_model.spec.network import Coding, Network, check_range

Sample = NDArray[np.uint8 | np.int8]
"""One sample, shape ``[inputs]``, of the network's :func:`sample_type`."""
Samples = Sample
"""Many of them, shape ``[n, inputs]``."""
Weights = NDArray[np.int32]
"""A layer's weights, shape ``[units, inputs + 1]``, raw; the last column is the bias."""


def sample_type(network: Network) -> type[np.uint8] | type[np.int8]:
    """What a network's samples are arrays of: int8 if its inputs are signed, else uint8.

    On the wire a sample is the bytes of that array.
    """
    return np.int8 if network.coding is Coding.SIGNED else np.uint8


def check_sample(network: Network, sample: NDArray[np.generic], *many: int) -> None:
    """Raise a ValueError unless it, or so `many` of them, are of the network's shape and type."""
    kind, shape = sample_type(network), (*many, network.inputs)
    if sample.shape != shape or sample.dtype != kind:
        found = f"{sample.dtype} of shape {sample.shape}"
        what = "samples are" if many else "a sample is"
        raise ValueError(f"{what} {np.dtype(kind)} of shape {shape}, not {found}")


def check_weights(layer: LayerFormat, weights: NDArray[np.generic]) -> None:
    """Raise :class:`SpecError` unless they are integers of the layer's shape and range."""
    expected = (layer.units, layer.fan_in)
    if weights.shape != expected or weights.dtype.kind not in "iu":
        value = f"weights of {layer.name}: {weights.dtype} of shape {weights.shape}"
        rule = f"they must be integers of shape {expected}"
        raise SpecError(value, rule, "Use weights of this very network")
    limit = 1 << (layer.weight_bits - 1)
    for extreme in (int(weights.min()), int(weights.max())):
        check_range(f"a weight of {layer.name}", extreme, range(-limit, limit))


UNKNOWN = -1
"""The class of a sample that was learnt while its answer was lost on the way."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What a network answers to one sample.

    Members
    -------
    predicted
        The class: highest score, lowest class on a tie; or UNKNOWN.
    scores
        Raw scores of the answering layer, shape ``[classes]``; all 0 if they are not known.
    """

    predicted: int
    scores: NDArray[np.int64]


class Miscounted(Exception):
    """A layer has counted other samples than were sent: its weights are not what they should be.

    Parameters
    ----------
    layer
        Its name.
    counted, sent
        Values of the counter SAMPLES: found, and due.
    """

    def __init__(self, layer: str, counted: int, sent: int) -> None:
        super().__init__(
            f"{layer} has counted {counted} samples where {sent & COUNTER_MASK} is right: the chip "
            "was reset meanwhile, or another program sends it samples. Start from the weights that "
            "were saved last"
        )


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
