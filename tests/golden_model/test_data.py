"""Data sets from files that the tests write, and what is said of wrong ones."""

import gzip
import os
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from scipy.io import savemat

from golden_model import train
from golden_model.data import known_sets
from golden_model.data.dataset import (
    Dataset,
    held_out,
    load_data,
    natural_data,
    stratified,
)
from golden_model.data.known_sets import random_data
from golden_model.data.scaling import centred_images, code
from golden_model.files import Arrays
from golden_model.spec.errors import SpecError
from golden_model.spec.network import Coding, Dense, Network
from golden_model.spec.toml import known_networks, load_network

NETWORK = Network(name="other", inputs=12, classes=4, layers=(Dense(units=2),))
X = np.arange(60, dtype=np.uint8).reshape(5, 3, 4)
Y = np.array([0, 1, 2, 3, 0])
WRITTEN: Arrays = {"x_train": X, "y_train": Y, "x_test": X[:2] + 100, "y_test": Y[3:]}
IDX_NAMES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)


def write_idx(folder: Path, *, zipped: bool, arrays: Arrays = WRITTEN) -> None:
    folder.mkdir(exist_ok=True)
    for name, array in zip(IDX_NAMES, arrays.values(), strict=True):
        header = bytes([0, 0, 8, array.ndim])
        header += b"".join(n.to_bytes(4, "big") for n in array.shape)
        content = header + array.astype(np.uint8).tobytes()
        if zipped:
            (folder / f"{name}.gz").write_bytes(gzip.compress(content))
        else:
            (folder / name).write_bytes(content)


def write_npz(path: Path, **changed: object) -> str:
    arrays = {**WRITTEN, **changed}
    np.savez(path, **{key: value for key, value in arrays.items() if value is not None})
    return str(path)


def assert_written(data: Dataset) -> None:
    assert data.x_train.tolist() == X.reshape(5, 12).tolist()
    assert data.y_train.tolist() == Y.tolist()
    assert data.x_test.tolist() == (X[:2] + 100).reshape(2, 12).tolist()
    assert data.y_test.tolist() == [3, 0]
    assert data.x_train.dtype == data.y_train.dtype == np.uint8


def test_digits_are_all_there_and_split_for_good() -> None:
    data = load_data("digits", load_network("digits"))
    assert data.x_train.shape == (1438, 64)
    assert data.x_test.shape == (359, 64)
    assert (data.x_train.min(), data.x_train.max()) == (0, 255)
    assert min(np.bincount(data.y_train, minlength=10)) > 100
    assert min(np.bincount(data.y_test, minlength=10)) > 20
    assert data.y_test[:12].tolist() == [2, 8, 2, 6, 6, 7, 1, 9, 8, 5, 2, 8]


def test_values_of_digits_are_scaled_and_rounded() -> None:
    data = load_data("digits", load_network("digits"))
    assert set(np.unique(data.x_train)) == {round(n * 255 / 16 + 1e-9) for n in range(17)}


def test_an_npz_of_ones_own(tmp_path: Path) -> None:
    assert_written(load_data(write_npz(tmp_path / "own.npz"), NETWORK))


