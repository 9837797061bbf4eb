"""The training loop: drives any learner, golden engine, simulated chip or board alike."""

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol, TypedDict, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from golden_model.data.dataset import Dataset
from golden_model.data.variation import Variation
from golden_model.engine import GoldenEngine
from golden_model.evaluation import Evaluation
from golden_model.rates import Rates
from golden_model.spec.control import COUNTER_MASK, Counter, Register
from golden_model.spec.errors import SpecError
from golden_model.spec.formats import FormattedNetwork, LayerFormat
from golden_model.spec.learner import Learner, Miscounted, Result, Samples
from golden_model.spec.network import Network
from golden_model.symptoms import Symptom, symptoms

CHUNK = 100
"""Samples between two looks at a learner's results."""
ALL = "all"
"""The stage in which all layers learn."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reached:
    """How far a training has come.

    Members
    -------
    stage
        The layer that was learning last, or ``all``.
    epoch
        The last one's number, from 1: within its stage, of ``all`` among all.
    seen
        Epochs that the weights have seen in all stages.
    """

    stage: str = ALL
    epoch: int = 0
    seen: int = 0


UNTRAINED = Reached()


@dataclass(frozen=True, slots=True, kw_only=True)
class EpochReport(Reached):
    """What an epoch came to; shares are 0 to 1.

    Members
    -------
    samples
        Training samples sent.
    accuracy
        By layer: share of the test set that its own scores get right after the epoch. The last
        layer's are the network's answer.
    unchanged
        By layer: share of the training samples that changed none of its weights, since their
        error was all 0 or the layer frozen.
    unchanged_everywhere
        Share of the training samples that changed no weight at all; None from learners that
        count by layer only.
    seconds
        Time that training took, the evaluation left out.
    symptoms
        What is wrong with the layers that were learning.
    """

    stage: str
    epoch: int
    samples: int
    accuracy: dict[str, float]
    unchanged: dict[str, float]
    unchanged_everywhere: float | None
    seconds: float
    symptoms: tuple[Symptom, ...]


class Unchanged(TypedDict):
    """The two shares of an :class:`EpochReport` that come from counters."""

    unchanged: dict[str, float]
    unchanged_everywhere: float | None


@runtime_checkable
class CountsChanged(Protocol):
    """A learner that counts samples whose error was not all 0 in at least one learning layer."""

    changed: int


def train(
    learner: Learner,
    data: Dataset,
    *,
    epochs: int,
    reached: Reached = UNTRAINED,
    layer_by_layer: bool = False,
    advance: Callable[[int], None] = lambda samples: None,
) -> Iterator[EpochReport]:
    """Train for some epochs, reporting after each.

    Parameters
    ----------
    epochs
        How many more; if `layer_by_layer` as many for each layer, those before included.
    reached
        What the weights have seen before: shuffling, rates and stages go on from there, as the end
        of one run of all these epochs.
    layer_by_layer
        Train one layer at a time from the lowest, all others frozen, each in a run of its own;
        else all at once.
    advance
        Told of every few samples that were learnt.

    Raises
    ------
    Miscounted
        If after an epoch a layer has not counted the samples that were sent.
    """
    network, layers, seen = learner.formats.network, learner.formats.layers, reached.seen
    samples = len(data.x_train)
    for stage, numbers in stages_left(learner.formats, epochs, reached, layer_by_layer):
        learning = [layer for layer in layers if stage in (ALL, layer.name)]
        for layer in layers:
            learner.write_register(layer.index, Register.LEARN, int(layer in learning))
        rates = Rates.of(network.learning, samples * (numbers.stop - 1), epoch=samples)
        for epoch in numbers:
            before, start = _updates(learner), time.perf_counter()
            order = shuffled(learner.formats, samples, seen)
            variation = Variation.of_epoch(network, samples, seen)
            counted = samples_counted(learner)
            parts = rates.written(learner, range(samples * (epoch - 1), samples * epoch), CHUNK)
            _one_epoch(learner, data, order, variation, parts, advance)
            check_counted(learner, counted, samples)
            seconds = time.perf_counter() - start
            seen += 1
            unchanged, found = _unchanged(learner, samples, before), Evaluation.of(learner, data)
            yield EpochReport(
                stage=stage,
                epoch=epoch,
                seen=seen,
                samples=samples,
                seconds=seconds,
                accuracy=_by_layer(layers, found.accuracy),
                symptoms=symptoms(learning, epoch, samples, unchanged["unchanged"], found),
                **unchanged,
            )


def epochs_due(
    network: Network, asked: int | None, reached: Reached, layer_by_layer: bool, usual: int
) -> int:
    """The number of epochs for :func:`train`: as `asked`, else as the description says.

    Of a description's epochs those are due that weights have not seen yet; `usual` is for one that
    says nothing.

    Raises
    ------
    SpecError
        If nothing is asked for and none of the description's is left.
    """
    described = network.learning.epochs
    if asked is not None or described is None:
        return asked or usual
    left = described if layer_by_layer else described - reached.seen
    if left < 1:
        value = f"weights that have seen {reached.seen} epochs"
        rule = f"the description says learning.epochs = {described}, and none is left"
        raise SpecError(value, rule, "Say by --epochs how many more")
    return left


def stages_left(
    formats: FormattedNetwork, epochs: int, reached: Reached, layer_by_layer: bool
) -> list[tuple[str, range]]:
    """Every stage that :func:`train` has still to go through, and its epochs' numbers.

    Raises
    ------
    SpecError
        If there is none.
    """
    if not layer_by_layer:
        return [(ALL, range(reached.seen + 1, reached.seen + epochs + 1))]
    names = [layer.name for layer in formats.layers]
    if reached.stage == ALL:
        return [(name, range(1, epochs + 1)) for name in names]
    first, *later = names[names.index(reached.stage) :]
    left = [(first, range(reached.epoch + 1, epochs + 1))]
    left += [(name, range(1, epochs + 1)) for name in later]
    if not any(numbers for _, numbers in left):
        rule = f"{first}, the last layer, has had {reached.epoch} already"
        remedy = "Allow each layer more, or go on without --layer-by-layer"
        raise SpecError(f"--epochs {epochs} --layer-by-layer", rule, remedy)
    return left


def shuffled(formats: FormattedNetwork, samples: int, epoch: int) -> NDArray[np.int64]:
    """Order of the samples in an epoch, counted from 0: a permutation drawn from seed and epoch.

    It is NumPy's RandomState, whose streams are the same in every version.
    """
    return np.random.RandomState([formats.network.seed, epoch]).permutation(samples)


def _one_epoch(
    learner: Learner,
    data: Dataset,
    order: NDArray[np.int64],
    variation: Variation | None,
    parts: Iterator[slice],
    advance: Callable[[int], None],
) -> None:
    for part in parts:
        chunk = order[part]
        samples = data.x_train[chunk]
        if variation:
            samples = variation.applied(samples, part)
        send_all(learner, samples, data.y_train[chunk])
        advance(len(chunk))


def send_all(learner: Learner, samples: Samples, labels: NDArray[np.uint8]) -> list[Result]:
    """Have samples of shape ``[n, inputs]`` learnt; each is answered before it changes a weight."""
    if isinstance(learner, GoldenEngine):
        learner.send_many(samples, labels)
    else:
        for sample, label in zip(samples, labels.tolist(), strict=True):
            learner.send(sample, label)
    return learner.results()


def _updates(learner: Learner) -> NDArray[np.int64]:
    """Samples so far that changed each layer, then, if it is counted, any layer."""
    layers = learner.formats.layers
    counts = [learner.read_register(layer.index, Counter.UPDATES) for layer in layers]
    return np.array(counts + ([learner.changed] if isinstance(learner, CountsChanged) else []))


def samples_counted(learner: Learner) -> list[int]:
    """Samples that each layer has counted since the last reset."""
    return [learner.read_register(layer.index, Counter.SAMPLES) for layer in learner.formats.layers]


def check_counted(learner: Learner, before: list[int], samples: int) -> None:
    """Raise :class:`Miscounted` unless every layer has counted the samples that were sent."""
    layers = learner.formats.layers
    for layer, start, found in zip(layers, before, samples_counted(learner), strict=True):
        if (found - start) & COUNTER_MASK != samples:
            raise Miscounted(layer.name, found, start + samples)


def _unchanged(learner: Learner, samples: int, before: NDArray[np.int64]) -> Unchanged:
    layers = learner.formats.layers
    # Counters wrap at 32 bits, and so does this difference.
    shares = 1 - ((_updates(learner) - before) & COUNTER_MASK) / samples
    everywhere = float(shares[-1]) if len(shares) > len(layers) else None
    by_layer = _by_layer(layers, shares[: len(layers)])
    return {"unchanged": by_layer, "unchanged_everywhere": everywhere}


def _by_layer(layers: tuple[LayerFormat, ...], values: Iterable[float]) -> dict[str, float]:
    return {layer.name: float(value) for layer, value in zip(layers, values, strict=True)}
