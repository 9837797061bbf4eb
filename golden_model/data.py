"""Data sets: labelled samples of unsigned 8-bit inputs, split for training and test."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from golden_model.data_files import read_npz
from golden_model.data_sets import LOADERS, SHORT_NAMES
from golden_model.files import Arrays
from golden_model.spec.errors import SpecError, nearest
from golden_model.spec.learner import Samples, sample_type
from golden_model.spec.network import Coding, Network

VALIDATION = 2**32 - 1
"""Names the draw of :func:`stratified` beside those of epochs, which count from 0."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dataset:
    """Samples, shape ``[n, inputs]``, and their labels, uint8 of shape ``[n]``."""

    name: str
    x_train: Samples
    y_train: NDArray[np.uint8]
    x_test: Samples
    y_test: NDArray[np.uint8]


def natural_data(network: Network) -> str:
    """Name of the data set that a network is for, by its own name or else its inputs.

    Raises
    ------
    SpecError
        If neither says so.
    """
    names = {name: name for name in LOADERS} | SHORT_NAMES
    for name in sorted(names, key=len, reverse=True):
        if network.name.replace("-", "_").startswith(name):
            return names[name]
    by_inputs = {64: "digits", 784: "mnist"}
    if network.inputs not in by_inputs:
        rule = f"no data set goes with this name or with {network.inputs} inputs"
        remedy = "Say --data NAME or FILE.npz; --data random fits every network"
        raise SpecError(f"network {network.name!r}", rule, remedy)
    return by_inputs[network.inputs]


def load_data(name_or_file: str, network: Network, directory: Path | None = None) -> Dataset:
    """The data set of that name, or of that file if the text ends in ``.npz``.

    Parameters
    ----------
    name_or_file
        ``digits``, ``mnist``, ``fashion_mnist``, ``cifar10_half``, ``svhn``, ``random`` or a file
        of x_train, y_train, x_test and y_test.
    network
        What it is for: samples must have its inputs, labels be among its classes.
    directory
        Where files of images are; None for the environment variable LOAM_DATA.

    Raises
    ------
    SpecError
        If there is no such set or file, or its arrays do not fit the network.
    """
    if name_or_file.endswith(".npz"):
        arrays = read_npz(Path(name_or_file))
    elif name_or_file in LOADERS:
        arrays = LOADERS[name_or_file](network, directory)
    else:
        rule = "it is neither a known data set nor an .npz file"
        raise SpecError(f"data {name_or_file!r}", rule, nearest(name_or_file, LOADERS))
    return _fitting(name_or_file, arrays, network)


def held_out(data: Dataset, samples: int) -> Dataset:
    """The last `samples` of the training set in place of the test set.

    The experiments chose their settings by these; for sets that may be sorted see
    :func:`stratified`.

    Raises
    ------
    SpecError
        If that leaves nothing to train on.
    """
    _check_some_left(data, samples)
    return Dataset(
        name=f"{data.name}, validation",
        x_train=data.x_train[:-samples],
        y_train=data.y_train[:-samples],
        x_test=data.x_train[-samples:],
        y_test=data.y_train[-samples:],
    )


def stratified(data: Dataset, samples: int, seed: int) -> Dataset:
    """Some of the training set in place of the test set, drawn by seed, by the classes' shares.

    A class with ``n`` of ``N`` training samples gives ``samples * n // N`` of them; those with the
    largest remainders, of equal ones the lower, give one more until there are enough. They are
    the class's first ones in a permutation by ``RandomState([seed, VALIDATION])``; all samples
    stay in their order.

    Raises
    ------
    SpecError
        If that leaves nothing to train on.
    """
    total = len(data.x_train)
    _check_some_left(data, samples)
    order = np.random.RandomState([seed, VALIDATION]).permutation(total)
    classes, counts = np.unique(data.y_train, return_counts=True)
    shares, remainders = np.divmod(counts * samples, total)
    largest = np.argsort(-remainders, kind="stable")
    shares[largest[: samples - shares.sum()]] += 1
    held = np.zeros(total, np.bool_)
    for label, share in zip(classes, shares, strict=True):
        held[order[data.y_train[order] == label][:share]] = True
    return Dataset(
        name=f"{data.name}, validation",
        x_train=data.x_train[~held],
        y_train=data.y_train[~held],
        x_test=data.x_train[held],
        y_test=data.y_train[held],
    )


def _check_some_left(data: Dataset, samples: int) -> None:
    if samples >= len(data.x_train):
        rule = f"{data.name} has {len(data.x_train)} training samples, and some must be left"
        raise SpecError(f"{samples} samples for validation", rule, "Hold fewer of them out")


