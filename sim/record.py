"""What training on some samples came to, from whichever engine; two records are compared here."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from golden_model.engine import GoldenEngine
from golden_model.spec.control import Counter
from golden_model.spec.formats import FormattedNetwork, LayerFormat
from golden_model.spec.learner import Learner, Result, Sample, Samples

Integers = NDArray[np.int64]
CHUNK, CHUNK_OF_IMAGES = 25, 5
"""Samples between two signs of progress; those that go through convolutions take longer."""
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
        For each layer, what its units were changed by: d, shape ``[samples, units]``; of a
        convolution for each window's winner, ``[samples, outputs]``.
    winners
        For each convolution the place of that winner, same shape; it means nothing where d is 0.
        Of other layers, where nothing wins, ``[samples, 0]``.
    weights
        For each layer, in the end, shape ``[units, inputs + 1]``.
    counters
        Shape ``[layers, counters]``, in the order of `Counter`.
    """

    predicted: Integers
    scores: Integers
    gradients: tuple[Integers, ...]
    winners: tuple[Integers, ...]
    weights: tuple[Integers, ...]
    counters: Integers

    @property
    def values(self) -> int:
        """How many numbers it holds, winners that mean something among them."""
        arrays = (self.predicted, self.scores, *self.gradients, *self.weights, self.counters)
        pairs = zip(self.gradients, self.winners, strict=True)
        winners = sum(int(np.count_nonzero(d)) for d, places in pairs if places.size)
        return winners + sum(array.size for array in arrays)


class TracedLearner(Learner, Protocol):
    """A learner that also tells what it changed."""

    def gradients(self) -> list[Integers]:
        """For each layer d of every sample since the last reset, as in `Record`."""

    def winners(self) -> list[Integers]:
        """For each layer the winners of every sample since the last reset, as in `Record`."""


class TracedGolden(GoldenEngine):
    """The golden engine, keeping gradients and winners of every sample."""

    def __init__(self, formats: FormattedNetwork) -> None:
        super().__init__(formats)
        self._kept: list[list[tuple[Integers, Integers]]] = [[] for _ in formats.layers]

    def send(self, sample: Sample, label: int | None = None) -> None:
        """Answer a sample and, with a label, learn it."""
        super().send(sample, label)
        for kept, trace in zip(self._kept, self.traces(), strict=True):
            kept.append((trace.gradient, trace.winners))

    def gradients(self) -> list[Integers]:
        """For each layer d of every sample."""
        return [np.stack([gradient for gradient, _ in kept]) for kept in self._kept]

    def winners(self) -> list[Integers]:
        """For each layer the winners of every sample."""
        return [np.stack([winners for _, winners in kept]) for kept in self._kept]


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
    images = any(layer.places > 1 for layer in learner.formats.layers)
    size = CHUNK_OF_IMAGES if images else CHUNK
    for start in range(0, len(samples), size):
        chunk = slice(start, start + size)
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
        winners=tuple(learner.winners()),
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
        What differs and where: layer, unit, index; of a convolution window, filter, place.
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
    """In each sample's order: class, scores, then the layers' gradients and winners."""
    answer = formats.answer.name
    for (sample,), values in _unequal(expected.predicted, got.predicted):
        yield _difference(sample, "class", values)
    for (sample, class_), values in _unequal(expected.scores, got.scores):
        yield _difference(sample, f"{answer}, score of class {class_}", values)
    for layer in formats.layers:
        one, other = expected.gradients[layer.index], got.gradients[layer.index]
        for (sample, output), values in _unequal(one, other):
            yield _difference(sample, f"{layer.name}, gradient of {_output(layer, output)}", values)
        both = (one != 0) & (other != 0)
        won = expected.winners[layer.index], got.winners[layer.index]
        for (sample, output), values in _unequal(*won):
            if both[sample, output]:
                place = f"{layer.name}, winning place of {_output(layer, output)}"
                yield _difference(sample, place, values)


def _output(layer: LayerFormat, output: int) -> str:
    """A unit; of a convolution the filter and the window."""
    window, unit = divmod(output, layer.units)
    if layer.places == 1:
        return f"unit {unit}"
    row, column = divmod(window, layer.pooled_shape[1])
    return f"filter {unit} in window ({row}, {column})"


def _of_the_end(formats: FormattedNetwork, expected: Record, got: Record) -> Iterator[Difference]:
    for layer in formats.layers:
        pair = expected.weights[layer.index], got.weights[layer.index]
        for (unit, index), values in _unequal(*pair):
            place = f"{layer.name}, unit {unit}, weight of input {index}"
            yield _difference(None, place, values)
    for (number, counter), values in _unequal(expected.counters, got.counters):
        place = f"{formats.layers[number].name}, counter {list(Counter)[counter].name}"
        yield _difference(None, place, values)


def _difference(sample: int | None, place: str, values: tuple[int, int]) -> Difference:
    return Difference(sample=sample, place=place, expected=values[0], got=values[1])


def _unequal(
    expected: Integers, got: Integers
) -> Iterator[tuple[tuple[int, ...], tuple[int, int]]]:
    """Indices at which two arrays of one shape differ, and both values there."""
    if expected.shape != got.shape:
        raise ValueError(f"records of shapes {expected.shape} and {got.shape}")
    for index in np.argwhere(expected != got):
        place = tuple(map(int, index))
        yield place, (int(expected[place]), int(got[place]))
