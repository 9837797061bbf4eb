"""A brief training on a part of the data held out: which of two descriptions learns the better."""

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from golden_model.data.dataset import Dataset, stratified
from golden_model.engine import fastest
from golden_model.spec.formats import infer_formats
from golden_model.spec.network import Network
from golden_model.training import train

HELD_SHARE = 5
"""One training sample in so many is held out ..."""
HELD_MOST = 1000
"""... but no more than that; with fewer, other ones are held out in further rounds ..."""
ROUNDS_MOST = 5
"""... up to so many."""
LEARNT = 5000
"""Samples of one round's training ..."""
EPOCHS_MOST = 100
"""... but no more epochs of a few samples."""


def trial(
    network: Network,
    data: Dataset,
    advance: Callable[[float], None] = lambda share: None,
) -> float:
    """Share of samples held out that the network gets right after a brief training.

    Two descriptions of one network are tried on the same samples in the same order.

    Parameters
    ----------
    data
        Only its training part is looked at.
    advance
        Told of every share of the work that is done.
    """
    held = min(max(1, len(data.x_train) // HELD_SHARE), HELD_MOST)
    rounds = min(ROUNDS_MOST, math.ceil(HELD_MOST / held))
    right = []
    for number in range(rounds):
        part = _cut(stratified(data, held, network.seed + number))
        engine = fastest(infer_formats(network))
        epochs = min(max(1, LEARNT // len(part.x_train)), EPOCHS_MOST)
        work = rounds * epochs * len(part.x_train)
        *_, last = train(engine, part, epochs=epochs, advance=_shares(advance, work))
        right.append(last.accuracy[engine.formats.answer.name])
    return float(np.mean(right))


def _cut(data: Dataset) -> Dataset:
    """So many training samples that no epoch is longer than the trial."""
    if len(data.x_train) <= LEARNT:
        return data
    chosen = stratified(data, LEARNT, 0)
    return replace(data, x_train=chosen.x_test, y_train=chosen.y_test)


def _shares(advance: Callable[[float], None], work: int) -> Callable[[int], None]:
    return lambda samples: advance(samples / work)
