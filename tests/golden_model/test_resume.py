"""What was saved and loaded goes on as if nothing had happened, stochastic rounding too."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from boards.host.driver import Board
from golden_model import train as command
from golden_model.draws import stream
from golden_model.engine import GoldenEngine
from golden_model.spec.control import Counter, Register
from golden_model.spec.errors import SpecError
from golden_model.spec.formats import infer_formats
from golden_model.spec.learner import Learner
from golden_model.spec.network import Dense, Learning, Network, Readout, Rounding
from golden_model.training import UNTRAINED
from golden_model.weight_file import read_checkpoint, save_weights
from sim.golden_chip import GoldenChip

DESCRIPTION = """
name = "narrow"
inputs = 64
classes = 10

[learning]
rounding = "stochastic"

[[layers]]
units = 16
weight_bits = 8

[readout]
weight_bits = 8
"""
FORMATS = infer_formats(
    Network(
        name="small",
        inputs=5,
        classes=3,
        layers=(Dense(units=4, weight_bits=8),),
        readout=Readout(weight_bits=8),
        learning=Learning(margin=100, rounding=Rounding.STOCHASTIC),
    )
)
LEARNERS: dict[str, Callable[[], Learner]] = {
    "plain": lambda: GoldenEngine(FORMATS),
    "compiled": lambda: GoldenEngine(FORMATS, compiled=True),
    "board": lambda: Board(GoldenChip(FORMATS), FORMATS),
}


def run(*words: object) -> str:
    result = CliRunner().invoke(command.main, [str(word) for word in words])
    assert result.exit_code == 0, result.output
    return result.output


@pytest.mark.parametrize("compiled", [False, True])
def test_two_epochs_and_two_are_four(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, compiled: bool
) -> None:
    if compiled:
        pytest.importorskip("numba")
    monkeypatch.setattr("golden_model.engine.can_compile", lambda: compiled)
    whole, parts = tmp_path / "whole.npz", tmp_path / "parts.npz"
    network = tmp_path / "narrow.toml"
    network.write_text(DESCRIPTION)
    words = ("--network", network, "--data", "digits")
    run(*words, "--epochs", 4, "--save", whole)
    run(*words, "--epochs", 2, "--save", parts)
    run(*words, "--epochs", 2, "--save", parts, "--load", parts)
    with np.load(whole) as one, np.load(parts) as other:
        assert sorted(one.files) == sorted(other.files)
        for key in one.files:
            assert np.array_equal(one[key], other[key]), key
        arrays = dict(other)
    # Files of before tell no states.
    del arrays["rounding"]
    np.savez(parts, **arrays)
    output = run(*words, "--epochs", 1, "--load", parts)
    assert "does not say where stochastic rounding stood" in output


def learn(learner: Learner, part: slice) -> None:
    chance = np.random.default_rng(1)
    samples = chance.integers(0, 256, (60, 5)).astype(np.uint8)
    labels = chance.integers(0, 3, 60)
    for sample, label in zip(samples[part], labels[part].tolist(), strict=True):
        learner.send(sample, label)
    learner.results()


def state_of(learner: Learner) -> list[tuple[list[list[int]], int]]:
    """All weights of each layer, and where its rounding stands."""
    return [
        (learner.read_weights(n).tolist(), learner.read_register(n, Register.ROUNDING))
        for n in range(len(FORMATS.layers))
    ]


@pytest.mark.parametrize("last", LEARNERS)
@pytest.mark.parametrize("first", LEARNERS)
def test_any_learner_goes_on_from_any(tmp_path: Path, first: str, last: str) -> None:
    if "compiled" in (first, last):
        pytest.importorskip("numba")
    saved = tmp_path / "weights.npz"
    whole, one, other = GoldenEngine(FORMATS), LEARNERS[first](), LEARNERS[last]()
    learn(whole, slice(60))
    learn(one, slice(30))
    save_weights(saved, one, UNTRAINED)
    read_checkpoint(saved, FORMATS).restore(other)
    assert state_of(other) == state_of(one) != state_of(LEARNERS[last]())
    learn(other, slice(30, 60))
    assert state_of(other) == state_of(whole)


@pytest.mark.parametrize("wrong", [[1], [1.0, 2.0], [-1, 2], "12", [[1, 2]]], ids=str)
def test_other_states_are_refused(tmp_path: Path, wrong: object) -> None:
    saved = tmp_path / "weights.npz"
    save_weights(saved, GoldenEngine(FORMATS), UNTRAINED)
    with np.load(saved) as file:
        arrays = dict(file)
    np.savez(saved, **{**arrays, "rounding": wrong})
    with pytest.raises(SpecError, match=r"has rounding.*uint32 of shape \(2,\)"):
        read_checkpoint(saved, FORMATS)


def test_only_stochastic_rounding_has_a_state() -> None:
    nearest = GoldenEngine(infer_formats(Network(name="n", inputs=1, classes=2,
                                                 layers=(Dense(units=1),))))  # fmt: skip
    nearest.write_register(0, Register.ROUNDING, 0)
    assert nearest.read_register(0, Register.ROUNDING) == 0
    with pytest.raises(SpecError, match="ROUNDING"):
        nearest.write_register(0, Register.ROUNDING, 1)
    engine = GoldenEngine(FORMATS)
    learn(engine, slice(60))
    for layer in FORMATS.layers:
        updates = engine.read_register(layer.index, Counter.UPDATES)
        draws = stream(layer.rounding_seed, updates + 1)
        assert engine.read_register(layer.index, Register.ROUNDING) == draws[-1]
    for state in (0, 2**32 - 1):
        engine.write_register(1, Register.ROUNDING, state)
        assert engine.read_register(1, Register.ROUNDING) == state
    with pytest.raises(SpecError, match="ROUNDING"):
        engine.write_register(1, Register.ROUNDING, 2**32)
