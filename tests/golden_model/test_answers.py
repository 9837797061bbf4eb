"""Commands that ask a trained network: table of answers, report, and what a weight file says."""

import csv
import importlib.util
import io
import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from rich.console import Console

from golden_model import predict, report, train
from golden_model.answers import Answers, as_csv
from golden_model.data.dataset import Questions, load_data
from golden_model.engine import GoldenEngine
from golden_model.outcome import outcome, show
from golden_model.picture import draw
from golden_model.spec.errors import SpecError
from golden_model.spec.formats import infer_formats
from golden_model.spec.toml import load_network
from golden_model.weight_file import read_checkpoint

NETWORK = """
name = "plants"
inputs = 4
classes = 3
coding = "two-channels"

[[layers]]
units = 8

[readout]
"""
NAMES = ["moss", "fern", "palm"]
SPREAD = np.random.default_rng(3).normal(0, 1, (60, 2))


def table(labelled: bool = True) -> str:
    """Two features of three kinds in turn, each around a place of its own; named in no order."""
    lines = ["height,width" + ",kind" * labelled]
    for row, (height, width) in enumerate(SPREAD):
        place = row % 3
        line = f"{height + 5 * place:.3f},{width - 40 * (place == 1):.3f}"
        lines.append(line + f",{NAMES[place]}" * labelled)
    return "\n".join(lines) + "\n"