def _fitting(name: str, arrays: Arrays, network: Network) -> Dataset:
    """The arrays as a Dataset, once each has been found to fit `network` and its partner."""
    fitted: dict[str, Any] = {}
    for part in ("train", "test"):
        x, y = arrays[f"x_{part}"], arrays[f"y_{part}"]
        samples = _samples(f"{name}: x_{part}", x, network)
        if network.on_off and network.image:
            samples = on_off_channels(samples, network.image)
        fitted[f"x_{part}"] = samples
        fitted[f"y_{part}"] = _labels(f"{name}: y_{part}", y, network.classes)
        if len(x) != len(y):
            value = f"{name}: x_{part} holds {len(x)} samples, y_{part} {len(y)} labels"
            raise SpecError(value, "each sample has one label", "Make them equally long")
    return Dataset(name=name, **fitted)


def _samples(place: str, x: NDArray[np.generic], network: Network) -> Samples:
    if x.dtype != sample_type(network):
        rule = "samples are unsigned 8-bit integers (uint8), 0 to 255"
        if network.coding is Coding.SIGNED:
            rule = "samples of signed inputs are 8-bit integers (int8), -128 to 127"
        _check_finite(place, x, rule)
        raise SpecError(f"{place} is {x.dtype}", rule, "Scale and convert them before saving")
    inputs = network.inputs // (1 + network.on_off)
    if x.ndim < 2 or not len(x) or math.prod(x.shape[1:]) != inputs:
        rule = f"it must be at least one sample of {inputs} inputs, the samples first"
        remedy = f"Give an array of shape (samples, {inputs}), or a network with other inputs"
        raise SpecError(f"{place} has shape {x.shape}", rule, remedy)
    if network.image and x.ndim > 2:
        _check_image(place, x.shape, network.image, network.on_off)
    return np.ascontiguousarray(x.reshape(len(x), inputs))


def _check_image(
    place: str, shape: tuple[int, ...], image: tuple[int, int, int], on_off: bool
) -> None:
    """Raise :class:`SpecError` if images have the right size, and their axes another order."""
    height, width, channels = image[0], image[1], image[2] // (1 + on_off)
    # Images of one channel go without its axis too.
    if shape[1:] in ((height, width, channels), (height, width, channels)[: 2 + (channels > 1)]):
        return
    rule = f"images of this network are {height} x {width} x {channels}, or flat in that order"
    remedy = f"Give an array of shape (samples, {height}, {width}, {channels})"
    if shape[1:] == (channels, height, width):
        remedy = "Put the channels last: x.transpose(0, 2, 3, 1)"
    raise SpecError(f"{place} has shape {shape}", rule, remedy)


def _check_finite(place: str, values: NDArray[np.generic], rule: str) -> None:
    """Raise :class:`SpecError`, saying that rule, for what is not a number at all."""
    if values.dtype.kind in "fc" and not (finite := np.isfinite(values)).all():
        remedy = "Leave out what was not measured"
        raise SpecError(f"{place} holds {values[~finite][0]}", rule, remedy)


def _labels(place: str, y: NDArray[np.generic], classes: int) -> NDArray[np.uint8]:
    if y.dtype.kind not in "iu" or y.ndim != 1:
        rule = "labels are one integer for each sample"
        _check_finite(place, y, rule)
        value = f"{place} is {y.dtype} of shape {y.shape}"
        raise SpecError(value, rule, "Give an array of integers of shape (samples,)")
    for extreme in (y.min(), y.max()) if len(y) else ():
        if not 0 <= int(extreme) < classes:
            rule = f"labels of a network of {classes} classes are 0 to {classes - 1}"
            remedy = "Number them from 0, or describe a network with more classes"
            raise SpecError(f"{place} holds {extreme}", rule, remedy)
    return y.astype(np.uint8)


def on_off_channels(samples: Samples, image: tuple[int, int, int]) -> NDArray[np.uint8]:
    """Twice the distance of each channel from its mean over an image: above it, then below it.

    A common brightness, which would drown all else in a layer's first updates, is gone, and half of
    the result is 0.

    Parameters
    ----------
    samples
        Shape ``[n, height * width * channels / 2]``.
    image
        Height, width and channels of the result, shape ``[n, height * width * channels]``.
    """
    height, width, channels = image
    images = samples.reshape(-1, height, width, channels // 2).astype(np.int16)
    pixels = height * width
    means = (2 * images.sum(axis=(1, 2), keepdims=True) + pixels) // (2 * pixels)
    distances = 2 * (images - means.astype(np.int16))
    both = np.concatenate([distances, -distances], axis=-1)
    return both.clip(0, 255).astype(np.uint8).reshape(len(samples), -1)
