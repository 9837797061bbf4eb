"""Random networks on shared engines: every bit equal to the golden model's."""

import pytest

from sim.record import differences
from tests.hdl.sharing_cases import random_case
from tests.hdl.sharing_core import golden_record, run_case

CASES = 120
INFERENCE_CASES = 12


@pytest.mark.parametrize("seed", range(CASES))
def test_core_equals_golden_model(seed):
    """Class, scores, gradients, winners, weights and counters."""
    case = random_case(seed)
    run = run_case(case)
    found = differences(case.schedule.formats, golden_record(case), run.record)
    assert not found, f"{len(found)} differences, the first: {found[0]}"
    assert not run.collision


@pytest.mark.parametrize("seed", range(INFERENCE_CASES))
def test_core_that_only_infers(seed):
    """It answers like the golden model without labels, whatever it is told to learn."""
    case = random_case(seed, learns=False)
    run = run_case(case)
    found = differences(case.schedule.formats, golden_record(case), run.record)
    assert not found, f"{len(found)} differences, the first: {found[0]}"
    assert not run.collision
