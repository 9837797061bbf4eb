"""Labels as people have them: integers from anywhere, names, one-hot rows; and a network's classes.

Classes are numbered from 0, in sorted order of the labels, unless the network names them.
"""

import reprlib
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from golden_model.spec.errors import SpecError, nearest
from golden_model.spec.network import Network

Labels = NDArray[np.int64] | NDArray[np.str_]
"""One for each sample, shape ``[n]``."""

WHOLE = 2**53
"""Beyond it, not every integer is a float64."""
SHOWN = 5
RULE = "a label is a whole number, a name, or a row with a 1 at its class"


def as_classes(
    labels: Mapping[str, NDArray[np.generic]], network: Network
) -> tuple[dict[str, NDArray[np.uint8]], tuple[str, ...]]:
    """Labels of one data set as the numbers of a network's classes, and the classes' names.

    Parameters
    ----------
    labels
        By the place to name in an error. Of each sample an integer, a whole float, a boolean or a
        text, shape ``[n]`` or ``[n, 1]``, or a row that is 1 in one place, shape ``[n, classes]``.
    network
        Its labels are the names of the classes; without them those that occur are. Integers of 0 to
        ``classes - 1`` are the classes themselves, and no names are given, unless the network's
        labels are numbers too.

    Raises
    ------
    SpecError
        If they are no labels, one is unknown to the network, or they are not as many
        as its classes.
    """
    plain = {place: plain_labels(place, found) for place, found in labels.items()}
    known = network.labels
    if _are_numbers(plain, network):
        return {place: found.astype(np.uint8) for place, found in plain.items()}, known
    names = known or _found_names(plain, network)
    numbers = {name: number for number, name in enumerate(names)}
    classes = {}
    for place, found in plain.items():
        accepted = (
            numbers | _as_they_stand(names, len(names)) if found.dtype.kind == "i" else numbers
        )
        different, which = np.unique(found, return_inverse=True)
        for label in map(str, different):
            if label not in accepted:
                rule = "the network has no class of this name"
                raise SpecError(f"label {label!r} in {place}", rule, nearest(label, names))
        codes = np.array([accepted[str(label)] for label in different], np.uint8)
        classes[place] = codes[which.reshape(found.shape)]
    return classes, names


def _are_numbers(plain: Mapping[str, Labels], network: Network) -> bool:
    """Whether the labels are numbers of classes as they stand."""
    allowed = [*_as_they_stand(network.labels, network.classes).values()]
    return all(
        found.dtype.kind == "i" and bool(np.isin(found, allowed).all()) for found in plain.values()
    )


def _as_they_stand(names: tuple[str, ...], classes: int) -> dict[str, int]:
    """Numbers of classes by their text; none where names are numbers, which may be others."""
    if any(name.lstrip("-").isdecimal() for name in names):
        return {}
    return {str(number): number for number in range(classes)}


def _found_names(plain: Mapping[str, Labels], network: Network) -> tuple[str, ...]:
    """The different labels in order, once there are as many as the network has classes."""
    names = different(plain)
    if len(names) != network.classes:
        shown = ", ".join(names[:SHOWN]) + (", ..." if len(names) > SHOWN else "")
        value = f"{' and '.join(plain)}: {len(names)} different labels ({shown})"
        rule = f"this network has {network.classes} classes"
        if all(found.dtype.kind == "i" for found in plain.values()):
            rule += f", and integers that are no names are 0 to {network.classes - 1}"
        remedy = f"Write classes = {len(names)}, or name every class: labels = [...]"
        raise SpecError(value, rule, remedy)
    return names


def different(plain: Mapping[str, Labels]) -> tuple[str, ...]:
    """The different labels in order: of numbers if all are, else of their text."""
    parts = list(plain.values())
    mixed = len({found.dtype.kind for found in parts}) > 1
    together = np.concatenate([found.astype(np.str_) if mixed else found for found in parts])
    return tuple(map(str, np.unique(together)))


def plain_labels(place: str, labels: NDArray[np.generic]) -> Labels:
    """Labels of any kind as integers or texts of shape ``[n]``; texts of integers as integers.

    Raises
    ------
    SpecError
        If they are nothing of that kind.
    """
    y = labels
    if y.ndim == 2 and y.shape[1] == 1:
        y = y[:, 0]
    if y.dtype.kind == "S":
        y = y.astype(np.str_)
    if y.dtype.kind == "U":
        y = _numbers_in(y)
    if y.ndim not in (1, 2) or y.dtype.kind not in "biufU" or (y.ndim == 2 and y.dtype.kind == "U"):
        value = f"{place} is {y.dtype} of shape {y.shape}"
        raise SpecError(value, RULE, "Give an array of integers or names of shape (samples,)")
    if y.dtype.kind in "fu":
        wrong = np.argwhere(~_whole(y))
        if len(wrong):
            row = tuple(wrong[0].tolist())
            value = f"{place}[{', '.join(map(str, row))}] is {y[row]}"
            raise SpecError(value, RULE, "Leave out what has no label, and number classes from 0")
    if y.ndim == 2:
        return _from_one_hot(place, y)
    return y if y.dtype.kind == "U" else y.astype(np.int64)  # type: ignore[return-value]


def _numbers_in(texts: NDArray[np.generic]) -> NDArray[np.generic]:
    """Texts as numbers if every one of them is that of a whole one."""
    try:
        numbers = texts.astype(np.float64)
    except ValueError:
        return texts
    return numbers if _whole(numbers).all() else texts


def _whole(numbers: NDArray[np.generic]) -> NDArray[np.bool_]:
    values: NDArray[np.float64] = numbers.astype(np.float64)
    return np.asarray((np.abs(values) <= WHOLE) & (values == np.floor(values)))


def _from_one_hot(place: str, rows: NDArray[np.generic]) -> NDArray[np.int64]:
    ones, zeros = rows == 1, rows == 0
    wrong = np.flatnonzero((ones.sum(axis=1) != 1) | ~(ones | zeros).all(axis=1))
    if len(wrong):
        value = f"{place}[{wrong[0]}] is {reprlib.repr(rows[wrong[0]].tolist())}"
        raise SpecError(value, RULE, "Give one label for each sample, shape (samples,)")
    return np.asarray(ones.argmax(axis=1), np.int64)
