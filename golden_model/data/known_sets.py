"""Known data sets: where their files are looked for, and how they are told apart."""

import os
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from golden_model.data.array_files import (
    KEYS,
    SVHN_FILES,
    read_idx_folder,
    read_npz,
    read_svhn_folder,
)
from golden_model.files import Arrays
from golden_model.spec.errors import SpecError
from golden_model.spec.learner import sample_type
from golden_model.spec.network import Coding, Network

DIRECTORY_VARIABLE = "LOAM_DATA"
IMAGE_SETS = ("mnist", "fashion_mnist", "cifar10_half")
SHORT_NAMES = {"fashion": "fashion_mnist", "cifar10": "cifar10_half"}
"""Sets that a network's name may begin with, by less than their names."""
DIGITS_TEST = 359
"""Test images of the digits set, a fifth of its 1797."""
FIRST_VALUES = 784
KNOWN_VALUES = {
    0x90A92752: "mnist",  # x_train
    0x37F4B643: "mnist",  # y_train
    0x7EB3CD06: "mnist",  # x_test
    0x73EFC6E7: "mnist",  # y_test
    0xF270BEB5: "fashion_mnist",  # x_train
    0xDAE12556: "fashion_mnist",  # y_train
    0x52830860: "fashion_mnist",  # x_test
    0x62B41E5C: "fashion_mnist",  # y_test
}
"""Sets whose publishers give their files the same names: CRC-32 of the first values, which are one
image or 784 labels, and whose they are."""


def random_data(network: Network, train: int = 2000, test: int = 500) -> Arrays:
    """Samples and labels without sense, drawn from the network's seed.

    Half of the inputs are 0 and an eighth 255, for the sake of what is special about them; of
    signed ones an eighth are 127 and another one -128. With two channels one input of each pair is
    0 in any case.
    """
    random = np.random.RandomState(network.seed)
    x = _random_inputs(network, train + test, random)
    y = random.randint(0, network.classes, train + test)
    return {"x_train": x[:train], "y_train": y[:train], "x_test": x[train:], "y_test": y[train:]}


def _random_inputs(
    network: Network, samples: int, random: np.random.RandomState
) -> NDArray[np.generic]:
    shape = (samples, network.features)
    x = random.randint(0, 256, shape).astype(np.uint8).view(sample_type(network))
    kind = random.randint(0, 8, shape)
    x[kind < 4] = 0
    x[kind == 4] = np.iinfo(x.dtype).max
    if network.coding is Coding.SIGNED:
        x[kind == 5] = np.iinfo(x.dtype).min
    if network.coding is not Coding.TWO_CHANNELS:
        return x
    above = random.randint(0, 2, shape).astype(np.bool_)
    # Of a pixel, or of the whole sample, first all of the one kind, then all of the other.
    together = network.image[2] // 2 if network.image else network.features
    both = [part.reshape(samples, -1, together) for part in (x * above, x * ~above)]
    return np.concatenate(both, axis=-1).reshape(samples, -1)


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
            arrays = read_npz(directory / f"{name}.npz")
            _check_set(name, directory / f"{name}.npz", arrays, named=True)
            return arrays
        for folder in (directory / name, directory):
            if (found := read_idx_folder(folder)) is not None:
                _check_set(name, folder, found, named=name in (folder.name, folder.resolve().name))
                return found
        raise SpecError(f"data {name!r}", f"{str(directory)!r} does not hold it", remedy)

    return load


def _check_set(name: str, place: Path, arrays: Arrays, *, named: bool) -> None:
    """Raise :class:`SpecError` if an array is of another set than the one that `name` names.

    Parameters
    ----------
    named
        Whether the place has the set's name, so that content that nobody knows is taken for it.
    """
    for key in arrays:
        found = _whose(arrays[key])
        if found == name or (found is None and named):
            continue
        value = f"data {name!r}: {key} in {str(place)!r}"
        if found:
            remedy = f"Say --data {found}, or put the files of {name} there"
            raise SpecError(value, f"it is that of {found}", remedy)
        rule = "several sets have files of these names, and this is none that is known"
        raise SpecError(
            value, rule, f"If it is of {name}, move all four into {str(place / name)!r}"
        )


def _whose(array: NDArray[np.generic]) -> str | None:
    """Name of the set that some images or labels begin like; None if it is not known."""
    if array.dtype.kind not in "iu":
        return None
    first = array.reshape(-1)[:FIRST_VALUES].astype(np.uint8)
    return KNOWN_VALUES.get(zlib.crc32(first.tobytes()))


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
