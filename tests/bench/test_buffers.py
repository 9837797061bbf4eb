"""What is counted of a shared engine's buffers: by hand, and against its cycle model."""

from dataclasses import replace

import numpy as np
import pytest

from bench import buffers
from bench.cases import OPTIONS, Case
from bench.sharing import work_of
from bench.traffic import buffered
from boards.registry import find_board
from golden_model.engine import GoldenEngine
from golden_model.spec.network import Conv, Learning, Network, Readout
from hdl.passes.sharing_cycles import READ, WRITTEN, SharedCycles

SAMPLES = 12


def case_of(**options):
    layers = (Conv(filters=5, kernel=3), Conv(filters=3, kernel=2, pool=1))
    network = Network(
        name="seen", inputs=64, image=(8, 8, 1), classes=3, seed=3, layers=layers,
        readout=Readout(), learning=Learning(margin=30),
    )  # fmt: skip
    case = Case(board=find_board("ulx3s-85f"), network=network)
    return case, case.schedule(replace(OPTIONS, **options))


@pytest.fixture(scope="module", params=[True, False], ids=["zeros skipped", "all read"])
def seen(request):
    """An engine's schedule, and what some samples with zeros meant for it."""
    case, schedule = case_of(skip_zeros=request.param)
    chance = np.random.default_rng(4)
    x = chance.integers(0, 256, (SAMPLES, 64)) * (chance.random((SAMPLES, 64)) < 0.4)
    labels = chance.integers(0, 3, SAMPLES).tolist()
    work = work_of(schedule, GoldenEngine(case.formats), x.astype(np.uint8), labels)
    return schedule, work


def _formed(work):
    """Words of gradients: of one region, so one for each group."""
    return sum(bool(group) for sample in work for layer in sample for group in layer.groups)


def test_inputs_are_read_with_every_word_but_those_of_biases(seen):
    """The cycle model's words, which are the counters', and the visits of its updates."""
    schedule, work = seen
    table, folding = schedule.engine
    model = SharedCycles(table, folding, work)
    model.run()
    # Without those that the update reads, which are not counted at a port of its own.
    updates = not folding.update_port
    words = sum(counts[READ] - updates * counts[WRITTEN] for counts in model.counts)
    biases = SAMPLES * sum(row.windows * row.groups for row in table.rows)
    found = buffers.local(table, folding, work)
    looks = [
        look
        for sample in work
        for layer in sample
        for group in layer.groups
        for block in group
        for entry in block.entries
        for look in entry
    ]
    visits = sum(len(look.slots) for look in looks)
    of_bias = sum(look.bias for look in looks)
    assert visits > of_bias > 0
    assert found["pages read"] == words - biases + visits - of_bias
    assert found["steps"] == found["gradients"] * 2 - 2 * _formed(work) == 2 * visits


def test_backpropagation_moves_what_it_has_to_beside_that(seen):
    schedule, work = seen
    table, folding = schedule.engine
    ours, theirs = (of(table, folding, work) for of in (buffers.local, buffers.chained))
    same = ("pages read", "pages written", "flags", "winners", "steps")
    assert [ours[name] for name in same] == [theirs[name] for name in same]
    assert theirs["regions"] == theirs["classifiers"] == ours["errors"] == 0
    learnt = [sum(bool(sample[layer].groups) for sample in work) for layer in (1, 2)]
    inputs = [-(-row.format.input_size // folding.heads) for row in table.rows[1:]]
    assert theirs["errors"] == 2 * np.dot(learnt, inputs)
    assert theirs["gradients"] - buffers.backward(table, folding, work) > ours["steps"] // 2


def test_without_labels_nothing_is_updated_and_winners_are_written_all_the_same(seen):
    schedule, work = seen
    table, folding = schedule.engine
    silent = [[replace(layer, updates=False, groups=()) for layer in sample] for sample in work]
    found = buffers.local(table, folding, silent)
    assert found["steps"] == found["gradients"] == 0
    assert 0 < found["winners"] < buffers.local(table, folding, work)["winners"]
    assert buffers.backward(table, folding, silent) == 0


def test_a_sample_without_zeros_by_hand():
    _, schedule = case_of(skip_zeros=False)
    table, folding = schedule.engine
    assert (folding.pe, folding.heads) == (8, 2)
    found = buffers.chained_dense(table, folding)
    # Groups are one each. Windows of 2 x 2 places: 3 x 3, 1 x 1; then one. Taps: padded channels.
    first, second, readout = 9 * 9, 4 * 5, 4 * 3
    assert [row.windows for row in table.rows] == [9, 1, 1]
    # Each place of the second layer is a window of its own for its gradients.
    visits = first + 4 * second + readout
    assert found["pages read"] == first + second + readout + visits
    entries = 9 + 4 + 1
    assert found["steps"] == 2 * (visits + entries)
    # Read at each visit and for the errors of what the upper layers were fed.
    assert found["gradients"] == visits + 2 * entries + second + readout
    # 3 x 3 windows of 5 filters, and 4 places of 3, two at a time.
    assert found["errors"] == 2 * (23 + 6)
    assert found["flags"] == 0


def test_all_bytes_are_words_times_their_widths(seen):
    schedule, work = seen
    case, _ = case_of()
    figures = {figure.what: figure.value for figure in buffered(case, schedule, work, "")}
    widths = {name: int(name.split()[-2]) for name in figures if " words of " in name}
    total = sum(figures[name] * width for name, width in widths.items()) / 8000
    assert figures["all buffers"] == pytest.approx(total)
    assert figures["buffers / backpropagation, dense"] > 0
