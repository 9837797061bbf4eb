"""Part ``golden``: samples per second of the golden model, of PyTorch, and of the chip."""

import importlib.util
import time
from collections.abc import Iterator

from threadpoolctl import threadpool_limits

from bench import builds
from bench.cases import Case
from bench.figures import Figure, Found, Skipped
from bench.observe import dataset, on_data
from bench.say import Say
from golden_model.engine import GoldenEngine
from golden_model.rates import write_rates
from golden_model.spec.errors import SpecError
from golden_model.spec.formats import FormattedNetwork
from golden_model.spec.learner import Samples
from golden_model.training import shuffled
from hdl.passes.errors import DoesNotFit

SAMPLES = 10_000
RUNS = 3
"""Of these the fastest counts, on all sides: others use the machine too."""
CHIP_SAMPLES = 500
TIMES_FASTER = 10.0
"""The chip with 128 units, than the golden model."""
UNIT = "samples/s"


def run(cases: list[Case], say: Say) -> Iterator[Found]:
    """All cases, one after the other."""
    for case in cases:
        shape = "-".join(map(str, [case.network.inputs, *(f.units for f in case.formats.layers)]))
        try:
            yield from compare(case, shape, say)
        except (SpecError, DoesNotFit) as error:
            yield Skipped(case=shape, why=str(error))


def compare(case: Case, shape: str, say: Say) -> Iterator[Found]:
    """Golden model and PyTorch in turns, then the chip."""
    formats, data = case.formats, dataset(case.network, case.data)
    order = shuffled(formats, len(data.x_train), 0)[:SAMPLES]
    x, labels = data.x_train[order], data.y_train[order].tolist()
    torch_found = importlib.util.find_spec("torch") is not None
    golden, torch = 0.0, dict[str, float]()
    for number in range(RUNS):
        # In turns, so that both meet the same machine.
        say(f"{shape}, run {number + 1} of {RUNS}, {SAMPLES} samples each")
        golden = max(golden, golden_rate(formats, x, labels))
        if torch_found:
            rates = _torch_rates(formats, x, labels)
            torch = {name: max(rate, torch.get(name, 0.0)) for name, rate in rates.items()}
    fastest = max(torch.values(), default=None)
    yield Figure(case=shape, what="golden model, training", unit=UNIT, value=golden,
                 goal=fastest, note=f"first {SAMPLES} samples of the first epoch")  # fmt: skip
    if not torch_found:
        yield Skipped(case=f"{shape}, PyTorch", why="not installed: pip install -e '.[bench]'")
    for name, rate in torch.items():
        yield Figure(case=shape, what=f"PyTorch, {name}", unit=UNIT, value=rate,
                     note="one thread, batch 1")  # fmt: skip
    yield from _chip(case, shape, golden, say)


def golden_rate(formats: FormattedNetwork, x: Samples, labels: list[int]) -> float:
    """Samples per second that the golden model learns, from fresh weights, in one thread."""
    engine = GoldenEngine(formats)
    write_rates(engine, formats.network.learning.first_step)
    with threadpool_limits(limits=1):
        start = time.perf_counter()
        for sample, label in zip(x, labels, strict=True):
            engine.send(sample, label)
        engine.results()
        return len(labels) / (time.perf_counter() - start)


def _torch_rates(formats: FormattedNetwork, x: Samples, labels: list[int]) -> dict[str, float]:
    # Imported here because it is an extra, and takes seconds.
    from bench.pytorch import time_variants  # noqa: PLC0415

    timings = time_variants(formats, x, labels)
    return {name: timing.samples_per_second for name, timing in timings.items()}


def _chip(case: Case, shape: str, golden: float, say: Say) -> Iterator[Found]:
    say(f"{shape}, the chip's clocks")
    clocks = on_data(case, case.schedule(), CHIP_SAMPLES)[0].clocks
    try:
        report = builds.report(case, say)
    except builds.FAILURES as error:
        why = str(error).splitlines()[0]
        yield Skipped(case=f"{shape} on {case.board.name}", why=why)
        return
    rate = report["clock_mhz"] * 1e6 / clocks
    note = f"{case.board.name}, {clocks:,.0f} clocks, {CHIP_SAMPLES} samples of {case.data}"
    yield Figure(case=shape, what=f"chip at {report['clock_mhz']:g} MHz, training", unit=UNIT,
                 value=rate, note=note)  # fmt: skip
    goal = TIMES_FASTER if case.network.name == "mnist-128" else None
    yield Figure(case=shape, what="chip / golden model", unit="", value=rate / golden, goal=goal)