@pytest.mark.parametrize("name", ["mnist", "fashion_mnist"])
def test_image_sets_as_npz(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_npz(tmp_path / f"{name}.npz")
    assert_written(load_data(name, NETWORK, tmp_path))
    monkeypatch.setenv("LOAM_DATA", str(tmp_path))
    assert_written(load_data(name, NETWORK))


@pytest.mark.parametrize("zipped", [False, True])
def test_image_sets_as_idx_files(zipped: bool, tmp_path: Path) -> None:
    write_idx(tmp_path / "mnist", zipped=zipped)
    assert_written(load_data("mnist", NETWORK, tmp_path))
    assert_written(load_data("mnist", NETWORK, tmp_path / "mnist"))


def test_whose_unknown_files_are_is_not_guessed(tmp_path: Path) -> None:
    write_idx(tmp_path, zipped=False)
    for name in ("mnist", "fashion_mnist", "cifar10_half"):
        message = f"data '{name}': x_train in .*none that is known.*move all four into '.*/{name}'"
        with pytest.raises(SpecError, match=message):
            load_data(name, NETWORK, tmp_path)


@pytest.fixture
def written_is_fashion(monkeypatch: pytest.MonkeyPatch) -> None:
    known = {zlib.crc32(a.astype(np.uint8).tobytes()): "fashion_mnist" for a in WRITTEN.values()}
    monkeypatch.setattr(known_sets, "KNOWN_VALUES", known)


@pytest.mark.usefixtures("written_is_fashion")
def test_sets_of_the_same_file_names_are_told_apart(tmp_path: Path) -> None:
    write_idx(tmp_path, zipped=False)
    assert_written(load_data("fashion_mnist", NETWORK, tmp_path))
    message = "data 'mnist': x_train in .*it is that of fashion_mnist. Say --data fashion_mnist"
    with pytest.raises(SpecError, match=message):
        load_data("mnist", NETWORK, tmp_path)
    write_idx(tmp_path / "mnist", zipped=False)
    with pytest.raises(SpecError, match=message):
        load_data("mnist", NETWORK, tmp_path)
    write_npz(tmp_path / "mnist.npz")
    with pytest.raises(SpecError, match=message):
        load_data("mnist", NETWORK, tmp_path)


@pytest.mark.usefixtures("written_is_fashion")
@pytest.mark.parametrize("key", WRITTEN)
def test_one_file_of_another_set_is_noticed(key: str, tmp_path: Path) -> None:
    own = {name: np.zeros_like(array) for name, array in WRITTEN.items() if name != key}
    write_npz(tmp_path / "mnist.npz", **own)
    with pytest.raises(SpecError, match=f"'mnist': {key} in .*it is that of fashion_mnist"):
        load_data("mnist", NETWORK, tmp_path)


def test_missing_image_sets_say_what_to_put_where(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("LOAM_DATA", raising=False)
    with pytest.raises(SpecError, match=r"LOAM_DATA or --data-dir.*mnist\.npz.*idx3-ubyte"):
        load_data("mnist", NETWORK)
    with pytest.raises(SpecError, match=r"does not hold it.*fashion_mnist\.npz"):
        load_data("fashion_mnist", NETWORK, tmp_path)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"y_test": None}, "has no y_test"),
        ({"x_train": X.astype(np.float32)}, "x_train is float32"),
        ({"x_test": X[:2, :, :3]}, r"x_test has shape \(2, 3, 3\).*12 inputs"),
        ({"x_train": X[:0]}, r"x_train has shape \(0, 3, 4\)"),
        ({"x_train": X.reshape(-1)}, r"x_train has shape \(60,\)"),
        (
            {"y_train": np.array([4, 1, 2, 3, 0])},
            r"5 different labels \(0, 1, 2, 3, 4\).*4 classes",
        ),
        ({"y_train": np.array([0, 1, -2, 5, 0])}, r"labels \(-2, 0, 1, 3, 5\).*0 to 3"),
        ({"y_train": np.array([0, 1, 2, 3])}, "5 samples, y_train 4 labels"),
        ({"y_train": Y + 0.5}, r"y_train\[0\] is 0.5: a label is a whole number"),
        ({"y_train": Y.reshape(5, 1, 1)}, r"y_train is int64 of shape \(5, 1, 1\)"),
        (
            {"x_train": np.where(X == 7, np.nan, X)},
            r"x_train\[0, 1, 3\] is nan: a feature is a fin",
        ),
        ({"x_test": np.where(X[:2] == 7, np.inf, 0)}, r"x_test\[0, 1, 3\] is inf: a feature is a"),
        ({"y_train": np.array([0, 1, np.nan, 3, 0])}, r"y_train\[2\] is nan: a label is a whole"),
        ({"y_test": np.array(3)}, r"y_test is int64 of shape \(\)"),
    ],
)
def test_what_a_wrong_npz_gets(changed: dict[str, object], message: str, tmp_path: Path) -> None:
    file = write_npz(tmp_path / "own.npz", **changed)
    with pytest.raises(SpecError, match=message):
        load_data(file, NETWORK)


