"""The simulated chip behind its serial line: the host's commands drive it as they would a board."""

import os
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from boards.host.__main__ import main as host
from boards.host.driver import Board
from boards.registry import find_board
from golden_model.data.dataset import load_data
from golden_model.engine import GoldenEngine
from golden_model.spec.control import Activity, Counter, Register
from golden_model.spec.formats import infer_formats
from golden_model.spec.toml import load_network
from golden_model.train import main as golden
from hdl.passes.pipeline import run
from sim.wired_chip import WiredChip

NETWORK = """
name = "tiny"
inputs = 6
classes = 3
seed = 5
coding = "signed"

[learning]
rate_shift = 2
margin = 40

[[layers]]
type = "dense"
units = 7

[readout]
"""


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A folder with a network and a small data set."""
    folder = tmp_path_factory.mktemp("tiny")
    (folder / "tiny.toml").write_text(NETWORK)
    network = load_network(str(folder / "tiny.toml"))
    data = load_data("random", network)
    arrays = {name: getattr(data, name)[:60] for name in ("x_train", "y_train", "x_test", "y_test")}
    np.savez(folder / "tiny.npz", **arrays)
    return folder


@contextmanager
def virtual_board(network: Path, engine: str):
    """The command in a process of its own; gives the port that it prints."""
    command = [sys.executable, "-m", "sim.virtual_board", "--network", str(network)]
    process = subprocess.Popen(
        [*command, "--engine", engine],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # A sample takes 50 thousand clocks on the wire.
        env=os.environ | {"LOAM_CXX_OPTIMISATION": "-O2"},
    )
    try:
        words = process.stdout.readline().split()
        assert words, process.stderr.read()
        yield words[-1]
    finally:
        process.terminate()
        process.communicate()


def succeed(command, *arguments) -> str:
    result = CliRunner().invoke(command, [str(argument) for argument in arguments])
    assert result.exit_code == 0, result.output
    return result.output


@pytest.mark.parametrize("engine", ["golden", "rtl"])
def test_commands(files, tmp_path, engine):
    network, data = files / "tiny.toml", files / "tiny.npz"
    expected, trained, read = (tmp_path / f"{name}.npz" for name in ("expected", "trained", "read"))
    epochs = ["--network", network, "--data", data, "--epochs", 2]
    judged = succeed(golden, *epochs, "--save", expected)
    with virtual_board(network, engine) as port:
        wire = ["--network", network, "--port", port]
        output = succeed(host, "train", *wire, *epochs[2:], "--save", trained)
        assert accuracies(output) == accuracies(judged)
        succeed(host, "read-weights", *wire, read, "--epochs", 2)
        same_arrays(expected, trained, read)
        table = succeed(host, "info", *wire)
        assert f"{load_network(str(network)).fingerprint:08x}" in table
        assert "120" in table  # samples counted
        assert_counters(succeed(host, "counters", *wire), engine)
        answer = succeed(host, "infer", *wire, "--data", data)
        assert answer.split("%")[0].split()[-1] == accuracies(judged)[-1].rstrip("%")
        succeed(host, "write-weights", *wire, read)
        wrong = CliRunner().invoke(host, ["info", "--network", "digits", "--port", port])
        assert wrong.exit_code == 1
        assert "does not hold the network 'digits'" in wrong.output


def assert_counters(table, engine):
    """Of a chip all numbers of each layer, of the golden model those of samples."""
    cells = [line.split("│")[2:-1] for line in table.splitlines() if line.startswith("│")]
    rows = [[cell.strip() for cell in row] for row in cells]
    assert len(rows) == 4  # two layers in each of two tables
    for activity, counts in zip(rows[:2], rows[2:], strict=True):
        samples, updates, unchanged = map(int, counts)
        assert (samples, updates + unchanged) == (120, 120)
        assert updates > 0
        if engine == "golden":
            assert activity == ["-"] * len(Activity)
        else:
            busy, waiting, _, read, written = map(int, activity)
            assert busy > read > written > 0
            assert waiting > 0  # the line is far slower


def accuracies(output: str) -> list[str]:
    """Every test accuracy of a training command, in order."""
    found = []
    for line in output.splitlines():
        if "test accuracy:" in line:
            text = line.split("test accuracy:")[1].split("  ")[0]
            found += [word.rstrip(",") for word in text.split() if "%" in word]
    assert found
    return found


def same_arrays(*paths: Path) -> None:
    first, *others = [dict(np.load(path)) for path in paths]
    for other in others:
        assert first.keys() == other.keys()
        assert all(np.array_equal(first[name], other[name]) for name in first)


def test_the_chip_on_its_wire_is_the_golden_model(files):
    network = load_network(str(files / "tiny.toml"))
    formats = infer_formats(network)
    board = Board(WiredChip(run(formats, find_board("icebreaker").budget)), formats)
    engine = GoldenEngine(formats)
    data = load_data("random", network)
    for number in range(60):
        x, label = data.x_train[number], int(data.y_train[number])
        for learner in (board, engine):
            if number == 30:
                learner.write_register(0, Register.RATE_SHIFT, 4)
                learner.write_weights(1, engine.read_weights(1) // 2)
            learner.send(x, label if number % 4 else None)
    for found, expected in zip(board.results(), engine.results(), strict=True):
        assert found.predicted == expected.predicted
        assert np.array_equal(found.scores, expected.scores)
    for layer in formats.layers:
        assert np.array_equal(board.read_weights(layer.index), engine.read_weights(layer.index))
        for counter in Counter:
            counted = board.read_register(layer.index, counter)
            assert counted == engine.read_register(layer.index, counter)
    assert board.retries == 0


def test_a_port_that_is_not_there():
    result = CliRunner().invoke(host, ["info", "--network", "digits", "--port", "/dev/nowhere"])
    assert result.exit_code == 2
    assert "port '/dev/nowhere': it cannot be opened" in result.output
