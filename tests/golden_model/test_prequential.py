"""Streams: what was right before it was learnt, in which order, centred by what, and how told."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from numpy.typing import NDArray

from golden_model.data import scaling
from golden_model.data.dataset import FITTED, Stream, load_data, load_stream
from golden_model.engine import GoldenEngine
from golden_model.prequential import RECORDS, Record, prequential, spacing
from golden_model.spec.control import Register
from golden_model.spec.formats import infer_formats
from golden_model.spec.learner import UNKNOWN, Miscounted, Sample, Samples
from golden_model.spec.network import Coding, Dense, Learning, Network, Readout
from golden_model.spec.scaler import Scaler
from golden_model.spec.toml import load_network
from golden_model.train import main
from golden_model.training import Reached, shuffled
from golden_model.weight_file import read_checkpoint

NETWORK = Network(
    name="small",
    inputs=4,
    classes=3,
    layers=(Dense(units=5), Dense(units=6)),
    readout=Readout(),
    learning=Learning(rate_steps=(0.5,), warm_up=0.2),
)
DESCRIPTION = """
name = "weather"
inputs = 4
classes = 3
coding = "two-channels"

[[layers]]
units = 6

[readout]
"""
NAMES = ("dry", "rain", "snow")


def stream_of(network: Network, samples: int) -> Stream:
    full = load_data("random", network)
    return Stream(name="some", x=full.x_train[:samples], y=full.y_train[:samples])


def one_by_one(learner: GoldenEngine, x: Samples, y: NDArray[np.uint8]) -> list[int]:
    """Answers to unlabelled samples, each of which is learnt only then."""
    answers = []
    for sample, label in zip(x, y.tolist(), strict=True):
        learner.send(sample)
        answers.append(learner.results()[0].predicted)
        learner.send(sample, label)
        learner.results()
    return answers


def weights_of(engine: GoldenEngine) -> list[list[list[int]]]:
    return [engine.read_weights(n).tolist() for n in range(len(engine.formats.layers))]


@pytest.mark.parametrize("samples", [1, 37, 330])
def test_every_sample_is_answered_before_it_is_learnt(samples: int) -> None:
    """With the described rates, whatever the registers were before."""
    stream, formats = stream_of(NETWORK, samples), infer_formats(NETWORK)
    engine, by_hand = GoldenEngine(formats), GoldenEngine(formats)
    for layer in range(3):
        engine.write_register(layer, Register.LEARN, 0)
        engine.write_register(layer, Register.RATE_SHIFT, 9)
    learnt: list[int] = []
    *_, record = prequential(engine, stream, learnt.append)
    answers = one_by_one(by_hand, stream.x, stream.y)
    assert record.predicted.tolist() == answers
    assert record.labels.tolist() == stream.y.tolist()
    assert weights_of(engine) == weights_of(by_hand)
    assert sum(learnt) == samples
    right = sum(answer == label for answer, label in zip(answers, stream.y.tolist(), strict=True))
    assert record.accuracy()[-1] == right / samples


@pytest.mark.parametrize("samples", [1, 19, 20, 21, 330, 2000])
def test_records_are_equally_spaced(samples: int) -> None:
    stream = stream_of(NETWORK, samples)
    records = list(prequential(GoldenEngine(infer_formats(NETWORK)), stream))
    ends, step = [len(record.labels) for record in records], spacing(samples)
    assert ends == sorted({*range(step, samples + 1, step), samples})
    last = records[-1]
    for record, end in zip(records, ends, strict=True):
        assert record.predicted.tolist() == last.predicted[:end].tolist()


def test_records_are_enough_and_not_too_many() -> None:
    assert [spacing(n) for n in (1, 20, 21, 40, 41, 100, 101, 1438, 60000)] == [
        *(1, 1, 2, 2, 5, 5, 10, 100, 5000)
    ]
    assert all(8 <= samples / spacing(samples) <= RECORDS for samples in range(8, 5000))


def test_a_chip_that_counts_otherwise_is_noticed() -> None:
    class Forgetful(GoldenEngine):
        def send_many(self, samples: Samples, labels: NDArray[np.integer]) -> None:
            super().send_many(samples[:-1], labels[:-1])
            self.send(samples[-1])
            self.send(samples[-1], int(labels[-1]))
            self._results.pop()

    with pytest.raises(Miscounted, match="layer0 has counted 40 samples where 20 is right"):
        list(prequential(Forgetful(infer_formats(NETWORK)), stream_of(NETWORK, 20)))


def test_images_are_sent_as_they_are() -> None:
    sent: list[Sample] = []

    class Recorder(GoldenEngine):
        def send_many(self, samples: Samples, labels: NDArray[np.integer]) -> None:
            sent.extend(samples)
            super().send_many(samples, labels)

    network = Network(
        name="digits",
        inputs=[8, 8, 1],  # type: ignore[arg-type]
        classes=10,
        layers=(Dense(units=2),),
        learning=Learning(mirror=True, jitter=1),
    )
    stream = load_stream("digits", network)
    list(prequential(Recorder(infer_formats(network)), stream))
    assert np.array_equal(sent, load_data("digits", network).x_train)
    assert stream.fitted == 0


RECORD = Record(
    predicted=np.array([0, 1, 1, UNKNOWN, 2, 2, 1]),
    labels=np.array([0, 1, 2, 2, 2, 2, 0]),
    fitted=1,
)


def curve(values: NDArray[np.float64]) -> list[float | None]:
    return [None if np.isnan(value) else float(value) for value in values]


def test_shares_are_of_what_is_judged_and_known() -> None:
    assert curve(RECORD.accuracy()) == [None, 1, 1 / 2, 1 / 2, 2 / 3, 3 / 4, 3 / 5]
    assert curve(RECORD.accuracy(window=2)) == [None, 1, 1 / 2, 0, 1, 1, 1 / 2]
    assert curve(RECORD.accuracy(window=1)) == [None, 1, 0, None, 1, 1, 0]
    assert curve(RECORD.accuracy(window=7)) == curve(RECORD.accuracy())
    assert RECORD.lost == 1
    assert RECORD.judged.sum() == 5


def test_what_is_as_good_without_learning() -> None:
    assert RECORD.no_change.tolist() == [UNKNOWN, 0, 1, 2, 2, 2, 2]
    assert RECORD.most_frequent.tolist() == [UNKNOWN, 0, 0, 0, 2, 2, 2]
    assert curve(RECORD.accuracy(RECORD.no_change))[-1] == 2 / 5
    assert curve(RECORD.accuracy(RECORD.most_frequent))[-1] == 2 / 5


def weather(samples: int, seed: int = 5) -> list[tuple[float, float, str]]:
    """Two features that drift, and what they go with."""
    random = np.random.default_rng(seed)
    kinds = random.integers(0, 3, samples)
    values = random.normal(0, 1, (samples, 2)) + 3 * kinds.reshape(-1, 1) * [1, -1]
    values += np.arange(samples).reshape(-1, 1) / 50
    return [
        (round(a, 3), round(b, 3), NAMES[kind])
        for (a, b), kind in zip(values.tolist(), kinds, strict=True)
    ]


def written(path: Path, rows: Sequence[tuple[float, float, str]]) -> Path:
    lines = ["heat,wet,kind", *(f"{a},{b},{kind}" for a, b, kind in rows)]
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where there is a network and a table of what it may learn, in order of time."""
    monkeypatch.chdir(tmp_path)
    Path("weather.toml").write_text(DESCRIPTION)
    written(Path("weather.csv"), weather(230))
    return tmp_path


