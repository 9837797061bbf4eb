"""A network for data nobody has seen: what is chosen, what the file says, and that it learns."""

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from numpy.typing import NDArray

from golden_model.data.own_files import RawData
from golden_model.describing import EPOCHS, Seen, describe, network_for
from golden_model.new import described, main, name_of
from golden_model.spec.network import Coding
from golden_model.spec.toml import load_network, parse_network
from golden_model.train import main as train


def table(path: Path, samples: int = 90, features: int = 5) -> Path:
    """A .csv file of three kinds that differ in two features, all far from 0."""
    random = np.random.RandomState(1)
    kinds = np.arange(samples) % 3
    x = 1000 + random.normal(size=(samples, features))
    x[:, 0] += 3 * (kinds == 1)
    x[:, 1] -= 3 * (kinds == 2)
    x[:, -1] = 7
    with path.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow([*(f"f{n}" for n in range(features)), "kind"])
        names = ["réd", 'a "b"', "c"]
        rows.writerows(
            [*values, names[kind]] for values, kind in zip(x.tolist(), kinds, strict=True)
        )
    return path


def run(*words: str) -> Any:
    return CliRunner().invoke(main, words)


def test_a_csv_becomes_a_network_that_learns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    table(tmp_path / "my data.csv")
    result = run("--data", "my data.csv")
    assert result.exit_code == 0, result.output
    assert "Train it: python -m golden_model.train --network my-data.toml --data 'my data.csv'" in (
        result.output
    )
    network = load_network("my-data.toml")
    assert (network.name, network.inputs, network.classes) == ("my-data", 10, 3)
    assert network.coding is Coding.TWO_CHANNELS
    assert network.labels == ('a "b"', "c", "réd")
    assert network.scaler
    assert network.scaler.deviation[-1] == 0
    assert network.scaler.names == ("f0", "f1", "f2", "f3", "f4")
    assert all(layer.margin and layer.activation_shift for layer in network.layers)
    assert network.learning.epochs == EPOCHS[1]
    words = ["--network", "my-data.toml", "--data", "my data.csv"]
    learnt = CliRunner().invoke(train, words)
    assert learnt.exit_code == 0, learnt.output
    lines = [line for line in learnt.output.splitlines() if line.startswith("epoch")]
    assert len(lines) == 20
    assert lines[-1].startswith("epoch 100 ")
    assert float(lines[-1].split("readout ")[1].split("%")[0]) > 85


def test_the_text_says_what_was_described(tmp_path: Path) -> None:
    made = described(str(table(tmp_path / "a.csv")), name="a", units=8, seed=3)
    assert parse_network(made.text) == made.network
    other = described(str(tmp_path / "a.csv"), name="a", units=8, seed=3)
    assert other.text == made.text


def raw(x: NDArray[Any], labels: NDArray[Any], test: bool = False) -> RawData:
    arrays = {"x": x, "y": labels}
    if test:
        arrays = {
            f"{key}_{part}": value for key, value in arrays.items() for part in ("train", "test")
        }
    return RawData(arrays=arrays)


BYTES = np.arange(240, dtype=np.uint8).reshape(10, 24)


@pytest.mark.parametrize(
    ("x", "coding", "inputs"),
    [
        (BYTES, Coding.TWO_CHANNELS, 48),
        (BYTES * (BYTES % 3 == 0), Coding.UNSIGNED, 24),
        (BYTES.reshape(10, 4, 6), Coding.TWO_CHANNELS, (4, 6, 2)),
        (BYTES.reshape(10, 4, 2, 3), Coding.TWO_CHANNELS, (4, 2, 6)),
        (0.0 * BYTES, Coding.TWO_CHANNELS, 48),
        (np.zeros((10, 8193)), Coding.SIGNED, 8193),
    ],
)
def test_coding_and_inputs_follow_from_the_data(
    x: NDArray[Any], coding: Coding, inputs: int | tuple[int, ...]
) -> None:
    for test in (False, True):
        seen = Seen.of("data", raw(x, np.arange(10) % 2, test), None)
        assert (seen.coding, seen.inputs, seen.names) == (coding, inputs, ())
        network = network_for(seen, "a", units=4, seed=1)
        described = parse_network(describe(seen, network, "data"))
        assert described == network


@pytest.mark.parametrize(
    ("samples", "epochs"), [(40, 100), (400, 100), (1000, 40), (4000, 10), (60_000, 10)]
)
def test_epochs_follow_from_the_number_of_samples(samples: int, epochs: int) -> None:
    x = np.zeros((samples, 1))
    assert Seen.of("data", raw(x, np.arange(samples) % 2), None).epochs == epochs


def test_long_lists_are_read_as_they_were_written() -> None:
    names = [f"a class with a long name, number {number:03}" for number in range(200)]
    seen = Seen.of("data", raw(np.zeros((200, 2)), np.array(names)), None)
    network = network_for(seen, "a", units=4, seed=1)
    text = describe(seen, network, "data")
    assert parse_network(text).labels == tuple(names)
    assert max(map(len, text.splitlines())) < 120


@pytest.mark.parametrize(
    ("file", "name"),
    [("iris.csv", "iris"), ("7 ups.csv", "n7-ups"), ("a/wine_x.npy", "wine"), ("é.npz", "network")],
)
def test_names_come_from_files(file: str, name: str) -> None:
    assert name_of(Path(file)) == name


def test_a_file_that_is_there_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    table(tmp_path / "a.csv")
    (tmp_path / "a.toml").write_text("mine")
    result = run("--data", "a.csv")
    assert result.exit_code == 2
    assert result.output == (
        "Error: file 'a.toml': it is there already. Name another by --out, or remove it.\n"
    )
    assert (tmp_path / "a.toml").read_text() == "mine"


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (["digits"], "data 'digits': a network is described for a .npz, .npy or .csv file. Known"),
        (["absent.csv"], "absent.csv"),
        (
            ["a.csv", "--out", "b"],
            "--out 'b': a network's file is known by its ending. Write 'b.to",
        ),
        (["a.npz"], "a.npz has 300 different labels: a network tells 2 to 256"),
        (["a.csv", "--coding", "unsigned"], "float64"),
        (["wide.npz"], 'x has 16385 features: a network of coding = "signed" takes 16384 at most'),
        (["wide.npz", "--coding", "two-channels"], "takes 8192 at most. Leave some out"),
        (["none.npz"], "x has shape (10, 0): it must be at least one sample of one feature"),
    ],
)
def test_errors(
    words: list[str], error: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    table(tmp_path / "a.csv")
    np.savez(tmp_path / "a.npz", x=np.zeros((300, 2)), y=np.arange(300))
    for name, features in (("wide", 16385), ("none", 0)):
        x = np.ones((10, features), np.uint8)
        np.savez(tmp_path / f"{name}.npz", x=x, y=np.arange(10) % 2)
    result = run("--data", *words)
    assert result.exit_code == 2
    assert error in result.output
    assert result.output.count("\n") == 1
    assert not (tmp_path / "a.toml").exists()
