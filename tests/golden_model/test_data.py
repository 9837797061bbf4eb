"""Data sets from files that the tests write, and what is said of wrong ones."""

import gzip
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat

from golden_model.data import (
    Dataset,
    held_out,
    load_data,
    natural_data,
    on_off_channels,
    random_data,
)
from golden_model.spec.errors import SpecError
from golden_model.spec.network import Dense, Network
from golden_model.spec.toml import known_networks, load_network

NETWORK = Network(name="other", inputs=12, classes=4, layers=(Dense(units=2),))
X = np.arange(60, dtype=np.uint8).reshape(5, 3, 4)
Y = np.array([0, 1, 2, 3, 0])
WRITTEN = {"x_train": X, "y_train": Y, "x_test": X[:2] + 100, "y_test": Y[3:]}
IDX_NAMES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)


def write_idx(folder: Path, *, zipped: bool) -> None:
    folder.mkdir(exist_ok=True)
    for name, array in zip(IDX_NAMES, WRITTEN.values(), strict=True):
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
@pytest.mark.parametrize("below", ["", "mnist"])
def test_image_sets_as_idx_files(below: str, zipped: bool, tmp_path: Path) -> None:
    write_idx(tmp_path / below, zipped=zipped)
    assert_written(load_data("mnist", NETWORK, tmp_path))


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
        ({"y_train": np.array([0, 1, 2, 4, 0])}, "y_train holds 4.*0 to 3"),
        ({"y_train": np.array([0, 1, -2, 3, 0])}, "y_train holds -2.*0 to 3"),
        ({"y_train": np.array([0, 1, 2, 3])}, "5 samples, y_train 4 labels"),
        ({"y_train": Y.astype(float)}, "y_train is float64"),
        ({"y_train": Y.reshape(5, 1)}, r"y_train is int64 of shape \(5, 1\)"),
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
    with pytest.raises(SpecError, match=r"not an \.npz file"):
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
    with pytest.raises(SpecError, match="4 classes are 0 to 3"):
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


def test_natural_data() -> None:
    assert {name: natural_data(load_network(name)) for name in known_networks()} == {
        "digits": "digits",
        "digits-deep": "digits",
        "mnist": "mnist",
        "mnist-deep": "mnist",
        "mnist-conv": "mnist",
        "fashion-deep": "fashion_mnist",
        "fashion-conv": "fashion_mnist",
        "cifar10-conv": "cifar10_half",
    }
    assert natural_data(replace(NETWORK, name="fashion-mnist-wide")) == "fashion_mnist"
    assert natural_data(replace(NETWORK, inputs=784)) == "mnist"
    with pytest.raises(SpecError, match="--data random"):
        natural_data(NETWORK)


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
    found = on_off_channels(images.reshape(1, 8), (2, 2, 4)).reshape(2, 2, 4)
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
