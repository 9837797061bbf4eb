"""Which samples of a set are held out, by seed and by the classes' shares."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from golden_model.spec.errors import SpecError

VALIDATION = 2**32 - 1
"""Names a draw for validation beside those of epochs, which count from 0."""
TEST = 2**32 - 2
"""Names the draw of test samples where a file does not say which they are."""
TEST_SHARE = 5
"""One sample in so many is for test then."""


def shares(y: NDArray[np.uint8], samples: int) -> NDArray[np.int64]:
    """How many of `samples` each class that occurs gives; see `data.dataset.stratified`."""
    counts = np.unique(y, return_counts=True)[1]
    given, remainders = np.divmod(counts * samples, len(y))
    largest = np.argsort(-remainders, kind="stable")
    given[largest[: samples - given.sum()]] += 1
    return given


def drawn(y: NDArray[np.uint8], shares: NDArray[np.int64], key: Sequence[int]) -> NDArray[np.bool_]:
    """Which samples are the first ones of their class in a permutation, as many as its share."""
    order = np.random.RandomState(key).permutation(len(y))
    held = np.zeros(len(y), np.bool_)
    for label, share in zip(np.unique(y), shares, strict=True):
        held[order[y[order] == label][:share]] = True
    return held


def test_drawn(name: str, y: NDArray[np.uint8], seed: int) -> NDArray[np.bool_]:
    """Which samples are for test: a share of every class, but never all of one."""
    counts = np.unique(y, return_counts=True)[1]
    given = np.minimum(shares(y, max(1, len(y) // TEST_SHARE)), counts - 1)
    if not given.any():
        value = f"{name} has {len(y)} samples of {len(counts)} classes"
        rule = "a sample of each class is for training, and some are for test"
        raise SpecError(value, rule, "Record more, or see whether the labels are classes")
    return drawn(y, given, [seed, TEST])