def test_files_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="cannot be read"):
        load_data(str(tmp_path / "absent.npz"), NETWORK)
    for content in (b"", b"text", b"PK\x03\x04 and no more"):
        (tmp_path / "bad.npz").write_bytes(content)
        with pytest.raises(SpecError, match=r"not an \.npz file"):
            load_data(str(tmp_path / "bad.npz"), NETWORK)
    np.savez(tmp_path / "bad.npz", **{**WRITTEN, "y_test": np.array([{}], object)})
    with pytest.raises(SpecError, match=r"y_test\.npy holds Python objects.*y\.astype\(str\)"):
        load_data(str(tmp_path / "bad.npz"), NETWORK)


@pytest.mark.parametrize("broken", ["cut", "type", "short", "long"])
def test_broken_idx_files(broken: str, tmp_path: Path) -> None:
    write_idx(tmp_path, zipped=False)
    file = tmp_path / "t10k-images-idx3-ubyte"
    content = file.read_bytes()
    changed = {
        "cut": content[:9],
        "type": content[:2] + b"\x0d" + content[3:],
        "short": content[:-1],
        "long": content + b"0",
    }
    file.write_bytes(changed[broken])
    with pytest.raises(SpecError, match="not a whole idx file"):
        load_data("mnist", NETWORK, tmp_path)
    (tmp_path / "t10k-images-idx3-ubyte").unlink()
    (tmp_path / "t10k-images-idx3-ubyte.gz").write_bytes(gzip.compress(content)[:-9])
    with pytest.raises(SpecError, match="not a whole idx file"):
        load_data("mnist", NETWORK, tmp_path)


def test_unknown_names_get_the_nearest() -> None:
    with pytest.raises(SpecError, match="Did you mean 'digits'"):
        load_data("digit", NETWORK)


def test_a_set_that_does_not_fit_the_network() -> None:
    with pytest.raises(SpecError, match="12 inputs"):
        load_data("digits", NETWORK)
    with pytest.raises(SpecError, match=r"10 different labels.*this network has 4 classes"):
        load_data("digits", replace(NETWORK, inputs=64))


def test_random_fits_any_network_and_repeats() -> None:
    one, two = load_data("random", NETWORK), load_data("random", NETWORK)
    assert np.array_equal(one.x_train, two.x_train)
    assert np.array_equal(one.y_test, two.y_test)
    assert set(one.y_train) == {0, 1, 2, 3}
    assert 0.4 < np.mean(one.x_train == 0) < 0.6
    assert 0.1 < np.mean(one.x_train == 255) < 0.2
    other = random_data(replace(NETWORK, seed=2), train=7, test=3)
    assert other["x_train"].shape == (7, 12)
    assert not np.array_equal(other["x_train"], one.x_train[:7])


def test_random_samples_of_signed_inputs_reach_both_ends() -> None:
    signed = load_data("random", replace(NETWORK, coding=Coding.SIGNED)).x_train
    assert signed.dtype == np.int8
    for value, share in ((0, 0.5), (127, 0.125), (-128, 0.125)):
        assert np.mean(signed == value) == pytest.approx(share, abs=0.02)


@pytest.mark.parametrize("inputs", [12, [2, 1, 6]])
def test_random_samples_of_two_channels_have_a_zero_in_each_pair(inputs: object) -> None:
    network = replace(NETWORK, inputs=inputs, coding=Coding.TWO_CHANNELS)  # type: ignore[arg-type]
    pairs = load_data("random", network).x_train.reshape(2000, -1, 2, 3 if network.image else 6)
    above, below = pairs[:, :, 0], pairs[:, :, 1]
    assert not ((above != 0) & (below != 0)).any()
    for part in (above, below):
        assert np.mean(part != 0) == pytest.approx(0.25, abs=0.02)


def test_samples_of_signed_inputs_are_int8(tmp_path: Path) -> None:
    network = replace(NETWORK, coding=Coding.SIGNED)
    y = np.zeros(2, np.uint8)
    files = {}
    for kind, other in ((np.int8, network), (np.uint8, NETWORK)):
        x = np.full((2, 12), 200, np.uint8).view(kind)
        files[kind] = write_npz(tmp_path / f"{np.dtype(kind)}.npz", x_train=x, y_train=y,
                                x_test=x, y_test=y)  # fmt: skip
        assert np.array_equal(load_data(files[kind], other).x_train, x)
    with pytest.raises(SpecError, match="x_train is int8: samples"):
        load_data(files[np.int8], NETWORK)
    # Of bytes that are no inputs yet the host makes some.
    assert load_data(files[np.uint8], network).x_train.dtype == np.int8


