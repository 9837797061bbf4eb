"""Pictures of what a network gets right and wrong; they need matplotlib."""

import io
import warnings

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from golden_model.outcome import Outcome
from golden_model.prequential import Record

DPI = 110
WRITTEN = 20
"""With more classes, names and counts would overlap."""
LONGEST = 20
"""Characters of a name; longer ones would leave the matrix no room."""
PLAIN = matplotlib.rc_context({"text.parse_math": False})
"""Names are anybody's: a dollar begins no formula."""


@PLAIN
def draw(found: Outcome, title: str) -> bytes:
    """A .png of the confusion matrix by shares of each class, with counts, and each accuracy."""
    classes = len(found.names)
    side = min(12.0, 3.5 + 0.42 * classes)
    figure, (matrix, bars) = plt.subplots(
        1, 2, figsize=(side + 3.5, side), layout="constrained", width_ratios=[side, 3], sharey=True
    )
    counts = found.confusion.sum(axis=1, keepdims=True)
    shares = found.confusion / np.maximum(counts, 1)
    matrix.imshow(shares, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    bars.barh(range(classes), [100 * (share or 0) for share in found.by_class], color="C0")
    bars.axvline(100 * found.accuracy, color="C1")
    bars.set(xlabel=f"answered rightly, %\nof all: {found.accuracy:.1%}, the line", xlim=(0, 100))
    matrix.set(xlabel="answer", ylabel="label")
    if classes <= WRITTEN:
        names = [_shortened(name) for name in found.names]
        matrix.set_xticks(range(classes), names, rotation=45, ha="right")
        matrix.set_yticks(range(classes), names)
        for row, column in np.argwhere(found.confusion).tolist():
            dark = shares[row, column] > 0.5
            count = str(found.confusion[row, column])
            matrix.text(column, row, count, ha="center", va="center", color="w" if dark else "k")
    figure.suptitle(title)
    return _png(figure)


@PLAIN
def draw_stream(record: Record, window: int, title: str) -> bytes:
    """A .png of the accuracy at each sample of a stream: of the last `window`, and since its start.

    Beside the network's answers, those of the two that learn nothing but classes.
    """
    figure, axes = plt.subplots(figsize=(8, 4.5), layout="constrained")
    numbers = np.arange(1, len(record.labels) + 1)
    for curve, name, style in (
        (record.accuracy(window=window), f"of the last {window}", {"color": "C0", "alpha": 0.6}),
        (record.accuracy(), "since the start", {"color": "C1"}),
        (record.accuracy(record.most_frequent), "most frequent class", {"color": "0.4", "ls": ":"}),
        (record.accuracy(record.no_change), "class before", {"color": "0.6", "ls": "--"}),
    ):
        axes.plot(numbers, 100 * curve, label=name, **style)
    axes.set(xlabel="sample", ylabel="answered rightly, %", ylim=(0, 100))
    axes.set_title(title)
    axes.set_xlim(1, max(2, len(numbers)))
    axes.legend(loc="best")
    return _png(figure)


def _shortened(name: str) -> str:
    return name if len(name) <= LONGEST else f"{name[: LONGEST - 1]}…"


def _png(figure: Figure) -> bytes:
    content = io.BytesIO()
    with warnings.catch_warnings():
        # Where no font has a sign there is a box in its place.
        warnings.filterwarnings("ignore", "Glyph .* missing from font")
        figure.savefig(content, format="png", dpi=DPI)
    plt.close(figure)
    return content.getvalue()
