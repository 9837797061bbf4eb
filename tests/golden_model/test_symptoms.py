"""What goes wrong is said in words after an epoch, and nothing is said while all is well."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from boards.host.driver import Board
from golden_model.data.dataset import Dataset, load_data
from golden_model.engine import GoldenEngine
from golden_model.evaluation import Evaluation
from golden_model.spec.formats import ACTIVATION_MAX, infer_formats
from golden_model.spec.learner import Learner
from golden_model.spec.network import Conv, Dense, Learning, Network, Readout
from golden_model.spec.toml import load_network
from golden_model.symptoms import Symptom, teller
from golden_model.train import main
from golden_model.training import train
from sim.golden_chip import GoldenChip

NETWORK = Network(name="small", inputs=12, classes=3, layers=(Dense(units=12),), readout=Readout())


def blobs(network: Network, samples: int = 600) -> Dataset:
    """Each class has inputs of its own that are not 0; the last of three is half of the samples."""
    chance = np.random.default_rng(1)
    labels = chance.choice(3, samples, p=(0.25, 0.25, 0.5)).astype(np.uint8)
    its_own = np.arange(network.inputs) % 3 == labels[:, None]
    x = (its_own * chance.integers(60, 250, its_own.shape)).astype(np.uint8)
    return Dataset(name="blobs", x_train=x, y_train=labels, x_test=x[:60], y_test=labels[:60])


def kinds_after(network: Network, data: Dataset, epochs: int) -> set[tuple[str, str]]:
    """Layer and kind of all symptoms of the last of some epochs."""
    *_, report = train(GoldenEngine(infer_formats(network)), data, epochs=epochs)
    return {(symptom.layer, symptom.kind) for symptom in report.symptoms}


@pytest.mark.parametrize(("name", "seed"), [("digits", 2), ("digits-deep", 5)])
def test_networks_that_learn_well_are_left_alone(name: str, seed: int) -> None:
    network = replace(load_network(name), seed=seed)
    engine = GoldenEngine(infer_formats(network))
    reports = train(engine, load_data("digits", network), epochs=5)
    assert [symptom.text for report in reports for symptom in report.symptoms] == []


def test_a_small_network_that_learns_is_left_alone() -> None:
    assert kinds_after(NETWORK, blobs(NETWORK), 4) == set()


def constant(data: Dataset) -> Dataset:
    """The same labels on inputs that are all 255."""
    x = np.full_like(data.x_train, 255)
    return replace(data, x_train=x, x_test=x[: len(data.x_test)])


def test_a_huge_rate_on_constant_inputs_kills_units() -> None:
    fast = replace(NETWORK, learning=Learning(rate_shift=0, margin=4000))
    assert kinds_after(fast, constant(blobs(NETWORK)), 1) == {("layer0", "dead")}
    assert {("layer0", "dead"), ("readout", "chance")} <= kinds_after(
        fast, constant(blobs(NETWORK)), 2
    )


def test_a_tiny_activation_shift_saturates_units() -> None:
    loud = replace(NETWORK, layers=(Dense(units=12, activation_shift=2, rate_shift=10),))
    assert ("layer0", "saturated") in kinds_after(loud, constant(blobs(NETWORK)), 1)


def test_a_margin_out_of_reach_is_told_when_the_first_epochs_are_over() -> None:
    wide = replace(NETWORK, layers=(Dense(units=12, margin=3000),))
    assert kinds_after(wide, blobs(NETWORK), 3) == set()
    assert kinds_after(wide, blobs(NETWORK), 4) == {("layer0", "restless")}


def test_a_few_samples_tell_nothing_yet() -> None:
    wide = replace(NETWORK, layers=(Dense(units=12, margin=3000),))
    assert kinds_after(wide, blobs(NETWORK, 160), 6) == set()
    assert ("layer0", "restless") in kinds_after(wide, blobs(NETWORK, 160), 7)


def test_labels_of_other_samples_are_chance() -> None:
    data = blobs(NETWORK)
    mixed = np.random.default_rng(2).permutation(data.y_train)
    data = replace(data, y_train=mixed, y_test=mixed[-60:])
    assert ("readout", "chance") in kinds_after(NETWORK, data, 2)
    named = replace(data, labels=("oak", "elm", "ash"))
    *_, report = train(GoldenEngine(infer_formats(NETWORK)), named, epochs=2)
    [*_, chance] = report.symptoms
    assert "always answering ash gets" in chance.text


def test_only_layers_that_learn_are_judged() -> None:
    engine = GoldenEngine(infer_formats(NETWORK))
    reports = [*train(engine, blobs(NETWORK), epochs=2, layer_by_layer=True)]
    assert reports[1].accuracy["readout"] < 0.67
    assert [report.symptoms for report in reports] == [()] * 4


@pytest.mark.parametrize("kind", ["dense", "conv"])
def test_units_are_counted_as_they_answer(kind: str) -> None:
    layer = Dense(units=7) if kind == "dense" else Conv(filters=7, kernel=3)
    network = Network(name="n", inputs=36, image=(6, 6, 1), classes=3, layers=(layer,),
                      readout=Readout())  # fmt: skip
    formats, data = infer_formats(network), blobs(network)
    data = replace(data, x_test=np.maximum(data.x_test, 120))
    engine = GoldenEngine(formats)
    weights = engine.read_weights(0)
    weights[2], weights[4] = -1000, 30000
    engine.write_weights(0, weights)
    answers = []
    for sample in data.x_test:
        engine.send(sample)
        answers.append(engine.traces()[0].activations.reshape(-1, 7))
    all_of_them = np.concatenate(answers)
    found = Evaluation.of(engine, data)
    assert found.dead == (int((all_of_them.max(axis=0) == 0).sum()), 0)
    full = (all_of_them == ACTIVATION_MAX).mean(axis=0)
    assert found.saturated == (int((full >= 0.99).sum()), 0)
    assert found.dead[0] >= 1
    assert found.saturated[0] >= 1
    assert (found.samples, found.commonest) == (60, "2")
    assert found.chance == np.mean(data.y_test == 2)


def test_a_board_is_judged_alike() -> None:
    formats = infer_formats(replace(NETWORK, learning=Learning(rate_shift=0, margin=4000)))
    data = constant(blobs(NETWORK))
    learners: list[Learner] = [GoldenEngine(formats), Board(GoldenChip(formats), formats)]
    one, other = (list(train(learner, data, epochs=1)) for learner in learners)
    assert one[0].symptoms == other[0].symptoms != ()


def test_a_symptom_is_told_once() -> None:
    said: list[str] = []
    tell = teller(said.append)
    dead = Symptom(layer="layer0", kind="dead", text="layer0: 5 of 6 units are dead")
    tell([dead])
    tell(
        [replace(dead, text="layer0: 6 of 6"), replace(dead, kind="saturated", text="layer0: full")]
    )
    assert said == ["Warning: layer0: 5 of 6 units are dead.", "Warning: layer0: full."]


def test_the_command_tells_and_records_them(tmp_path: Path) -> None:
    record = tmp_path / "record.json"
    words = ["--network", "digits", "--data", "random", "--epochs", "2", "--json", str(record)]
    result = CliRunner().invoke(main, words)
    assert result.exit_code == 0
    assert "Warning" not in result.stdout
    (line,) = [line for line in result.stderr.splitlines() if line.startswith("Warning: readout")]
    assert line.endswith("run golden_model.calibrate, or halve the rate: rate_shift = 1.")
    for epoch in json.loads(record.read_text())["epochs"]:
        found = [symptom for symptom in epoch["symptoms"] if symptom["layer"] == "readout"]
        assert [symptom["kind"] for symptom in found] == ["chance"]
