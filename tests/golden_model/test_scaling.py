"""Scalers: robust fits, exact application, both codings, and where load_data gets them from."""

import math
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from golden_model.data import scaling
from golden_model.data.dataset import load_data, load_questions
from golden_model.data.scaling import code, constants, fit
from golden_model.spec.errors import SpecError
from golden_model.spec.network import Coding, Dense, Network
from golden_model.spec.scaler import Scaler

FLAT = Network(
    name="own", inputs=6, classes=2, layers=(Dense(units=2),), coding=Coding.TWO_CHANNELS
)
SIGNED = replace(FLAT, inputs=3, coding=Coding.SIGNED)
IMAGE = replace(FLAT, inputs=[2, 1, 4])  # type: ignore[arg-type]
CHANCE = np.random.default_rng(5)
NORMAL = CHANCE.normal(20, 3, 1000)


def fit_one(column: np.ndarray) -> tuple[float, float]:
    scaler = fit(np.asarray(column).reshape(-1, 1))
    return scaler.mean[0], scaler.deviation[0]


def test_mean_and_deviation_without_outliers() -> None:
    mean, deviation = fit_one(NORMAL)
    assert mean == pytest.approx(NORMAL.mean(), abs=1e-6)
    assert deviation == pytest.approx(NORMAL.std(), abs=1e-6)


