"""Data sets: labelled samples as a network's inputs, split for training and test."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from golden_model.data import scaling
from golden_model.data.classes import as_classes
from golden_model.data.known_sets import LOADERS, SHORT_NAMES
from golden_model.data.own_files import RawData, is_own_file, read_own, read_samples
from golden_model.data.samples import Values, are_inputs, checked
from golden_model.data.splitting import VALIDATION, drawn, shares, test_drawn
from golden_model.spec.errors import SpecError, nearest
from golden_model.spec.learner import Samples
from golden_model.spec.network import Coding, Network
from golden_model.spec.scaler import Scaler

SHOWN = 5
FITTED = 100
"""Samples at the beginning of a stream that its scaler is fitted to, if it has none before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dataset:
    """Samples and their labels.

    Members
    -------
    x_train, x_test
        Shape ``[n, inputs]``.
    y_train, y_test
        Numbers of classes, uint8 of shape ``[n]``.
    scaler
        By which they were centred; None where they are as they were recorded.
    labels
        Names of the classes; empty where they are numbers from 0.
    rows_test
        Of each test sample, its number in the file that it was drawn from, from 0; None where it
        is that in the test set.
    """

    name: str
    x_train: Samples
    y_train: NDArray[np.uint8]
    x_test: Samples
    y_test: NDArray[np.uint8]
    scaler: Scaler | None = None
    labels: tuple[str, ...] = ()
    rows_test: NDArray[np.int64] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Questions:
    """Samples to be answered; see :class:`Dataset`. Without labels, `y` is None."""

    name: str
    x: Samples
    y: NDArray[np.uint8] | None
    labels: tuple[str, ...] = ()
    rows: NDArray[np.int64] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """Labelled samples in the order in which they come; see :class:`Dataset`.

    Members
    -------
    fitted
        So many at the beginning are what the scaler was fitted to: they had to be there before the
        first could be sent.
    """

    name: str
    x: Samples
    y: NDArray[np.uint8]
    scaler: Scaler | None = None
    labels: tuple[str, ...] = ()
    fitted: int = 0


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
    if network.features not in by_inputs:
        rule = f"no data set goes with this name or with {network.features} inputs"
        remedy = "Say --data NAME, FILE.npz or FILE.csv; --data random fits every network"
        raise SpecError(f"network {network.name!r}", rule, remedy)
    return by_inputs[network.features]


def load_data(
    name_or_file: str, network: Network, directory: Path | None = None, label: str | None = None
) -> Dataset:
    """The data set of that name, or of that file if the text ends in .npz, .npy or .csv.

    A file that does not say which samples are for test has one in five drawn for it, by the
    network's seed and from every class. Centred inputs are made by the network's scaler, or else by
    one that is fitted to the training samples; what are a network's inputs already stay so.

    Parameters
    ----------
    name_or_file
        ``digits``, ``mnist``, ``fashion_mnist``, ``cifar10_half``, ``svhn``, ``random`` or a file;
        see :mod:`golden_model.data.own_files`.
    network
        What it is for: samples must have its features, labels be among its classes.
    directory
        Where files of images are; None for the environment variable LOAM_DATA.
    label
        Name of a .csv file's column of labels.

    Raises
    ------
    SpecError
        If there is no such set or file, or its arrays do not fit the network.
    """
    return as_dataset(name_or_file, _raw(name_or_file, network, directory, label), network)


def as_dataset(name: str, raw: RawData, network: Network) -> Dataset:
    """Arrays that were read already as :func:`load_data` gives them; raises alike."""
    x, y, labels = _checked(name, raw, network)
    rows = raw.rows
    if "x" in x:
        held = test_drawn(name, y["y"], network.seed)
        rows = np.flatnonzero(held)
        x = {"x_train": x["x"][~held], "x_test": x["x"][held]}
        y = {"y_train": y["y"][~held], "y_test": y["y"][held]}
    scaler = scaling.scaler_for(x["x_train"], network, raw.columns)
    return Dataset(
        name=name,
        x_train=scaling.inputs_of(x["x_train"], network, scaler),
        x_test=scaling.inputs_of(x["x_test"], network, scaler),
        **y,
        scaler=scaler,
        labels=labels,
        rows_test=rows,
    )


