"""Pictures of a plan's results; they need matplotlib."""

from collections.abc import Sequence
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np

from golden_model.experiments.integers import IntegerPlan
from golden_model.experiments.plans import Plan
from golden_model.experiments.runs import SHOWN_UNITS, Run, result_file
from golden_model.files import read_arrays

COLOURS = 10
DPI = 110
RGB = 3
LEGEND = 10
"""Lines that have colours of their own, and a legend."""
SHOWN = ("local", "backpropagation")
"""Methods whose first weights are shown."""


def by_method(plan: Plan | IntegerPlan, runs: Sequence[Run]) -> dict[str, list[Run]]:
    """Runs of each row that has any, in the plan's order."""
    found = {row: [run for run in runs if run.method == row] for row in plan.rows}
    return {method: own for method, own in found.items() if own}


def final_errors(runs: Sequence[Run]) -> np.ndarray:
    """Percent, shape ``[runs, blocks + 1]``; not a number where a method knows none."""
    return 100 * np.array([run.errors[-1] for run in runs], np.float64)


def draw_errors(plan: Plan, runs: Sequence[Run], file: Path) -> None:
    """Error against epoch, spread over seeds, and error of each block's own scores."""
    methods = by_method(plan, runs)
    size = 15, max(4.2, 1 + 0.2 * len(methods))
    figure, (epochs, bars, depth) = plt.subplots(1, 3, figsize=size, layout="constrained")
    for (method, own), colour in zip(methods.items(), _colours(len(methods)), strict=True):
        curve = 100 * np.array([[epoch[-1] for epoch in run.errors] for run in own], np.float64)
        epochs.plot(range(1, curve.shape[1] + 1), curve.mean(axis=0), color=colour, label=method)
        last = final_errors(own)
        answer = last[:, -1]
        spread = [[answer.mean() - answer.min()], [answer.max() - answer.mean()]]
        bars.barh(method, answer.mean(), xerr=spread, color=colour, capsize=4)
        if not np.isnan(last[:, :-1]).any():
            depth.plot(
                range(1, last.shape[1]), last[:, :-1].mean(axis=0), "o-", color=colour, label=method
            )
    epochs.set(xlabel="epoch", ylabel="test error of the readout, %", title="while learning")
    epochs.set_yscale("log")
    # Lying, so that names of any length have room.
    bars.set(xlabel="test error of the readout, %", title="at the end: mean, least, most")
    bars.tick_params(axis="y", labelsize=8)
    bars.invert_yaxis()
    depth.set(xlabel="block", ylabel="test error, %", title="each block's own classifier")
    for axes in (epochs, depth):
        axes.xaxis.get_major_locator().set_params(integer=True)
        if not axes.lines:  # no method knows errors of single blocks
            axes.remove()
        elif len(axes.lines) <= LEGEND:  # more of them would hide; the bars name them too
            axes.legend(fontsize=7)
    figure.suptitle(plan.title)
    figure.savefig(file, dpi=DPI)
    plt.close(figure)


def _colours(count: int) -> list[object]:
    """Matplotlib's own, or as many as are needed."""
    if count <= LEGEND:
        return [f"C{place}" for place in range(count)]
    return list(plt.get_cmap("turbo")(np.linspace(0, 1, count)))


def draw_rows(plan: IntegerPlan, runs: Sequence[Run], file: Path) -> None:
    """Error of each row while learning: mean, and from the least to the most."""
    figure, axes = plt.subplots(figsize=(7.5, 4.2), layout="constrained")
    for place, (method, own) in enumerate(by_method(plan, runs).items()):
        curve = 100 * np.array([[epoch[-1] for epoch in run.errors] for run in own], np.float64)
        epochs = range(1, curve.shape[1] + 1)
        # Colours come round again after ten.
        dashes = "--" if place >= COLOURS else "-"
        axes.plot(epochs, curve.mean(axis=0), dashes, color=f"C{place}", label=method)
        axes.fill_between(
            epochs, curve.min(axis=0), curve.max(axis=0), color=f"C{place}", alpha=0.15
        )
    axes.set(xlabel="epoch", ylabel="test error of the network's answer, %", title=plan.title)
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.legend(fontsize=8)
    figure.savefig(file, dpi=DPI)
    plt.close(figure)


def draw_units(plan: Plan, folder: Path, file: Path) -> bool:
    """First weights as pictures, and how broadly units are tuned; False if none were kept."""
    kept = {
        method: read_arrays(path, "Delete it and the .json beside it, and run the plan again")
        for method in SHOWN
        if (path := result_file(plan, method, plan.seeds[0], folder).with_suffix(".npz")).exists()
    }
    if not kept or not (shape := _picture_shape(plan)):
        return False
    figure, rows = plt.subplots(
        len(kept), 2, figsize=(9, 4.2 * len(kept)), squeeze=False, layout="constrained"
    )
    for (pictures, bars), (method, arrays) in zip(rows, kept.items(), strict=True):
        mosaic = _mosaic(arrays["weights"].astype(np.float32), shape)
        pictures.imshow(mosaic, cmap="RdBu", vmin=0, vmax=1)
        pictures.set(title=f"{method}: weights of 25 units", xticks=[], yticks=[])
        edges = np.arange(plan.settings.classes + 1) / plan.settings.classes + 0.05
        for when in ("before", "after"):
            share = arrays[f"tuning_{when}"].astype(np.float64)
            bars.hist(share, edges, alpha=0.6, label=f"{when} learning")
        bars.set(
            title=f"{method}: tuning", xlabel="share of classes a unit answers to", ylabel="units"
        )
        bars.legend()
    figure.suptitle(plan.title)
    figure.savefig(file, dpi=DPI)
    plt.close(figure)
    return True


def _picture_shape(plan: Plan) -> tuple[int, int, int] | None:
    """Height, width and channels of a unit's weights; None if they are no image."""
    inputs, kernel = plan.settings.inputs, plan.settings.hidden[0].kernel
    if kernel:
        return kernel, kernel, inputs[2]
    side = int(np.sqrt(inputs[0]))
    return (side, side, 1) if side * side == inputs[0] else None


def _mosaic(weights: np.ndarray, shape: tuple[int, int, int]) -> np.ndarray:
    """Weights of 25 units side by side, 0.5 for 0; in colours, ON channels less OFF channels."""
    across = int(np.sqrt(SHOWN_UNITS))
    tiles = weights.T.reshape(across, across, *shape)
    if shape[2] == 2 * RGB:
        tiles = tiles[..., :RGB] - tiles[..., RGB:]
    tiles = np.pad(tiles, ((0, 0), (0, 0), (0, 1), (0, 1), (0, 0)))
    rows = across * (shape[0] + 1)
    mosaic = tiles.transpose(0, 2, 1, 3, 4).reshape(rows, -1, tiles.shape[-1])
    scaled: np.ndarray = 0.5 + mosaic / np.abs(mosaic).max() / 2
    return scaled if scaled.shape[2] == RGB else scaled[..., 0]
