"""Shifts, margins and rates that suit a network's own weights and data, found before training.

Measured on some training samples, layer by layer from the lowest, each rounded to a power of two:

- activations of a hidden layer have a root mean square of 32, so that 1.0 leaves head-room;
- its margin is half the root mean square of its scores; the readout's is 2.0, which is 64;
- the first updates move the weights by 2**-5 of their root mean square.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from golden_model.data import Dataset
from golden_model.engine import GoldenEngine, can_compile
from golden_model.layers import LayerTrace
from golden_model.spec.control import Register
from golden_model.spec.errors import SpecError
from golden_model.spec.formats import ACTIVATION_FRACTION, FormattedNetwork, infer_formats
from golden_model.spec.learner import Samples
from golden_model.spec.network import Network, Readout

ACTIVATION_RMS = 2.0**ACTIVATION_FRACTION
MARGIN_SHARE = 0.5
READOUT_MARGIN = 2 << ACTIVATION_FRACTION
UPDATE_SHARE = 2.0**-5
TRIES = 8
"""Steps until a shift stands still: clipping may hide at first how large values are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """What was found for one layer.

    Members
    -------
    name
        The layer's.
    activation_shift, margin, rate_shift
        What its table in the description should say.
    activation_rms, score_rms, update_share
        What was measured with them; an update's share is that of the weights' root mean square.
    """

    name: str
    activation_shift: int
    margin: int
    rate_shift: int
    activation_rms: float
    score_rms: float
    update_share: float


def calibrate(
    network: Network,
    data: Dataset,
    samples: int = 200,
    advance: Callable[[int], None] = lambda layers: None,
) -> tuple[Network, list[Calibration]]:
    """The network with shifts, margins and rate shifts for every layer, and what was measured.

    Parameters
    ----------
    samples
        So many of the training set, in its order.
    advance
        Told of every layer that is done.

    Raises
    ------
    SpecError
        If a layer stays silent, so that there is nothing to go by.
    """
    x, labels = data.x_train[:samples], data.y_train[:samples].tolist()
    found = []
    for index in range(len(infer_formats(network).layers)):
        hidden = index < len(network.layers)
        if hidden:
            network = _find_activation_shift(network, index, x)
        traces = _traces(network, index, x)
        scores, margin = _rms(trace.scores for trace in traces), READOUT_MARGIN
        if hidden:
            margin = 2 ** max(0, round(math.log2(max(1.0, scores * MARGIN_SHARE))))
        network = with_settings(network, index, margin=margin)
        network, share = _find_rate_shift(network, index, x, labels)
        layer = infer_formats(network).layers[index]
        found.append(
            Calibration(
                name=layer.name,
                activation_shift=layer.activation_shift,
                margin=layer.margin,
                rate_shift=layer.rate_shift,
                activation_rms=_rms(trace.activations for trace in traces) if hidden else 0.0,
                score_rms=scores,
                update_share=share,
            )
        )
        advance(1)
    return network, found


def with_settings(network: Network, index: int, **settings: int) -> Network:
    """The network with some values of one layer set; the index behind the last is the readout's."""
    if index == len(network.layers):
        readout: Readout = replace(network.readout or Readout(), **settings)
        return replace(network, readout=readout)
    layers: list[Any] = [*network.layers]
    layers[index] = replace(layers[index], **settings)
    return replace(network, layers=tuple(layers))


def _find_activation_shift(network: Network, index: int, x: Samples) -> Network:
    for _ in range(TRIES):
        layer = infer_formats(network).layers[index]
        rms = _rms(trace.activations for trace in _traces(network, index, x))
        if not rms:
            value, rule = f"{network.name}: {layer.name}", "none of its units answers any sample"
            raise SpecError(value, rule, "Take another seed, more units or a smaller shift")
        better = max(0, layer.activation_shift + round(math.log2(rms / ACTIVATION_RMS)))
        if better == layer.activation_shift:
            break
        network = with_settings(network, index, activation_shift=better)
    return with_settings(network, index, activation_shift=layer.activation_shift)


def _find_rate_shift(
    network: Network, index: int, x: Samples, labels: list[int]
) -> tuple[Network, float]:
    """The network, and the share of the weights by which an update moves them."""
    share = 0.0
    for _ in range(TRIES):
        formats = infer_formats(network)
        layer = formats.layers[index]
        share = _update_share(formats, index, x, labels)
        if not share:
            value, rule = f"{network.name}: {layer.name}", "no sample changes any of its weights"
            raise SpecError(value, rule, "Take a larger margin, or other data")
        better = layer.rate_shift + round(math.log2(share / UPDATE_SHARE))
        better = min(max(0, better), layer.rate_shift_max)
        if better == layer.rate_shift:
            break
        network = with_settings(network, index, rate_shift=better)
    return with_settings(network, index, rate_shift=layer.rate_shift), share


def _update_share(formats: FormattedNetwork, index: int, x: Samples, labels: list[int]) -> float:
    """Root mean square of single updates from the initial weights, as a share of theirs."""
    engine = _engine(formats)
    for layer in formats.layers:
        engine.write_register(layer.index, Register.LEARN, int(layer.index == index))
    initial = engine.read_weights(index)
    changes = []
    for sample, label in zip(x, labels, strict=True):
        engine.send(sample, label)
        if engine.traces()[index].pending:
            changes.append(_rms([engine.read_weights(index) - initial]))
            engine.write_weights(index, initial)
    return _rms([np.array(changes)]) / _rms([initial]) if changes else 0.0


def _traces(network: Network, index: int, x: Samples) -> list[LayerTrace]:
    engine = _engine(infer_formats(network))
    traces = []
    for sample in x:
        engine.send(sample)
        traces.append(engine.traces()[index])
    return traces


def _engine(formats: FormattedNetwork) -> GoldenEngine:
    return GoldenEngine(formats, compiled=can_compile())


def _rms(arrays: Any) -> float:
    """Root mean square of all values of some arrays."""
    squares = [float(np.mean(np.square(array.astype(np.float64)))) for array in arrays]
    return math.sqrt(np.mean(squares))
