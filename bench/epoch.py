"""Part ``epoch``: an epoch of MNIST, every sample through the RTL of the real bitstream.

Interrupted, it goes on later from the last file that :mod:`bench.passage` has written.
"""

import signal
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing import Manager
from pathlib import Path
from queue import Empty
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.cases import Case
from bench.cycles import FEWER_BY_SKIPPING
from bench.figures import Figure, Found, Skipped
from bench.limits import dense_limit
from bench.observe import Observation, dataset, epoch_of
from bench.passage import Answers, Passage, Stretch, answered
from bench.say import Meanwhile
from bench.traffic import moved
from golden_model.engine import GoldenEngine
from golden_model.rates import Rates
from golden_model.spec.errors import SpecError
from golden_model.spec.learner import Learner
from hdl.passes.errors import DoesNotFit
from sim.chip import SimulatedCore

DIFFERENCES = "differences to the golden model"
KEPT = Path("build", "bench", "epoch")
"""Folder of what runs that were interrupted have come to."""
IMAGES = {"mnist-conv": 10_000}
"""Of the training set, the first ones; of all other networks all."""
Advance = Callable[[int], None]
"""Told how many samples are done since it was last called."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Epoch:
    """What an epoch on the chip came to.

    Members
    -------
    training, inference
        Per sample.
    accuracy, golden_accuracy
        Share of the test samples that were answered right after it.
    differences
        Answers, scores and weights that differ from the golden model's.
    compared
        How many were compared.
    simulated_clocks, seconds
        Of the whole simulation.
    """

    training: Observation
    inference: Observation
    accuracy: float
    golden_accuracy: float
    differences: int
    compared: int
    simulated_clocks: int
    seconds: float


def run(cases: list[Case], meanwhile: Meanwhile) -> Iterator[Found]:
    """Epochs on some boards, each in a process of its own."""
    samples = meanwhile.samples
    with Manager() as manager, ProcessPoolExecutor(len(cases), initializer=_ends_at_once) as pool:
        queue = manager.Queue()
        futures = [pool.submit(_in_process, case, samples, queue) for case in cases]
        while not all(future.done() for future in futures):
            with suppress(Empty):
                meanwhile.advance(*queue.get(timeout=0.5))
        for case, future in zip(cases, futures, strict=True):
            result = future.result()
            if isinstance(result, Epoch):
                yield from figures(case, result, samples)
            else:
                yield Skipped(case=case.name, why=result)
    for case in cases:
        file_of(case).unlink(missing_ok=True)


def _ends_at_once() -> None:
    """At Ctrl-C: the simulator would go on to the end of its chunk."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def file_of(case: Case) -> Path:
    """What an interrupted run of a case has come to."""
    return KEPT / case.board.name / f"{case.network.name}.npz"


def _in_process(case: Case, samples: int | None, queue: Any) -> Epoch | str:
    """The epoch, or why there is none: errors that say more than a line cannot be handed over."""
    try:
        stretches, labels = passed(case, samples)
        total = 2 * sum(len(stretch.x) for stretch in stretches)
        return epoch(case, stretches, labels, lambda done: queue.put((case.name, done, total)))
    except (DoesNotFit, SpecError) as error:
        return str(error)


def passed(case: Case, samples: int | None) -> tuple[list[Stretch], NDArray[np.uint8]]:
    """An epoch as :mod:`golden_model.training` makes it, then the test set; and its labels."""
    data = dataset(case.network, case.data)
    x, labels = epoch_of(case, data, samples or IMAGES.get(case.network.name))
    rates = Rates.of(case.network.learning, len(x), epoch=len(x))
    test, known = data.x_test[:samples], data.y_test[:samples]
    rest = Rates.of(case.network.learning, None, epoch=len(x))
    return [Stretch(x, labels.tolist(), rates), Stretch(test, [None] * len(test), rest)], known


def epoch(
    case: Case, stretches: list[Stretch], labels: NDArray[np.uint8], advance: Advance
) -> Epoch:
    """Both stretches through the chip and through the golden model."""
    core = SimulatedCore(case.schedule())
    passage = Passage(core, stretches, file_of(case))
    for done in passage.advance():
        advance(done)
    golden, found = GoldenEngine(case.formats), list[Answers]()
    for stretch in stretches:
        for chunk in answered(golden, stretch):
            found.append(chunk)
            advance(len(chunk))
    chip, expected = ([given, *_weights(of)] for given, of in (
        (passage.answers, core), (np.concatenate(found), golden)
    ))  # fmt: skip
    right, golden_right = (
        float((given[0][-len(labels) :, 0] == labels).mean()) for given in (chip, expected)
    )
    return Epoch(
        training=passage.observation(0),
        inference=passage.observation(1),
        accuracy=right,
        golden_accuracy=golden_right,
        differences=sum(int((a != b).sum()) for a, b in zip(chip, expected, strict=True)),
        compared=sum(a.size for a in chip),
        simulated_clocks=passage.simulated,
        seconds=passage.seconds,
    )


def _weights(learner: Learner) -> list[NDArray[np.int64]]:
    return [learner.read_weights(layer.index).astype(np.int64) for layer in learner.formats.layers]


def figures(case: Case, found: Epoch, samples: int | None) -> Iterator[Found]:
    """All that an epoch came to."""
    schedule = case.schedule()
    images = IMAGES.get(case.network.name)
    note = f"the first {images} images" if images else "a whole epoch"
    if samples is not None:
        note = f"only {samples} samples"
    yield Figure(case=case.name, what="test accuracy, chip", unit="%",
                 value=100 * found.accuracy, note=note)  # fmt: skip
    yield Figure(case=case.name, what="test accuracy, golden model", unit="%",
                 value=100 * found.golden_accuracy, note=note)  # fmt: skip
    yield Figure(case=case.name, what=DIFFERENCES, unit="",
                 value=found.differences, goal=0, fewer_is_better=True,
                 note=f"{found.compared:,} answers, scores and final weights compared")  # fmt: skip
    for mode, part in (("training", found.training), ("inference", found.inference)):
        sweep = dense_limit(schedule, mode == "training")
        yield Figure(case=case.name, what=f"{mode}, zeros skipped", unit="clocks",
                     value=part.clocks, limit=part.port_limit(schedule), fewer_is_better=True,
                     note=f"{note}; the limit is of the words that were visited")  # fmt: skip
        yield Figure(case=case.name, what=f"{mode}, times fewer than dense", unit="",
                     value=sweep / part.clocks,
                     goal=FEWER_BY_SKIPPING[mode] if schedule.own else None,
                     note=note)  # fmt: skip
    yield from moved(case, schedule, found.training, note)
    yield Figure(case=case.name, what="clocks simulated", unit="million",
                 value=found.simulated_clocks / 1e6, note=f"in {found.seconds:.0f} s")  # fmt: skip
