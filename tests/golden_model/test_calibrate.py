"""Calibration: what it finds, and what it leaves of a file."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from numpy.typing import NDArray

from golden_model import calibrate as command
from golden_model.calibrate import main, settled
from golden_model.calibration import (
    ACTIVATION_RMS,
    MOVE_SHARES,
    PROBES,
    Calibration,
    calibrate,
    with_settings,
)
from golden_model.data.dataset import Dataset, load_data, stratified
from golden_model.engine import GoldenEngine
from golden_model.spec.control import Register
from golden_model.spec.errors import SpecError
from golden_model.spec.formats import infer_formats
from golden_model.spec.learner import Samples
from golden_model.spec.network import Conv, Dense, Learning, Loss, Network, Readout
from golden_model.spec.toml import load_network
from golden_model.trial import EPOCHS_MOST, ROUNDS_MOST, trial

DESCRIPTION = """
name = "mine"         # a name
inputs = [8, 8, 1]
classes = 10

[learning]
loss = "pairwise-hinge"

[[layers]]            # sees the image
type = "conv"
filters = 6
kernel = 3

[[layers]]
type = "dense"
units = 20
margin = 1            # too small

[readout]
"""
NETWORK = Network(
    name="mine",
    inputs=[8, 8, 1],  # type: ignore[arg-type]
    classes=10,
    layers=(Conv(filters=6, kernel=3), Dense(units=20)),
    readout=Readout(),
    learning=Learning(loss=Loss.PAIRWISE_HINGE),
)


def calibrated() -> list[Calibration]:
    return [
        Calibration(
            name=name,
            activation_shift=n,
            margin=20 + n,
            rate_shift=n,
            activation_rms=1.0,
            score_rms=1.0,
            move_share=1.0,
        )
        for n, name in enumerate(["layer0", "layer1", "readout"])
    ]


@pytest.fixture
def digits() -> Dataset:
    return load_data("digits", NETWORK)


@pytest.mark.parametrize("off", [-3, 0, 4])
def test_values_are_within_half_a_power_of_two_wherever_it_starts(
    digits: Dataset, off: int
) -> None:
    first = replace(NETWORK.layers[0], activation_shift=15 + off, rate_shift=10 + off)
    network, found = calibrate(replace(NETWORK, layers=(first, NETWORK.layers[1])), digits, 60)
    assert [layer.name for layer in found] == ["layer0", "layer1", "readout"]
    for layer, fed in zip(found, ["inputs", "activations", "activations"], strict=True):
        assert abs(np.log2(layer.move_share / MOVE_SHARES[fed])) <= 0.5
    for layer, share in zip(found[:2], [0.5, 1], strict=True):
        assert abs(np.log2(layer.activation_rms / ACTIVATION_RMS)) <= 0.5
        assert abs(np.log2(layer.margin / layer.score_rms / share)) <= 0.5
    for described, layer in zip(infer_formats(network).layers, found, strict=True):
        assert described.activation_shift == layer.activation_shift
        assert (described.margin, described.rate_shift) == (layer.margin, layer.rate_shift)
    assert (calibrate(network, digits, 60)[1]) == found


def sums(engine: GoldenEngine, samples: Samples, index: int) -> NDArray[np.float64]:
    """Of one layer, for each sample: shape ``[n, places * units]``."""
    found = []
    for sample in samples:
        engine.send(sample)
        found.append(engine.traces()[index].accumulators)
    return np.array(found, np.float64)


@pytest.mark.parametrize("index", range(3))
def test_an_update_moves_the_sums_of_all_samples_by_the_share_that_is_told(
    digits: Dataset, index: int
) -> None:
    data = replace(digits, x_train=digits.x_train[:40], y_train=digits.y_train[:40])
    network, found = calibrate(NETWORK, data, 40)
    engine = GoldenEngine(infer_formats(network))
    for layer in range(3):
        engine.write_register(layer, Register.LEARN, int(layer == index))
    initial, units = engine.read_weights(index), engine.formats.layers[index].units
    before, squares = sums(engine, data.x_train, index), []
    for sample, label in zip(data.x_train, data.y_train.tolist(), strict=True):
        engine.send(sample, label)
        if engine.traces()[index].pending and len(squares) < PROBES:
            squares.append(np.mean((sums(engine, data.x_train, index) - before) ** 2))
        engine.write_weights(index, initial)
    deviation = before.reshape(-1, units).std(axis=0)
    share = np.sqrt(np.mean(squares) / np.mean(deviation**2))
    assert found[index].move_share == pytest.approx(share)


def test_samples_are_drawn_from_every_class(digits: Dataset) -> None:
    order = np.argsort(digits.y_train, kind="stable")
    ordered = replace(digits, x_train=digits.x_train[order], y_train=digits.y_train[order])
    network, found = calibrate(NETWORK, ordered, 50)
    first = replace(ordered, x_train=ordered.x_train[:50], y_train=ordered.y_train[:50])
    assert found != calibrate(network, first, 50)[1]
    assert set(stratified(ordered, 50, NETWORK.seed).y_test) == set(range(10))


def ruined(network: Network, *_: object, **__: object) -> tuple[Network, list[Calibration]]:
    """A calibration after which nothing is learnt."""
    found = []
    for layer in infer_formats(network).layers:
        worst = {"activation_shift": layer.accumulator_bits - 1, "margin": 0, "rate_shift": 0}
        network = with_settings(network, layer.index, **worst)
        found.append(
            Calibration(name=layer.name, **worst, activation_rms=1.0, score_rms=1.0, move_share=1.0)
        )
    return network, found


def test_what_is_worse_than_before_is_not_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, out = tmp_path / "mine.toml", tmp_path / "out.toml"
    file.write_text(DESCRIPTION)
    monkeypatch.setattr(command, "calibrate", ruined)
    words = ["--network", str(file), "--data", "digits"]
    for more in ([], ["--out", str(out)]):
        result = CliRunner().invoke(main, [*words, *more])
        assert result.exit_code == 0, result.output
        assert "Not taken: after a brief training" in result.output
    assert file.read_text() == out.read_text() == DESCRIPTION


def test_a_trial_is_the_same_each_time_and_looks_at_training_samples_only(digits: Dataset) -> None:
    network = load_network("digits")
    right = trial(network, digits)
    assert 0.7 < right < 1
    assert trial(network, replace(digits, x_test=digits.x_test[:0])) == right
    told: list[float] = []
    trial(network, digits, told.append)
    assert sum(told) == pytest.approx(1)


def test_a_trial_of_few_samples_is_brief_too(digits: Dataset) -> None:
    few = replace(digits, x_train=digits.x_train[:12], y_train=digits.y_train[:12] % 2)
    told: list[float] = []
    trial(load_network("digits"), few, told.append)
    assert len(told) == ROUNDS_MOST * EPOCHS_MOST


def test_a_file_keeps_all_else(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(DESCRIPTION)
    words = ["--network", str(file), "--data", "digits", "--samples", "50"]
    result = CliRunner().invoke(main, words)
    assert result.exit_code == 0, result.output
    text = file.read_text()
    assert "# a name" in text
    assert "# sees the image" in text
    assert "Taken: after a brief training" in result.output
    network = load_network(str(file))
    assert network.layers[1].margin not in (None, 1)
    changed = {"activation_shift": None, "margin": None, "rate_shift": None}
    for found, given in zip(network.layers, NETWORK.layers, strict=True):
        assert replace(found, **changed) == given  # type: ignore[arg-type]


@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_file_keeps_its_line_ends_and_mark(mark: str, end: str) -> None:
    text = mark + DESCRIPTION.replace("\n", end)
    found = calibrated()
    written = settled(text, NETWORK, found)
    assert written.startswith(mark + end)
    assert written.count("\n") == written.count(end) == DESCRIPTION.count("\n") + 8
    assert written == mark + settled(DESCRIPTION, NETWORK, found).replace("\n", end)


def test_lines_that_end_differently_stay(tmp_path: Path) -> None:
    mixed = DESCRIPTION.replace("\n", "\r\n", 3)
    written = settled(mixed, NETWORK, calibrated())
    assert written == settled(DESCRIPTION, NETWORK, calibrated()).replace("\n", "\r\n", 3)


def test_where_it_cannot_write_is_known_before_the_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "calibrate", None)  # would fail if it were called
    words = ["--network", "digits", "--out", "absent/mine.toml"]
    result = CliRunner().invoke(command.main, words)
    assert result.exit_code == 2
    assert result.output.startswith("Error: file 'absent/mine.toml': there is no directory")


def test_the_data_are_not_overwritten(tmp_path: Path) -> None:
    file = tmp_path / "own.csv"
    file.write_text("mine")
    words = ["--network", "digits", "--data", str(file), "--out", str(file)]
    result = CliRunner().invoke(command.main, words)
    assert result.exit_code == 2
    assert "it is what is read, and would be lost" in result.output
    assert file.read_text() == "mine"


def test_a_known_network_needs_a_place() -> None:
    result = CliRunner().invoke(main, ["--network", "digits"])
    assert result.exit_code == 2
    assert "--out" in result.output


def test_a_silent_layer_is_named(digits: Dataset) -> None:
    dark = replace(digits, x_train=digits.x_train[:5] * 0)
    network = replace(NETWORK, layers=(Conv(filters=1, kernel=3, activation_shift=25),))
    with pytest.raises(SpecError, match="mine: layer0: none of its units answers"):
        calibrate(network, dark, 5)


def test_samples_that_are_alike_are_told(digits: Dataset) -> None:
    with pytest.raises(SpecError, match="digits: 1 samples: there is no difference in them"):
        calibrate(load_network("digits"), digits, 1)
