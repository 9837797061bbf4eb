"""The simulated core is a learner like the golden engine, whatever is asked of it."""

import numpy as np
import pytest

from golden_model.engine import GoldenEngine
from golden_model.spec.control import Counter, Register
from sim.chip import SimulatedCore
from sim.cxxrtl import QUICK
from sim.mutations import tiny_schedule


@pytest.fixture(scope="module")
def schedule():
    return tiny_schedule()


def assert_alike(golden, core):
    expected, got = golden.results(), core.results()
    assert [result.predicted for result in got] == [result.predicted for result in expected]
    assert [r.scores.tolist() for r in got] == [r.scores.tolist() for r in expected]
    for layer in range(len(golden.formats.layers)):
        assert (core.read_weights(layer) == golden.read_weights(layer)).all()
        for number in [*Register, *Counter]:
            assert core.read_register(layer, number) == golden.read_register(layer, number)


def send(learners, chance, count):
    for _ in range(count):
        sample = (chance.integers(0, 256, 5) * chance.integers(0, 2, 5)).astype(np.uint8)
        label = None if chance.random() < 0.3 else int(chance.integers(3))
        for learner in learners:
            learner.send(sample, label)


@pytest.mark.parametrize(("source", "sink"), [(0, 0), (0.7, 0), (0, 0.7), (0.6, 0.6)])
def test_like_the_golden_engine(schedule, source, sink):
    """Samples with and without labels, registers and weights written in between, a reset."""
    golden = GoldenEngine(schedule.formats)
    core = SimulatedCore(schedule, source_stall=source, sink_stall=sink, optimisation=QUICK)
    assert_alike(golden, core)
    chance = np.random.default_rng(4)
    for _ in range(6):
        send((golden, core), chance, 12)
        layer = int(chance.integers(3))
        weights = golden.read_weights(layer)[::-1].copy()
        values = {Register.RATE_SHIFT: 11, Register.MARGIN: 100, Register.LEARN: 2}
        values = {number: int(chance.integers(bound)) for number, bound in values.items()}
        for learner in (golden, core):
            learner.write_weights(layer, weights)
            for number, value in values.items():
                learner.write_register(layer, number, value)
    send((golden, core), chance, 12)
    assert_alike(golden, core)
    golden.reset()
    core.reset()
    send((golden, core), chance, 12)
    assert_alike(golden, core)
