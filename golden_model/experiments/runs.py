"""Runs: one network trained by one method from one seed, and what is kept of it."""

import io
import json
import math
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from golden_model.data.dataset import Dataset, held_out, load_data
from golden_model.data.variation import mirrored_images, moved_images
from golden_model.experiments.integers import Errors, IntegerPlan, run_integers
from golden_model.experiments.plans import Plan
from golden_model.files import replace_file
from golden_model.reference.network import ReferenceNetwork, Settings
from golden_model.spec.network import IMAGE_DIMENSIONS, Dense, Network

Advance = Callable[[int], None]
SHOWN_UNITS = 25
TUNED_ON = 1000
"""Test samples by which it is judged what units answer to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """Result of one run; a JSON file holds it as it stands here.

    Members
    -------
    plan, method, seed
        What was run.
    settings
        All that decided it: epochs, batch, loss, rate, ...
    errors
        For each epoch the share of test samples that are answered wrongly: by each block's own
        scores, null where a method knows none, and last by the readout.
    """

    plan: str
    method: str
    seed: int
    settings: dict[str, object]
    errors: list[list[float | None]]


def data_for(plan: Plan | IntegerPlan, directory: Path | None) -> Dataset:
    """The plan's data; :class:`SpecError` if it is not there."""
    data = load_data(plan.data, _shaped(plan), directory)
    return held_out(data, plan.validation) if plan.validation else data


def _shaped(plan: Plan | IntegerPlan) -> Network:
    """A network with the plan's inputs and classes."""
    if isinstance(plan, IntegerPlan):
        return plan.network_of(plan.rows[0], 1)
    settings = plan.settings
    shape = settings.inputs
    return Network(
        name=plan.name,
        inputs=math.prod(shape),
        image=(shape[0], shape[1], shape[2]) if len(shape) == IMAGE_DIMENSIONS else None,
        classes=settings.classes,
        layers=(Dense(units=1),),
        on_off=plan.on_off,
    )


def missing(plan: Plan | IntegerPlan, folder: Path) -> list[tuple[str, int]]:
    """Rows and seeds of a plan that have no result yet, or one that is damaged."""
    pairs = [(row, seed) for seed in plan.seeds for row in plan.rows]
    return [pair for pair in pairs if _result(plan, *pair, folder) is None]


def result_file(plan: Plan | IntegerPlan, method: str, seed: int, folder: Path) -> Path:
    """Where a run's result is kept."""
    name = method.replace(",", "").replace(" ", "-")
    return folder / plan.name / f"{name}-{seed}.json"


def results(plan: Plan | IntegerPlan, folder: Path) -> list[Run]:
    """All runs of a plan that have been made, those left out whose results are damaged."""
    found = (_result(plan, row, seed, folder) for row in plan.rows for seed in plan.seeds)
    return [run for run in found if run is not None]


def _result(plan: Plan | IntegerPlan, method: str, seed: int, folder: Path) -> Run | None:
    """What is kept of a run; None if nothing is, or if it is damaged."""
    try:
        text = result_file(plan, method, seed, folder).read_text("utf-8")
        found = Run(**json.loads(text))
        its_own = (found.plan, found.method, found.seed) == (plan.name, method, seed)
        whole = its_own and isinstance(found.settings, dict) and _are_errors(found.errors)
    except (OSError, ValueError, TypeError, LookupError, RecursionError):
        return None
    return found if whole else None


def _are_errors(errors: list[list[float | None]]) -> bool:
    """Whether they are shares, by epoch and block, the last block's known; may raise if not."""
    widths = {len(epoch) for epoch in errors}
    shares = [share for epoch in errors for share in epoch if share is not None]
    return (
        len(widths) == 1
        and 0 not in widths
        and all(epoch[-1] is not None for epoch in errors)
        and all(0 <= share <= 1 for share in shares)
    )


