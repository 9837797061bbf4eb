"""Features of any unit as centred inputs: what :mod:`golden_model.spec.scaler` declares.

A scaler is fitted to training samples without letting outliers decide. Where the middle half of a
feature's values spreads, values farther out than REACH times that spread count as if they stood
there. Where it does not, as in a column of few ones, a larger middle is asked; a feature whose
values agree nearly everywhere is measured as it is.
"""

import math
from collections.abc import Sequence
from dataclasses import replace

import click
import numpy as np
from numpy.typing import NDArray

from golden_model.data.samples import are_inputs
from golden_model.spec.learner import Samples, sample_type
from golden_model.spec.network import Coding, Network
from golden_model.spec.scaler import STEPS, Scaler

MIDDLES = (0.5, 0.8, 0.9, 0.98)
"""Shares of the values, from the lowest to the highest of which the spread is taken."""
REACH = 3
"""Of a normal distribution's values one in 400,000 is beyond it."""
DIGITS = 7
"""Of a mean and a deviation that count: float32 has no more."""
PRECISION = 1e-12
"""Values that differ by less than this share of them are all the same: sums were rounded."""
LIMIT = 255
"""Of a scaled value."""
BLOCK = 4096
"""Samples scaled at a time: in between they take many bytes a value."""
SHOWN = 5

Values = NDArray[np.generic]
"""Features, shape ``[n, features]``, finite, up to 1e100."""


def fit(samples: Values) -> Scaler:
    """Mean and deviation of each feature, to DIGITS digits; a constant's deviation is 0.

    Sums are exact, so that every machine gets the same ones.
    """
    found = [_measured(column.astype(np.float64)) for column in samples.T]
    return Scaler(mean=tuple(m for m, _ in found), deviation=tuple(d for _, d in found))


def _measured(column: NDArray[np.float64]) -> tuple[float, float]:
    ordered = np.sort(column)
    count, middle = len(ordered), float(ordered[len(ordered) // 2])
    for share in MIDDLES:
        out = math.floor(count * (1 - share) / 2)
        low, high = ordered[out], ordered[count - 1 - out]
        if low < high:
            reach = REACH * (high - low)
            column = column.clip(low - reach, high + reach)
            break
    # From the middle, for the sake of small deviations of large numbers.
    mean = math.fsum((column - middle).tolist()) / count
    deviation = math.sqrt(math.fsum(((column - middle - mean) ** 2).tolist()) / count)
    if deviation <= PRECISION * abs(middle):
        return middle, 0.0
    decimals = DIGITS - 1 - math.floor(math.log10(deviation))
    return round(middle + mean, decimals), round(deviation, decimals)


def constants(scaler: Scaler) -> list[int]:
    """Numbers of the features that say nothing, from 0."""
    return [number for number, deviation in enumerate(scaler.deviation) if not deviation]


def apply(scaler: Scaler, samples: Values) -> NDArray[np.int16]:
    """Every feature in STEPS of its deviation from its mean, -LIMIT to LIMIT, same shape."""
    mean, deviation = np.array(scaler.mean), np.array(scaler.deviation)
    divisor = np.where(deviation > 0, deviation, np.inf)
    scaled = np.empty(samples.shape, np.int16)
    for start in range(0, len(samples), BLOCK):
        part = slice(start, start + BLOCK)
        steps = np.floor(STEPS * (samples[part].astype(np.float64) - mean) / divisor + 0.5)
        scaled[part] = steps.clip(-LIMIT, LIMIT)
    return scaled


def code(centred: NDArray[np.int16], network: Network) -> Samples:
    """Centred values as a network's inputs, shape ``[n, inputs]``.

    Parameters
    ----------
    centred
        -LIMIT to LIMIT, shape ``[n, features]``.
    """
    if network.coding is Coding.SIGNED:
        return centred.clip(-128, 127).astype(np.int8)
    shape: tuple[int, ...] = (-1, network.features)
    if network.image:
        height, width, channels = network.image
        shape = (-1, height, width, channels // 2)
    values = centred.reshape(shape)
    both = np.concatenate([values, -values], axis=-1)
    return both.clip(0, LIMIT).astype(np.uint8).reshape(len(centred), -1)


def centred_images(samples: Values, image: tuple[int, int, int]) -> NDArray[np.int16]:
    """Twice the distance of each channel from its mean over an image: how `on_off` centres.

    A common brightness, which would drown all else in a layer's first updates, is gone.

    Parameters
    ----------
    samples
        Shape ``[n, height * width * channels / 2]``, as the result's.
    image
        Height, width and channels of the network.
    """
    height, width, channels = image
    images = samples.reshape(-1, height, width, channels // 2).astype(np.int16)
    pixels = height * width
    means = (2 * images.sum(axis=(1, 2), keepdims=True) + pixels) // (2 * pixels)
    distances: NDArray[np.int16] = 2 * (images - means.astype(np.int16))
    return distances.reshape(len(samples), -1)


def scaler_for(samples: Values, network: Network, columns: Sequence[str]) -> Scaler | None:
    """The network's, or one for these training samples; None where nothing is to be centred."""
    if network.coding is Coding.UNSIGNED or are_inputs(samples, network):
        return None
    if network.scaler is not None:
        return network.scaler
    scaler = replace(fit(samples), names=tuple(columns))
    if found := constants(scaler):
        names = [columns[n] if columns else str(n) for n in found[:SHOWN]]
        which = ", ".join(names) + (", ..." if len(found) > SHOWN else "")
        many = "feature is" if len(found) == 1 else "features are"
        click.echo(f"Note: {len(found)} {many} constant and sent as 0: {which}.", err=True)
    return scaler


def inputs_of(samples: Values, network: Network, scaler: Scaler | None) -> Samples:
    """Samples as the network's inputs."""
    if are_inputs(samples, network):
        return samples.view(sample_type(network))
    if scaler is not None:
        return code(apply(scaler, samples), network)
    assert network.image
    return code(centred_images(samples, network.image), network)
