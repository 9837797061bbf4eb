"""How a description's rates change over a run: the same registers at the same samples, for all."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Self

from golden_model.spec.control import Register
from golden_model.spec.learner import Learner
from golden_model.spec.network import Learning


@dataclass(frozen=True, slots=True)
class Rates:
    """What is added to every layer's rate shift, by sample of a run.

    Members
    -------
    changes
        Pairs of a sample's number in its run, counted from 0, and what is added from there on, in
        order; the first is that of sample 0.
    """

    changes: tuple[tuple[int, int], ...]

    @classmethod
    def of(cls, learning: Learning, run: int | None, *, epoch: int) -> Self:
        """The rates of a run.

        Parameters
        ----------
        run
            Samples of all its epochs; None for a stream that ends nobody knows when: its rates stay
            as the layers have them.
        epoch
            Samples of each epoch, which only `Learning.rate_schedule` counts.
        """
        if run is None:
            return cls(((0, 0),))
        if not learning.by_shares:
            return cls(tuple((epoch * n, step) for n, step in enumerate(learning.rate_schedule)))
        warm, *steps = (_part(share, run) for share in (learning.warm_up, *learning.rate_steps))
        return cls(
            tuple(
                (start, (start < warm) + sum(step <= start for step in steps))
                for start in sorted({0, warm, *steps})
            )
        )

    def at(self, sample: int) -> int:
        """What is added for one sample."""
        return [step for start, step in self.changes if start <= sample][-1]

    def written(self, learner: Learner, samples: range, longest: int) -> Iterator[slice]:
        """Cut some samples of the run where rates change, and into parts of at most `longest`.

        A part is handed out, counted from the first of the samples, when its rate shifts have been
        written to the learner.
        """
        begin, current = samples.start, None
        while begin < samples.stop:
            if (step := self.at(begin)) != current:
                write_rates(learner, step)
                current = step
            later = [start for start, _ in self.changes if start > begin]
            end = min(begin + longest, samples.stop, *later)
            yield slice(begin - samples.start, end - samples.start)
            begin = end


def _part(share: float, run: int) -> int:
    """Samples of a share, rounded down: of the decimal number that was written, not its binary."""
    return math.floor(Fraction(str(share)) * run)


def write_rates(learner: Learner, step: int) -> None:
    """Write every layer's rate shift with so much added."""
    for layer in learner.formats.layers:
        learner.write_register(layer.index, Register.RATE_SHIFT, layer.rate_shift + step)