def run(
    plan: Plan | IntegerPlan,
    method: str,
    seed: int,
    data: Dataset,
    folder: Path,
    advance: Advance,
) -> Run:
    """Train, and keep the result; of methods the first seed's first weights too, for pictures.

    Parameters
    ----------
    advance
        Told of every batch how many samples it had.
    """
    file = result_file(plan, method, seed, folder)
    file.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(plan, IntegerPlan):
        settings, errors = run_integers(plan, method, seed, data, advance)
    else:
        pictured = seed == plan.seeds[0] and not plan.validation
        pictures = file.with_suffix(".npz") if pictured else None
        settings, errors = _run_method(plan, method, seed, data, advance, pictures)
    found = Run(plan=plan.name, method=method, seed=seed, settings=settings, errors=errors)
    text = json.dumps(asdict(found), indent=1) + "\n"
    replace_file(file, text.encode())
    return Run(**json.loads(text))


def _run_method(
    plan: Plan,
    row: str,
    seed: int,
    data: Dataset,
    advance: Advance,
    pictures: Path | None,
) -> tuple[dict[str, object], Errors]:
    settings = plan.settings_of(row, seed)
    made = ReferenceNetwork(settings)
    before = made.blocks[0].linear.weights.copy()
    errors = list(_train(plan, settings, made, data, advance))
    if pictures:
        tuned = [tuning(made, data, weights) for weights in (before, None)]
        content = io.BytesIO()
        np.savez_compressed(
            content,
            weights=made.blocks[0].linear.weights[:, :SHOWN_UNITS].astype(np.float16),
            tuning_before=tuned[0],
            tuning_after=tuned[1],
        )
        replace_file(pictures, content.getvalue())
    return {**asdict(settings), "epochs": plan.epochs, "batch": plan.batch}, errors


def _train(
    plan: Plan, settings: Settings, made: ReferenceNetwork, data: Dataset, advance: Advance
) -> Iterator[list[float | None]]:
    order = np.random.default_rng([settings.seed, 3])
    everything = range(len(made.blocks) + 1)
    for stage in range(plan.stages):
        made.learning = [stage] if plan.layer_by_layer else everything
        for epoch in range(plan.epochs):
            made.set_rate(settings.rate * plan.decay ** (epoch / max(1, plan.epochs - 1)))
            samples = order.permutation(len(data.x_train))
            for start in range(0, len(samples), plan.batch):
                part = samples[start : start + plan.batch]
                x = data.x_train[part]
                if plan.mirror:
                    flips = order.integers(0, 2, len(x)).astype(np.bool_)
                    x = mirrored_images(x, flips, settings.inputs)
                if plan.jitter:
                    moves = order.integers(-plan.jitter, plan.jitter + 1, (len(x), 2))
                    x = moved_images(x, moves, settings.inputs)
                made.learn(x, data.y_train[part])
                advance(len(part))
            yield test_errors(made, data)


def test_errors(made: ReferenceNetwork, data: Dataset) -> list[float | None]:
    """Share of test samples that each block's scores, and last the readout's, get wrong."""
    return [
        None if scores is None else float(np.mean(scores.argmax(axis=1) != data.y_test))
        for scores in made.scores(data.x_test)
    ]


def tuning(
    made: ReferenceNetwork, data: Dataset, weights: NDArray[np.floating] | None
) -> NDArray[np.floating]:
    """How broadly the first block's units are tuned to classes, shape ``[units]``.

    Share of classes for which a unit's mean activation is at least half of that for its best one:
    1/classes for a unit that answers to one class only, 1 for one that answers to all alike.

    Parameters
    ----------
    weights
        Instead of the block's own, to look at it as it was.
    """
    block = made.blocks[0]
    own = block.linear.weights
    block.linear.weights = own if weights is None else weights
    output = made.first_outputs(data.x_test[:TUNED_ON])
    block.linear.weights = own
    labels = data.y_test[:TUNED_ON]
    means = np.stack([output[labels == c].mean(axis=0) for c in np.unique(labels)])
    best = means.max(axis=0)
    alive: NDArray[np.floating] = (means >= best / 2)[:, best > 0].mean(axis=0)
    return alive