@pytest.mark.parametrize("outlier", [1e3, -1e6, 1e90])
@pytest.mark.parametrize("count", [1, 20])
def test_outliers_do_not_decide(outlier: float, count: int) -> None:
    column = NORMAL.copy()
    column[:: 1000 // count] = outlier
    mean, deviation = fit_one(column)
    assert abs(mean - 20) < 0.6
    assert 2.7 < deviation < 4.2


@pytest.mark.parametrize("ones", [1, 10, 100, 300, 500])
def test_rare_ones_are_measured_as_they_are(ones: int) -> None:
    column = np.zeros(1000)
    column[:ones] = 1
    mean, deviation = fit_one(column)
    assert mean == pytest.approx(ones / 1000)
    assert deviation == pytest.approx(math.sqrt(ones * (1000 - ones)) / 1000, rel=1e-6)


def test_counts_are_measured_as_they_are() -> None:
    counts = CHANCE.poisson(0.3, 1000)
    mean, deviation = fit_one(counts)
    assert mean == pytest.approx(counts.mean())
    assert deviation == pytest.approx(counts.std(), rel=1e-6)


@pytest.mark.parametrize("value", [0, 3, -0.1, 1e9, 7e-200])
def test_constants_are_sent_as_0(value: float) -> None:
    scaler = fit(np.full((10, 1), value))
    assert scaler == Scaler(mean=(value,), deviation=(0,))
    assert constants(scaler) == [0]
    assert scaling.apply(scaler, np.array([[value], [value + 5]])).tolist() == [[0], [0]]


def test_sums_that_were_rounded_make_no_feature() -> None:
    """0.1 + 0.2 is not 0.3, and says nothing."""
    scaler = fit(np.array([[0.3], [0.1 + 0.2], [0.3]]))
    assert scaler.deviation == (0,)


def test_small_changes_of_large_numbers_stay() -> None:
    """Times in seconds since 1970, for example."""
    mean, deviation = fit_one(1.7e9 + np.array([0.0, 0.25, 0.5, 1.25]))
    assert mean == 1.7e9 + 0.5
    assert deviation == pytest.approx(math.sqrt(7 / 32), rel=1e-6)


def test_a_fit_does_not_hang_on_the_order_of_sums_and_has_seven_digits() -> None:
    samples = CHANCE.lognormal(0, 2, (500, 3)).astype(np.float32)
    scaler = fit(samples)
    assert fit(samples[::-1]) == scaler
    assert all(float(f"{value:.7g}") == value for value in scaler.deviation)
    assert all(float(f"{value:.9g}") == value for value in scaler.mean)


def test_values_are_rounded_as_declared() -> None:
    """By fractions, without floats: floor(64 * (x - mean) / deviation + 1/2), clipped."""
    scaler = Scaler(mean=(0.5, -3.0), deviation=(0.25, 48.0))
    x = np.concatenate([CHANCE.integers(-512, 512, (300, 2)) / 256, [[1e100, -1e100]]])
    found = scaling.apply(scaler, x)
    assert found.dtype == np.int16
    for row, got in zip(x.tolist(), found.tolist(), strict=True):
        for value, mean, deviation, v in zip(row, scaler.mean, scaler.deviation, got, strict=True):
            exact = 64 * (Fraction(value) - Fraction(mean)) / Fraction(deviation)
            assert v == max(-255, min(255, math.floor(exact + Fraction(1, 2))))


def test_many_samples_are_scaled_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    samples = CHANCE.normal(0, 1, (100, 3))
    scaler = fit(samples)
    whole = scaling.apply(scaler, samples)
    monkeypatch.setattr(scaling, "BLOCK", 7)
    assert np.array_equal(scaling.apply(scaler, samples), whole)


CENTRED = np.array([[3, 0, -7, 255], [-255, 1, 200, -1]], np.int16)


def test_codings() -> None:
    flat = replace(FLAT, inputs=8)
    assert code(CENTRED, flat).tolist() == [
        [3, 0, 0, 255, 0, 0, 7, 0],
        [0, 1, 200, 0, 255, 0, 0, 1],
    ]
    # Of an image 2 x 1, two channels: above and below the mean stand side by side at each place.
    assert code(CENTRED, IMAGE).tolist() == [
        [3, 0, 0, 0, 0, 255, 7, 0],
        [0, 1, 255, 0, 200, 0, 0, 1],
    ]
    signed = code(CENTRED, replace(SIGNED, inputs=4))
    assert signed.tolist() == [[3, 0, -7, 127], [-128, 1, 127, -1]]
    assert code(CENTRED, flat).dtype == np.uint8
    assert signed.dtype == np.int8


X = np.array([[0.0, 5, 1], [2, 5, 1], [4, 5, 2], [2, 5, 0]])
Y = np.array([0, 1, 0, 1])


def saved(path: Path, x: np.ndarray, x_test: np.ndarray | None = None) -> str:
    np.savez(path, x_train=x, y_train=Y, x_test=x if x_test is None else x_test, y_test=Y)
    return str(path)


def test_the_training_part_alone_is_fitted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = load_data(saved(tmp_path / "own.npz", X, X + 100), FLAT)
    assert data.scaler == fit(X)
    assert data.x_train[0].tolist() == [0, 0, 0, 91, 0, 0]
    assert data.x_test[0].tolist() == [255, 0, 255, 0, 0, 0]
    assert capsys.readouterr().err == "Note: 1 feature is constant and sent as 0: 1.\n"


def test_constants_are_told_by_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "own.csv").write_text("a,b,c,y\n1,0,7,0\n2,0,7,1\n1,0,7,0\n3,0,7,1\n")
    load_data(str(tmp_path / "own.csv"), FLAT)
    assert capsys.readouterr().err == "Note: 2 features are constant and sent as 0: b, c.\n"


