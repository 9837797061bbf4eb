"""A user's own file of samples: .npz, a pair of .npy files, or .csv."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from golden_model.data.array_files import read_npz
from golden_model.data.table_file import PARTS, Table, read_table
from golden_model.files import Arrays, read_array, read_arrays
from golden_model.spec.errors import SpecError, nearest

SUFFIXES = (".npz", ".npy", ".csv")
SAMPLES = ("x", "X")
"""How a file of samples ends; that of labels ends in y."""
REMEDY = "Name a file that numpy.save wrote"


@dataclass(frozen=True, slots=True, kw_only=True)
class RawData:
    """Samples as a file has them.

    Members
    -------
    arrays
        ``x_train``, ``y_train``, ``x_test`` and ``y_test``, or ``x`` and ``y`` of samples that are
        not split yet. Where labels are not asked for, those of ``y`` may be missing.
    columns
        Names of the features, if they have such.
    rows
        Of each sample of ``x_test``, its number in the file, from 0; None where it is its number
        in the array.
    """

    arrays: Arrays
    columns: tuple[str, ...] = ()
    rows: NDArray[np.int64] | None = None

    def in_order(self, place: str, names: tuple[str, ...]) -> Self:
        """The same with its features in the order of these names, where both are named.

        Raises
        ------
        SpecError
            Naming `place`, if they are not the same features.
        """
        if not names or not self.columns or self.columns == names:
            return self
        for name in names:
            if name not in self.columns:
                rule = "the network learnt with that column"
                raise SpecError(f"{place} has no {name!r}", rule, nearest(name, self.columns))
        for name in self.columns:
            if name not in names:
                rule = "the network has no feature of that name"
                raise SpecError(f"{place} has a column {name!r}", rule, nearest(name, names))
        order = [self.columns.index(name) for name in names]
        arrays = {
            key: array[:, order] if key.startswith("x") else array
            for key, array in self.arrays.items()
        }
        return replace(self, arrays=arrays, columns=names)


def is_own_file(name: str) -> bool:
    """Whether the text names a file of one of the three kinds."""
    return Path(name).suffix.lower() in SUFFIXES


def read_own(path: Path, label: str | None = None) -> RawData:
    """Labelled samples from a file.

    Parameters
    ----------
    path
        An .npz file of x_train, y_train, x_test, y_test, or of x, y; the x.npy of x.npy and y.npy,
        or of NAME_x.npy and NAME_y.npy; a .csv file, see :mod:`golden_model.data.table_file`.
    label
        Name of a .csv file's column of labels.

    Raises
    ------
    SpecError
        If it cannot be read, or is no such file.
    """
    match path.suffix.lower():
        case ".csv":
            return _from_table(path, read_table(path, label))
        case ".npy":
            _no_label(label)
            return RawData(arrays=_read_pair(path))
        case _:
            _no_label(label)
            return RawData(arrays=read_npz(path))


def read_samples(path: Path, label: str | None = None, features: int | None = None) -> RawData:
    """Samples with or without labels, ``x`` and perhaps ``y``: of an .npz file its test samples.

    Parameters
    ----------
    path, label
        As :func:`read_own`'s; an .npz file may also hold x alone, and x.npy need no y.npy.
    features
        Of a sample; a .csv file with no more columns has no labels.

    Raises
    ------
    SpecError
        As :func:`read_own`.
    """
    if path.suffix.lower() == ".csv":
        table = read_table(path, label, features)
        labels: Arrays = {} if table.labels is None else {"y": table.labels}
        return RawData(arrays={"x": table.features, **labels}, columns=table.columns)
    _no_label(label)
    if path.suffix.lower() == ".npy":
        return RawData(arrays=_read_pair(path, labelled=False))
    arrays = read_arrays(path, "Name a file that numpy.savez wrote")
    for x, y in (("x", "y"), ("x_test", "y_test")):
        if x in arrays:
            both = {"x": arrays[x], "y": arrays.get(y)}
            return RawData(arrays={key: found for key, found in both.items() if found is not None})
    rule = "samples of an .npz file are named x, or x_test"
    raise SpecError(f"{path} has neither", rule, "Save them with numpy.savez(file, x=...)")


def _from_table(path: Path, table: Table) -> RawData:
    assert table.labels is not None
    both: Arrays = {"x": table.features, "y": table.labels}
    if table.parts is None:
        return RawData(arrays=both, columns=table.columns)
    arrays: Arrays = {}
    for part in PARTS:
        rows = np.flatnonzero(table.parts == part)
        if not len(rows):
            value, rule = f"{str(path)!r} has no sample for {part}", "it says which are for what"
            raise SpecError(value, rule, "Name some, or leave that column out")
        arrays |= {f"{key}_{part}": values[rows] for key, values in both.items()}
    return RawData(arrays=arrays, columns=table.columns, rows=rows)


def _read_pair(path: Path, *, labelled: bool = True) -> Arrays:
    """``x`` and ``y`` of two files named alike; ``x`` alone where there need be no other."""
    stem = path.stem
    if not f"_{stem}".endswith(tuple(f"_{x}" for x in SAMPLES)):
        if not labelled:
            return {"x": read_array(path, REMEDY)}
        rule = "samples are named x.npy beside y.npy, or NAME_x.npy beside NAME_y.npy"
        raise SpecError(f"file {str(path)!r}", rule, "Rename both files")
    other = path.with_name(f"{stem[:-1]}y{path.suffix}")
    arrays = {"x": read_array(path, REMEDY)}
    if labelled or other.exists():
        arrays["y"] = read_array(other, REMEDY)
    return arrays


def _no_label(label: str | None) -> None:
    if label is not None:
        rule = "only columns of a .csv file have names"
        raise SpecError(f"--label {label!r}", rule, "Leave it out: labels are the array y")