def command(*words: object) -> Result:
    wanted = ["--network", "weather.toml", "--data", "weather.csv"]
    return CliRunner().invoke(main, [*wanted, *(str(word) for word in words)])


def test_a_file_that_is_not_split_comes_whole_and_in_its_order(tmp_path: Path) -> None:
    x, y = np.arange(60, dtype=np.uint8).reshape(15, 4), np.arange(15) % 3
    file = str(tmp_path / "all.npz")
    np.savez(file, x=x, y=y)
    stream = load_stream(file, NETWORK)
    assert stream.x.tolist() == x.tolist()
    assert stream.y.tolist() == y.tolist()
    np.savez(file, x_train=x[3:], y_train=y[3:], x_test=x[:3], y_test=y[:3])
    assert load_stream(file, NETWORK).x.tolist() == x[3:].tolist()
    order = np.random.RandomState(3).permutation
    mixed = load_stream(file, NETWORK, order=lambda samples: order(samples)[:5])
    which = np.random.RandomState(3).permutation(12)[:5]
    assert mixed.x.tolist() == x[3:][which].tolist()
    assert mixed.y.tolist() == y[3:][which].tolist()


def fitted(features: NDArray[np.float64]) -> Scaler:
    return replace(scaling.fit(features), names=("heat", "wet"))


