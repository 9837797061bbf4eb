"""The page of all results: tables, pictures, and the commands that made them."""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np

from golden_model.cost import cost_rows
from golden_model.experiments.integers import IntegerPlan
from golden_model.experiments.plans import ALL, PLANS, Choice, Plan
from golden_model.experiments.plots import (
    by_method,
    draw_errors,
    draw_rows,
    draw_units,
    final_errors,
)
from golden_model.experiments.runs import Run, missing, results
from golden_model.files import replace_file
from golden_model.reference.methods import MethodName
from golden_model.spec.errors import SpecError
from golden_model.spec.formats import infer_formats
from golden_model.spec.toml import known_networks, load_network

HEAD = """# What local errors reach

Written by `python -m golden_model.experiments report` from the files in [results](results); each
section names the command that makes its figures. Errors are shares of the test set that is answered
wrongly, in percent: mean over seeds, in brackets the least and the most. Nothing was chosen by
looking at the test set. In a table of methods, settings are the same for all of them, unless each
has units and a rate of its own.
"""
UNTUNED = "\u2020"
Found = Sequence[tuple[Plan | IntegerPlan, Sequence[Run]]]
"""Plans that have results."""
STEPS = (
    MethodName.BACKPROPAGATION,
    MethodName.TRAINED_LOCAL,
    MethodName.LOCAL,
    MethodName.FEEDBACK_ALIGNMENT,
)
"""From all that is known to little: errors become local, classifiers fixed, errors random."""


def write_report(folder: Path, page: Path) -> None:
    """Write the page and its pictures; :class:`SpecError` if there are no results."""
    found = [(plan, runs) for plan in PLANS.values() if (runs := results(plan, folder))]
    if not found:
        rule = "it holds no results"
        remedy = "Run an experiment first, for example mnist-narrow"
        raise SpecError(f"folder {str(folder)!r}", rule, remedy)
    sections = ("\n".join(_section(plan, runs, folder)) for plan, runs in found)
    parts = [HEAD, *_not_run(folder), *_overview(found), *_prices(found), *sections, *_costs()]
    replace_file(page, "\n".join(parts).encode())


def _not_run(folder: Path) -> Iterator[str]:
    """Plans that lack results, and how many runs they lack."""
    lacking = [(plan, len(missing(plan, folder))) for plan in PLANS.values()]
    words = [
        f"{plan.name} ({count} of {len(plan.rows) * len(plan.seeds)} runs)"
        for plan, count in lacking
        if count
    ]
    if words:
        yield f"Not run yet: {', '.join(words)}.\n"


def _means(plan: Plan | IntegerPlan, runs: Sequence[Run]) -> dict[str, float]:
    """Mean error of the network's answer, in percent, by row."""
    return {row: final_errors(own)[:, -1].mean() for row, own in by_method(plan, runs).items()}


def _overview(found: Found) -> Iterator[str]:
    """The readout's mean error by every method, a row for each plan that compares methods."""
    compared = [
        (plan, _means(plan, runs))
        for plan, runs in found
        if isinstance(plan, Plan) and not plan.validation and len(plan.methods) > 1
    ]
    if not compared:
        return
    yield "## All methods\n"
    yield "Mean test error of the readout, in percent.\n"
    yield f"| network | {' | '.join(ALL)} |"
    yield "|---" + "|---:" * len(ALL) + "|"
    for plan, means in compared:
        cells = (_cell(plan, method, means) for method in ALL)
        yield f"| {plan.title} | {' | '.join(cells)} |"
    yield ""
    if any(plan.untuned for plan, _ in compared):
        yield f"{UNTUNED} untuned: shares local errors' units, loss and rate, not its authors'.\n"
    whole = [(plan, means) for plan, means in compared if STEPS[0] in means]
    if whole:
        yield from _steps(whole)


