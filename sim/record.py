"""What training on some samples came to, from whichever engine; two records are compared here."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from golden_model.engine import GoldenEngine
from golden_model.spec.control import Counter
from golden_model.spec.formats import FormattedNetwork
from golden_model.spec.learner import Learner, Result, Sample, Samples

Integers = NDArray[np.int64]
CHUNK = 25
"""Samples between two signs of progress."""
Advance = Callable[[int], None]
"""Told the number of samples that are done since it was last called."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """Everything that is compared, as raw int64 arrays.

    Members
    -------
    predicted, scores
        Of each sample: the class, shape ``[samples]``; scores, shape ``[samples, classes]``.
    gradients
        For each layer, what its units were changed by: d, shape ``[samples, units]``.
    weights
        For each layer, in the end, shape ``[units, inputs + 1]``.
    counters
        Shape ``[layers, counters]``, in the order of `Counter`.
    """

    predicted: Integers
    scores: Integers
    gradients: tuple[Integers, ...]
    weights: tuple[Integers, ...]
    counters: Integers

    @property
    def values(self) -> int:
        """How many numbers it holds."""
        arrays = (self.predicted, self.scores, *self.gradients, *self.weights, self.counters)
        return sum(array.size for array in arrays)


class TracedLearner(Learner, Protocol):
    """A learner that also tells what it changed."""

    def gradients(self) -> list[Integers]:
        """For each layer d of every sample since the last reset, shape ``[samples, units]``."""


class TracedGolden(GoldenEngine):
    """The golden engine, keeping the gradients of every sample."""

    def __init__(self, formats: FormattedNetwork) -> None:
        super().__init__(formats)
        self._gradients: list[list[Integers]] = [[] for _ in formats.layers]

    def send(self, sample: Sample, label: int | None = None) -> None:
        """Answer a sample and, with a label, learn it."""
        super().send(sample, label)
        for kept, trace in zip(self._gradients, self.traces(), strict=True):
            kept.append(trace.gradient)

    def gradients(self) -> list[Integers]:
        """For each layer d of every sample, shape ``[samples, units]``."""
        return [np.stack(kept) for kept in self._gradients]


def train(
    learner: TracedLearner,
    samples: Samples,
    labels: NDArray[np.uint8] | Sequence[int | None],
    advance: Advance = lambda done: None,
) -> Record:
    """Train a fresh learner on samples, shape ``[n, inputs]``, in order, and record it.

    A sample whose label is None is only answered.
    """
    results: list[Result] = []
    for start in range(0, len(samples), CHUNK):
        chunk = slice(start, start + CHUNK)
        for sample, label in zip(samples[chunk], labels[chunk], strict=True):
            learner.send(sample, None if label is None else int(label))
        results += learner.results()
        advance(len(samples[chunk]))
    return collect(learner, results)


def collect(learner: TracedLearner, results: list[Result]) -> Record:
    """The record of a learner that has given `results` since its last reset."""
    layers = range(len(learner.formats.layers))
    # Weights first: they must be right even if they are the first thing that is asked for.
    weights = tuple(learner.read_weights(layer).astype(np.int64) for layer in layers)
    counters = [[learner.read_register(layer, number) for number in Counter] for layer in layers]
    return Record(
        predicted=np.array([result.predicted for result in results], np.int64),
        scores=np.array([result.scores for result in results], np.int64),
        gradients=tuple(learner.gradients()),
        weights=weights,
        counters=np.array(counters, np.int64),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One value that is not what it should be.

    Members
    -------
    sample
        Its number, or None for what is compared in the end.
    place
        What differs and where: layer, unit, index.
    expected, got
        The golden model's value and the other.
    """

    sample: int | None
    place: str
    expected: int
    got: int

    def __str__(self) -> str:
        when = "at the end" if self.sample is None else f"sample {self.sample}"
        return f"{when}, {self.place}: expected {self.expected}, got {self.got}"


def differences(formats: FormattedNetwork, expected: Record, got: Record) -> list[Difference]:
    """All differences, those of the earliest sample first, final weights and counters last.

    Records of unequal shapes cannot be compared: `ValueError`.
    """
    by_sample = [*_of_samples(formats, expected, got)]
    by_sample.sort(key=lambda difference: difference.sample or 0)
    return [*by_sample, *_of_the_end(formats, expected, got)]


def _of_samples(formats: FormattedNetwork, expected: Record, got: Record) -> Iterator[Difference]:
    """In each sample's order: class, scores, then the layers' gradients."""
    answer = formats.answer.name
    for (sample,) in _unequal(expected.predicted, got.predicted):
        values = int(expected.predicted[sample]), int(got.predicted[sample])
        yield Difference(sample=sample, place="class", expected=values[0], got=values[1])
    pairs = [(f"{answer}, score of class", expected.scores, got.scores)]
    for layer, one, other in zip(formats.layers, expected.gradients, got.gradients, strict=True):
        pairs.append((f"{layer.name}, gradient of unit", one, other))
    for place, one, other in pairs:
        for sample, index in _unequal(one, other):
            values = int(one[sample, index]), int(other[sample, index])
            where = f"{place} {index}"
            yield Difference(sample=sample, place=where, expected=values[0], got=values[1])


def _of_the_end(formats: FormattedNetwork, expected: Record, got: Record) -> Iterator[Difference]:
    pairs = zip(formats.layers, expected.weights, got.weights, strict=True)
    for layer, one, other in pairs:
        for unit, index in _unequal(one, other):
            place = f"{layer.name}, unit {unit}, weight of input {index}"
            values = int(one[unit, index]), int(other[unit, index])
            yield Difference(sample=None, place=place, expected=values[0], got=values[1])
    for number, counter in _unequal(expected.counters, got.counters):
        place = f"{formats.layers[number].name}, counter {list(Counter)[counter].name}"
        values = int(expected.counters[number, counter]), int(got.counters[number, counter])
        yield Difference(sample=None, place=place, expected=values[0], got=values[1])


def _unequal(expected: Integers, got: Integers) -> list[tuple[int, ...]]:
    """Indices at which two arrays of one shape differ."""
    if expected.shape != got.shape:
        raise ValueError(f"records of shapes {expected.shape} and {got.shape}")
    return [tuple(map(int, index)) for index in np.argwhere(expected != got)]