@pytest.mark.usefixtures("folder")
def test_the_first_samples_tell_how_to_centre() -> None:
    network = load_network("weather.toml")
    features = np.array([row[:2] for row in weather(230)])
    stream = load_stream("weather.csv", network)
    assert stream.fitted == FITTED == 100
    assert stream.scaler == fitted(features[:100]) != fitted(features)
    assert np.array_equal(stream.x, scaling.code(scaling.apply(stream.scaler, features), network))
    assert [NAMES[n] for n in stream.y] == [row[2] for row in weather(230)]
    backwards = load_stream("weather.csv", network, order=lambda n: np.arange(n)[::-1])
    assert backwards.scaler == fitted(features[:-101:-1])


@pytest.mark.usefixtures("folder")
def test_what_is_centred_already_is_judged_from_the_start() -> None:
    network = load_network("weather.toml")
    known = Scaler(mean=(1, 2), deviation=(3, 4))
    stream = load_stream("weather.csv", replace(network, scaler=known))
    assert (stream.scaler, stream.fitted) == (known, 0)
    signed = replace(network, coding=Coding.SIGNED)
    np.savez("coded.npz", x=np.zeros((9, 4), np.int8), y=np.arange(9) % 3)
    assert load_stream("coded.npz", signed).fitted == 0


@pytest.mark.usefixtures("folder")
def test_a_stream_that_only_tells_how_to_centre_is_refused() -> None:
    written(Path("weather.csv"), weather(100))
    result = command("--online", "--save", "w.npz")
    assert result.exit_code == 2
    assert result.output.startswith("Error: weather.csv: 100 samples: the first 100 of a stream")
    assert result.output.count("\n") == 1
    assert not Path("w.npz").exists()
    written(Path("weather.csv"), weather(101))
    assert "1 samples: " in command("--online").output


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("shuffle", [False, True])
def test_the_command_tells_what_sending_one_by_one_does(shuffle: bool) -> None:
    options = ["--online", "--window", 30, "--save", "w.npz", "--json", "r.json"]
    result = command(*options, *["--shuffle"] * shuffle)
    assert result.exit_code == 0, result.output
    network = load_network("weather.toml")
    engine = GoldenEngine(infer_formats(network))
    order = shuffled(engine.formats, 230, 0) if shuffle else np.arange(230)
    stream = load_stream("weather.csv", network, order=lambda samples: order)
    answers = one_by_one(engine, stream.x, stream.y)
    right = [answer == label for answer, label in zip(answers, stream.y, strict=True)]
    content = json.loads(Path("r.json").read_text())
    assert (content["fitted"], content["judged"], content["lost"]) == (100, 130, 0)
    assert content["shuffled"] is shuffle
    ends = [point["samples"] for point in content["running"]]
    assert ends == [*range(20, 230, 20), 230]
    told = result.output.splitlines()[1:-1]
    for line, end, point in zip(told, ends, content["running"], strict=True):
        assert line.startswith(f"sample {end}  ")
        if end <= 100:
            assert line == f"sample {end}  not judged yet"
            assert point["accuracy"] is point["in_window"] is None
            continue
        share, last = np.mean(right[100:end]), np.mean(right[max(100, end - 30) : end])
        assert (point["accuracy"], point["in_window"]) == (share, last)
        of = min(30, end - 100)
        assert line.endswith(f"right so far {share:.2%}, of the last {of} {last:.2%}")
    whole = np.mean(right[100:])
    assert content["accuracy"] == whole
    assert f"130 samples: {whole:.2%} answered rightly" in result.output
    labels = stream.y.tolist()
    assert content["no_change"] == np.mean(stream.y[99:-1] == stream.y[100:])
    frequent = [np.bincount(labels[:n]).argmax() == labels[n] for n in range(100, 230)]
    assert content["most_frequent"] == np.mean(frequent)
    saved = read_checkpoint(Path("w.npz"), engine.formats)
    assert saved.reached == Reached(epoch=1, seen=1)
    assert [weights.tolist() for weights in saved.weights] == weights_of(engine)
    assert (saved.scaler, saved.labels) == (stream.scaler, NAMES)


