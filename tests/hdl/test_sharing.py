"""Random networks on shared engines: every bit equal to the golden model's, every clock to the
cycle model's."""

from dataclasses import replace
from itertools import product

import pytest

from golden_model.spec.control import Activity
from hdl.passes.sharing import Layout
from sim.record import differences
from tests.hdl.sharing_cases import Case, random_case
from tests.hdl.sharing_clocks import work_of
from tests.hdl.sharing_core import Run, golden_record, run_case

CASES = 120
INFERENCE_CASES = 12


def test_cases_reach_the_corners():
    """Else the tests below would compare less than they seem to."""
    cases = [random_case(seed) for seed in range(CASES)]
    foldings = [case.schedule.shared for case in cases]
    rows = [row for case in cases for row in case.schedule.table.rows]
    convolutions = [row for row in rows if row.layout is not Layout.FLAT]
    assert {folding.pe for folding in foldings} == {1, 2, 4, 8, 16, 24}
    assert {(folding.places, folding.heads) for folding in foldings} == {*product((1, 4), (1, 2))}
    assert {row.layout for row in rows} == {*Layout}
    pairs = {(f.taps_of(row), f.update_port) for case in cases
             for f in [case.schedule.shared] for row in case.schedule.table.rows}  # fmt: skip
    assert pairs == {*product((1, 2), (False, True))}
    assert {row.format.kernel for row in convolutions} == {1, 2, 3, 4, 5}
    assert {row.format.image[2] for row in convolutions} >= {1, 2, 3, 4, 5, 6, 9}
    assert {row.format.regions_across for row in convolutions} == {1, 2, 3, 4}
    assert {len(case.schedule.own) for case in cases} == {0, 1, 2, 3}
    both = [case for case in cases if case.source_stall and case.sink_stall]
    assert len(both) > 5
    odd = [row for row in convolutions if any(size % 2 for size in row.format.map_shape)]
    assert {row.format.pool for row in odd} == {1, 2}
    assert any(row.groups > 1 and row.format.units % row.groups for row in rows)


def check(case: Case, run: Run) -> None:
    """Against both models."""
    found = differences(case.schedule.formats, golden_record(case), run.record)
    assert not found, f"{len(found)} differences, the first: {found[0]}"
    assert not run.collision
    shared = len(case.schedule.sharing)
    seen = run.log.seen(shared)
    assert seen == run.log.modelled(case.schedule, work_of(case))
    for counters, clocks in zip(run.activity[-shared:], seen.activity, strict=True):
        # Clocks without a sample are still counted when the counters are read.
        counted = {kind: counters[kind] for kind in Activity if kind is not Activity.WAITING}
        assert counted == {kind: clocks[kind] for kind in counted}


@pytest.mark.parametrize("seed", range(CASES))
def test_core_equals_golden_model_and_cycle_model(seed):
    """Class, scores, gradients, winners, weights, counters, and what happens in which clock."""
    case = random_case(seed)
    check(case, run_case(case))


@pytest.mark.parametrize("seed", range(INFERENCE_CASES))
def test_core_that_only_infers(seed):
    """It answers like the golden model without labels, whatever it is told to learn."""
    case = random_case(seed, learns=False)
    check(case, run_case(case))


def test_the_narrowest_engine():
    """As the flow chooses it where cells are scarce: nothing but what must be."""
    case = random_case(61)
    table, folding = case.schedule.engine
    assert (folding.pe, folding.lone_words, folding.single_port_winners) == (1, True, True)
    assert {row.outputs_per_window for row in table.rows} == {1, 4}
    folding = replace(folding, skip_zeros=False, parallel_classes=False, classifier_rom=False)
    assert (folding.place_by_place, folding.lookup_clocks) == (True, 0)
    case = replace(case, schedule=replace(case.schedule, shared=folding))
    check(case, run_case(case))
