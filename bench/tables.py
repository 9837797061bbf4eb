"""Part ``tables``: measurements of many kinds, learnt out of the box, beside other learners.

Loam is what ``python -m golden_model.new`` and ``golden_model.train`` make of a table. Of
scikit-learn there are LogisticRegression and MLPClassifier of as many units, behind a
StandardScaler; of river, where it is installed, learners of streams that see each sample once.
"""

import importlib.util
import os
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.figures import Figure, Found, Skipped
from bench.say import Say
from golden_model.data.known_sets import DIRECTORY_VARIABLE
from golden_model.data.own_files import read_own
from golden_model.engine import fastest
from golden_model.new import described
from golden_model.spec.formats import infer_formats
from golden_model.training import train

FOLDER = "tables"
"""Of the directory of data sets; every .npz file in it is a table."""
SEEDS = range(1, 6)
UNITS = 64
LOAM, PERCEPTRON = "Loam, out of the box", "MLPClassifier"
BELOW = 3.0
"""Points below the perceptron are aimed for at most, on any table."""
UNIT = "% right"

Features = NDArray[np.float64]
Labels = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """Samples as other learners take them, shape ``[n, features]``, and their labels."""

    x_train: Features
    y_train: Labels
    x_test: Features
    y_test: Labels


@dataclass(frozen=True, slots=True)
class TableFile:
    """One table: a file of x_train, y_train, x_test and y_test."""

    path: Path

    @property
    def name(self) -> str:
        """For people."""
        return self.path.stem


def find(only: str = "") -> list[TableFile]:
    """Tables whose name has `only` in it."""
    folder = Path(os.environ.get(DIRECTORY_VARIABLE, ".")) / FOLDER
    return [TableFile(path) for path in sorted(folder.glob("*.npz")) if only in path.stem]


def run(tables: list[TableFile], say: Say) -> Iterator[Found]:
    """Test accuracy of every learner on each table, mean over seeds, and its mean over tables."""
    found: dict[str, list[float]] = {}
    for table in tables:
        by_learner = dict(_learnt(table, say))
        perceptron = by_learner[PERCEPTRON][0]
        for learner, (right, spread) in by_learner.items():
            found.setdefault(learner, []).append(right)
            goal = perceptron - BELOW if learner == LOAM else None
            yield Figure(case=table.name, what=learner, unit=UNIT, value=right, goal=goal,
                         note=spread)  # fmt: skip
    case = f"mean over {len(tables)} tables"
    for learner, values in found.items():
        goal = mean(found[PERCEPTRON]) if learner == LOAM else None
        yield Figure(case=case, what=learner, unit=UNIT, value=mean(values), goal=goal)
    if importlib.util.find_spec("river") is None:
        yield Skipped(case=case, why="river is not installed: pip install -e '.[bench]'")


def _learnt(table: TableFile, say: Say) -> Iterator[tuple[str, tuple[float, str]]]:
    """By learner: percent right, mean over seeds, and from which to which."""
    arrays = read_own(table.path).arrays
    x_train, x_test = (_flat(arrays[key]) for key in ("x_train", "x_test"))
    y_train, y_test = (arrays[key].astype(np.int64) for key in ("y_train", "y_test"))
    split = Split(x_train=x_train, y_train=y_train, x_test=x_test, y_test=y_test)
    learners: dict[str, Callable[[int], float]] = {
        LOAM: lambda seed: _loam(table.path, seed),
        PERCEPTRON: lambda seed: _perceptron(split, seed),
        "LogisticRegression": lambda _: _regression(split),
        **{name: _of_stream(split, make) for name, make in _streaming().items()},
    }
    for name, learn in learners.items():
        say(f"{table.name}: {name}")
        right = [100 * learn(seed) for seed in SEEDS]
        yield name, (mean(right), f"{min(right):.1f} to {max(right):.1f}")


def _flat(x: NDArray[np.generic]) -> Features:
    return x.reshape(len(x), -1).astype(np.float64)


def _loam(path: Path, seed: int) -> float:
    made = described(str(path), units=UNITS, seed=seed)
    network, data = made.network, made.data
    assert network.learning.epochs
    engine = fastest(infer_formats(network))
    *_, last = train(engine, data, epochs=network.learning.epochs)
    return last.accuracy[engine.formats.answer.name]


def _perceptron(split: Split, seed: int) -> float:
    from sklearn.neural_network import MLPClassifier  # noqa: PLC0415  # takes a second

    return _after_scaling(split, MLPClassifier((UNITS,), random_state=seed))


def _regression(split: Split) -> float:
    from sklearn.linear_model import LogisticRegression  # noqa: PLC0415  # takes a second

    return _after_scaling(split, LogisticRegression(max_iter=1000))


def _after_scaling(split: Split, learner: Any) -> float:
    from sklearn.pipeline import make_pipeline  # noqa: PLC0415  # takes a second
    from sklearn.preprocessing import StandardScaler  # noqa: PLC0415

    with warnings.catch_warnings():
        # That it stops at its usual number of epochs is what a user would see, too.
        warnings.simplefilter("ignore")
        fitted = make_pipeline(StandardScaler(), learner).fit(split.x_train, split.y_train)
    return float(fitted.score(split.x_test, split.y_test))


def _streaming() -> dict[str, Callable[[], Any]]:
    """Learners of river; none where it is not installed."""
    if importlib.util.find_spec("river") is None:
        return {}
    from river import linear_model, naive_bayes, preprocessing  # noqa: PLC0415

    return {
        "river, softmax regression": lambda: (
            preprocessing.StandardScaler() | linear_model.SoftmaxRegression()
        ),
        "river, GaussianNB": naive_bayes.GaussianNB,
    }


def _of_stream(split: Split, make: Callable[[], Any]) -> Callable[[int], float]:
    def learn(seed: int) -> float:
        learner = make()
        for n in np.random.RandomState(seed).permutation(len(split.y_train)):
            learner.learn_one(_row(split.x_train[n]), int(split.y_train[n]))
        answers = [learner.predict_one(_row(x)) for x in split.x_test]
        return float(
            np.mean([answer == y for answer, y in zip(answers, split.y_test, strict=True)])
        )

    return learn


def _row(x: Features) -> dict[int, float]:
    return dict(enumerate(x.tolist()))
