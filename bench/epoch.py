"""Part ``epoch``: every sample of an epoch of MNIST through the RTL of the real bitstream."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing import Manager
from queue import Empty
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.cases import Case
from bench.cycles import FEWER_BY_SKIPPING
from bench.figures import Figure, Found, Skipped
from bench.limits import dense_limit
from bench.observe import Observation, activity, dataset
from bench.say import Meanwhile
from bench.traffic import moved
from golden_model.engine import GoldenEngine
from golden_model.rates import Rates
from golden_model.spec.errors import SpecError
from golden_model.spec.learner import Learner
from golden_model.training import shuffled
from hdl.passes.errors import DoesNotFit
from sim.chip import SimulatedCore

DIFFERENCES = "differences to the golden model"
CHUNK = 200
"""Samples between two signs of progress."""
Advance = Callable[[int], None]
"""Told how many samples are done since it was last called."""
Integers = NDArray[np.int64]


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
    with Manager() as manager, ProcessPoolExecutor(len(cases)) as pool:
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


def _in_process(case: Case, samples: int | None, queue: Any) -> Epoch | str:
    """The epoch, or why there is none: errors that say more than a line cannot be handed over."""
    try:
        data = dataset(case.network, case.data)
        total = 2 * (len(data.x_train[:samples]) + len(data.x_test[:samples]))
        return epoch(case, samples, lambda done: queue.put((case.name, done, total)))
    except (DoesNotFit, SpecError) as error:
        return str(error)


def epoch(case: Case, samples: int | None, advance: Advance) -> Epoch:
    """A run of one epoch, as :mod:`golden_model.training` makes it, then the test set, on both."""
    data = dataset(case.network, case.data)
    order = shuffled(case.formats, len(data.x_train), 0)[:samples]
    train = data.x_train[order], data.y_train[order].tolist()
    test = data.x_test[:samples], [None] * len(data.x_test[:samples])
    core = SimulatedCore(case.schedule())
    start = time.perf_counter()
    chip, counts = _learn_and_answer(core, train, test, advance)
    starts, simulated = core.starts()[-1], core.simulation.clocks
    seconds = time.perf_counter() - start
    golden, _ = _learn_and_answer(GoldenEngine(case.formats), train, test, advance)
    edge = len(order)
    labels = data.y_test[:samples]
    return Epoch(
        training=_observation(starts[:edge], counts[0]),
        inference=_observation(starts[edge:], counts[1] - counts[0]),
        accuracy=_right(chip[0], labels),
        golden_accuracy=_right(golden[0], labels),
        differences=sum(int((a != b).sum()) for a, b in zip(chip, golden, strict=True)),
        compared=sum(a.size for a in chip),
        simulated_clocks=simulated,
        seconds=seconds,
    )


def _learn_and_answer(
    learner: Learner, train: Any, test: Any, advance: Advance
) -> tuple[list[Integers], list[Integers]]:
    """Answers and scores of all samples and all final weights; counters after each half."""
    learning, edge = learner.formats.network.learning, len(train[0])
    predicted, scores, counts = list[int](), list[Integers](), list[Integers]()
    for x, labels in (train, test):
        rates = Rates.of(learning, edge if x is train[0] else None, epoch=edge)
        for part in rates.written(learner, range(len(x)), CHUNK):
            for sample, label in zip(x[part], labels[part], strict=True):
                learner.send(sample, label)
            for result in learner.results():
                predicted.append(result.predicted)
                scores.append(result.scores)
            advance(len(x[part]))
        if isinstance(learner, SimulatedCore):
            counts.append(activity(learner))
    layers = range(len(learner.formats.layers))
    # The test set's answers first: they are what accuracy is counted from.
    answers = np.array(predicted, np.int64)
    weights = [learner.read_weights(layer).astype(np.int64) for layer in layers]
    return [answers[edge:], answers[:edge], np.array(scores, np.int64), *weights], counts


def _observation(starts: Integers, counts: Integers) -> Observation:
    return Observation(clocks=float(np.diff(starts).mean()), activity=counts / len(starts))


def _right(predicted: Integers, labels: NDArray[np.uint8]) -> float:
    return float((predicted == labels).mean())


def figures(case: Case, found: Epoch, samples: int | None) -> Iterator[Found]:
    """All that an epoch came to."""
    schedule = case.schedule()
    note = "a whole epoch" if samples is None else f"only {samples} samples"
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
                     value=sweep / part.clocks, goal=FEWER_BY_SKIPPING[mode],
                     note=note)  # fmt: skip
    yield from moved(case, schedule, found.training, note)
    yield Figure(case=case.name, what="clocks simulated", unit="million",
                 value=found.simulated_clocks / 1e6, note=f"in {found.seconds:.0f} s")  # fmt: skip
