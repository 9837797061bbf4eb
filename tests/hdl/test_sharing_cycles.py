"""The cycle model of a shared engine: every clock and every word, equal to the RTL's."""

from dataclasses import replace

import pytest

from hdl.passes.cycles import SampleVisits, network_timeline
from hdl.passes.sharing_cycles import SharedCycles
from tests.hdl.sharing_cases import Case, random_case
from tests.hdl.sharing_clocks import work_of
from tests.hdl.sharing_core import run_case
from tests.hdl.test_cycles import golden_run, visits

CASES = 20
BACK_TO_BACK = [0, 2, 3, 5, 6, 8, 9, 11]
BEHIND_OWN = [13, 25, 37]


@pytest.mark.parametrize("seed", range(CASES))
def test_every_clock(seed):
    """With stalls of source and sink, whatever stands before the engine."""
    case = random_case(seed)
    run = run_case(case)
    log = run.log
    layers = len(case.schedule.sharing)
    seen, modelled = log.seen(layers), log.modelled(case.schedule, work_of(case))
    assert modelled.starts == seen.starts
    assert modelled.judged == seen.judged
    assert modelled.activity == seen.activity
    assert not run.collision


def without_stalls(seed: int) -> Case:
    """The first burst of a case."""
    case = random_case(seed)
    return replace(case, bursts=case.bursts[:1], source_stall=0, sink_stall=0)


@pytest.mark.parametrize("seed", BACK_TO_BACK)
def test_samples_back_to_back(seed):
    """What the flow asks: all clocks from the first input on."""
    case = without_stalls(seed)
    assert not case.schedule.foldings
    log = run_case(case).log
    model = SharedCycles(*case.schedule.engine, work_of(case))
    model.run()
    seen = log.seen(len(case.schedule.sharing))
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
