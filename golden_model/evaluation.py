"""What a network comes to on the test set: accuracy, and units that answer nothing any more."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from golden_model.data.dataset import Dataset
from golden_model.engine import GoldenEngine
from golden_model.spec.formats import ACTIVATION_MAX, LayerFormat
from golden_model.spec.learner import Learner

CHUNK = 1000
SATURATED = 0.99
"""Share of its answers at the end of their range from which a unit counts as saturated."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """Of every layer, in order, and of the test set.

    Members
    -------
    samples, commonest, chance
        Of the test set: how many there are, the most frequent class by name, and its share of them.
    accuracy
        Share of the test set that the layer's own scores get right.
    dead
        Units whose activation is 0 for every sample, of a convolution at every place; the readout,
        which has no activations, has none.
    saturated
        Units whose activation is 255 for nearly all of them.
    """

    samples: int
    commonest: str
    chance: float
    accuracy: tuple[float, ...]
    dead: tuple[int, ...]
    saturated: tuple[int, ...]

    @classmethod
    def of(cls, learner: Learner, data: Dataset) -> Self:
        """Evaluate on the test set; nothing is learnt or counted.

        A learner that cannot answer many samples at once is stood in for by the golden model with
        its weights.
        """
        judge = learner if isinstance(learner, GoldenEngine) else _stand_in(learner)
        tallies = [_Tally(layer) for layer in learner.formats.layers]
        for start in range(0, len(data.x_test), CHUNK):
            part = slice(start, start + CHUNK)
            answers = judge.outputs(data.x_test[part])
            for tally, (activations, scores) in zip(tallies, answers, strict=True):
                tally.add(activations, scores, data.y_test[part])
        counts = np.bincount(data.y_test)
        commonest = int(counts.argmax())
        return cls(
            samples=len(data.y_test),
            commonest=data.labels[commonest] if data.labels else str(commonest),
            chance=float(counts.max() / len(data.y_test)),
            accuracy=tuple(tally.right / len(data.x_test) for tally in tallies),
            dead=tuple(tally.dead for tally in tallies),
            saturated=tuple(tally.saturated for tally in tallies),
        )


class _Tally:
    """Counts of one layer: right answers, and by unit answers above 0, at 255, and all."""

    def __init__(self, layer: LayerFormat) -> None:
        self._units = layer.units
        self.right = 0
        self.active, self.full = np.zeros((2, layer.units), np.int64)
        self.answers = 0

    def add(
        self,
        activations: NDArray[np.floating],
        scores: NDArray[np.number],
        labels: NDArray[np.integer],
    ) -> None:
        """Take activations of shape ``[n, outputs]`` and scores of shape ``[n, classes]``."""
        self.right += int(np.sum(scores.argmax(axis=1) == labels))
        by_unit = activations.reshape(-1, self._units)
        self.active += (by_unit > 0).sum(axis=0)
        self.full += (by_unit >= ACTIVATION_MAX).sum(axis=0)
        self.answers += len(by_unit)

    @property
    def dead(self) -> int:
        return int((self.active == 0).sum()) if self.answers else 0

    @property
    def saturated(self) -> int:
        return int((self.full >= SATURATED * self.answers).sum()) if self.answers else 0


def _stand_in(learner: Learner) -> GoldenEngine:
    judge = GoldenEngine(learner.formats)
    for layer in learner.formats.layers:
        judge.write_weights(layer.index, learner.read_weights(layer.index))
    return judge
