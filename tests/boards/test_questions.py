"""The host's predict and report, on a golden chip: the bytes of the golden model's commands."""

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

import boards.host.__main__ as host
from golden_model import predict, report
from golden_model.spec.formats import infer_formats
from golden_model.spec.frames import Opcode
from golden_model.spec.toml import load_network
from tests.boards.test_commands import Port

NETWORK = """
name = "plants"
inputs = {inputs}
classes = 3
coding = "{coding}"

[[layers]]
units = 5

[readout]
"""


@pytest.fixture(params=["two-channels", "signed"])
def port(request, tmp_path, monkeypatch):
    """A chip that has learnt a table of names and numbers, and their weights in w.npz."""
    monkeypatch.chdir(tmp_path)
    inputs = 4 if request.param == "two-channels" else 2
    Path("plants.toml").write_text(NETWORK.format(inputs=inputs, coding=request.param))
    port = Port(infer_formats(load_network("plants.toml")))
    monkeypatch.setattr(host, "open_port", lambda name, baud, formats: port)
    values = np.random.default_rng(3).normal(0, 1, (60, 2)) + np.arange(60).reshape(-1, 1) % 3
    rows = [f"{a:.3f},{b:.3f},{'abc'[n % 3]}" for n, (a, b) in enumerate(values)]
    Path("plants.csv").write_text("\n".join(["height,width,kind", *rows]))
    result = on_board("train", "--save", "w.npz")
    assert result.exit_code == 0, result.output
    return port


def on_board(name, *words):
    wire = ["--port", "here", "--network", "plants.toml", "--data", "plants.csv"]
    return CliRunner().invoke(host.main, [name, *wire, *words])


def on_golden_model(command, *words):
    wanted = ["--network", "plants.toml", "--load", "w.npz", "--data", "plants.csv"]
    return CliRunner().invoke(command.main, [*wanted, *words])


def test_the_chip_answers_as_the_golden_model(port):
    port.chip.engine.reset()
    port.requests.clear()
    asked = on_board("predict", "--load", "w.npz")
    assert asked.exit_code == 0, asked.output
    assert Opcode.WRITE_WEIGHTS in port.requests
    assert asked.stdout.startswith("row,class,label,score of a")
    assert asked.stdout == on_golden_model(predict).stdout
    on_board("predict", "--load", "w.npz", "--out", "answers.csv")
    assert Path("answers.csv").read_text() == asked.stdout


def test_the_chip_is_reported_on_as_the_golden_model(port):
    port.chip.engine.reset()
    asked = on_board("report", "--load", "w.npz", "--out", "chip", "--whole")
    assert asked.exit_code == 0, asked.output
    on_golden_model(report, "--out", "golden", "--whole")
    for name in ("report.txt", "report.json"):
        assert (Path("chip") / name).read_text() == (Path("golden") / name).read_text()


def test_the_chip_answers_with_its_own_weights(port):
    """The report fits the scaler anew to the training part, as training did."""
    before = [port.chip.engine.read_weights(layer) for layer in range(2)]
    port.requests.clear()
    asked = on_board("report", "--out", "own")
    assert asked.exit_code == 0, asked.output
    assert Opcode.WRITE_WEIGHTS not in port.requests
    on_golden_model(report, "--out", "golden")
    own, golden = ((Path(name) / "report.json").read_text() for name in ("own", "golden"))
    assert own == golden
    for layer, weights in enumerate(before):
        assert np.array_equal(port.chip.engine.read_weights(layer), weights)


@pytest.mark.parametrize("name", ["predict", "report"])
@pytest.mark.parametrize(
    "options", [["--load", "absent.npz"], ["--load", "w.npz", "--label", "no"]]
)
def test_what_is_wrong_is_found_before_the_chip_changes(port, name, options):
    port.requests.clear()
    result = on_board(name, *options)
    assert result.exit_code == 2
    assert result.output.startswith("Error: ")
    assert result.output.count("\n") == 1
    assert Opcode.WRITE_WEIGHTS not in port.requests


@pytest.mark.parametrize(
    "words",
    [("train", "--save"), ("predict", "--load", "w.npz", "--out")],
    ids=lambda words: words[0],
)
def test_the_data_are_not_overwritten(port, words):
    before = Path("plants.csv").read_text()
    result = on_board(*words, "plants.csv")
    assert result.exit_code == 2
    assert "it is what is read, and would be lost" in result.output
    assert Path("plants.csv").read_text() == before


def test_without_a_scaler_nothing_is_predicted(port):
    result = on_board("predict")
    assert result.exit_code == 2
    assert "neither the network nor its weights name the classes" in result.output
    bare = [line.rsplit(",", 1)[0] for line in Path("plants.csv").read_text().splitlines()]
    Path("plants.csv").write_text("\n".join(bare))
    result = on_board("predict")
    assert result.exit_code == 2
    assert "neither it nor its weights say how" in result.output
