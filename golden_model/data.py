"""Data sets: labelled samples of unsigned 8-bit inputs, split for training and test."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from golden_model.data_files import (
    KEYS,
    SVHN_FILES,
    read_idx_folder,
    read_npz,
    read_svhn_folder,
)
from golden_model.files import Arrays
from golden_model.spec.errors import SpecError, nearest
from golden_model.spec.network import Network

DIRECTORY_VARIABLE = "LOAM_DATA"
IMAGE_SETS = ("mnist", "fashion_mnist", "cifar10_half")
SHORT_NAMES = {"fashion": "fashion_mnist", "cifar10": "cifar10_half"}
"""Sets that a network's name may begin with, by less than their names."""
DIGITS_TEST = 359
"""Test images of the digits set, a fifth of its 1797."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dataset:
    """Samples of uint8, shape ``[n, inputs]``, and their labels, uint8 of shape ``[n]``."""

    name: str
    x_train: NDArray[np.uint8]
    y_train: NDArray[np.uint8]
    x_test: NDArray[np.uint8]
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
    """The last `samples` of the training set in place of the test set, for choosing settings.

    Raises
    ------
    SpecError
        If that leaves nothing to train on.
    """
    if samples >= len(data.x_train):
        rule = f"{data.name} has {len(data.x_train)} training samples, and some must be left"
        raise SpecError(f"{samples} samples for validation", rule, "Hold fewer of them out")
    return Dataset(
        name=f"{data.name}, validation",
        x_train=data.x_train[:-samples],
        y_train=data.y_train[:-samples],
        x_test=data.x_train[-samples:],
        y_test=data.y_train[-samples:],
    )


def random_data(network: Network, train: int = 2000, test: int = 500) -> Arrays:
    """Samples and labels without sense, drawn from the network's seed.

    Half of the inputs are 0 and an eighth 255, for the sake of what is special about them.
    """
    random = np.random.RandomState(network.seed)
    shape = (train + test, network.inputs)
    x = random.randint(0, 256, shape).astype(np.uint8)
    kind = random.randint(0, 8, shape)
    x[kind < 4] = 0
    x[kind == 4] = 255
    y = random.randint(0, network.classes, train + test)
    return {"x_train": x[:train], "y_train": y[:train], "x_test": x[train:], "y_test": y[train:]}


def _digits(network: Network, directory: Path | None) -> Arrays:
    # Imported here because it takes a second.
    from sklearn.datasets import load_digits  # noqa: PLC0415

    images, y = load_digits(return_X_y=True)
    x = ((images * 255 + 8) // 16).astype(np.uint8)
    # The order is by writer. RandomState's streams, unlike Generator's, are the same for ever.
    order = np.random.RandomState(0).permutation(len(x))
    test, train = order[:DIGITS_TEST], order[DIGITS_TEST:]
    return {"x_train": x[train], "y_train": y[train], "x_test": x[test], "y_test": y[test]}


def _random(network: Network, directory: Path | None) -> Arrays:
    return random_data(network)


def _image_set(name: str) -> Callable[[Network, Path | None], Arrays]:
    """A loader that looks for the files of one of the MNIST-like sets."""

    def load(network: Network, directory: Path | None) -> Arrays:
        remedy = (
            f"Put {name}.npz (with {', '.join(KEYS)}) there, or train-images-idx3-ubyte, "
            "train-labels-idx1-ubyte, t10k-images-idx3-ubyte and t10k-labels-idx1-ubyte, each "
            f"plain or .gz, there or in its subdirectory {name}"
        )
        directory = _directory(name, directory, remedy)
        if (directory / f"{name}.npz").is_file():
            return read_npz(directory / f"{name}.npz")
        for folder in (directory / name, directory):
            if (arrays := read_idx_folder(folder)) is not None:
                return arrays
        raise SpecError(f"data {name!r}", f"{str(directory)!r} does not hold it", remedy)

    return load


def _svhn(network: Network, directory: Path | None) -> Arrays:
    remedy = f"Put {' and '.join(SVHN_FILES.values())} there, or in its subdirectory svhn"
    directory = _directory("svhn", directory, remedy)
    for folder in (directory / "svhn", directory):
        if (arrays := read_svhn_folder(folder)) is not None:
            return arrays
    raise SpecError("data 'svhn'", f"{str(directory)!r} does not hold it", remedy)


def _directory(name: str, directory: Path | None, remedy: str) -> Path:
    """The directory given, or that of the environment variable."""
    if directory is not None:
        return directory
    if not os.environ.get(DIRECTORY_VARIABLE):
        rule = "it is read from a directory, and none is named"
        name_it = f"Name one by {DIRECTORY_VARIABLE} or --data-dir. {remedy}"
        raise SpecError(f"data {name!r}", rule, name_it)
    return Path(os.environ[DIRECTORY_VARIABLE])


LOADERS: dict[str, Callable[[Network, Path | None], Arrays]] = {
    "digits": _digits,
    "random": _random,
    "svhn": _svhn,
    **{name: _image_set(name) for name in IMAGE_SETS},
}
"""What ``--data`` may name."""


def _fitting(name: str, arrays: Arrays, network: Network) -> Dataset:
    """The arrays as a Dataset, once each has been found to fit `network` and its partner."""
    fitted = {}
    for part in ("train", "test"):
        x, y = arrays[f"x_{part}"], arrays[f"y_{part}"]
        samples = _samples(f"{name}: x_{part}", x, network.inputs // (1 + network.on_off))
        if network.on_off and network.image:
            samples = on_off_channels(samples, network.image)
        fitted[f"x_{part}"] = samples
        fitted[f"y_{part}"] = _labels(f"{name}: y_{part}", y, network.classes)
        if len(x) != len(y):
            value = f"{name}: x_{part} holds {len(x)} samples, y_{part} {len(y)} labels"
            raise SpecError(value, "each sample has one label", "Make them equally long")
    return Dataset(name=name, **fitted)


def _samples(place: str, x: NDArray[np.generic], inputs: int) -> NDArray[np.uint8]:
    if x.dtype != np.uint8:
        rule = "samples are unsigned 8-bit integers (uint8), 0 to 255"
        raise SpecError(f"{place} is {x.dtype}", rule, "Scale and convert them before saving")
    if x.ndim < 2 or not len(x) or x[0].size != inputs:
        rule = f"it must be at least one sample of {inputs} inputs, the samples first"
        remedy = f"Give an array of shape (samples, {inputs}), or a network with other inputs"
        raise SpecError(f"{place} has shape {x.shape}", rule, remedy)
    return np.ascontiguousarray(x.reshape(len(x), inputs))


def _labels(place: str, y: NDArray[np.generic], classes: int) -> NDArray[np.uint8]:
    if y.dtype.kind not in "iu" or y.ndim != 1:
        rule = "labels are one integer for each sample"
        value = f"{place} is {y.dtype} of shape {y.shape}"
        raise SpecError(value, rule, "Give an array of integers of shape (samples,)")
    for extreme in (y.min(), y.max()) if len(y) else ():
        if not 0 <= int(extreme) < classes:
            rule = f"labels of a network of {classes} classes are 0 to {classes - 1}"
            remedy = "Number them from 0, or describe a network with more classes"
            raise SpecError(f"{place} holds {extreme}", rule, remedy)
    return y.astype(np.uint8)


def on_off_channels(samples: NDArray[np.uint8], image: tuple[int, int, int]) -> NDArray[np.uint8]:
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
