"""Samples through the simulated chip, hour after hour: what they came to is kept in a file.

Between samples, when all updates are applied, a core is its weights and its registers: they are
read and written as a host would, and another simulator of the same design goes on from there.
"""

import hashlib
import io
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.observe import Observation, activity
from golden_model.files import Arrays, read_arrays, replace_file
from golden_model.rates import Rates
from golden_model.spec.control import Activity, Register
from golden_model.spec.errors import SpecError
from golden_model.spec.learner import Learner, Samples
from sim.chip import SimulatedCore

CHUNK = 200
"""Samples between two signs of progress, at most."""
KEPT = 20_000_000
"""Clocks of samples after which the file is written: a minute or two, of which reading all weights
takes a twentieth. They decide it alone, so that updates are waited for at the same samples,
interrupted or not."""
Answers = NDArray[np.int64]
"""Class, then all scores, of each sample: shape ``[samples, 1 + classes]``."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """Samples of shape ``[n, inputs]`` that follow each other, their labels, and their rates."""

    x: Samples
    labels: Sequence[int] | Sequence[None]
    rates: Rates


def answered(learner: Learner, stretch: Stretch, begin: int = 0) -> Iterator[Answers]:
    """Chunk by chunk what a learner answers to a stretch from one of its samples on."""
    for part in stretch.rates.written(learner, range(begin, len(stretch.x)), CHUNK):
        chunk = slice(begin + part.start, begin + part.stop)
        for sample, label in zip(stretch.x[chunk], stretch.labels[chunk], strict=True):
            learner.send(sample, label)
        yield np.array([[r.predicted, *r.scores] for r in learner.results()], np.int64)


class Passage:
    """Stretches on their way through a core.

    Parameters
    ----------
    core
        Fresh; it goes on from what the file holds, if that is of this design and these samples.
    file
        Written every `KEPT` clocks and at each stretch's end.

    Members
    -------
    answers
        To all samples so far.
    simulated, seconds
        Clocks of the simulation and time that it took, in all runs.
    """

    def __init__(self, core: SimulatedCore, stretches: Sequence[Stretch], file: Path) -> None:
        self.core, self.stretches, self.file = core, stretches, file
        self.answers: Answers = np.zeros((0, 1 + core.formats.network.classes), np.int64)
        # Of each stretch: counters, clocks from sample to sample, and how often one followed.
        self._counts = np.zeros((len(stretches), len(core.formats.layers), len(Activity)), np.int64)
        self._clocks, self._intervals = (np.zeros(len(stretches), np.int64) for _ in range(2))
        self.simulated, self.seconds = 0, 0.0
        self._key = key_of(core, stretches)
        self._resume()
        self._begin()

    def advance(self) -> Iterator[int]:
        """Go on to the end; yields how many samples went through, first those of earlier runs."""
        yield len(self.answers)
        first = 0
        for number, stretch in enumerate(self.stretches):
            done = max(len(self.answers) - first, 0)
            first += len(stretch.x)
            if done >= len(stretch.x):
                continue
            for chunk in answered(self.core, stretch, done):
                self.answers = np.concatenate([self.answers, chunk])
                starts = self.core.starts()[-1, -len(chunk) :]
                self._clocks[number] += starts[-1] - starts[0]
                self._intervals[number] += len(chunk) - 1
                ends = len(self.answers) == first
                if ends or self._clocks.sum() - self._kept >= KEPT:
                    self._keep(number)
                yield len(chunk)

    def observation(self, number: int) -> Observation:
        """Of one stretch: within chunks, whose first samples find an empty pipeline."""
        samples = len(self.stretches[number].x)
        return Observation(
            clocks=float(self._clocks[number] / self._intervals[number]),
            activity=self._counts[number] / samples,
        )

    def _begin(self) -> None:
        """Counters and clocks from here on are not in the file yet."""
        self._before = activity(self.core)
        self._kept = self._clocks.sum()
        self._begun, self._since = self.core.simulation.clocks, time.perf_counter()

    def _keep(self, number: int) -> None:
        self._counts[number] += activity(self.core) - self._before
        self.core.forget()
        weights = [self.core.read_weights(layer.index) for layer in self.core.formats.layers]
        self.simulated += self.core.simulation.clocks - self._begun
        self.seconds += time.perf_counter() - self._since
        arrays: dict[str, Any] = {
            "key": np.array(self._key),
            "answers": self.answers,
            "counts": self._counts,
            "clocks": self._clocks,
            "intervals": self._intervals,
            "spent": np.array([self.simulated, self.seconds]),
            "registers": _registers(self.core),
        }
        arrays |= {f"weights{index}": array for index, array in enumerate(weights)}
        content = io.BytesIO()
        np.savez(content, **arrays)
        self.file.parent.mkdir(parents=True, exist_ok=True)
        replace_file(self.file, content.getvalue())
        self._begin()

    def _resume(self) -> None:
        try:
            kept = read_arrays(self.file, "Remove it")
        except SpecError:  # none, or a damaged one: everything begins anew
            return
        if str(kept.get("key")) != self._key:
            return
        self.answers, self._counts = (
            kept["answers"].astype(np.int64),
            kept["counts"].astype(np.int64),
        )
        self._clocks, self._intervals = (kept[k].astype(np.int64) for k in ("clocks", "intervals"))
        self.simulated, self.seconds = int(kept["spent"][0]), float(kept["spent"][1])
        _restore(self.core, kept)


def _registers(core: SimulatedCore) -> NDArray[np.int64]:
    """Of all layers, shape ``[layers, registers]``."""
    layers = range(len(core.formats.layers))
    return np.array(
        [[core.read_register(layer, number) for number in Register] for layer in layers]
    )


def _restore(core: SimulatedCore, kept: Arrays) -> None:
    for layer, registers in enumerate(kept["registers"].tolist()):
        core.write_weights(layer, kept[f"weights{layer}"].astype(np.int32))
        for number, value in zip(Register, registers, strict=True):
            core.write_register(layer, number, value)


def key_of(core: SimulatedCore, stretches: Sequence[Stretch]) -> str:
    """Tells this design and these samples from all others."""
    key = hashlib.sha256(core.simulation.key.encode())
    for stretch in stretches:
        for part in (stretch.x.tobytes(), repr(stretch.labels), repr(stretch.rates)):
            key.update(part.encode() if isinstance(part, str) else part)
    return key.hexdigest()
