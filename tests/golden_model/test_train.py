"""The training command from end to end, and the loop behind it."""

import itertools
import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from golden_model import train as command_module
from golden_model.data.dataset import Dataset, load_data
from golden_model.data.variation import Variation
from golden_model.engine import GoldenEngine
from golden_model.evaluation import Evaluation
from golden_model.files import check_writable
from golden_model.spec.control import Counter, Register
from golden_model.spec.errors import SpecError
from golden_model.spec.formats import FormattedNetwork, infer_formats
from golden_model.spec.network import Dense, Learning, Network, Readout
from golden_model.spec.toml import load_network, network_text
from golden_model.train import is_told, main
from golden_model.training import UNTRAINED, Reached, shuffled, train
from golden_model.weight_file import read_checkpoint, save_weights

NETWORK = Network(
    name="small",
    inputs=4,
    classes=3,
    layers=(Dense(units=5), Dense(units=6)),
    readout=Readout(),
    learning=Learning(rate_schedule=(0, 1, 2)),
)


@pytest.fixture
def formats() -> FormattedNetwork:
    return infer_formats(NETWORK)


@pytest.fixture
def data() -> Dataset:
    full = load_data("random", NETWORK)
    return Dataset(
        name="some",
        x_train=full.x_train[:230],
        y_train=full.y_train[:230],
        x_test=full.x_test[:90],
        y_test=full.y_test[:90],
    )


def command(*words: object) -> Result:
    return CliRunner().invoke(main, [str(word) for word in words])


def weights_of(engine: GoldenEngine) -> list[list[list[int]]]:
    return [engine.read_weights(n).tolist() for n in range(len(engine.formats.layers))]


def test_digits_from_end_to_end(tmp_path: Path) -> None:
    saved, record = tmp_path / "weights.npz", tmp_path / "record.json"
    words = ["--network", "digits", "--epochs", 5, "--save", saved, "--json", record]
    result = command(*words)
    assert result.exit_code == 0, result.output
    epochs = json.loads(record.read_text())["epochs"]
    assert [epoch["epoch"] for epoch in epochs] == [1, 2, 3, 4, 5]
    last = epochs[-1]
    assert last["accuracy"]["layer0"] > 0.9
    assert last["accuracy"]["readout"] > 0.9
    assert last["unchanged_everywhere"] <= min(last["unchanged"].values())
    assert 0.2 < last["unchanged"]["layer0"] < 0.9
    for line, epoch in zip(result.stdout.splitlines()[1:], epochs, strict=True):
        assert f"epoch {epoch['epoch']}" in line
        assert f"readout {epoch['accuracy']['readout']:.2%}" in line
        assert f"weight: {epoch['unchanged_everywhere']:.1%}" in line
    engine = GoldenEngine(infer_formats(load_network("digits")))
    checkpoint = read_checkpoint(saved, engine.formats)
    assert checkpoint.reached.seen == 5
    checkpoint.restore(engine)
    test = load_data("digits", engine.formats.network)
    assert Evaluation.of(engine, test).accuracy == tuple(last["accuracy"].values())


def assert_alike(*files: Path) -> None:
    with np.load(files[0]) as one, np.load(files[1]) as other:
        assert sorted(one.files) == sorted(other.files)
        assert all(np.array_equal(one[key], other[key]) for key in one.files)


def test_two_and_one_epochs_are_three_where_rates_count_epochs(tmp_path: Path) -> None:
    whole, parts = tmp_path / "whole.npz", tmp_path / "parts.npz"
    text, description = network_text("digits"), tmp_path / "digits.toml"
    shares = text[text.index("rate_steps") : text.index("margin")]
    description.write_text(text.replace(shares, "rate_schedule = [1, 0, 2]\n"))
    digits = ("--network", description, "--seed", 7)
    assert command(*digits, "--epochs", 3, "--save", whole).exit_code == 0
    assert command(*digits, "--epochs", 2, "--save", parts).exit_code == 0
    assert whole.read_bytes() != parts.read_bytes()
    assert command(*digits, "--epochs", 1, "--load", parts, "--save", parts).exit_code == 0
    assert_alike(whole, parts)


