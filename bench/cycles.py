"""Part ``cycles``: clocks per sample beside what memory ports allow, and samples per second."""

from collections.abc import Iterator
from functools import partial

from bench import builds
from bench.cases import DENSE, OPTIONS, Case, measured
from bench.figures import Figure, Found, Skipped
from bench.limits import dense_limit
from bench.observe import Observation, every_sample_learns, no_sample_learns, on_data
from bench.say import Say
from hdl.passes.stages import ScheduledNetwork

SAMPLES = 500
"""Of the data set, for what depends on its zeros."""
FEWER_BY_SKIPPING = {"training": 4.0, "inference": 5.0}
"""Goals on MNIST."""
CLOCKS = "clocks"


def run(cases: list[Case], say: Say) -> Iterator[Found]:
    """All cases, one after the other."""
    return measured(cases, partial(_case, say=say))


def _case(case: Case, say: Say) -> Iterator[Found]:
    say(f"{case.name}, dense")
    dense = case.schedule(DENSE)
    observed = {"training": every_sample_learns(dense), "inference": no_sample_learns(dense)}
    yield from _dense(case, dense, observed)
    say(f"{case.name}, zeros skipped")
    schedule = case.schedule()
    skipping = dict(zip(observed, on_data(case, schedule, SAMPLES), strict=True))
    for mode, found in skipping.items():
        sweep = dense_limit(dense, mode == "training")
        yield from _skipping(case, mode, found.clocks, found.port_limit(schedule), sweep)
    yield from clock(case, {mode: found.clocks for mode, found in skipping.items()}, say)


def _dense(
    case: Case, schedule: ScheduledNetwork, observed: dict[str, Observation]
) -> Iterator[Figure]:
    for mode, found in observed.items():
        limit = dense_limit(schedule, mode == "training")
        yield Figure(
            case=case.name,
            what=f"{mode}, dense",
            unit=CLOCKS,
            value=found.clocks,
            limit=limit,
            goal=1.02 * limit,
            fewer_is_better=True,
            note="every sample learns" if mode == "training" else "",
        )


def _skipping(case: Case, mode: str, clocks: float, limit: float, sweep: int) -> Iterator[Figure]:
    yield Figure(
        case=case.name,
        what=f"{mode}, zeros skipped",
        unit=CLOCKS,
        value=clocks,
        limit=limit,
        fewer_is_better=True,
        note=f"{SAMPLES} samples of {case.data}; the limit is of the words that were visited",
    )
    yield Figure(
        case=case.name,
        what=f"{mode}, times fewer than dense",
        unit="",
        value=sweep / clocks,
        goal=FEWER_BY_SKIPPING[mode] if case.data == "mnist" else None,
    )


def clock(case: Case, clocks: dict[str, float], say: Say) -> Iterator[Found]:
    """What the build makes of the clocks."""
    try:
        report = builds.report(case, say, OPTIONS)
    except builds.FAILURES as error:
        yield Skipped(case=f"{case.name}, clock", why=str(error).splitlines()[0])
        return
    yield Figure(case=case.name, what="highest clock", unit="MHz", value=report["fmax_mhz"],
                 goal=case.clock_goal, note=f"by nextpnr, seed {report['seed']}")  # fmt: skip
    hertz = report["clock_mhz"] * 1e6
    for mode, count in clocks.items():
        yield Figure(
            case=case.name,
            what=f"{mode} at {report['clock_mhz']:g} MHz",
            unit="samples/s",
            value=hertz / count,
            note=f"zeros skipped, {SAMPLES} samples of {case.data}",
        )
