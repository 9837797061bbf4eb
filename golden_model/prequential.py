"""A stream, each sample of which is answered and then learnt: how good the answers are meanwhile.

Streaming learning calls this prequential, or test then train. Since a learner's answer to a
labelled sample is that from before its update, one pass of samples with labels is all of it.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from golden_model.data.dataset import Stream
from golden_model.rates import Rates
from golden_model.spec.control import Register
from golden_model.spec.learner import UNKNOWN, Learner
from golden_model.training import CHUNK, check_counted, samples_counted, send_all

RECORDS = 20
"""At most so many of them are handed out before the last."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """Of the first ``n`` samples of a stream, the answers from before each was learnt.

    Members
    -------
    predicted
        Classes, shape ``[n]``; UNKNOWN where an answer was lost on the way.
    labels
        Classes, shape ``[n]``.
    fitted
        So many at the beginning are not judged; see :class:`~golden_model.data.Stream`.
    """

    predicted: NDArray[np.int64]
    labels: NDArray[np.int64]
    fitted: int = 0

    @property
    def judged(self) -> NDArray[np.bool_]:
        """Which samples count, shape ``[n]``."""
        known: NDArray[np.bool_] = self.predicted != UNKNOWN
        known[: self.fitted] = False
        return known

    @property
    def lost(self) -> int:
        """Answers that are not known, and so neither right nor wrong."""
        return int((self.predicted[self.fitted :] == UNKNOWN).sum())

    def accuracy(
        self, answers: NDArray[np.int64] | None = None, window: int | None = None
    ) -> NDArray[np.float64]:
        """After each sample, the share of the judged ones answered rightly, shape ``[n]``.

        Parameters
        ----------
        answers
            Shape ``[n]``; None for the learner's.
        window
            Only of so many samples, the last one included; None for all since the beginning. The
            share is nan where none of them is judged.
        """
        right = (self.predicted if answers is None else answers) == self.labels
        judged, rights = _sums(self.judged, window), _sums(self.judged & right, window)
        shares = np.full(len(judged), np.nan)
        np.divide(rights, judged, out=shares, where=judged > 0)
        return shares

    @property
    def most_frequent(self) -> NDArray[np.int64]:
        """What answers come of the most frequent class before each sample, the lowest on a tie."""
        counts = np.zeros(int(self.labels.max(initial=0)) + 1, np.int64)
        answers = np.full(len(self.labels), UNKNOWN, np.int64)
        for number, label in enumerate(self.labels.tolist()):
            if number:
                answers[number] = counts.argmax()
            counts[label] += 1
        return answers

    @property
    def no_change(self) -> NDArray[np.int64]:
        """What answers come of the class of the sample before."""
        return np.concatenate([[UNKNOWN], self.labels])[: len(self.labels)]


def _sums(which: NDArray[np.bool_], window: int | None) -> NDArray[np.int64]:
    """How many there are up to each place, the place included, or of the last ones there."""
    sums: NDArray[np.int64] = np.cumsum(which)
    if window is not None and window < len(sums):
        sums[window:] -= sums[:-window]
    return sums


def prequential(
    learner: Learner, stream: Stream, advance: Callable[[int], None] = lambda samples: None
) -> Iterator[Record]:
    """Have every sample answered and learnt, in the stream's order.

    All layers learn, and rates stay as they are described, since a stream has no end that they
    could be shares of. Images are sent as they are, neither mirrored nor moved.

    Parameters
    ----------
    advance
        Told of every few samples that were learnt.

    Yields
    ------
    Record
        After every :func:`spacing` samples and after the last: of all up to there.

    Raises
    ------
    Miscounted
        If in the end a layer has not counted the samples that were sent.
    """
    samples, every = len(stream.x), spacing(len(stream.x))
    labels: NDArray[np.int64] = stream.y.astype(np.int64)
    for layer in learner.formats.layers:
        learner.write_register(layer.index, Register.LEARN, 1)
    rates = Rates.of(learner.formats.network.learning, None, epoch=samples)
    counted, predicted = samples_counted(learner), np.empty(samples, np.int64)
    for part in rates.written(learner, range(samples), min(CHUNK, every)):
        results = send_all(learner, stream.x[part], stream.y[part])
        predicted[part] = [result.predicted for result in results]
        advance(len(results))
        if (end := part.stop) == samples:
            check_counted(learner, counted, samples)
        if end == samples or not end % every:
            known = predicted[:end].copy()
            yield Record(predicted=known, labels=labels[:end], fitted=stream.fitted)


def spacing(samples: int) -> int:
    """Samples between two records: the smallest 1, 2 or 5 of a power of ten that is enough."""
    power = 1
    while True:
        for step in (power, 2 * power, 5 * power):
            if samples <= RECORDS * step:
                return step
        power *= 10
