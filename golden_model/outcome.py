"""What a network gets right and wrong: from its answers and the labels, whoever answered."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from rich.text import Text

from golden_model.answers import Answers, class_names
from golden_model.data.dataset import Questions
from golden_model.spec.network import Network

WORST = 10
"""Mistakes that are shown."""
BESIDES = len(" samples 100.0% ")
"""Characters of a confusion matrix's line that are not it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mistake:
    """A sample that was answered wrongly.

    Members
    -------
    row
        Its number in the file, from 0.
    label, answer
        Names of its class and of what it was taken for.
    margin
        By how much the answer's score was above the label's.
    """

    row: int
    label: str
    answer: str
    margin: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """Answers beside labels.

    Members
    -------
    names
        Of the classes.
    confusion
        Samples by label, then by answer, shape ``[classes, classes]``.
    worst
        At most WORST mistakes, the largest margin first.
    """

    names: tuple[str, ...]
    confusion: NDArray[np.int64]
    worst: tuple[Mistake, ...]

    @property
    def accuracy(self) -> float:
        """Share of the samples that were answered rightly."""
        return float(np.trace(self.confusion) / self.confusion.sum())

    @property
    def by_class(self) -> list[float | None]:
        """The same for each class; None for one without samples."""
        rights, counts = np.diagonal(self.confusion), self.confusion.sum(axis=1)
        pairs = zip(rights.tolist(), counts.tolist(), strict=True)
        return [right / count if count else None for right, count in pairs]


def outcome(found: Answers, samples: Questions) -> Outcome:
    """Compare answers with the labels of samples that have some."""
    assert samples.y is not None
    classes = found.scores.shape[1]
    names = class_names(samples.labels, classes)
    confusion = np.zeros((classes, classes), np.int64)
    np.add.at(confusion, (samples.y, found.predicted), 1)
    each = np.arange(len(samples.y))
    margins = found.scores[each, found.predicted] - found.scores[each, samples.y]
    wrong = np.flatnonzero(found.predicted != samples.y)
    # Of equal margins, the first comes first.
    ordered = wrong[np.argsort(-margins[wrong], kind="stable")][:WORST]
    worst = tuple(
        Mistake(
            row=int(n if samples.rows is None else samples.rows[n]),
            label=names[samples.y[n]],
            answer=names[found.predicted[n]],
            margin=int(margins[n]),
        )
        for n in ordered
    )
    return Outcome(names=names, confusion=confusion, worst=worst)


def as_json(found: Outcome, network: Network, samples: Questions) -> str:
    """All of it, with the network and the data that it is of."""
    content = {
        "network": network.name,
        "fingerprint": f"{network.fingerprint:08x}",
        "seed": network.seed,
        "data": samples.name,
        "samples": len(samples.x),
        "accuracy": found.accuracy,
        "classes": found.names,
        "accuracy_by_class": found.by_class,
        "confusion": found.confusion.tolist(),
        "worst": [asdict(mistake) for mistake in found.worst],
    }
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"


def show(console: Console, found: Outcome, samples: Questions) -> None:
    """Print it: what each class was taken for, and the mistakes that were made most surely."""
    total = f"{len(samples.x)} samples of {samples.name}"
    console.print(
        f"{total}: {found.accuracy:.2%} answered rightly; by label and answer:", markup=False
    )
    console.print(_by_class(found, console.width))
    if found.worst:
        console.print("Most surely wrong:")
        console.print(_worst(found.worst))


def _by_class(found: Outcome, width: int) -> Table:
    """A class a line: accuracy, then what it was answered as, or if that is too wide, most often.

    Parameters
    ----------
    width
        Columns of the terminal.
    """
    digits = len(str(found.confusion.max()))
    lengths = [max(len(name), digits) for name in found.names]
    whole = max(len("class"), *lengths) + BESIDES + sum(length + 1 for length in lengths) <= width
    table = _table("class", [], ["samples", "right", *(found.names if whole else ["mistaken for"])])
    for number, (name, counts, share) in enumerate(
        zip(found.names, found.confusion, found.by_class, strict=True)
    ):
        cells = [str(n) if n else "." for n in counts]
        if not whole:
            others = np.where(np.arange(len(counts)) == number, 0, counts)
            most = int(others.argmax())
            cells = [f"{found.names[most]}: {others[most]}" if others.any() else "."]
        right = "-" if share is None else f"{share:.1%}"
        table.add_row(Text(name), str(counts.sum()), right, *map(Text, cells))
    return table


def _worst(worst: Sequence[Mistake]) -> Table:
    table = _table("row", ["label", "answer"], ["margin"])
    for mistake in worst:
        names = Text(mistake.label), Text(mistake.answer)
        table.add_row(str(mistake.row), *names, str(mistake.margin))
    return table


def _table(first: str, texts: Sequence[str], numbers: Sequence[str]) -> Table:
    table = Table(first, *texts, box=None, pad_edge=False, padding=(0, 1, 0, 0))
    for name in numbers:
        table.add_column(Text(name), justify="right")
    return table