def _steps(compared: Sequence[tuple[Plan, dict[str, float]]]) -> Iterator[str]:
    """A row for each plan, of steps between methods that it has."""
    yield "By how many points each step is worse than the one before it:\n"
    yield f"| network | {' | '.join(f'{b} after {a}' for a, b in pairwise(STEPS))} |"
    yield "|---" + "|---:" * (len(STEPS) - 1) + "|"
    for plan, means in compared:
        steps = (
            _cell(plan, b, {b: means[b] - means[a]} if {a, b} <= means.keys() else {})
            for a, b in pairwise(STEPS)
        )
        yield f"| {plan.title} | {' | '.join(steps)} |"
    yield ""


def _cell(plan: Plan, method: MethodName, points: dict[str, float]) -> str:
    """What is known of a method, and whether it is untuned."""
    if method not in points:
        return "-"
    return f"{points[method]:.2f}{UNTUNED * (method in plan.untuned)}"


def _prices(found: Found) -> Iterator[str]:
    """Integers that learn locally beside backpropagation on the same network."""
    means = {plan.name: _means(plan, runs) for plan, runs in found}
    pairs = [
        (plan, f"{plan.name}-price")
        for plan, _ in found
        if isinstance(plan, IntegerPlan) and f"{plan.name}-price" in means
    ]
    if not pairs:
        return
    yield "## The price of locality\n"
    yield (
        "Integers that learn locally beside backpropagation in real numbers on the same network and"
        " images, its rate and dropout chosen on images held out: mean test error of the readout,"
        " in percent.\n"
    )
    yield "| network | weights | local errors, integers | backpropagation | price |"
    yield "|---" + "|---:" * 4 + "|"
    for plan, price in pairs:
        weights = sum(layer.weight_count for layer in infer_formats(load_network(plan.name)).layers)
        local, best = means[plan.name][plan.name], means[price][MethodName.BACKPROPAGATION]
        yield f"| {plan.name} | {weights:,} | {local:.2f} | {best:.2f} | {local - best:.2f} |"
    yield ""


def _costs() -> Iterator[str]:
    """A table for each network that comes with the package."""
    yield "## What a sample costs\n"
    yield (
        "By `python -m golden_model.cost --network NAME`, at the most, with nothing skipped:"
        " multiplications forward and for the update, words of weights and of buffers read and"
        " written, and the size of the buffers.\n"
    )
    for name in known_networks():
        title, *rows = cost_rows(infer_formats(load_network(name)))
        yield f"| {name} | {' | '.join(title[1:])} |"
        yield "|---" + "|---:" * (len(title) - 1) + "|"
        yield "\n".join(f"| {' | '.join(row)} |" for row in rows) + "\n"


def _section(plan: Plan | IntegerPlan, runs: Sequence[Run], folder: Path) -> Iterator[str]:
    if isinstance(plan, IntegerPlan):
        yield from _integer_section(plan, runs, folder)
        return
    yield f"## {plan.title}\n"
    yield (
        f"`python -m golden_model.experiments {plan.name}`: {plan.epochs} epochs{_each(plan)},"
        f" batches of {plan.batch}, {_step(plan, runs[0])},{_loss(runs)}"
        f"{_classifiers(plan)}{_images(plan)} seeds {', '.join(map(str, plan.seeds))}.\n"
    )
    yield from _own(plan)
    blocks = len(plan.settings.hidden)
    own = "".join(f" | block {n + 1}'s own" for n in range(blocks))
    yield f"| method | runs | readout{own} |"
    yield "|---" * (3 + blocks) + "|"
    for method, found in by_method(plan, runs).items():
        errors = final_errors(found)
        columns = [errors[:, -1], *errors[:, :-1].T]
        yield f"| {method} | {len(found)} | {' | '.join(map(_spread, columns))} |"
    picture = folder / f"{plan.name}.png"
    draw_errors(plan, runs, picture)
    yield f"\n![{plan.title}]({folder.name}/{picture.name})\n"
    units = folder / f"{plan.name}-units.png"
    if draw_units(plan, folder, units):
        yield f"![First weights and tuning]({folder.name}/{units.name})\n"


