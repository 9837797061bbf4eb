"""Shifts, margins and rates that suit a network's own weights and data, found before training.

Measured on some training samples, layer by layer from the lowest, each rounded to a power of two:

- activations of a hidden layer have a root mean square of 32, so that 1.0 leaves head-room;
- its margin is the root mean square of its scores, half of that behind a convolution; the
  readout's is 2.0, which is 64;
- a first update moves the sums of all samples by a quarter of what they differ by from sample to
  sample, by a half above the first layer. Where samples have much in common, what one of them
  teaches moves the sums of all others the same way, far more than it moves the weights.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from golden_model.convolution import windows_of
from golden_model.data.dataset import Dataset, stratified
from golden_model.engine import fastest
from golden_model.layers import LayerTrace
from golden_model.spec.control import Register
from golden_model.spec.errors import SpecError
from golden_model.spec.formats import (
    ACTIVATION_FRACTION,
    ConvFormat,
    DenseFormat,
    FormattedNetwork,
    LayerFormat,
    infer_formats,
)
from golden_model.spec.learner import Samples, Weights
from golden_model.spec.network import Network, Readout

ACTIVATION_RMS = 2.0**ACTIVATION_FRACTION
MARGIN_SHARES: dict[type[LayerFormat], float] = {DenseFormat: 1.0, ConvFormat: 0.5}
READOUT_MARGIN = 2 << ACTIVATION_FRACTION
MOVE_SHARES = {"inputs": 2.0**-2, "activations": 2.0**-1}
"""By what a layer is fed."""
PROBES = 32
"""Samples whose updates are measured."""
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
    activation_rms, score_rms, move_share
        What was measured with them; an update's share is how far it moves the sums of samples,
        of the deviation that they have.
    """

    name: str
    activation_shift: int
    margin: int
    rate_shift: int
    activation_rms: float
    score_rms: float
    move_share: float


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
        So many of the training set, drawn by the network's seed from every class.
    advance
        Told of every layer that is done.

    Raises
    ------
    SpecError
        If a layer stays silent, or samples are all alike, so that there is nothing to go by.
    """
    if samples < len(data.x_train):
        drawn = stratified(data, samples, network.seed)
        data = replace(data, x_train=drawn.x_test, y_train=drawn.y_test)
    x, labels = data.x_train, data.y_train.tolist()
    found = []
    for index in range(len(infer_formats(network).layers)):
        hidden = index < len(network.layers)
        if hidden:
            network = _find_activation_shift(network, index, x)
        traces = _traces(network, index, x)
        scores, margin = _rms(trace.scores for trace in traces), READOUT_MARGIN
        if hidden:
            share = MARGIN_SHARES[type(infer_formats(network).layers[index])]
            margin = 2 ** max(0, round(math.log2(max(1.0, scores * share))))
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
                move_share=share,
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
    """The network, and the share of the sums' deviation by which an update moves them."""
    share, wanted = 0.0, MOVE_SHARES["activations" if index else "inputs"]
    for _ in range(TRIES):
        formats = infer_formats(network)
        layer = formats.layers[index]
        share = _move_share(formats, index, x, labels)
        if not share:
            if (x == x[0]).all():
                value, rule = f"{network.name}: {len(x)} samples", "there is no difference in them"
                raise SpecError(value, rule, "Take others, or more of them")
            value, rule = f"{network.name}: {layer.name}", "no sample changes any of its weights"
            raise SpecError(value, rule, "Take a larger margin, or other data")
        better = layer.rate_shift + round(math.log2(share / wanted))
        largest = layer.rate_shift_max - network.learning.rate_step_max
        better = min(max(0, better), largest)
        if better == layer.rate_shift:
            break
        network = with_settings(network, index, rate_shift=better)
    return with_settings(network, index, rate_shift=layer.rate_shift), share


def _move_share(formats: FormattedNetwork, index: int, x: Samples, labels: list[int]) -> float:
    """How far single updates from the initial weights move all samples' sums."""
    engine, layer = fastest(formats), formats.layers[index]
    for other in formats.layers:
        engine.write_register(other.index, Register.LEARN, int(other.index == index))
    initial = engine.read_weights(index)
    changes: list[Weights] = []
    seen, sums = [], []
    for sample, label in zip(x, labels, strict=True):
        engine.send(sample, label)
        traces = engine.traces()
        seen.append(_seen(layer, traces[index - 1].activations if index else sample))
        sums.append(traces[index].accumulators.reshape(-1, layer.units))
        if traces[index].pending:
            if len(changes) < PROBES:
                changes.append(engine.read_weights(index) - initial)
            engine.write_weights(index, initial)
    windows = np.concatenate(seen)
    moves = _rms(windows @ change.T.astype(np.float64) for change in changes) if changes else 0.0
    deviation = np.concatenate(sums).std(axis=0)
    return moves / _rms([deviation]) if deviation.any() else 0.0


def _seen(layer: LayerFormat, x: NDArray[np.generic]) -> NDArray[np.float64]:
    """What the units of a layer are fed by a sample, bias included: ``[places, inputs + 1]``."""
    image = x.astype(np.float64).reshape(layer.image)
    places = windows_of(image, layer.kernel).reshape(-1, layer.inputs)
    return np.pad(places, ((0, 0), (0, 1)), constant_values=layer.bias_input)


def _traces(network: Network, index: int, x: Samples) -> list[LayerTrace]:
    engine = fastest(infer_formats(network))
    traces = []
    for sample in x:
        engine.send(sample)
        traces.append(engine.traces()[index])
    return traces


def _rms(arrays: Any) -> float:
    """Root mean square of all values of some arrays."""
    squares = [float(np.mean(np.square(array.astype(np.float64)))) for array in arrays]
    return math.sqrt(np.mean(squares))
