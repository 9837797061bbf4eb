"""Part ``golden``: samples per second of the golden model, of PyTorch, and of the chip.

Single threads, and the time that the processor spent on them: others use the machine too.
"""

import importlib.util
import time
from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from bench import builds
from bench.cases import Case, measured
from bench.figures import Figure, Found, Skipped
from bench.observe import dataset, epoch_of, on_data
from bench.say import Say
from bench.sharing import exactly, taken, work_of
from golden_model.engine import GoldenEngine, fastest
from golden_model.rates import write_rates
from golden_model.spec.formats import FormattedNetwork
from golden_model.spec.learner import Samples
from golden_model.training import send_all

SAMPLES = 10_000
RUNS = 3
"""Of these the fastest counts, on all sides."""
CHIP_SAMPLES = 500
POINTS, AT_EACH = 8, 12
"""Where the cycle model looks at the samples, evenly spaced, and at how many."""
UNIT = "samples/s"
NUMPY, NUMBA, TORCH = "golden model", "compiled golden model", "PyTorch"
GOALS = {
    "mnist-128": {NUMPY: 10.0},
    "mnist-conv": {NUMBA: 2.5, TORCH: 8.0},
}
"""How often the chip is to be faster, by network and what stands beside it."""
Labels = NDArray[np.uint8]
Rival = Callable[[FormattedNetwork, Samples, Labels], dict[str, float]]


def run(cases: list[Case], say: Say) -> Iterator[Found]:
    """All cases, one after the other."""
    return measured(cases, partial(compare, say=say))


def compare(case: Case, say: Say) -> Iterator[Found]:
    """All rivals in turns, then the chip."""
    formats = case.formats
    x, labels = epoch_of(case, dataset(case.network, case.data))
    x, labels = x[:SAMPLES], labels[:SAMPLES]
    rivals: list[Rival] = [_numpy]
    for package, (name, rival, extra) in OPTIONAL.items():
        if importlib.util.find_spec(package) is not None:
            rivals.append(rival)
            continue
        why = f"{package} is not installed: pip install -e '.[{extra}]'"
        yield Skipped(case=f"{case.name}, {name}", why=why)
    rates = dict[str, float]()
    for number in range(RUNS):
        # In turns, so that all meet the same machine.
        say(f"{case.name}, run {number + 1} of {RUNS}, {len(x)} samples each")
        for rival in rivals:
            for what, rate in rival(formats, x, labels).items():
                rates[what] = max(rate, rates.get(what, 0.0))
    best = None if case.network.image else _fastest(rates, TORCH)
    note = f"one thread, batch 1, first {len(x)} samples of the first epoch"
    for what, rate in rates.items():
        yield Figure(case=case.name, what=f"{what}, training", unit=UNIT, value=rate,
                     goal=rates[best] if best and what == NUMPY else None, note=note)  # fmt: skip
    yield from _chip(case, (x, labels), rates, say)


def _numpy(formats: FormattedNetwork, x: Samples, labels: Labels) -> dict[str, float]:
    return {NUMPY: golden_rate(GoldenEngine(formats), x, labels)}


def _numba(formats: FormattedNetwork, x: Samples, labels: Labels) -> dict[str, float]:
    golden_rate(GoldenEngine(formats, compiled=True), x[:1], labels[:1])  # compiles the loops
    return {NUMBA: golden_rate(GoldenEngine(formats, compiled=True), x, labels)}


def golden_rate(engine: GoldenEngine, x: Samples, labels: Labels) -> float:
    """Samples per second that a fresh golden model learns, in one thread."""
    write_rates(engine, engine.formats.network.learning.first_step)
    with threadpool_limits(limits=1):
        start = time.process_time()
        send_all(engine, x, labels)
        return len(labels) / (time.process_time() - start)


def _torch(formats: FormattedNetwork, x: Samples, labels: Labels) -> dict[str, float]:
    # Imported here because it is an extra, and takes seconds.
    from bench.pytorch import time_variants  # noqa: PLC0415

    timings = time_variants(formats, x, labels.tolist())
    return {f"{TORCH}, {name}": timing.samples_per_second for name, timing in timings.items()}


OPTIONAL: dict[str, tuple[str, Rival, str]] = {
    "numba": (NUMBA, _numba, "fast"),
    "torch": (TORCH, _torch, "bench"),
}
"""By package: what runs with it, how, and the extra that brings it."""


def _chip(
    case: Case, sent: tuple[Samples, Labels], rates: dict[str, float], say: Say
) -> Iterator[Found]:
    say(f"{case.name}, the chip's clocks")
    clocks, how = clocks_of(case, *sent)
    goals = {
        what: goal
        for start, goal in GOALS.get(case.network.name, {}).items()
        if (what := _fastest(rates, start)) is not None
    }
    if goals:
        rate = max(goal * rates[what] for what, goal in goals.items())
        note = f"{clocks:,.0f} clocks, {how}"
        yield Figure(case=case.name, what="clock that all goals take", unit="MHz",
                     value=rate * clocks / 1e6, fewer_is_better=True, note=note)  # fmt: skip
    try:
        mhz = builds.report(case, say)["clock_mhz"]
    except builds.FAILURES as error:
        yield Skipped(case=f"{case.name}, chip", why=str(error).splitlines()[0])
        return
    yield Figure(case=case.name, what=f"chip at {mhz:g} MHz, training", unit=UNIT,
                 value=mhz * 1e6 / clocks, note=f"{clocks:,.0f} clocks, {how}")  # fmt: skip
    for what, rate in rates.items():
        yield Figure(case=case.name, what=f"chip / {what}", unit="",
                     value=mhz * 1e6 / clocks / rate, goal=goals.get(what))  # fmt: skip


def _fastest(rates: dict[str, float], start: str) -> str | None:
    """Of what begins with that name: a rival runs as fast as its fastest way."""
    named = [what for what in rates if what == start or what.startswith(f"{start}, ")]
    return max(named, key=lambda what: rates[what], default=None)


def clocks_of(case: Case, x: Samples, labels: Labels) -> tuple[float, str]:
    """Per sample that is learnt, and how they were found."""
    schedule = case.schedule()
    if schedule.only_engine is None:
        found = on_data(case, schedule, CHIP_SAMPLES)[0].clocks
        return found, f"{CHIP_SAMPLES} samples of {case.data} through the RTL"
    learner, clocks = fastest(case.formats), list[float]()
    write_rates(learner, case.network.learning.first_step)
    for part in np.array_split(np.arange(len(x)), POINTS):
        seen = part[:AT_EACH]
        work = work_of(schedule, exactly(learner), x[seen], labels[seen].tolist())
        clocks.append(taken(schedule, work).clocks)
        send_all(learner, x[part], labels[part])
    return float(np.mean(clocks)), f"by the cycle model, {POINTS * AT_EACH} of the same samples"