@pytest.fixture
def plants(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a network, its data and the weights of some epochs."""
    monkeypatch.chdir(tmp_path)
    Path("plants.toml").write_text(NETWORK)
    Path("plants.csv").write_text(table())
    words = ["--network", "plants.toml", "--data", "plants.csv", "--epochs", "3"]
    result = CliRunner().invoke(train.main, [*words, "--save", "w.npz"])
    assert result.exit_code == 0, result.output
    return tmp_path


def ask(command: object, *words: str) -> Result:
    wanted = ["--network", "plants.toml", "--load", "w.npz", "--data", *words]
    return CliRunner().invoke(command.main, wanted)  # type: ignore[attr-defined]


@pytest.mark.usefixtures("plants")
def test_columns_are_known_by_their_names() -> None:
    header, *rows = [line.split(",") for line in table().splitlines()]
    assert header[-1] not in header[:-1]
    turned = [[row[1], row[0], *row[2:]] for row in (header, *rows)]
    Path("turned.csv").write_text("".join(",".join(row) + "\n" for row in turned))
    Path("unlike.csv").write_text(table().replace(header[0], "unlike", 1))
    assert ask(predict, "turned.csv").output == ask(predict, "plants.csv").output
    assert ask(report, "turned.csv").output == ask(report, "plants.csv").output.replace(
        "plants.csv", "turned.csv"
    )
    for command in (predict, report):
        result = ask(command, "unlike.csv")
        assert result.exit_code == 2
        assert result.output.startswith(
            f"Error: unlike.csv has no {header[0]!r}: the network learnt with that column."
        )


@pytest.mark.usefixtures("plants")
def test_weights_know_their_scaler_and_labels() -> None:
    network = load_network("plants.toml")
    saved = read_checkpoint(Path("w.npz"), infer_formats(network))
    data = load_data("plants.csv", network)
    assert saved.scaler is not None
    assert saved.scaler == data.scaler
    assert saved.labels == data.labels == ("fern", "moss", "palm")
    completed = saved.completed(network)
    assert (completed.scaler, completed.labels) == (saved.scaler, saved.labels)
    assert completed.fingerprint == network.fingerprint


@pytest.mark.usefixtures("plants")
@pytest.mark.parametrize(
    ("said", "value"),
    [
        ('labels = ["moss", "fern", "palm"]', "labels of network 'plants'"),
        ("scaler = {mean = [0, 0], deviation = [1, 1]}", "scaler of network 'plants'"),
    ],
)
@pytest.mark.parametrize("command", [train, predict, report])
def test_a_network_that_says_otherwise_is_told(said: str, value: str, command: object) -> None:
    Path("plants.toml").write_text(said + NETWORK)
    result = ask(command, "plants.csv")
    assert result.exit_code == 2
    assert result.output.startswith(f"Error: {value}: the weights were trained with others. ")


@pytest.mark.usefixtures("plants")
def test_training_goes_on_with_the_scaler_of_the_weights() -> None:
    """What came later is centred as what came first."""
    Path("later.csv").write_text(table().replace(".", "1."))
    result = ask(train, "later.csv", "--epochs", "1", "--save", "w2.npz")
    assert result.exit_code == 0, result.output
    formats = infer_formats(load_network("plants.toml"))
    first, then = (read_checkpoint(Path(name), formats) for name in ("w.npz", "w2.npz"))
    assert first.scaler == then.scaler
    assert load_data("later.csv", formats.network).scaler != first.scaler


@pytest.mark.usefixtures("plants")
@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"mean": np.zeros(3)}, "scaler of 3 means and 2 deviations"),
        (
            {"mean": np.zeros(3), "deviation": np.ones(3), "features": None},
            "a scaler of 3 features",
        ),
        ({"features": np.array(["a", "a"])}, "2 names in scaler, 1 of them different"),
        ({"features": np.arange(2)}, "features: int64 of shape"),
        ({"mean": np.zeros((2, 1))}, r"mean: float64 of shape \(2, 1\)"),
        ({"mean": np.array(["a", "b"])}, "mean: <U1 of shape"),
        ({"mean": None}, "mean: object of shape"),
        ({"deviation": np.array([-1.0, 1])}, "deviations are 0 or more"),
        ({"labels": np.array(["a", "b"])}, "2 labels, 2 of them different"),
        ({"labels": np.arange(3)}, "labels: int64 of shape"),
    ],
)
def test_what_a_wrong_weight_file_gets(changed: dict[str, object], message: str) -> None:
    with np.load("w.npz") as file:
        arrays = {**file, **changed}
    np.savez("w.npz", **{key: value for key, value in arrays.items() if value is not None})
    with pytest.raises(SpecError, match=message):
        read_checkpoint(Path("w.npz"), infer_formats(load_network("plants.toml")))


@pytest.mark.usefixtures("plants")
def test_every_sample_is_answered_by_name_and_scores() -> None:
    result = ask(predict, "plants.csv", "--out", "answers.csv")
    assert result.exit_code == 0, result.output
    with Path("answers.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["row"] for row in rows] == [*map(str, range(60))]
    assert [row["label"] for row in rows] == NAMES * 20
    network = load_network("plants.toml")
    engine = GoldenEngine(infer_formats(network))
    saved = read_checkpoint(Path("w.npz"), engine.formats)
    saved.restore(engine)
    data = load_data("plants.csv", saved.completed(network))
    assert data.rows_test is not None
    for sample, number in zip(data.x_test, data.rows_test, strict=True):
        engine.send(sample)
        (answer,) = engine.results()
        row = rows[number]
        assert row["class"] == saved.labels[answer.predicted]
        assert [int(row[f"score of {name}"]) for name in saved.labels] == answer.scores.tolist()


@pytest.mark.usefixtures("plants")
def test_samples_without_labels_get_the_same_answers() -> None:
    labelled = ask(predict, "plants.csv").stdout.splitlines()
    Path("bare.csv").write_text(table(labelled=False))
    bare = ask(predict, "bare.csv").stdout.splitlines()
    np.save("x.npy", np.loadtxt("bare.csv", delimiter=",", skiprows=1))
    assert ask(predict, "x.npy").stdout.splitlines() == bare
    assert bare[0] == "row,class,score of fern,score of moss,score of palm"
    without = [line.split(",")[:2] + line.split(",")[3:] for line in labelled]
    assert without == [line.split(",") for line in bare]


@pytest.mark.usefixtures("plants")
def test_what_cannot_be_asked() -> None:
    Path("bare.csv").write_text(table(labelled=False))
    result = ask(report, "bare.csv", "--whole")
    assert result.exit_code == 2
    assert result.output.startswith("Error: bare.csv: only what has labels can be found right")
    result = ask(predict, "plants.csv", "--out", "missing/answers.csv")
    assert result.exit_code == 2
    assert "there is no directory 'missing'" in result.output
    Path("file").write_text("")
    result = ask(report, "plants.csv", "--out", "file/folder")
    assert result.exit_code == 2
    assert "folder 'file/folder': it cannot be made" in result.output
    Path("taken/report.png").mkdir(parents=True)
    result = ask(report, "plants.csv", "--out", "taken")
    assert result.exit_code == 2
    assert result.output.startswith("Error: file 'taken/report.png': it is a directory")
    with np.load("w.npz") as file:
        arrays = {key: array for key, array in file.items() if key != "labels"}
    np.savez("w.npz", **arrays)
    result = ask(predict, "plants.csv")
    assert result.exit_code == 2
    assert "labels are fern, moss, palm: neither the network nor its weights name" in result.output


ANSWERS = Answers(
    predicted=np.array([0, 1, 0, 2, 0]),
    scores=np.array([[5, 0, 0], [1, 2, 0], [9, 4, 4], [0, 0, 3], [9, 0, 4]]),
)
QUESTIONS = Questions(
    name="five",
    x=np.zeros((5, 4), np.uint8),
    y=np.array([0, 0, 1, 2, 2], np.uint8),
    labels=("a", "b", "c, d"),
    rows=np.array([10, 20, 30, 40, 50]),
)


def test_an_outcome_is_counted() -> None:
    found = outcome(ANSWERS, QUESTIONS)
    assert found.confusion.tolist() == [[1, 1, 0], [1, 0, 0], [1, 0, 1]]
    assert found.accuracy == 0.4
    assert found.by_class == [0.5, 0, 0.5]
    # The two of margin 5 in the order of the samples.
    assert [(m.row, m.label, m.answer, m.margin) for m in found.worst] == [
        (30, "b", "a", 5),
        (50, "c, d", "a", 5),
        (20, "a", "b", 1),
    ]


def test_classes_without_samples_have_no_accuracy() -> None:
    two = Questions(name="two", x=QUESTIONS.x[:2], y=np.array([0, 0], np.uint8))
    found = outcome(Answers(predicted=ANSWERS.predicted[:2], scores=ANSWERS.scores[:2]), two)
    assert found.by_class == [0.5, None, None]
    assert found.names == ("0", "1", "2")
    assert found.worst[0].row == 1


def test_names_in_a_table_are_quoted() -> None:
    lines = as_csv(ANSWERS, QUESTIONS).splitlines()
    assert lines[0] == 'row,class,label,score of a,score of b,"score of c, d"'
    assert lines[4] == '3,"c, d","c, d",0,0,3'


@pytest.mark.usefixtures("plants")
def test_a_report_is_told_and_written() -> None:
    result = ask(report, "plants.csv", "--out", "told/here")
    assert result.exit_code == 0, result.output
    folder = Path("told/here")
    text = (folder / "report.txt").read_text()
    assert result.output.splitlines()[:4] == text.splitlines()[:4]
    content = json.loads((folder / "report.json").read_text())
    assert content["samples"] == 12
    assert content["classes"] == ["fern", "moss", "palm"]
    assert np.array(content["confusion"]).sum(axis=1).tolist() == [4, 4, 4]
    rights = np.trace(content["confusion"])
    assert content["accuracy"] == rights / 12
    assert len(content["worst"]) == 12 - rights
    assert text.startswith(f"12 samples of plants.csv, test part: {rights / 12:.2%} answered")
    answers = list(csv.DictReader(ask(predict, "plants.csv").stdout.splitlines()))
    for mistake in content["worst"]:
        row = answers[mistake["row"]]
        assert (row["class"], row["label"]) == (mistake["answer"], mistake["label"])
        scores = [int(row[f"score of {mistake[key]}"]) for key in ("answer", "label")]
        assert scores[0] - scores[1] == mistake["margin"]
    assert (folder / "report.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.usefixtures("plants")
@pytest.mark.parametrize("name", ["plants.csv", "plants.toml", "w.npz"])
def test_a_table_does_not_overwrite_what_is_asked(name: str) -> None:
    before = Path(name).read_bytes()
    result = ask(predict, "plants.csv", "--out", name)
    assert result.exit_code == 2
    assert "it is what is read, and would be lost" in result.output
    assert Path(name).read_bytes() == before


def test_any_text_may_be_a_name_in_a_picture() -> None:
    """A dollar, which begins a formula elsewhere, signs that fonts lack, a whole story."""
    names = ("<$10_$", "\U00013000", 200 * "no end ")
    scores = np.array([[1, 0, 0], [0, 1, 0], [1, 0, 0]])
    given = Answers(predicted=scores.argmax(axis=1), scores=scores)
    samples = Questions(
        name="$\\frac$", x=np.zeros((3, 1), np.uint8), y=np.arange(3, dtype=np.uint8), labels=names
    )
    drawn = draw(outcome(given, samples), "of $\\frac$")
    assert drawn.startswith(b"\x89PNG")


@pytest.mark.usefixtures("plants")
def test_a_report_of_a_whole_file_without_matplotlib(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    result = ask(report, "plants.csv", "--whole", "--out", "told")
    assert result.exit_code == 0, result.output
    assert "60 samples of plants.csv: " in result.output
    assert "Without matplotlib there is no picture" in result.output
    assert sorted(path.name for path in Path("told").iterdir()) == ["report.json", "report.txt"]


def test_many_classes_are_told_by_their_main_mistake(capsys: pytest.CaptureFixture[str]) -> None:
    classes = 20
    y = np.repeat(np.arange(classes), 2).astype(np.uint8)
    predicted = y.astype(np.int64)
    predicted[6:8] = 5
    scores = np.eye(classes, dtype=np.int64)[predicted]
    asked = Questions(name="many", x=np.zeros((len(y), 1), np.uint8), y=y)
    found = outcome(Answers(predicted=predicted, scores=scores), asked)
    show(Console(width=40, soft_wrap=True), found, asked)
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["3", "2", "0.0%", "5:", "2"] in lines
    assert ["4", "2", "100.0%", "."] in lines


@pytest.mark.parametrize("width", range(45, 70, 2))
def test_the_matrix_is_told_where_it_fits(width: int) -> None:
    """No name or number is cut at any width."""
    names = ("[a]", "a longer name", "b", "10000")
    y = np.repeat(np.arange(4), 1000).astype(np.uint8)
    asked = Questions(name="names", x=np.zeros((len(y), 1), np.uint8), y=y, labels=names)
    predicted = np.zeros(len(y), np.int64)
    found = outcome(Answers(predicted=predicted, scores=np.zeros((len(y), 4), np.int64)), asked)
    text = io.StringIO()
    show(Console(file=text, width=width, soft_wrap=True), found, asked)
    table = text.getvalue().split("Most surely")[0].splitlines()[1:]
    assert max(len(line.rstrip()) for line in table) <= width
    assert all(name in "".join(table) for name in names)
    assert "".join(table).count("a longer name") == (2 if width >= 59 else 1)
