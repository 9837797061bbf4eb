"""Part ``sharing``: clocks of engines that layers share, by their cycle model, on real images."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np

from bench.cases import Case, measured
from bench.figures import Figure, Found, Skipped
from bench.observe import dataset, epoch_of
from bench.say import Say
from golden_model.data.dataset import Dataset
from golden_model.engine import GoldenEngine, fastest
from golden_model.rates import Rates, write_rates
from golden_model.spec.control import Register
from golden_model.spec.learner import Samples
from golden_model.training import train
from hdl.passes.sharing_cycles import READ, WRITTEN, SampleWork, SharedCycles
from hdl.passes.sharing_steady import dense_work, interval
from hdl.passes.stages import ScheduledNetwork
from sim.sharing_work import sample_work

SAMPLES, WARM = 40, 4
"""Of each kind; those until the steady state, whose clocks do not count."""
DENSE_RATIO, RATIO = 1.13, 1.15
"""Goals: clocks of training by those of inference, without zeros and of real images."""
CLOCKS = {"mnist-conv": 15_500, "fashion-conv": 17_500, "cifar10-conv": 50_000}
"""Goals: per sample that is learnt, of real images."""


@dataclass(frozen=True, slots=True)
class Taken:
    """Clocks per sample, and weight words that the sweeps named for it."""

    clocks: float
    words: float


def run(cases: list[Case], say: Say) -> Iterator[Found]:
    """All cases, one after the other."""
    return measured(cases, partial(_case, say=say))


def _case(case: Case, say: Say) -> Iterator[Found]:
    schedule = case.schedule()
    if schedule.only_engine is None:
        yield Skipped(case=case.name, why="its layers do not all share one engine")
        return
    say(f"{case.name}, dense")
    table, folding = schedule.only_engine
    words = taken(schedule, [[dense_work(row, folding, False) for row in table.rows]]).words
    infers, trains = (
        Taken(interval(table, folding, training), words) for training in (False, True)
    )
    yield from _figures(case, "dense", infers, trains, DENSE_RATIO)
    data = dataset(case.network, case.data)
    say(f"{case.name}, an epoch of the golden model")
    learner = golden_after_an_epoch(case, data)
    say(f"{case.name}, {SAMPLES} images of the next, answered and then learnt")
    x, y = epoch_of(case, data, epoch=1)
    x, labels = x[:SAMPLES], list[int | None](y[:SAMPLES].tolist())
    unlabelled: list[int | None] = [None] * len(x)
    infers, trains = (
        taken(schedule, work_of(schedule, learner, x, given)) for given in (unlabelled, labels)
    )
    yield from _figures(case, "images", infers, trains, RATIO)


def _figures(case: Case, kind: str, infers: Taken, trains: Taken, ratio: float) -> Iterator[Figure]:
    for what, found, goal in (
        ("inference", infers, None),
        ("training", trains, CLOCKS.get(case.network.name) if kind == "images" else None),
    ):
        yield Figure(
            case=case.name,
            what=f"{what}, {kind}",
            unit="clocks",
            value=found.clocks,
            limit=found.words,
            goal=goal,
            fewer_is_better=True,
            note="the limit is a word a clock, and says how busy the multipliers are",
        )
    yield Figure(
        case=case.name,
        what=f"training by inference, {kind}",
        unit="",
        value=trains.clocks / infers.clocks,
        goal=ratio,
        fewer_is_better=True,
    )


def golden_after_an_epoch(case: Case, data: Dataset) -> GoldenEngine:
    """Trained on all images once, as `golden_model.train` does it; then its traces tell winners."""
    quick = fastest(case.formats)
    for _ in train(quick, data, epochs=1):
        pass
    exact, samples = exactly(quick), len(data.x_train)
    write_rates(exact, Rates.of(case.network.learning, 2 * samples, epoch=samples).at(samples))
    return exact


def exactly(quick: GoldenEngine) -> GoldenEngine:
    """A plain engine that goes on from there, with traces that tell winners."""
    exact = GoldenEngine(quick.formats)
    for layer in quick.formats.layers:
        exact.write_weights(layer.index, quick.read_weights(layer.index))
        for register in Register:
            exact.write_register(layer.index, register, quick.read_register(layer.index, register))
    return exact


def work_of(
    schedule: ScheduledNetwork, golden: GoldenEngine, x: Samples, labels: list[int | None]
) -> list[SampleWork]:
    """What samples mean for the engine, while they are sent."""
    engine = schedule.engine
    assert engine is not None
    layers, work = range(len(schedule.formats.layers)), list[SampleWork]()
    for sample, label in zip(x, labels, strict=True):
        golden.send(sample, label)
        rates = [golden.read_register(layer, Register.RATE_SHIFT) for layer in layers]
        work.append(sample_work(*engine, sample, golden.traces(), rates))
    return work


def taken(schedule: ScheduledNetwork, work: list[SampleWork]) -> Taken:
    """By these samples, one behind the other."""
    engine = schedule.engine
    assert engine is not None
    model = SharedCycles(*engine, work)
    model.run()
    updates = not engine[1].update_port
    words = sum(counts[READ] - updates * counts[WRITTEN] for counts in model.counts)
    clocks = np.diff(model.starts[-1][WARM:]).mean() if len(work) > WARM + 1 else model.now
    return Taken(float(clocks), words / len(work))
