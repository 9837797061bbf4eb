"""A stream on the wire: the chip tells what the golden model does, and answers may be lost."""

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

import boards.host.__main__ as host
from boards.host.driver import Board
from golden_model import train
from golden_model.data.dataset import Stream
from golden_model.engine import GoldenEngine
from golden_model.online import Online
from golden_model.prequential import prequential
from golden_model.spec.formats import infer_formats
from golden_model.spec.frames import Opcode
from golden_model.spec.learner import UNKNOWN
from golden_model.spec.toml import load_network
from golden_model.training import UNTRAINED
from golden_model.weight_file import read_checkpoint
from tests.boards.test_commands import Port
from tests.boards.wires import FORMATS, HarmedWire, same_state

NETWORK = """
name = "plants"
inputs = 2
classes = 3
coding = "signed"

[[layers]]
units = 5

[readout]
"""


@pytest.fixture
def port(tmp_path, monkeypatch):
    """A chip, and a folder with its network and a table in order of time."""
    monkeypatch.chdir(tmp_path)
    Path("plants.toml").write_text(NETWORK)
    port = Port(infer_formats(load_network("plants.toml")))
    monkeypatch.setattr(host, "open_port", lambda name, baud, formats: port)
    values = np.random.default_rng(3).normal(0, 1, (140, 2)) + np.arange(140).reshape(-1, 1) % 3
    rows = [f"{a:.3f},{b:.3f},{'abc'[n % 3]}" for n, (a, b) in enumerate(values)]
    Path("plants.csv").write_text("\n".join(["height,width,kind", *rows]))
    return port


WANTED = ["--network", "plants.toml", "--data", "plants.csv"]


def on_board(*words):
    return CliRunner().invoke(host.main, ["train", "--port", "here", *WANTED, *words])


def on_golden_model(*words):
    return CliRunner().invoke(train.main, [*WANTED, *words])


@pytest.mark.parametrize("options", [[], ["--shuffle", "--window", "10"]], ids=" ".join)
def test_the_chip_tells_and_learns_what_the_golden_model_does(port, options):
    """Also when both go on."""
    for load in (False, True):
        found = [
            run("--online", *options, "--save", name, *["--load", name] * load)
            for run, name in ((on_board, "chip.npz"), (on_golden_model, "golden.npz"))
        ]
        assert found[0].exit_code == 0, found[0].output
        assert found[0].stdout == found[1].stdout
        assert f"{140 if load else 40} samples: " in found[0].stdout
        chip, golden = (
            read_checkpoint(Path(name), port.chip.engine.formats)
            for name in ("chip.npz", "golden.npz")
        )
        assert (chip.reached, chip.scaler) == (golden.reached, golden.scaler)
        for layer, weights in enumerate(golden.weights):
            assert np.array_equal(chip.weights[layer], weights)
            assert np.array_equal(port.chip.engine.read_weights(layer), weights)


def test_a_picture_is_drawn_of_the_chip(port):
    result = on_board("--online", "--plot", "p.png")
    assert result.exit_code == 0, result.output
    assert Path("p.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    "words",
    [
        ["--online", "--epochs", "1"],
        ["--online", "--layer-by-layer"],
        ["--online", "--plot", "p.npz"],
        ["--online", "--save", "p.png", "--plot", "p.png"],
        ["--online", "--label", "no"],
        ["--plot", "p.png"],
    ],
    ids=" ".join,
)
def test_what_is_wrong_is_found_before_the_chip_changes(port, words):
    result = on_board(*words)
    assert result.exit_code == 2
    assert result.output.startswith("Error: ")
    assert result.output.count("\n") == 1
    assert set(port.requests) == {Opcode.INFO}


class Lossy(HarmedWire):
    """Loses the replies to some labelled samples, by their number."""

    lost = (3, 20, 21)
    sent = 0

    def write(self, content):
        if content[1] == Opcode.TRAIN:
            self.faults = ["lost"] if self.sent in self.lost else []
            self.sent += 1
        super().write(content)


def test_answers_that_are_lost_are_neither_right_nor_wrong(capsys):
    chance = np.random.default_rng(1)
    x, y = chance.integers(0, 256, (30, 70)).astype(np.uint8), chance.integers(0, 4, 30)
    stream = Stream(name="some", x=x, y=y.astype(np.uint8))
    golden = GoldenEngine(FORMATS)
    *_, whole = prequential(golden, stream)
    board = Board(Lossy(FORMATS), FORMATS)
    *_, record = prequential(board, stream)
    same_state(board, golden)
    expected = whole.predicted.copy()
    expected[[3, 20, 21]] = UNKNOWN
    assert record.predicted.tolist() == expected.tolist()
    right = (whole.predicted == y)[expected != UNKNOWN]
    assert record.accuracy()[-1] == right.mean()
    online = Online(window=2, shuffle=False, plot=None)
    online.run(Board(Lossy(FORMATS), FORMATS), stream, UNTRAINED)
    told = capsys.readouterr().out
    assert f"27 samples: {right.mean():.2%} answered rightly" in told
    assert "3 more were learnt, but their answers lost on the way" in told
    assert "sample 22  " in told
    assert "of the last 2 -" in told
