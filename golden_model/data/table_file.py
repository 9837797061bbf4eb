"""Tables of samples as .csv files: a line of names, then a line for each sample."""

import csv
import itertools
import math
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import click
import numpy as np
from numpy.typing import NDArray

from golden_model.files import check_regular, check_size, reading
from golden_model.spec.errors import SpecError, nearest

LABEL_NAMES = frozenset(("label", "labels", "class", "target", "species", "category", "y"))
"""Of the column of labels, where nobody names it."""
PART_NAMES = frozenset(("split", "part"))
"""Of a column that says "train" or "test"."""
PARTS = ("train", "test")
DELIMITERS = ",;\t"
NO_LABEL = frozenset(("", "nan"))
UNMEASURED = frozenset(
    ("", "?", "-", "na", "n/a", "nan", "null", "none", "inf", "-inf", "infinity")
)
BYTES = np.iinfo(np.uint8).max
TEXT = "it is no table of UTF-8 text"


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """What a .csv file holds.

    Members
    -------
    features
        Shape ``[n, columns]``: uint8 if all of them are whole numbers of 0 to 255, else float64.
    columns
        Their names.
    labels
        Their text, shape ``[n]``; None without such a column.
    parts
        Of each sample, ``train`` or ``test``, shape ``[n]``; None without such a column.
    """

    features: NDArray[np.uint8] | NDArray[np.float64]
    columns: tuple[str, ...]
    labels: NDArray[np.str_] | None
    parts: NDArray[np.str_] | None


def read_table(path: Path, label: str | None = None, features: int | None = None) -> Table:
    """Read a .csv file of comma, semicolon or tab.

    Parameters
    ----------
    label
        Name of the column of labels. Without it, the one with a name of LABEL_NAMES or else the
        last one.
    features
        How many the samples have, if some of them may come without a label: a table with no more
        columns has none.

    Raises
    ------
    SpecError
        If the file cannot be read; the first line holds no names, or is all there is; a feature,
        whose line and column are told, is no number or was not measured; or it is not clear which
        column is the label.
    """
    check_regular(path, "Name a .csv file")
    with reading(path, TEXT, "Name a .csv file, saved in UTF-8"):
        check_size(path, path.stat().st_size)
        with path.open(encoding="utf-8-sig", newline="") as file:
            first = file.readline()
            file.seek(0)
            rows = csv.reader(file, delimiter=max(DELIMITERS, key=first.count), strict=True)
            names = [name.strip() for name in next(rows, [])]
            _check_names(path, names)
            roles = _Roles.of(path, names, label, features)
            try:
                table = _read_rows(path, rows, names, roles)
            except csv.Error as error:
                value = f"line {rows.line_num} of {str(path)!r}"
                remedy = "See whether a quotation mark in a line before is not closed"
                raise SpecError(value, f"the table breaks off there ({error})", remedy) from error
    if roles.label is None:
        _note_features(path, table.columns)
    return table


@dataclass(frozen=True, slots=True, kw_only=True)
class _Roles:
    """Numbers of the columns: of features, and of the label and the part if there are such."""

    features: tuple[int, ...]
    label: int | None
    part: int | None

    @classmethod
    def of(
        cls, path: Path, names: Sequence[str], label: str | None, features: int | None
    ) -> "_Roles":
        parts = [n for n, name in enumerate(names) if name.casefold() in PART_NAMES]
        part = parts[0] if parts else None
        left = [n for n in range(len(names)) if n != part]
        if label is not None or len(left) != features:
            labelled = _label_column(path, names, left, label)
            left.remove(labelled)
        else:
            labelled = None
        if not left:
            value = f"{str(path)!r} has the column {names[0]!r} alone"
            rule = "a sample has features and a label, with ',', ';' or a tab between"
            raise SpecError(value, rule, "Save it with one of them")
        return cls(features=tuple(left), label=labelled, part=part)


def _note_features(path: Path, columns: Sequence[str]) -> None:
    """Tell which feature would be the label if there were one more: one may be missing."""
    for name in (name for name in columns if name.casefold() in LABEL_NAMES):
        text = f"Note: column {name!r} of {str(path)!r} is read as a feature"
        many = len(columns)
        click.echo(f"{text}: the network has {many}, and the file no more columns.", err=True)


