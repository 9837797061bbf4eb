"""The comparison finds what differs, first things first, and says nothing where nothing does."""

import numpy as np
import pytest
from click.testing import CliRunner

from golden_model.data.dataset import load_data
from golden_model.spec.formats import infer_formats
from golden_model.spec.network import Conv, Dense, Network, Readout
from sim.compare import main
from sim.record import TracedGolden, differences, train

NETWORK = Network(name="small", inputs=4, classes=3, layers=(Dense(units=3),), readout=Readout())
FORMATS = infer_formats(NETWORK)
TOML = """
name = "small"
inputs = 4
classes = 3
[[layers]]
units = 3
[readout]
"""

IMAGES = """
name = "images"
inputs = [7, 6, 2]
classes = 3
learning = { margin = 200 }
[[layers]]
type = "conv"
filters = 3
kernel = 2
regions = 2
[readout]
"""


def record(fault=lambda engine, number: None):
    """A golden engine trained on 40 samples, with `fault` before each of them."""

    class Faulty(TracedGolden):
        number = 0

        def send(self, sample, label=None):
            fault(self, self.number)
            self.number += 1
            super().send(sample, label)

    data = load_data("random", NETWORK)
    return train(Faulty(FORMATS), data.x_train[:40], data.y_train[:40])


def weight_fault(engine, number):
    """One weight of the readout is too large before sample 7."""
    if number == 7:
        weights = engine.read_weights(1)
        weights[2] += 5000
        engine.write_weights(1, weights)


def test_equal_records_have_no_difference():
    assert differences(FORMATS, record(), record()) == []


def test_first_difference_is_the_earliest():
    found = differences(FORMATS, record(), record(weight_fault))
    assert found[0].sample >= 7
    samples = [difference.sample for difference in found if difference.sample is not None]
    assert samples == sorted(samples)
    assert found[-1].sample is None


@pytest.mark.parametrize(
    ("field", "index", "place"),
    [
        ("predicted", (3,), "sample 3, class: "),
        ("scores", (3, 2), "sample 3, readout, score of class 2: "),
        ("counters", (1, 0), "at the end, readout, counter SAMPLES: "),
    ],
)
def test_one_wrong_value_is_named(field, index, place):
    good, bad = record(), record()
    getattr(bad, field)[index] += 5
    (found,) = differences(FORMATS, good, bad)
    value = getattr(good, field)[index]
    assert str(found) == f"{place}expected {value}, got {value + 5}"


@pytest.mark.parametrize(
    ("field", "place"),
    [
        ("gradients", "sample 2, layer0, gradient of unit 1: "),
        ("weights", "at the end, layer0, unit 2, weight of input 1: "),
    ],
)
def test_one_wrong_value_of_a_layer_is_named(field, place):
    good, bad = record(), record()
    getattr(bad, field)[0][2, 1] += 5
    (found,) = differences(FORMATS, good, bad)
    value = getattr(good, field)[0][2, 1]
    assert str(found) == f"{place}expected {value}, got {value + 5}"


def test_a_wrong_winner_is_named_where_it_learns():
    network = Network(
        name="image", inputs=(5, 6, 1), classes=3, layers=(Conv(filters=2, kernel=2),)
    )  # fmt: skip
    data = load_data("random", network)
    good, bad = (
        train(TracedGolden(infer_formats(network)), data.x_train[:40], data.y_train[:40])
        for _ in range(2)
    )
    learns = good.gradients[0] != 0
    assert good.winners[0].shape == learns.shape
    (learnt, frozen) = (np.argwhere(where)[0] for where in (learns, ~learns))
    good.winners[0][tuple(learnt)] = 7
    bad.winners[0][tuple(learnt)] = 8
    bad.winners[0][tuple(frozen)] += 1
    (found,) = differences(infer_formats(network), good, bad)
    window, filter = divmod(int(learnt[1]), 2)
    place = f"filter {filter} in window ({window // 2}, {window % 2})"
    expected = f"sample {learnt[0]}, layer0, winning place of {place}: expected 7, got 8"
    assert str(found) == expected
    # Nothing wins in a dense layer.
    assert record().winners[0].shape == (40, 0)


def test_records_of_other_shapes_are_refused():
    good, bad = record(), record()
    bad.weights[0].resize((3, 4), refcheck=False)
    with pytest.raises(ValueError, match="shapes"):
        differences(FORMATS, good, bad)


@pytest.fixture
def description(tmp_path):
    path = tmp_path / "small.toml"
    path.write_text(TOML, encoding="utf-8")
    return str(path)


@pytest.mark.parametrize("engine", ["cxxrtl", "verilator"])
def test_command_finds_none(description, engine):
    arguments = ["--network", description, "--data", "random", "--samples", "40"]
    done = CliRunner().invoke(main, [*arguments, "--engine", engine, "--folding", "layer0=2x2"])
    assert done.exit_code == 0, done.output
    assert "\n0 differences\n" in done.output


def test_command_finds_none_in_images(tmp_path):
    """In Verilator; the other simulator is told of winners by the faults' sound network."""
    path = tmp_path / "images.toml"
    path.write_text(IMAGES, encoding="utf-8")
    arguments = ["--network", str(path), "--data", "random", "--samples", "12"]
    arguments += ["--engine", "verilator", "--board", "ulx3s-85f", "--folding", "shared=2"]
    done = CliRunner().invoke(main, arguments)
    assert done.exit_code == 0, done.output
    assert "\n0 differences\n" in done.output


def test_command_shows_the_first(description, monkeypatch):
    monkeypatch.setitem(
        main.callback.__globals__["ENGINES"], "cxxrtl", lambda *_: record(weight_fault)
    )
    arguments = ["--network", description, "--data", "random", "--samples", "40"]
    done = CliRunner().invoke(main, arguments)
    assert done.exit_code == 1
    assert "The first: sample " in done.output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--network", "digit"], "Did you mean 'digits'?"),
        (["--board", "icebreakr"], "Did you mean 'icebreaker'?"),
        (["--data", "random", "--samples", "2001"], "--samples 2001: random has 2000"),
        (["--folding", "layer0"], "--folding layer0: "),
        (["--folding", "layer0=1x1", "--folding", "layer0=2x1"], "layer0 is folded already"),
        (["--folding", "layer9=1x1"], "folding of 'layer9'"),
        (["--folding", "layer0=3x1"], "PE = 3 of layer0"),
    ],
)
def test_command_refuses(arguments, message):
    done = CliRunner().invoke(main, arguments)
    assert done.exit_code == 2
    assert message in done.output