def svhn_file(path: Path, images: np.ndarray, labels: np.ndarray) -> None:
    savemat(path, {"X": images.transpose(1, 2, 3, 0), "y": labels.reshape(-1, 1)})


SVHN = Network(name="svhn", inputs=[32, 32, 3], classes=10, layers=(Dense(units=1),))  # type: ignore[arg-type]


@pytest.mark.parametrize("below", ["", "svhn"])
def test_svhn(tmp_path: Path, below: str) -> None:
    chance = np.random.default_rng(1)
    images = chance.integers(0, 256, (7, 32, 32, 3)).astype(np.uint8)
    labels = np.array([10, 1, 2, 9, 10, 5, 3], np.uint8)
    (tmp_path / below).mkdir(exist_ok=True)
    svhn_file(tmp_path / below / "train_32x32.mat", images, labels)
    svhn_file(tmp_path / below / "test_32x32.mat", images[:2], labels[:2])
    data = load_data("svhn", SVHN, tmp_path)
    assert np.array_equal(data.x_train.reshape(7, 32, 32, 3), images)
    assert data.y_train.tolist() == [0, 1, 2, 9, 0, 5, 3]
    assert len(data.x_test) == 2
    assert natural_data(SVHN) == "svhn"


def test_what_is_no_svhn_is_named(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"does not hold it.*train_32x32\.mat and test_32x32\.mat"):
        load_data("svhn", SVHN, tmp_path)
    images = np.zeros((2, 32, 32, 3), np.uint8)
    svhn_file(tmp_path / "test_32x32.mat", images, np.array([1, 2], np.uint8))
    (tmp_path / "train_32x32.mat").write_bytes(b"nothing")
    with pytest.raises(SpecError, match=r"train_32x32\.mat.*no whole \.mat file"):
        load_data("svhn", SVHN, tmp_path)
    svhn_file(tmp_path / "train_32x32.mat", images, np.array([1, 11], np.uint8))
    with pytest.raises(SpecError, match="labels of 1 to 10"):
        load_data("svhn", SVHN, tmp_path)
    svhn_file(tmp_path / "train_32x32.mat", images[:, :31], np.array([1, 2], np.uint8))
    with pytest.raises(SpecError, match=r"shape \(31, 32, 3, 2\)"):
        load_data("svhn", SVHN, tmp_path)


def test_validation_samples_are_held_out() -> None:
    data = load_data("digits", load_network("digits"))
    held = held_out(data, 100)
    assert np.array_equal(np.concatenate([held.x_train, held.x_test]), data.x_train)
    assert np.array_equal(np.concatenate([held.y_train, held.y_test]), data.y_train)
    assert len(held.x_test) == 100
    with pytest.raises(SpecError, match="1438 training samples, and some must be left"):
        held_out(data, 1438)


def sorted_data(*counts: int) -> Dataset:
    y = np.repeat(np.arange(len(counts)), counts).astype(np.uint8)
    x = np.arange(len(y)).astype(np.uint8).reshape(-1, 1)
    return Dataset(name="sorted", x_train=x, y_train=y, x_test=x[:1], y_test=y[:1])


@pytest.mark.parametrize(
    ("counts", "samples", "shares"),
    [
        ((50, 50, 50), 30, [10, 10, 10]),
        ((50, 50, 50), 31, [11, 10, 10]),
        ((100, 20, 30), 10, [7, 1, 2]),  # 6.67, 1.33, 2
        ((5, 0, 1), 5, [4, 0, 1]),  # 4.17, 0, 0.83
        ((2, 2, 2), 1, [1, 0, 0]),
        ((3, 1), 3, [2, 1]),  # 2.25, 0.75
    ],
)
def test_validation_is_drawn_from_every_class(
    counts: tuple[int, ...], samples: int, shares: list[int]
) -> None:
    data = sorted_data(*counts)
    held = stratified(data, samples, 1)
    assert np.bincount(held.y_test, minlength=len(counts)).tolist() == shares
    assert sorted([*held.x_train.ravel(), *held.x_test.ravel()]) == data.x_train.ravel().tolist()
    for x, y in ((held.x_train, held.y_train), (held.x_test, held.y_test)):
        assert (np.diff(x.ravel().astype(int)) > 0).all()
        assert y.tolist() == data.y_train[x.ravel()].tolist()
    with pytest.raises(SpecError, match="training samples, and some must be left"):
        stratified(data, sum(counts), 1)


