"""What cannot be passed, and how a figure stands to it."""

import numpy as np
import pytest

from bench.cases import Case
from bench.figures import Figure
from bench.limits import backpropagation, dense_limit, slots
from bench.observe import Observation
from bench.traffic import moved
from boards.budget import MultiplierKind
from boards.registry import find_board
from golden_model.spec.control import Activity
from golden_model.spec.formats import infer_formats
from golden_model.spec.network import Dense, Network, Readout
from hdl.passes.estimate import layer_multipliers
from hdl.passes.stages import Folding, ScheduledNetwork

FORMATS = infer_formats(
    Network(name="small", inputs=11, classes=4, layers=(Dense(units=6),), readout=Readout())
)
LAYER, READOUT = FORMATS.layers


def folding(pe=1, simd=1, *, single_port=False, **choices):
    return Folding(pe=pe, simd=simd, weight_memory="any", single_port=single_port, **choices)


def scheduled(*foldings):
    return ScheduledNetwork(
        formats=FORMATS, foldings=foldings, memories=(), layers=(), inference=0, training=0
    )


@pytest.mark.parametrize("update", [False, True])
def test_dual_port_memory_takes_a_word_a_clock(update):
    assert slots(LAYER, folding(), update) == 6 * 12
    # 3 groups of 2 units, of 3 words of 4 inputs each.
    assert slots(LAYER, folding(2, 4), update) == 3 * 3
    # The last group is padded: 2 groups of 4 units.
    assert slots(LAYER, folding(4, 4), update) == 2 * 3


def test_single_port_memory_reads_and_writes_in_turns():
    assert slots(LAYER, folding(2, 4, single_port=True), False) == 9
    assert slots(LAYER, folding(2, 4, single_port=True), True) == 18


def test_the_slowest_layer_limits_the_network():
    schedule = scheduled(folding(4, 4), folding(1, 1))
    assert dense_limit(schedule, True) == 4 * 7
    schedule = scheduled(folding(1, 1, single_port=True), folding(1, 1))
    assert dense_limit(schedule, True) == 2 * 6 * 12
    assert dense_limit(schedule, False) == 6 * 12


def test_multipliers_of_a_layer():
    block = MultiplierKind(name="M", count=9, bits=20, accumulator_bits=0)
    narrow = MultiplierKind(name="M", count=9, bits=9, accumulator_bits=0)
    both = folding(2, 2, hard_forward=True, hard_update=True)
    forward = folding(2, 2, hard_forward=True, hard_update=False)
    assert layer_multipliers(LAYER, both, block) == 8
    assert layer_multipliers(LAYER, forward, block) == 4
    # Lanes that take turns share those of the update.
    assert layer_multipliers(LAYER, folding(2, 2, single_port=True), block) == 6
    # 16-bit weights take two blocks of 9 bits.
    assert layer_multipliers(LAYER, forward, narrow) == 8


def test_what_backpropagation_moves():
    assert backpropagation([100, 10], "plain") == 440
    assert backpropagation([100, 10], "fused") == 330
    assert backpropagation([100, 10], "fused", first_read_backward=False) == 230
    # A convolution's are read for each window, both ways, and written once.
    assert backpropagation([100, 10], "plain", windows=[9, 1]) == 2 * 910 + 2 * 110
    strict = backpropagation([100, 10], "fused", windows=[9, 1], first_read_backward=False)
    assert strict == 910 + 10 + 110


def observation(**activities):
    """Counts of each layer by activity, one list for each; all others 0."""
    rows = [[activities.get(a.name.lower(), [0, 0])[layer] for a in Activity] for layer in (0, 1)]
    return Observation(clocks=100.0, activity=np.array(rows))


def test_ports_of_the_slowest_layer_limit_what_was_visited():
    found = observation(words_read=[20, 50], words_written=[10, 45])
    dual, single = folding(), folding(single_port=True)
    assert found.port_limit(scheduled(dual, dual)) == 50
    assert found.port_limit(scheduled(single, dual)) == 50
    assert found.port_limit(scheduled(dual, single)) == 95


def test_weights_moved_are_words_times_lanes():
    # 6 x 12 weights in words of 4, 4 x 7 in words of 2, all read once and half of them written.
    found = observation(words_read=[18, 14], words_written=[9, 7])
    case = Case(board=find_board("icebreaker"), network=FORMATS.network)
    schedule = scheduled(folding(2, 2), folding(1, 2))
    read, written, plain, fused, strict = moved(case, schedule, found, "", once=1.0)
    assert (read.value, read.share, read.met) == (1.0, 1.0, True)
    assert written.value == 0.5
    assert plain.value == pytest.approx(1.5 / 4)
    assert fused.value == pytest.approx(1.5 / 3)
    assert strict.value == pytest.approx(150 / (3 * 100 - 72))


def test_share_and_goal_of_a_figure():
    clocks = Figure(case="", what="", unit="", value=125, limit=100, goal=110, fewer_is_better=True)
    rate = Figure(case="", what="", unit="", value=0.48, limit=0.5, goal=0.48)
    assert (clocks.share, clocks.met) == (0.8, False)
    assert (rate.share, rate.met) == (0.96, True)
    free = Figure(case="", what="", unit="", value=3)
    assert (free.share, free.met) == (None, None)
    equal = Figure(case="", what="", unit="", value=0, goal=0, fewer_is_better=True)
    assert equal.met
