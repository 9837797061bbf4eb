"""What the flow asks of the cycle model of a shared engine; see test_sharing for every clock."""

import random
from dataclasses import replace

import numpy as np
import pytest

from golden_model.spec.formats import infer_formats
from golden_model.spec.network import Conv, Network, Readout
from hdl.passes import sharing_estimate, sharing_steady
from hdl.passes.cycles import SampleVisits, network_timeline
from hdl.passes.sharing import SharedFolding, table
from hdl.passes.sharing_cycles import SharedCycles
from hdl.passes.sharing_steady import dense_work, interval
from tests.hdl.sharing_cases import Burst, Case, random_case
from tests.hdl.sharing_clocks import work_of
from tests.hdl.sharing_core import run_case
from tests.hdl.test_cycles import golden_run, random_samples, visits

SAMPLES = 5
BACK_TO_BACK = [0, 1, 2, 3]
BEHIND_OWN = [6, 14, 30, 38]


def without_stalls(seed: int) -> Case:
    """More samples than the pages hold, one behind the other."""
    case = random_case(seed)
    samples, labels = random_samples(random.Random(seed), case.schedule.formats, SAMPLES)
    burst = Burst(registers={}, samples=samples, labels=labels)
    return replace(case, bursts=(burst,), source_stall=0, sink_stall=0)


@pytest.mark.parametrize("seed", BACK_TO_BACK)
def test_samples_back_to_back(seed):
    """All clocks from the first input on."""
    case = without_stalls(seed)
    assert not case.schedule.foldings
    log, work = run_case(case).log, work_of(case)
    model = SharedCycles(*case.schedule.engine, work)
    model.run()
    seen = log.seen(len(case.schedule.sharing))
    assert seen == log.modelled(case.schedule, work)
    assert model.starts == [[clock - log.accepted for clock in row] for row in seen.starts]
    assert model.judged == [[clock - log.accepted for clock in row] for row in seen.judged]


@pytest.mark.parametrize("seed", BEHIND_OWN)
def test_behind_engines_of_single_layers(seed):
    """Its inputs come when the layer below has them, and it takes them when it can."""
    case = without_stalls(seed)
    schedule, (burst,) = case.schedule, case.bursts
    assert schedule.foldings
    run = run_case(case)
    log = run.log
    _, pending, inputs = golden_run(schedule.formats, burst.samples, burst.labels)
    samples = []
    for number, label in enumerate(burst.labels):
        row = []
        for layer, folding in schedule.own:
            due = number > 0 and pending[number - 1][layer.index]
            words = visits(layer, folding, inputs, number, update=due)
            row.append(SampleVisits(update=due, learnt=label is not None, words=words))
        samples.append(row)
    model = SharedCycles(*schedule.engine, work_of(case))
    layers = [layer for layer, _ in schedule.own]
    starts, _ = network_timeline(layers, schedule.foldings, samples, model.accept)
    model.finish()
    seen = log.seen(len(schedule.sharing))
    assert model.starts == [[clock - log.accepted for clock in row] for row in seen.starts]
    assert starts == [[clock - log.accepted for clock in row] for row in run.own_starts]


def design(**keys):
    """A convolution, and a readout, as the golden model and the passes know them."""
    layers = (Conv(filters=6, kernel=3, regions=2),)
    network = Network(name="steady", inputs=[9, 8, 2], classes=4, layers=layers, readout=Readout())
    folding = SharedFolding(weight_memory="any", pe=4, **keys)
    return table(infer_formats(network).layers, folding), folding


@pytest.mark.parametrize(
    "keys", [{}, {"single_port": True, "heads": 2}, {"page_copies": 1, "parallel_classes": False}]
)
@pytest.mark.parametrize("training", [False, True])
def test_interval_is_the_steady_state(keys, training):
    """After many samples nothing has changed."""
    engine = design(**keys)
    work = [dense_work(row, engine[1], training) for row in engine[0].rows]
    model = SharedCycles(*engine, [work] * 30)
    model.run()
    assert {*np.diff(model.starts)[:, -8:].ravel()} == {interval(*engine, training)}


def test_zeros_and_updates_are_what_takes_time():
    plain = interval(*design(), training=True)
    assert plain > interval(*design(), training=False)
    assert interval(*design(page_copies=1), training=True) > plain
    assert interval(*design(skip_zeros=False), training=True) >= plain


def test_a_large_network_is_estimated(monkeypatch):
    """The cycle model would take its time."""
    engine = design(slow_memory=True)
    monkeypatch.setattr(sharing_steady, "LONGEST", 10)
    expected = sharing_estimate.interval(*engine, True, expected=False)
    interval.cache_clear()
    assert interval(*engine, True) == expected
    interval.cache_clear()