@pytest.mark.usefixtures("folder")
def test_a_stream_goes_on_with_the_weights_of_its_beginning() -> None:
    """Centred as it was, and judged from its first sample on."""
    rows = weather(330)
    written(Path("weather.csv"), rows)
    assert command("--online", "--save", "whole.npz").exit_code == 0
    written(Path("weather.csv"), rows[:230])
    assert command("--online", "--save", "w.npz").exit_code == 0
    written(Path("weather.csv"), rows[230:])
    result = command("--online", "--load", "w.npz", "--save", "w.npz")
    assert result.exit_code == 0, result.output
    assert "not judged" not in result.output
    assert "\n100 samples: " in result.output
    formats = infer_formats(load_network("weather.toml"))
    whole, parts = (read_checkpoint(Path(name), formats) for name in ("whole.npz", "w.npz"))
    for one, other in zip(whole.weights, parts.weights, strict=True):
        assert np.array_equal(one, other)
    assert whole.scaler == parts.scaler
    assert parts.reached.seen == 2


@pytest.mark.usefixtures("folder")
def test_every_shuffled_pass_has_its_own_order() -> None:
    command("--online", "--save", "w.npz")
    command("--online", "--shuffle", "--load", "w.npz", "--save", "w2.npz")
    engine = GoldenEngine(infer_formats(load_network("weather.toml")))
    saved = read_checkpoint(Path("w.npz"), engine.formats)
    saved.restore(engine)
    order = shuffled(engine.formats, 230, 1)
    network = saved.completed(engine.formats.network)
    stream = load_stream("weather.csv", network, order=lambda samples: order)
    one_by_one(engine, stream.x, stream.y)
    then = read_checkpoint(Path("w2.npz"), engine.formats)
    assert [weights.tolist() for weights in then.weights] == weights_of(engine)


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--online", "--epochs", 5], "--online --epochs: a stream is gone through once"),
        (["--online", "--layer-by-layer"], "--online --layer-by-layer: all layers learn"),
        (["--online", "--validation", 20], "--online --validation: each sample of a stream is"),
        (["--shuffle"], "--shuffle without --online: it belongs to a stream"),
        (["--window", 200], "--window without --online"),
        (["--plot", "p.png"], "--plot without --online"),
        (["--online", "--plot", "p.svg"], "--plot 'p.svg': pictures are .png files"),
        (["--online", "--plot", "missing/p.png"], "there is no directory 'missing'"),
        (["--online", "--plot", "p.png", "--json", "./p.png"], "a picture is a file of its own"),
    ],
)
def test_words_that_contradict_each_other(words: list[object], message: str) -> None:
    result = command(*words, "--save", "w.npz")
    assert result.exit_code == 2
    assert result.output.startswith("Error: ")
    assert message in result.output
    assert result.output.count("\n") == 1
    assert sorted(path.name for path in Path().iterdir()) == ["weather.csv", "weather.toml"]


@pytest.mark.usefixtures("folder")
def test_a_stream_is_drawn() -> None:
    written(Path("$_$.csv"), weather(120))
    result = command("--online", "--data", "$_$.csv", "--plot", "p.png")
    assert result.exit_code == 0, result.output
    assert Path("p.png").read_bytes().startswith(b"\x89PNG")
