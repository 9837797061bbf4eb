"""Rates that follow the share of a run: the same registers at the same samples, for everyone."""

import itertools
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest

from boards.host.driver import Board
from golden_model.data.dataset import Dataset, load_data
from golden_model.engine import GoldenEngine
from golden_model.rates import Rates, write_rates
from golden_model.spec.control import Register
from golden_model.spec.formats import FormattedNetwork, infer_formats
from golden_model.spec.learner import Learner
from golden_model.spec.network import Dense, Learning, Network, Readout
from golden_model.spec.toml import load_network
from golden_model.training import Reached, shuffled, train
from golden_model.weight_file import read_checkpoint, save_weights
from sim.golden_chip import GoldenChip

SHARES = Learning(rate_steps=(0.5, 0.7, 0.7, 0.95), warm_up=0.29)
NETWORK = Network(
    name="small",
    inputs=4,
    classes=3,
    layers=(Dense(units=5),),
    readout=Readout(),
    learning=SHARES,
)
SAMPLES = 130


@pytest.fixture
def formats() -> FormattedNetwork:
    return infer_formats(NETWORK)


@pytest.fixture
def data() -> Dataset:
    full = load_data("random", NETWORK)
    return Dataset(
        name="some",
        x_train=full.x_train[:SAMPLES],
        y_train=full.y_train[:SAMPLES],
        x_test=full.x_test[:20],
        y_test=full.y_test[:20],
    )


def step_by_hand(sample: int, run: int) -> int:
    """From `SHARES` in whole hundredths."""
    passed = sum(sample >= share * run // 100 for share in (50, 70, 70, 95))
    return passed + (sample < 29 * run // 100)


def weights_of(learner: Learner) -> list[list[list[int]]]:
    return [learner.read_weights(n).tolist() for n in range(2)]


@pytest.mark.parametrize("run", [1, 3, 10, 100, 260, 1000])
def test_rates_change_at_exact_samples(run: int) -> None:
    rates = Rates.of(SHARES, run, epoch=7)
    assert [rates.at(n) for n in range(run)] == [step_by_hand(n, run) for n in range(run)]


def test_shares_are_the_decimals_that_were_written() -> None:
    """0.29 * 100 is 28.999... in binary numbers."""
    assert Rates.of(Learning(rate_steps=(0.29,)), 100, epoch=100).changes == ((0, 0), (29, 1))
    large = Rates.of(Learning(rate_steps=(1 / 3,)), 10**30, epoch=1).changes[1][0]
    assert large == int(Fraction(repr(1 / 3)) * 10**30)


def test_a_schedule_counts_epochs_and_stays_at_its_last_entry() -> None:
    rates = Rates.of(Learning(rate_schedule=(1, 0, 3)), 50, epoch=10)
    assert [rates.at(n) for n in (0, 9, 10, 19, 20, 49)] == [1, 1, 0, 0, 3, 3]
    assert Rates.of(Learning(), 50, epoch=10).at(49) == 0


@pytest.mark.parametrize("name", ["mnist-deep", "fashion-deep"])
def test_twenty_epochs_of_these_networks_are_what_they_were(name: str) -> None:
    """Their results were made by this schedule, whose epochs their shares take over."""
    schedule = (1, *[0] * 9, *[1] * 4, 2, 2, 3, 3, 4, 4)
    before = Rates.of(Learning(rate_schedule=schedule), 20 * 60000, epoch=60000)
    now = Rates.of(load_network(name).learning, 20 * 60000, epoch=60000)
    at = [60000 * epoch + sample for epoch in range(20) for sample in (0, 59999)]
    assert [now.at(sample) for sample in at] == [before.at(sample) for sample in at]


@pytest.mark.parametrize("learning", [SHARES, Learning(rate_schedule=(1, 2))])
def test_a_stream_without_an_end_keeps_its_rates(learning: Learning) -> None:
    rates = Rates.of(learning, None, epoch=10)
    assert [rates.at(n) for n in (0, 10, 10**9)] == [0, 0, 0]


def test_a_long_run_starts_with_the_first_step() -> None:
    for learning in (SHARES, replace(SHARES, warm_up=0), Learning(rate_schedule=(2, 0))):
        assert Rates.of(learning, 1000, epoch=100).at(0) == learning.first_step


class Recorder(GoldenEngine):
    """Keeps the rate shifts of every sample that it learns."""

    def __init__(self, formats: FormattedNetwork) -> None:
        super().__init__(formats)
        self.rates: list[list[int]] = []

    def send_many(self, samples, labels):  # type: ignore[no-untyped-def]
        shifts = [self.read_register(n, Register.RATE_SHIFT) for n in range(2)]
        self.rates += [shifts] * len(samples)
        super().send_many(samples, labels)


def test_each_sample_is_learnt_at_its_own_rates(formats: FormattedNetwork, data: Dataset) -> None:
    recorder, by_hand = Recorder(formats), GoldenEngine(formats)
    list(train(recorder, data, epochs=2))
    steps = [step_by_hand(n, 2 * SAMPLES) for n in range(2 * SAMPLES)]
    assert recorder.rates == [[5 + step, 2 + step] for step in steps]
    order = itertools.chain(*(shuffled(formats, SAMPLES, epoch) for epoch in range(2)))
    for index, step in zip(order, steps, strict=True):
        write_rates(by_hand, step)
        by_hand.send(data.x_train[index], int(data.y_train[index]))
    assert weights_of(recorder) == weights_of(by_hand)


def test_a_board_is_given_the_same(formats: FormattedNetwork, data: Dataset) -> None:
    engine, board = GoldenEngine(formats), Board(GoldenChip(formats), formats)
    for learner in (engine, board):
        list(train(learner, data, epochs=2))
    assert weights_of(board) == weights_of(engine)
    for n in range(2):
        rates = [learner.read_register(n, Register.RATE_SHIFT) for learner in (engine, board)]
        assert rates == [formats.layers[n].rate_shift + 4] * 2


@pytest.mark.parametrize("stop", [1, 2, 3])
def test_what_is_missing_ends_the_run(
    tmp_path: Path, formats: FormattedNetwork, data: Dataset, stop: int
) -> None:
    saved = tmp_path / "weights.npz"
    whole, first, second, other = (GoldenEngine(formats) for _ in range(4))
    list(train(whole, data, epochs=4))
    for report in itertools.islice(train(first, data, epochs=4), stop):
        save_weights(saved, first, report)
    checkpoint = read_checkpoint(saved, formats)
    for engine, more in ((second, 4 - stop), (other, 5 - stop)):
        checkpoint.restore(engine)
        list(
            itertools.islice(train(engine, data, epochs=more, reached=checkpoint.reached), 4 - stop)
        )
    assert weights_of(second) == weights_of(whole) != weights_of(other)


def test_each_layer_has_a_run_of_its_own(formats: FormattedNetwork, data: Dataset) -> None:
    recorder, rest = Recorder(formats), Recorder(formats)
    list(train(recorder, data, epochs=2, layer_by_layer=True))
    steps = [step_by_hand(n, 2 * SAMPLES) for n in range(2 * SAMPLES)] * 2
    assert recorder.rates == [[5 + step, 2 + step] for step in steps]
    reached = Reached(stage="layer0", epoch=1, seen=1)
    list(train(rest, data, epochs=2, layer_by_layer=True, reached=reached))
    assert recorder.rates[SAMPLES:] == rest.rates
