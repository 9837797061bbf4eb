"""A picture of what a network gets right and wrong; it needs matplotlib."""

from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np

from golden_model.outcome import Outcome

DPI = 110
WRITTEN = 20
"""With more classes, names and counts would overlap."""


def draw(found: Outcome, title: str, file: Path) -> None:
    """The confusion matrix by shares of each class, with counts, and the accuracy of each class."""
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
        matrix.set_xticks(range(classes), found.names, rotation=45, ha="right")
        matrix.set_yticks(range(classes), found.names)
        for row, column in np.argwhere(found.confusion).tolist():
            dark = shares[row, column] > 0.5
            count = str(found.confusion[row, column])
            matrix.text(column, row, count, ha="center", va="center", color="w" if dark else "k")
    figure.suptitle(title)
    figure.savefig(file, dpi=DPI)
    plt.close(figure)
