"""What a trained learner, golden engine or board, answers to samples without learning them."""

import csv
import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from golden_model.data.dataset import Questions
from golden_model.engine import GoldenEngine, engine_for
from golden_model.spec.learner import Learner, Samples
from golden_model.spec.network import Network
from golden_model.weight_file import read_checkpoint

CHUNK = 100
"""Samples between two looks at a learner's results."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """Of ``n`` samples.

    Members
    -------
    predicted
        Classes, shape ``[n]``.
    scores
        Raw scores of the answering layer, shape ``[n, classes]``.
    """

    predicted: NDArray[np.int64]
    scores: NDArray[np.int64]


def answers(
    learner: Learner, x: Samples, advance: Callable[[int], None] = lambda samples: None
) -> Answers:
    """Ask a learner for its answer to every sample, shape ``[n, inputs]``.

    Parameters
    ----------
    advance
        Told of every few samples that were answered.
    """
    predicted, scores = [], []
    for start in range(0, len(x), CHUNK):
        for sample in x[start : start + CHUNK]:
            learner.send(sample)
        results = learner.results()
        predicted += [result.predicted for result in results]
        scores += [result.scores for result in results]
        advance(len(results))
    return Answers(predicted=np.array(predicted, np.int64), scores=np.array(scores, np.int64))


def trained(name: str, seed: int | None, weights: Path) -> tuple[GoldenEngine, Network]:
    """The golden model with the weights of a file, and its network with their scaler and labels.

    Raises
    ------
    SpecError
        If the network or the file cannot be read, or they are not of each other.
    """
    engine = engine_for(name, seed)
    saved = read_checkpoint(weights, engine.formats)
    saved.restore(engine)
    return engine, saved.completed(engine.formats.network)


def class_names(labels: tuple[str, ...], classes: int) -> tuple[str, ...]:
    """Names of the classes: their numbers where they have no others."""
    return labels or tuple(map(str, range(classes)))


def as_csv(found: Answers, samples: Questions) -> str:
    """A table of answers: number of the sample, its class, its label if known, and all scores."""
    names = class_names(samples.labels, found.scores.shape[1])
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    known = [] if samples.y is None else ["label"]
    table.writerow(["row", "class", *known, *(f"score of {name}" for name in names)])
    table.writerows(_rows(found, samples, names))
    return text.getvalue()


def _rows(found: Answers, samples: Questions, names: tuple[str, ...]) -> Iterator[list[str | int]]:
    for row, (answer, scores) in enumerate(zip(found.predicted, found.scores, strict=True)):
        label = [] if samples.y is None else [names[samples.y[row]]]
        yield [row, names[answer], *label, *scores.tolist()]
