"""Calibration: what it finds, and what it leaves of a file."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from golden_model import calibrate as command
from golden_model.calibrate import main, settled
from golden_model.calibration import ACTIVATION_RMS, UPDATE_SHARE, Calibration, calibrate
from golden_model.data import Dataset, load_data
from golden_model.spec.errors import SpecError
from golden_model.spec.formats import infer_formats
from golden_model.spec.network import Conv, Dense, Learning, Loss, Network, Readout
from golden_model.spec.toml import load_network

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
            update_share=1.0,
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
    for layer in found:
        assert abs(np.log2(layer.update_share / UPDATE_SHARE)) <= 0.5
    for layer in found[:2]:
        assert abs(np.log2(layer.activation_rms / ACTIVATION_RMS)) <= 0.5
        assert abs(np.log2(layer.margin / layer.score_rms * 2)) <= 0.5
    for described, layer in zip(infer_formats(network).layers, found, strict=True):
        assert described.activation_shift == layer.activation_shift
        assert (described.margin, described.rate_shift) == (layer.margin, layer.rate_shift)
    assert (calibrate(network, digits, 60)[1]) == found


def test_a_file_keeps_all_else(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(DESCRIPTION)
    words = ["--network", str(file), "--data", "digits", "--samples", "50"]
    result = CliRunner().invoke(main, words)
    assert result.exit_code == 0, result.output
    text = file.read_text()
    assert "# a name" in text
    assert "# sees the image" in text
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


def test_a_known_network_needs_a_place() -> None:
    result = CliRunner().invoke(main, ["--network", "digits"])
    assert result.exit_code == 2
    assert "--out" in result.output


def test_a_silent_layer_is_named(digits: Dataset) -> None:
    dark = replace(digits, x_train=digits.x_train[:5] * 0)
    network = replace(NETWORK, layers=(Conv(filters=1, kernel=3, activation_shift=25),))
    with pytest.raises(SpecError, match="mine: layer0: none of its units answers"):
        calibrate(network, dark, 5)
