"""The host's commands on a golden chip: what is wrong is found before anything changes."""

import numpy as np
import pytest
from click.testing import CliRunner

import boards.host.__main__ as host
from golden_model.spec.control import COUNTER_MASK, Activity, Counter, Register
from golden_model.spec.errors import SpecError
from golden_model.spec.formats import infer_formats
from golden_model.spec.frames import Opcode
from golden_model.spec.toml import load_network
from tests.boards.wires import HarmedWire

NETWORK = """
name = "tiny"
inputs = 6
classes = 3

[[layers]]
type = "dense"
units = 4

[readout]
"""


class Port(HarmedWire):
    """A chip that stays programmed when its port is closed."""

    closed = False

    def close(self):
        self.closed = True


@pytest.fixture
def port(tmp_path, monkeypatch):
    """What every command opens, and a folder to work in with a network and a data set."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tiny.toml").write_text(NETWORK)
    port = Port(infer_formats(load_network("tiny.toml")))
    monkeypatch.setattr(host, "open_port", lambda name, baud, formats: port)
    chance = np.random.default_rng(1)
    x, y = chance.integers(0, 256, (20, 6)).astype(np.uint8), chance.integers(0, 3, 20)
    np.savez("data.npz", x_train=x, y_train=y, x_test=x, y_test=y)
    return port


def command(*arguments):
    name, *rest = map(str, arguments)
    wire = ["--port", "here", "--network", "tiny.toml"]
    return CliRunner().invoke(host.main, [name, *wire, *rest])


TRAIN = ("train", "--data", "data.npz")


def test_training_goes_on_where_it_was_saved(port):
    for options in (["--save", "w.npz"], ["--load", "w.npz", "--save", "w.npz"]):
        result = command(*TRAIN, *options)
        assert result.exit_code == 0, result.output
        assert port.closed
    once = port.chip.engine.read_weights(0)
    command(*TRAIN, "--epochs", 2)
    assert np.array_equal(port.chip.engine.read_weights(0), once)


def test_an_answer_at_chance_is_told_once(port):
    """Since all samples are alike."""
    with np.load("data.npz") as file:
        arrays = dict(file)
    alike = {key: np.full_like(arrays[key], 9) for key in ("x_train", "x_test")}
    np.savez("data.npz", **(arrays | alike))
    result = command(*TRAIN, "--epochs", 52)
    assert result.exit_code == 0
    assert result.stderr.count("Warning: readout: ") == 2
    assert result.stderr.count("of 20 test samples are right, where always answering") == 1
    assert "Warning" not in result.stdout


def wrong_file(name):
    if name == "text.npz":
        with open(name, "w") as file:
            file.write("no weights")
    if name == "other.npz":
        np.savez(name, fingerprint=1, seed=2, epochs=3, layer0=np.zeros((4, 7)), readout=[0])


@pytest.mark.parametrize(
    "options",
    [
        ["--load", "missing.npz"],
        ["--load", "text.npz"],
        ["--load", "other.npz"],
        ["--save", "missing/w.npz"],
        ["--save", "data.npz/w.npz"],
        ["--load", "data.npz", "--save", "w.npz"],
    ],
    ids=" ".join,
)
def test_a_wrong_file_changes_nothing(port, options):
    """The chip's trained weights and counters are what they were."""
    assert command(*TRAIN).exit_code == 0
    engine = port.chip.engine
    before = [engine.read_weights(layer) for layer in range(2)]
    port.requests.clear()
    wrong_file(options[1])
    result = command(*TRAIN, *options)
    assert result.exit_code == 2, result.output
    assert result.output.startswith("Error: ")
    assert result.output.count("\n") == 1
    assert set(port.requests) == {Opcode.INFO}
    for layer, weights in enumerate(before):
        assert np.array_equal(engine.read_weights(layer), weights)
        assert engine.read_register(layer, Counter.SAMPLES) == 20


@pytest.mark.parametrize("name", ["missing/w.npz", "."])
def test_weights_are_read_only_where_they_can_be_kept(port, name):
    result = command("read-weights", name)
    assert result.exit_code == 2, result.output
    assert Opcode.READ_WEIGHTS not in port.requests


@pytest.mark.parametrize("name", ["missing.npz", "text.npz", "other.npz"])
def test_wrong_weights_are_not_written(port, name):
    wrong_file(name)
    result = command("write-weights", name)
    assert result.exit_code == 2, result.output
    assert Opcode.WRITE_WEIGHTS not in port.requests


def test_another_program_s_samples_end_in_one_sentence(port):
    send = port.chip._sample

    def twice(sample, label):
        send(sample, label)
        return send(sample, label)

    port.chip._sample = twice
    result = command(*TRAIN)
    assert result.exit_code == 1
    last = result.output.splitlines()[-1]
    assert last.startswith("Error: layer0 has counted 40 samples where 20 is right: the chip was ")
    assert last.endswith("saved last.")


def test_a_dead_wire_ends_in_one_sentence(port):
    port.chip.write = lambda content: None
    result = command("info")
    assert result.exit_code == 1
    assert result.output == (
        "Error: no answer: is the board programmed, and are port and baud rate right?\n"
    )


@pytest.mark.parametrize("name", ["info", "counters"])
def test_tables_fit_80_columns(port, name, monkeypatch):
    """With the largest numbers there are."""
    largest = str(COUNTER_MASK)
    monkeypatch.setattr(host, "_value", lambda *_: largest)
    result = command(name)
    assert result.exit_code == 0, result.output
    lines = result.output.splitlines()
    assert max(map(len, lines)) <= 80
    numbers = len(Counter) + (len(Activity if name == "counters" else Register))
    rows = [line for line in lines if largest in line]
    assert sum(line.count(largest) for line in rows) == 2 * numbers
    assert sum(line.startswith("│ layer0") for line in rows) == 2


def test_a_held_port_ends_in_one_sentence(port, monkeypatch):
    def held(name, baud, formats):
        raise SpecError("port 'here'", "another program holds it", "End it")

    monkeypatch.setattr(host, "open_port", held)
    result = command("info")
    assert result.exit_code == 2
    assert result.output == "Error: port 'here': another program holds it. End it.\n"