def test_weights_of_another_seed_or_network_are_refused(tmp_path: Path) -> None:
    saved = tmp_path / "weights.npz"
    words = ("--data", "random", "--epochs", 1)
    assert command("--network", "digits", "--seed", 3, *words, "--save", saved).exit_code == 0
    result = command("--network", "digits", *words, "--load", saved)
    assert (result.exit_code, "Use --seed 3" in result.output) == (2, True)
    result = command("--network", "digits-deep", "--seed", 3, *words, "--load", saved)
    assert (result.exit_code, "lacks layer1" in result.output) == (2, True)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--network", "digit"], "Did you mean 'digits'"),
        (["--network", "digits", "--data", "mnits"], "Did you mean 'mnist'"),
        (["--network", "digits", "--load", "absent.npz"], "cannot be read"),
        (["--network", "digits", "--save", "absent/w.npz"], "no directory 'absent'"),
        (["--network", "digits", "--data", "mnist", "--data-dir", "absent"], "mnist.npz"),
        (["--network", "digits", "--epochs", "0"], "0 is not in the range"),
    ],
)
def test_wrong_words_get_one_message(words: list[str], message: str) -> None:
    result = command(*words)
    assert result.exit_code == 2
    assert message in result.output
    assert "Traceback" not in result.output
    assert isinstance(result.exception, SystemExit)


@pytest.mark.parametrize("option", ["--save", "--json"])
@pytest.mark.parametrize("place", ["absent/file", "/dev/null/file", "."])
def test_where_it_cannot_write_is_known_before_the_work(
    option: str, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command_module, "load_data", None)  # would fail if it were called
    result = command("--network", "digits", option, place)
    assert result.exit_code == 2
    assert "director" in result.output