def _label_column(path: Path, names: Sequence[str], left: list[int], label: str | None) -> int:
    if label is not None:
        if label not in names:
            rule = "the file has no such column"
            raise SpecError(f"--label {label!r} for {str(path)!r}", rule, nearest(label, names))
        return names.index(label)
    found = [n for n in left if names[n].casefold() in LABEL_NAMES]
    if len(found) > 1:
        value = f"{str(path)!r} has the columns {names[found[0]]!r} and {names[found[1]]!r}"
        raise SpecError(
            value, "either may be the label", "Name it by --label, and leave out others"
        )
    return found[0] if found else left[-1]


def _check_names(path: Path, names: list[str]) -> None:
    """Raise :class:`SpecError` unless the first line names columns, each by a name of its own."""
    place, remedy = f"the first line of {str(path)!r}", "Begin with a line such as a,b,label"
    if not names:
        raise SpecError(place, "it is empty, and should name the columns", remedy)
    numbers = [number for number in map(_number, names) if number is not None]
    # Columns may be counted, as pandas does where they have no names.
    counted = all(after > before for before, after in itertools.pairwise(numbers))
    if len(numbers) == len(names) or (len(numbers) == len(names) - 1 > 1 and not counted):
        raise SpecError(place, "it holds numbers, and should name the columns", remedy)
    for number, name in enumerate(names):
        if not name:
            remedy = "Name it, or leave it out (pandas writes row numbers without index=False)"
            raise SpecError(f"column {number + 1} of {str(path)!r}", "it has no name", remedy)
        if name in names[:number]:
            value = f"two columns of {str(path)!r} are named {name!r}"
            raise SpecError(value, "each column has a name of its own", "Name one otherwise")


def _read_rows(path: Path, rows: Iterator[list[str]], names: list[str], roles: _Roles) -> Table:
    values, labels, parts = array("d"), list[str](), list[str]()
    for row in rows:
        line = rows.line_num  # type: ignore[attr-defined]  # of csv.reader, whose type is private
        if not row:
            continue
        if len(row) != len(names):
            value = f"line {line} of {str(path)!r} has {len(row)} values"
            raise SpecError(value, f"the first line names {len(names)} columns", "Correct it")
        for n in roles.features:
            if (number := _number(row[n])) is None:
                raise _wrong_cell(f"line {line} of {str(path)!r}, column {names[n]!r}", row[n])
            values.append(number)
        if roles.label is not None:
            labels.append(_filled(path, line, names[roles.label], row[roles.label]))
        if roles.part is not None:
            parts.append(_part(path, line, row[roles.part]))
    if not values:
        remedy = "Write a line for each sample below it"
        raise SpecError(f"{str(path)!r} has no samples", "the first line only names", remedy)
    check_size(path, values.itemsize * len(values))
    features = np.array(values).reshape(-1, len(roles.features))
    small = bool(((features >= 0) & (features <= BYTES) & (features == np.floor(features))).all())
    return Table(
        features=features.astype(np.uint8) if small else features,
        columns=tuple(names[n] for n in roles.features),
        labels=None if roles.label is None else np.array(labels, np.str_),
        parts=None if roles.part is None else np.array(parts, np.str_),
    )


def _number(text: str) -> float | None:
    """A cell as a finite number, or None."""
    try:
        number = float(text)
    except ValueError:
        return None
    # Python also reads 1_000.
    return number if math.isfinite(number) and "_" not in text else None


def _filled(path: Path, line: int, column: str, text: str) -> str:
    if text.strip().casefold() in NO_LABEL:
        value = f"line {line} of {str(path)!r}, column {column!r}: {text!r}"
        raise SpecError(value, "each sample has a label", "Leave the line out")
    return text.strip()


def _part(path: Path, line: int, text: str) -> str:
    part = text.strip().casefold()
    if part not in PARTS:
        value = f"line {line} of {str(path)!r} is of the part {text!r}"
        raise SpecError(value, "a sample is for train or test", "Correct it, or drop the column")
    return part


def _wrong_cell(place: str, text: str) -> SpecError:
    if text.strip().casefold() in UNMEASURED:
        rule, remedy = "it was not measured", "Write what is usual there, or leave the line out"
    elif _number(text.replace(",", ".")) is not None:
        rule, remedy = "numbers have a decimal point", "Write it with one, as in 3.5"
    else:
        rule = "features are numbers"
        remedy = "Write a number for it, leave the column out, or name the label by --label"
    return SpecError(f"{place}: {text!r}", rule, remedy)