def test_validation_is_drawn_by_seed_and_stays_so() -> None:
    data = sorted_data(50, 50, 50)
    drawn = {seed: stratified(data, 6, seed).x_test.ravel().tolist() for seed in (1, 2)}
    assert drawn == {1: [11, 22, 69, 93, 101, 137], 2: [5, 49, 75, 76, 123, 138]}
    order = np.random.RandomState([1, 2**32 - 1]).permutation(150)
    by_class = [[n for n in order if n // 50 == label][:2] for label in range(3)]
    assert drawn[1] == sorted(np.concatenate(by_class))


def test_the_command_validates_by_every_class(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Samples sorted by class, as some sets come: the last ones are all of one class."""
    y = np.repeat(np.arange(4), 20)
    x = np.zeros((80, 12), np.uint8)
    file, seen = write_npz(tmp_path / "own.npz", x_train=x, y_train=y), []
    description = 'name = "own"\ninputs = 12\nclasses = 4\nseed = 3\n[[layers]]\nunits = 2\n'
    (tmp_path / "own.toml").write_text(description)

    def watched(engine: object, data: Dataset, **options: object) -> list[object]:
        seen.append(data)
        return []

    monkeypatch.setattr(train, "train", watched)
    words = ["--network", str(tmp_path / "own.toml"), "--data", file, "--validation", "8"]
    result = CliRunner().invoke(train.main, words)
    assert result.exit_code == 0, result.output
    assert np.bincount(seen[0].y_test).tolist() == [2, 2, 2, 2]


def test_natural_data() -> None:
    assert {name: natural_data(load_network(name)) for name in known_networks()} == {
        "digits": "digits",
        "digits-deep": "digits",
        "mnist": "mnist",
        "mnist-deep": "mnist",
        "mnist-conv": "mnist",
        "mnist-conv-small": "mnist",
        "fashion-deep": "fashion_mnist",
        "fashion-conv": "fashion_mnist",
        "cifar10-conv": "cifar10_half",
    }
    assert natural_data(replace(NETWORK, name="fashion-mnist-wide")) == "fashion_mnist"
    assert natural_data(replace(NETWORK, inputs=784)) == "mnist"
    with pytest.raises(SpecError, match="--data random"):
        natural_data(NETWORK)


@pytest.mark.skipif("LOAM_DATA" not in os.environ, reason="needs MNIST files in LOAM_DATA")
def test_the_real_sets_are_told_apart(tmp_path: Path) -> None:
    both = ("mnist", "fashion_mnist")
    for name, other in (both, both[::-1]):
        with np.load(Path(os.environ["LOAM_DATA"]) / f"{name}.npz") as arrays:
            first = {key: arrays[key][:1000] for key in WRITTEN}
        write_idx(tmp_path, zipped=False, arrays=first)
        network = load_network("mnist")
        assert len(load_data(name, network, tmp_path).x_train) == 1000
        with pytest.raises(SpecError, match=f"'{other}': x_train in .*it is that of {name}"):
            load_data(other, network, tmp_path)
        assert {known_sets._whose(array) for array in first.values()} == {name}


@pytest.mark.skipif("LOAM_DATA" not in os.environ, reason="needs MNIST files in LOAM_DATA")
def test_the_real_mnist() -> None:
    data = load_data("mnist", load_network("mnist"))
    assert data.x_train.shape == (60000, 784)
    assert data.x_test.shape == (10000, 784)
    assert data.y_train[:5].tolist() == [5, 0, 4, 1, 9]
    assert data.y_test[:5].tolist() == [7, 2, 1, 0, 4]


def test_on_off_channels_are_distances_from_the_mean_of_each_channel() -> None:
    images = np.zeros((1, 2, 2, 2), np.uint8)
    images[0, ..., 0] = [[10, 20], [30, 41]]  # mean 25.25
    images[0, ..., 1] = [[0, 255], [255, 255]]  # mean 191.25
    network = replace(RETINA, inputs=[2, 2, 4], image=None)
    centred = centred_images(images.reshape(1, 8), (2, 2, 4))
    found = code(centred, network).reshape(2, 2, 4)
    assert found[..., 0].tolist() == [[0, 0], [10, 32]]
    assert found[..., 2].tolist() == [[30, 10], [0, 0]]
    assert found[..., 1].tolist() == [[0, 128], [128, 128]]
    assert found[..., 3].tolist() == [[255, 0], [0, 0]]


def test_on_off_networks_take_images_of_half_as_many_channels(tmp_path: Path) -> None:
    arrays = {
        "x_train": np.arange(3 * 48).reshape(3, 4, 4, 3).astype(np.uint8),
        "y_train": np.zeros(3, np.uint8),
    }
    file = tmp_path / "images.npz"
    np.savez(file, **arrays, x_test=arrays["x_train"], y_test=arrays["y_train"])
    network = Network(
        name="any",
        inputs=[4, 4, 6],  # type: ignore[arg-type]
        classes=2,
        layers=(Dense(units=1),),
        on_off=True,
    )
    assert load_data(str(file), network).x_train.shape == (3, 96)
    with pytest.raises(SpecError, match="two channels for each"):
        replace(network, inputs=[4, 4, 3], image=None)


IMAGES = Network(name="images", inputs=[4, 5, 3], classes=4, layers=(Dense(units=2),))  # type: ignore[arg-type]
GREY = replace(IMAGES, inputs=[3, 4, 1], image=None)
RETINA = replace(IMAGES, inputs=[4, 5, 6], image=None, on_off=True)


@pytest.mark.parametrize(
    ("network", "shape"),
    [
        (IMAGES, (4, 5, 3)),
        (IMAGES, (60,)),
        (GREY, (3, 4, 1)),
        (GREY, (3, 4)),
        (GREY, (12,)),
        (RETINA, (4, 5, 3)),
        (RETINA, (60,)),
        (replace(NETWORK, inputs=60), (3, 4, 5)),  # no image: any shape of that size
        (replace(IMAGES, inputs=[3, 3, 3], image=None), (3, 3, 3)),
    ],
)
def test_images_flat_or_as_described(
    network: Network, shape: tuple[int, ...], tmp_path: Path
) -> None:
    x = np.arange(2 * np.prod(shape)).astype(np.uint8).reshape(2, *shape)
    y = np.zeros(2, np.uint8)
    file = write_npz(tmp_path / "own.npz", x_train=x, y_train=y, x_test=x, y_test=y)
    found = load_data(file, network).x_train
    assert found.shape == (2, network.inputs)
    if not network.on_off:
        assert found.ravel().tolist() == x.ravel().tolist()


CHANNELS_FIRST = r"Put the channels last: x\.transpose\(0, 2, 3, 1\)"


@pytest.mark.parametrize(
    ("network", "shape", "message"),
    [
        (IMAGES, (3, 4, 5), CHANNELS_FIRST),
        (RETINA, (3, 4, 5), CHANNELS_FIRST),
        (GREY, (1, 3, 4), CHANNELS_FIRST),
        (IMAGES, (5, 4, 3), r"are 4 x 5 x 3, or flat.*shape \(samples, 4, 5, 3\)"),
        (IMAGES, (20, 3), r"are 4 x 5 x 3, or flat"),
        (IMAGES, (1, 4, 5, 3), r"are 4 x 5 x 3, or flat"),
        (RETINA, (4, 15), r"are 4 x 5 x 3, or flat"),
        (GREY, (4, 3), r"are 3 x 4 x 1, or flat"),
        (RETINA, (4, 5, 6), "one sample of 60 inputs"),
    ],
)
def test_images_of_another_shape(
    network: Network, shape: tuple[int, ...], message: str, tmp_path: Path
) -> None:
    x, y = np.zeros((2, *shape), np.uint8), np.zeros(2, np.uint8)
    file = write_npz(tmp_path / "own.npz", x_train=x, y_train=y, x_test=x, y_test=y)
    with pytest.raises(SpecError, match=message):
        load_data(file, network)


def test_random_fits_networks_with_on_off_channels_too() -> None:
    data = load_data("random", RETINA)
    assert data.x_train.shape == (2000, 120)