def test_what_was_saved_survives_a_failing_write(
    tmp_path: Path, formats: FormattedNetwork, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved = tmp_path / "weights.npz"
    engine = GoldenEngine(formats)
    save_weights(saved, engine, UNTRAINED)
    before = saved.read_bytes()

    def full(number: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        with pytest.raises(SpecError, match="No space left"):
            save_weights(saved, engine, UNTRAINED)
    assert saved.read_bytes() == before
    assert list(tmp_path.iterdir()) == [saved]


def test_a_weight_file_that_does_not_fit_is_refused(
    tmp_path: Path, formats: FormattedNetwork
) -> None:
    saved, engine = tmp_path / "weights.npz", GoldenEngine(formats)
    save_weights(saved, engine, UNTRAINED)
    with np.load(saved) as file:
        arrays = dict(file)
    for wrong in (arrays["readout"][:, 1:], arrays["readout"] + 40000, np.zeros((3, 7))):
        np.savez(saved, **{**arrays, "readout": wrong})
        with pytest.raises(SpecError, match="readout"):
            read_checkpoint(saved, formats)


@pytest.mark.parametrize("key", ["fingerprint", "seed", "epochs", "stage", "stage_epochs"])
@pytest.mark.parametrize(
    "wrong", [-1, 2**62, np.nan, 1.5, "three" * 20, True, [1, 2], np.array(1 + 0j)], ids=str
)
def test_numbers_of_a_weight_file_are_checked(
    tmp_path: Path, formats: FormattedNetwork, key: str, wrong: object
) -> None:
    saved = tmp_path / "weights.npz"
    save_weights(saved, GoldenEngine(formats), Reached(stage="layer1", epoch=2, seen=5))
    assert read_checkpoint(saved, formats).reached == Reached(stage="layer1", epoch=2, seen=5)
    with np.load(saved) as file:
        arrays = dict(file)
    np.savez(saved, **{**arrays, key: wrong})
    with pytest.raises(SpecError, match=f"has {key} = .*: it must be an integer, 0 to") as caught:
        read_checkpoint(saved, formats)
    assert len(str(caught.value)) < 300


def test_layer_by_layer_changes_one_layer_at_a_time(
    formats: FormattedNetwork, data: Dataset
) -> None:
    engine = GoldenEngine(formats)
    before, stages = weights_of(engine), []
    for report in train(engine, data, epochs=2, layer_by_layer=True):
        stages.append(report.stage)
        learning = [layer.name for layer in formats.layers].index(report.stage)
        after = weights_of(engine)
        assert [old != new for old, new in zip(before, after, strict=True)] == [
            n == learning for n in range(3)
        ]
        frozen = [share for name, share in report.unchanged.items() if name != report.stage]
        assert frozen == [1.0, 1.0]
        assert report.unchanged_everywhere == report.unchanged[report.stage] < 1
        before = after
    assert stages == ["layer0", "layer0", "layer1", "layer1", "readout", "readout"]


@pytest.mark.parametrize("stop", range(1, 6))
def test_layer_by_layer_goes_on_where_it_was_interrupted(
    tmp_path: Path, formats: FormattedNetwork, data: Dataset, stop: int
) -> None:
    saved = tmp_path / "weights.npz"
    whole, first, second = (GoldenEngine(formats) for _ in range(3))
    reports = list(train(whole, data, epochs=2, layer_by_layer=True))
    for report in itertools.islice(train(first, data, epochs=2, layer_by_layer=True), stop):
        save_weights(saved, first, report)
    checkpoint = read_checkpoint(saved, formats)
    checkpoint.restore(second)
    rest = train(second, data, epochs=2, layer_by_layer=True, reached=checkpoint.reached)
    assert [(r.stage, r.epoch, r.seen) for r in rest] == [
        (r.stage, r.epoch, r.seen) for r in reports[stop:]
    ]
    assert weights_of(second) == weights_of(whole)


def test_epoch_numbers_go_on_and_an_end_is_said(tmp_path: Path) -> None:
    saved = tmp_path / "weights.npz"
    words = ["--network", "digits", "--data", "random", "--epochs", 1, "--save", saved]
    assert "epoch 1  " in command(*words).output
    assert "epoch 2  " in command(*words, "--load", saved).output
    by_layer = [*words, "--load", saved, "--layer-by-layer"]
    output = command(*by_layer).output
    assert "epoch 1 of layer0" in output
    assert "epoch 1 of readout" in output
    result = command(*by_layer)
    assert result.exit_code == 2
    assert "readout, the last layer, has had 1 already" in result.output


def test_all_at_once_changes_every_layer_and_repeats(
    formats: FormattedNetwork, data: Dataset
) -> None:
    one, two = GoldenEngine(formats), GoldenEngine(formats)
    before = weights_of(one)
    learnt = [0]
    reports = list(train(one, data, epochs=2, advance=lambda n: learnt.append(learnt[-1] + n)))
    assert learnt[-1] == 460
    again = list(train(two, data, epochs=2))
    assert [r.accuracy for r in reports] == [r.accuracy for r in again]
    assert weights_of(one) == weights_of(two)
    assert all(old != new for old, new in zip(before, weights_of(one), strict=True))
    updates = [one.read_register(n, Counter.UPDATES) for n in range(3)]
    for layer, count in zip(formats.layers, updates, strict=True):
        shares = [1 - report.unchanged[layer.name] for report in reports]
        assert sum(shares) * 230 == pytest.approx(count)


def test_a_description_says_how_long_it_is_trained(tmp_path: Path) -> None:
    file, saved, whole = tmp_path / "own.toml", tmp_path / "w.npz", tmp_path / "whole.npz"
    lines = 'name = "a"\ninputs = 64\nclasses = 10\n[learning]\nepochs = 3\nrate_steps = [0.5]\n'
    file.write_text(f"{lines}[[layers]]\nunits = 4\n")
    words = ["--network", str(file), "--data", "random"]
    first = command(*words, "--save", whole)
    started = [line[:7] for line in first.stdout.splitlines()[1:]]
    assert started == ["epoch 1", "epoch 2", "epoch 3"]
    # Whatever else is asked for; and what is left of a run that was cut short.
    assert command(*words, "--epochs", 1).stdout.count("epoch") == 1
    network = infer_formats(load_network(str(file)))
    engine, data = GoldenEngine(network), load_data("random", network.network)
    cut = next(iter(train(engine, data, epochs=3)))
    save_weights(saved, engine, cut)
    rest = command(*words, "--load", saved, "--save", saved)
    assert [line[:7] for line in rest.stdout.splitlines()[1:]] == ["epoch 2", "epoch 3"]
    assert_alike(saved, whole)
    none_left = command(*words, "--load", saved)
    assert none_left.exit_code == 2
    assert none_left.stderr == (
        "Error: weights that have seen 3 epochs: the description says learning.epochs = 3, and "
        "none is left. Say by --epochs how many more.\n"
    )


@pytest.mark.parametrize(
    ("epochs", "told"), [(1, 1), (20, 20), (39, 39), (40, 20), (100, 20), (101, 21)]
)
def test_long_trainings_have_some_twenty_lines(epochs: int, told: int) -> None:
    assert sum(is_told(epoch, epochs) for epoch in range(1, epochs + 1)) == told
    assert is_told(epochs, epochs)


def test_samples_are_sent_once_each_in_the_epochs_order(
    formats: FormattedNetwork, data: Dataset
) -> None:
    engine = GoldenEngine(formats)
    list(train(engine, data, epochs=2))
    by_hand = GoldenEngine(formats)
    for epoch in range(2):
        for n in range(3):
            rate_shift = formats.layers[n].rate_shift + epoch
            by_hand.write_register(n, Register.RATE_SHIFT, rate_shift)
        order = np.random.RandomState([1, epoch]).permutation(230)
        for index in order:
            by_hand.send(data.x_train[index], int(data.y_train[index]))
    assert weights_of(engine) == weights_of(by_hand)


def test_epochs_are_shuffled_by_seed_and_number(formats: FormattedNetwork) -> None:
    first, second = shuffled(formats, 100, 0), shuffled(formats, 100, 1)
    assert sorted(first) == sorted(second) == list(range(100))
    assert first.tolist() != second.tolist()
    assert first.tolist() == shuffled(formats, 100, 0).tolist()


def test_rates_follow_the_schedule(formats: FormattedNetwork, data: Dataset) -> None:
    engine = GoldenEngine(formats)
    for _, step in zip(train(engine, data, epochs=4), [0, 1, 2, 2], strict=True):
        rates = [engine.read_register(n, Register.RATE_SHIFT) for n in range(3)]
        assert rates == [5 + step, 2 + step, 2 + step]


def test_evaluation_disturbs_nothing(formats: FormattedNetwork, data: Dataset) -> None:
    engine = GoldenEngine(formats)
    list(train(engine, data, epochs=1))
    before, traces = weights_of(engine), [trace.scores.tolist() for trace in engine.traces()]
    found = Evaluation.of(engine, data)
    assert weights_of(engine) == before
    assert [trace.scores.tolist() for trace in engine.traces()] == traces
    assert [engine.read_register(n, Counter.SAMPLES) for n in range(3)] == [230] * 3
    right = np.zeros(3)
    for sample, label in zip(data.x_test, data.y_test, strict=True):
        engine.send(sample)
        right += [trace.predicted == label for trace in engine.traces()]
    assert list(found.accuracy) == (right / len(data.x_test)).tolist()


@pytest.mark.skipif("LOAM_DATA" not in os.environ, reason="needs MNIST files in LOAM_DATA")
def test_a_tenth_of_an_epoch_of_mnist_learns() -> None:
    engine = GoldenEngine(infer_formats(load_network("mnist")))
    full = load_data("mnist", engine.formats.network)
    data = replace(full, x_train=full.x_train[:6000], y_train=full.y_train[:6000])
    (report,) = train(engine, data, epochs=1)
    assert report.accuracy["layer0"] > 0.88
    assert report.accuracy["readout"] > 0.75


class Recorder(GoldenEngine):
    """Keeps what it is sent."""

    def __init__(self, formats: FormattedNetwork) -> None:
        super().__init__(formats)
        self.sent: list[np.ndarray] = []

    def send_many(self, samples: np.ndarray, labels: np.ndarray) -> None:
        self.sent += [*samples.copy()]
        super().send_many(samples, labels)


def test_half_of_the_images_are_mirrored() -> None:
    network = Network(
        name="digits",
        inputs=[8, 8, 1],  # type: ignore[arg-type]
        classes=10,
        layers=(Dense(units=2),),
        learning=Learning(mirror=True),
    )
    data = load_data("digits", network)
    before = data.x_train.copy()
    sent = []
    for _ in range(2):
        learner = Recorder(infer_formats(network))
        list(train(learner, data, epochs=2))
        sent.append(learner.sent)
    assert np.array_equal(sent[0], sent[1])
    assert np.array_equal(before, data.x_train)
    flips = []
    for epoch in range(2):
        order = shuffled(learner.formats, len(before), epoch)
        images = np.array(sent[0][epoch * len(order) : (epoch + 1) * len(order)]).reshape(-1, 8, 8)
        plain = before[order].reshape(-1, 8, 8)
        same = (images == plain).all(axis=(1, 2))
        assert ((images == plain[:, :, ::-1]).all(axis=(1, 2)) | same).all()
        flips.append(~same[np.argsort(order)])
        assert 0.4 < flips[-1].mean() < 0.6
    assert not np.array_equal(flips[0], flips[1])


def test_only_images_can_be_mirrored() -> None:
    for learning in (Learning(mirror=True), Learning(jitter=1)):
        with pytest.raises(SpecError, match="only images can be mirrored or moved"):
            replace(NETWORK, learning=learning)


def test_images_are_moved_by_no_more_than_the_jitter() -> None:
    network = replace(NETWORK, inputs=[8, 8, 1], learning=Learning(jitter=2))
    images = np.arange(50 * 64).astype(np.uint8).reshape(50, 64)
    variation = Variation.of_epoch(network, 50, 3)
    assert variation is not None
    moved = variation.applied(images[:30], slice(10, 40))
    assert moved.shape == (30, 64)
    assert np.array_equal(moved, variation.applied(images[:30], slice(10, 40)))
    seen = set()
    for before, after, (up, left) in zip(
        images[:30].reshape(-1, 8, 8),
        moved.reshape(-1, 8, 8),
        variation.moves[10:40].tolist(),
        strict=True,
    ):
        seen |= {up, left}
        for row in range(8):
            for column in range(8):
                source = before[min(max(row + up, 0), 7), min(max(column + left, 0), 7)]
                assert after[row, column] == source
    assert seen == {-2, -1, 0, 1, 2}


def test_weights_and_results_are_two_files(tmp_path):
    file = tmp_path / "both"
    words = ["--network", "digits", "--save", str(file), "--json", str(tmp_path / "." / "both")]
    result = CliRunner().invoke(main, words)
    assert result.exit_code == 2
    assert "weights and results are two files" in result.output
    assert not file.exists()


def test_a_file_may_have_any_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What stands in brackets is no style of the terminal's."""
    monkeypatch.chdir(tmp_path)
    file = Path("of [red][/b].csv")
    file.parent.mkdir()
    file.write_text("a,b,c,d,y\n" + "".join(f"{n},2,3,4,{n % 10}\n" for n in range(30)))
    Path("small.toml").write_text(
        'name = "small"\ninputs = 4\nclasses = 10\n[[layers]]\nunits = 2\n[readout]\n'
    )
    result = command("--network", "small.toml", "--data", file, "--epochs", "1")
    assert result.exit_code == 0, result.output
    assert f"on {file}: " in result.output


@pytest.mark.parametrize("option", ["--save", "--json"])
@pytest.mark.parametrize("name", ["own.csv", "digits.toml", "link"])
def test_what_is_read_is_not_overwritten(
    option: str, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("digits.toml").write_text(network_text("digits"))
    Path("own.csv").write_text("mine")
    Path("link").symlink_to("own.csv")
    result = command("--network", "digits.toml", "--data", "own.csv", option, name)
    assert result.exit_code == 2
    assert f"file {name!r}: it is what is read, and would be lost" in result.output
    assert Path("own.csv").read_text() == "mine"


def test_a_known_set_is_no_file_that_could_be_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("digits").write_text("weights of an earlier training")
    check_writable(Path("digits"), "digits")