def test_the_network_s_scaler_comes_first(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    scaler = Scaler(mean=(0, 0, 0), deviation=(64, 64, 64))
    data = load_data(saved(tmp_path / "own.npz", X), replace(SIGNED, scaler=scaler))
    assert data.scaler == scaler
    assert data.x_train.tolist() == X.tolist()
    assert data.x_train.dtype == np.int8
    assert not capsys.readouterr().err


def test_what_is_coded_already_stays(tmp_path: Path) -> None:
    x = np.array([[-128, 0, 127]] * 4, np.int8)
    file = saved(tmp_path / "own.npz", x)
    data = load_data(file, SIGNED)
    assert data.x_train.tolist() == x.tolist()
    assert data.scaler is None
    assert np.array_equal(load_questions(file, SIGNED).x, x)
    scaler = Scaler(mean=(0, 0, 0), deviation=(640, 640, 64))
    scaled = load_data(file, replace(SIGNED, scaler=scaler))
    assert scaled.x_train[0].tolist() == [-13, 0, 127]


def test_two_channels_that_are_made_already_stay(tmp_path: Path) -> None:
    """Of flat samples and of images; a scaler is for what is half as wide."""
    x = CHANCE.integers(0, 256, (4, 8)).astype(np.uint8)
    flat = replace(FLAT, inputs=8, scaler=Scaler(mean=(0,) * 4, deviation=(1,) * 4))
    for network, shape in ((flat, (8,)), (IMAGE, (2, 1, 4))):
        data = load_data(saved(tmp_path / "own.npz", x.reshape(4, *shape)), network)
        assert data.x_train.tolist() == x.tolist()
        assert data.scaler is None or data.scaler == network.scaler


def test_parts_are_recorded_alike(tmp_path: Path) -> None:
    file = saved(tmp_path / "own.npz", np.ones((4, 3), np.int8), X)
    with pytest.raises(SpecError, match=r"x_train int8 and x_test float64: both were recorded"):
        load_data(file, SIGNED)


def test_bytes_of_unsigned_networks_stay(tmp_path: Path) -> None:
    x = CHANCE.integers(0, 256, (4, 3)).astype(np.uint8)
    data = load_data(
        saved(tmp_path / "own.npz", x), replace(FLAT, inputs=3, coding=Coding.UNSIGNED)
    )
    assert data.x_train.tolist() == x.tolist()
    assert data.scaler is None


def test_images_are_scaled_by_value(tmp_path: Path) -> None:
    x = CHANCE.integers(0, 256, (4, 2, 1, 2)).astype(np.uint8)
    data = load_data(saved(tmp_path / "own.npz", x), IMAGE)
    assert data.scaler == fit(x.reshape(4, 4))
    above, below = np.split(data.x_train.reshape(4, 2, 1, 4).astype(int), 2, axis=-1)
    assert np.array_equal(
        (above - below).reshape(4, 4), scaling.apply(data.scaler, x.reshape(4, 4))
    )


@pytest.mark.parametrize("network", [FLAT, SIGNED, IMAGE])
def test_random_fits_centred_networks(network: Network) -> None:
    data = load_data("random", network)
    assert data.x_train.shape == (2000, network.inputs)


@pytest.mark.parametrize(
    ("network", "way_out"),
    [
        (replace(FLAT, inputs=3, coding=Coding.UNSIGNED), "inputs = 6"),
        (
            replace(IMAGE, inputs=3, image=(1, 1, 3), coding=Coding.UNSIGNED),
            r"inputs = \[1, 1, 6\]",
        ),
    ],
)
def test_unsigned_networks_name_the_way_out(network: Network, way_out: str, tmp_path: Path) -> None:
    message = rf'is float64: .*golden_model\.new --data .*coding = "two-channels" and {way_out}'
    with pytest.raises(SpecError, match=message):
        load_data(saved(tmp_path / "own.npz", X), network)


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e101])
@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_what_is_no_number_is_named(value: float, kind: type, tmp_path: Path) -> None:
    x = X.copy()
    x[2, 1] = value
    with np.errstate(over="ignore"):
        file = saved(tmp_path / "own.npz", x.astype(kind))
    with pytest.raises(
        SpecError, match=r"x_train\[2, 1\] is .*a finite number, of 1e\+100 at most"
    ):
        load_data(file, FLAT)


def test_texts_are_no_features(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"x_train is <U\d+: a feature is a finite number"):
        load_data(saved(tmp_path / "own.npz", X.astype(str)), FLAT)


def test_nothing_is_fitted_to_what_is_to_be_answered(tmp_path: Path) -> None:
    file = saved(tmp_path / "own.npz", X)
    with pytest.raises(SpecError, match=r"neither it nor its weights say how.*\[scaler\]"):
        load_questions(file, FLAT)
    found = load_questions(file, replace(FLAT, scaler=fit(X)))
    assert np.array_equal(found.x, load_data(file, FLAT).x_test)
    assert found.y is not None
    assert found.y.tolist() == Y.tolist()