def load_questions(
    name_or_file: str, network: Network, directory: Path | None = None, label: str | None = None
) -> Questions:
    """Samples to be answered, with or without labels: a file's ``x``, or a known set's test part.

    Parameters are those of :func:`load_data`. Nothing is left out, and nothing fitted.

    Raises
    ------
    SpecError
        As :func:`load_data`, and if inputs must be centred and the network has no scaler.
    """
    if is_own_file(name_or_file):
        raw = read_samples(Path(name_or_file), label, network.features)
    else:
        both = _raw(name_or_file, network, directory, label).arrays
        raw = RawData(arrays={"x": both["x_test"], "y": both["y_test"]})
    x, y, labels = _checked(name_or_file, raw, network)
    if labels and not network.labels:
        rule = "neither the network nor its weights name the classes"
        remedy = f"Write labels = [...], or labels of 0 to {network.classes - 1}"
        raise SpecError(f"{name_or_file}: labels are {', '.join(labels[:SHOWN])}", rule, remedy)
    unscaled = network.coding is not Coding.UNSIGNED and network.scaler is None
    if unscaled and not are_inputs(x["x"], network):
        rule = "inputs of this network are centred, and neither it nor its weights say how"
        remedy = "Load weights that golden_model.train saved, or write a [scaler]"
        raise SpecError(f"network {network.name!r}", rule, remedy)
    coded = scaling.inputs_of(x["x"], network, network.scaler)
    return Questions(name=name_or_file, x=coded, y=y.get("y"), labels=labels)


def load_stream(
    name_or_file: str,
    network: Network,
    directory: Path | None = None,
    label: str | None = None,
    *,
    order: Callable[[int], NDArray[np.int64]] = np.arange,
) -> Stream:
    """All samples of a file, or those for training where it says which these are, in its order.

    Centred inputs are made by the network's scaler, or else by one that is fitted to the first
    FITTED samples, since nothing is known of what is still to come.

    Parameters
    ----------
    name_or_file, network, directory, label
        As :func:`load_data`'s; of a known set, its training samples.
    order
        Numbers of so many samples in the order in which they are to come instead.

    Raises
    ------
    SpecError
        As :func:`load_data`, and if no more samples come than the scaler is fitted to.
    """
    raw = _raw(name_or_file, network, directory, label)
    x, y, labels = _checked(name_or_file, raw, network)
    part = "" if "x" in x else "_train"
    numbers = order(len(y[f"y{part}"]))
    samples = x[f"x{part}"][numbers]
    scaler = scaling.scaler_for(samples[:FITTED], network, raw.columns)
    fitted = 0 if scaler is None or network.scaler else FITTED
    if fitted and len(samples) <= fitted:
        rule = f"the first {fitted} of a stream tell how its inputs are centred, and none is left"
        remedy = "Record more, load weights that golden_model.train saved, or write a [scaler]"
        raise SpecError(f"{name_or_file}: {len(samples)} samples", rule, remedy)
    return Stream(
        name=name_or_file,
        x=scaling.inputs_of(samples, network, scaler),
        y=y[f"y{part}"][numbers],
        scaler=scaler,
        labels=labels,
        fitted=fitted,
    )


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
    return replace(
        data,
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
    _check_some_left(data, samples)
    held = drawn(data.y_train, shares(data.y_train, samples), [seed, VALIDATION])
    return replace(
        data,
        name=f"{data.name}, validation",
        x_train=data.x_train[~held],
        y_train=data.y_train[~held],
        x_test=data.x_train[held],
        y_test=data.y_train[held],
        rows_test=None,
    )


def _check_some_left(data: Dataset, samples: int) -> None:
    if samples >= len(data.x_train):
        rule = f"{data.name} has {len(data.x_train)} training samples, and some must be left"
        raise SpecError(f"{samples} samples for validation", rule, "Hold fewer of them out")


def _raw(name: str, network: Network, directory: Path | None, label: str | None) -> RawData:
    if is_own_file(name):
        return read_own(Path(name), label)
    if name not in LOADERS:
        rule = "it is neither a known data set nor an .npz, .npy or .csv file"
        raise SpecError(f"data {name!r}", rule, nearest(name, LOADERS))
    if label is not None:
        rule = "only columns of a .csv file have names"
        raise SpecError(f"--label {label!r}", rule, "Leave it out")
    return RawData(arrays=LOADERS[name](network, directory))


def _checked(
    name: str, raw: RawData, network: Network
) -> tuple[dict[str, Values], dict[str, NDArray[np.uint8]], tuple[str, ...]]:
    """Samples and classes by their key, once each has been found to fit `network` and the other."""
    if network.scaler:
        raw = raw.in_order(name, network.scaler.names)
    x = {
        key: checked(f"{name}: {key}", array, network)
        for key, array in raw.arrays.items()
        if key.startswith("x")
    }
    if len({are_inputs(samples, network) for samples in x.values()}) > 1:
        kinds = " and ".join(f"{key} {samples.dtype}" for key, samples in x.items())
        raise SpecError(f"{name}: {kinds}", "both were recorded alike", "Convert one of them")
    places = {f"{name}: {key}": key for key in raw.arrays if key.startswith("y")}
    found = {place: raw.arrays[key] for place, key in places.items()}
    classes, labels = as_classes(found, network)
    y = {places[place]: numbers for place, numbers in classes.items()}
    for key, numbers in y.items():
        other = key.replace("y", "x")
        if len(x[other]) != len(numbers):
            value = f"{name}: {other} holds {len(x[other])} samples, {key} {len(numbers)} labels"
            raise SpecError(value, "each sample has one label", "Make them equally long")
    return x, y, labels