def _own(plan: Plan) -> Iterator[str]:
    """What methods do not share; or that rivals do."""
    if plan.own:
        yield "Of its candidates above each method has the best:\n"
        yield "| method | units | loss | rate |"
        yield "|---|---|---|---:|"
        for method in plan.methods:
            own = plan.own[method]
            yield f"| {method} | {own.activation} | {own.loss} | {own.rate} |"
        yield ""
    elif plan.untuned and not isinstance(plan, Choice):
        yield (
            f"Untuned, with local errors' units, loss and rate: {', '.join(plan.untuned)}. Their"
            " authors have other units, which matter most for DRTP.\n"
        )


def _loss(runs: Sequence[Run]) -> str:
    """The loss, if all have the same."""
    losses = {run.settings["loss"] for run in runs}
    return f" loss {losses.pop()}," if len(losses) == 1 else ""


def _each(plan: Plan | IntegerPlan) -> str:
    return " for each layer" if plan.layer_by_layer else ""


def _step(plan: Plan, run: Run) -> str:
    end = f"down to a {1 / plan.decay:.0f}th of it"
    if isinstance(plan, Choice) or plan.own:
        return f"Adam, its rate going {end}"
    return f"Adam from {run.settings['rate']} {end}, dropout {run.settings['dropout']}"


def _classifiers(plan: Plan) -> str:
    settings = plan.settings
    across = [block.regions for block in settings.hidden]
    if isinstance(plan, Choice) or not any(across):
        return ""
    regions = " and ".join(f"{n} x {n}" for n in across)
    return f" local classifiers on {regions} regions, scaled by {settings.classifier_scale:g},"


def _images(plan: Plan) -> str:
    return (
        " images mirrored at random," * plan.mirror
        + f" images moved by up to {plan.jitter} pixels," * bool(plan.jitter)
        + (" ON and OFF channels," * plan.on_off)
    )


def _integer_section(plan: IntegerPlan, runs: Sequence[Run], folder: Path) -> Iterator[str]:
    yield f"## {plan.title}\n"
    yield (
        f"`python -m golden_model.experiments {plan.name}`: {plan.epochs} epochs{_each(plan)}, one"
        f" sample at a time, seeds {', '.join(map(str, plan.seeds))}; all other settings are those"
        " of the network files.\n"
    )
    if plan.note:
        yield f"{plan.note}\n"
    yield "| network | runs | its answer | layer by layer, mean |"
    yield "|---|---|---|---|"
    for method, found in by_method(plan, runs).items():
        errors = final_errors(found)
        layers = ", ".join(f"{error:.2f}" for error in errors.mean(axis=0))
        yield f"| {method} | {len(found)} | {_spread(errors[:, -1])} | {layers} |"
    yield from _beside(plan, runs)
    picture = folder / f"{plan.name}.png"
    draw_rows(plan, runs, picture)
    yield f"\n![{plan.title}]({folder.name}/{picture.name})\n"


def _beside(plan: IntegerPlan, runs: Sequence[Run]) -> Iterator[str]:
    """What others report of the same network, and how far this is from it."""
    if plan.published is None:
        return
    mean = final_errors(runs)[:, -1].mean()
    less = plan.published.error - mean
    network = plan.network_of(plan.rows[0], plan.seeds[0])
    weights = sum(layer.weight_count for layer in infer_formats(network).layers)
    yield (
        f"\n{plan.published.name} reports an error of {plan.published.error:.2f} with this shape,"
        f" here of {weights:,} weights and biases: the mean of {mean:.2f} is {abs(less):.2f} points"
        f" {'less' if less > 0 else 'more'}. Epochs, batches and number formats are not the same."
    )


def _spread(percent: np.ndarray) -> str:
    if np.isnan(percent).any():
        return "-"
    return f"{percent.mean():.2f} ({percent.min():.2f} to {percent.max():.2f})"
