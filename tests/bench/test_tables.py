"""The part of the benchmark that learns tables, on a small one."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from bench import tables
from bench.figures import Figure, Skipped


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Two tables: one whose kinds are far apart, one without sense."""
    random = np.random.RandomState(1)
    (tmp_path / tables.FOLDER).mkdir()
    y = np.arange(60) % 3
    for name, distance in (("apart", 9), ("noise", 0)):
        x = random.normal(size=(60, 4)).astype(np.float32)
        x[:, 0] += distance * y
        file = tmp_path / tables.FOLDER / f"{name}.npz"
        np.savez(file, x_train=x[:40], y_train=y[:40], x_test=x[40:], y_test=y[40:])
    monkeypatch.setenv("LOAM_DATA", str(tmp_path))
    monkeypatch.setattr(tables, "SEEDS", range(2))
    return tmp_path


def test_every_learner_learns_what_can_be_learnt(folder: Path) -> None:
    assert [table.name for table in tables.find()] == ["apart", "noise"]
    told: list[str] = []
    found = [item for item in tables.run(tables.find(), told.append) if isinstance(item, Figure)]
    value = {(item.case, item.what): item for item in found}
    for learner in (tables.LOAM, tables.PERCEPTRON, "LogisticRegression"):
        apart, noise = (value[case, learner].value for case in ("apart", "noise"))
        assert apart > 95
        assert noise < 70
        assert value["mean over 2 tables", learner].value == pytest.approx((apart + noise) / 2)
    goal = value["noise", tables.PERCEPTRON].value - tables.BELOW
    assert value["noise", tables.LOAM].goal == goal
    mean = value["mean over 2 tables", tables.PERCEPTRON].value
    assert value["mean over 2 tables", tables.LOAM].goal == mean
    assert "noise: MLPClassifier" in told


def test_tables_are_found_by_name(folder: Path) -> None:
    assert [table.name for table in tables.find("ois")] == ["noise"]
    assert not tables.find("absent")


def test_without_river_the_rest_is_measured(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    monkeypatch.setattr(tables, "_loam", lambda path, seed: 0.5)
    found = list(tables.run(tables.find("apart"), lambda text: None))
    assert {item.what for item in found if isinstance(item, Figure)} == {
        tables.LOAM, tables.PERCEPTRON, "LogisticRegression",
    }  # fmt: skip
    (skipped,) = [item for item in found if isinstance(item, Skipped)]
    assert "river" in skipped.why
