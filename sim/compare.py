"""Train golden model and RTL side by side: ``python -m sim.compare --network digits``."""

import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table

from boards.registry import find_board
from golden_model.data.dataset import load_data, natural_data
from golden_model.spec.command import DATA_HELP, FOLDER, LABEL, SETTINGS, needing
from golden_model.spec.errors import SpecError
from golden_model.spec.formats import FormattedNetwork, infer_formats
from golden_model.spec.learner import Samples
from golden_model.spec.network import Network
from golden_model.spec.toml import load_network
from hdl.build import parse_foldings
from hdl.passes import pipeline
from hdl.passes.errors import DoesNotFit
from hdl.passes.options import CLASSIFIERS, Options
from hdl.passes.stages import ScheduledNetwork
from hdl.toolchain import ToolError
from sim.chip import SimulatedCore
from sim.record import Advance, Record, TracedGolden, differences, train

Labels = NDArray[np.uint8]


def with_cxxrtl(
    schedule: ScheduledNetwork, samples: Samples, labels: Labels, advance: Advance
) -> Record:
    """Train the RTL in the fast simulator."""
    return train(SimulatedCore(schedule), samples, labels, advance)


def with_verilator(
    schedule: ScheduledNetwork, samples: Samples, labels: Labels, advance: Advance
) -> Record:
    """Train the RTL under cocotb in Verilator."""
    with needing("test", "--engine verilator"):
        from sim import verilated  # noqa: PLC0415
    return verilated.train(schedule, samples, labels, advance)


ENGINES = {"cxxrtl": with_cxxrtl, "verilator": with_verilator}


def first_samples(
    network: Network,
    data: str | None,
    folder: Path | None,
    count: int,
    label: str | None = None,
) -> tuple[Samples, Labels]:
    """The first `count` training samples of a data set and their labels."""
    found = load_data(data or natural_data(network), network, folder, label)
    if not 1 <= count <= len(found.x_train):
        rule = f"{found.name} has {len(found.x_train)} training samples"
        raise SpecError(f"--samples {count}", rule, "Take at least 1 and at most so many")
    return found.x_train[:count], found.y_train[:count]


@click.command(context_settings=SETTINGS)
@click.option("--network", default="digits", show_default=True, help="A name or a .toml file.")
@click.option("--data", help=DATA_HELP)
@LABEL
@click.option(
    "--data-dir",
    type=FOLDER,
    help="Where MNIST files are, instead of LOAM_DATA.",
)
@click.option("--samples", default=500, show_default=True, help="How many to train on.")
@click.option("--engine", type=click.Choice([*ENGINES]), default="cxxrtl", show_default=True)
@click.option("--board", default="icebreaker", show_default=True, help="Whose RTL it is.")
@click.option("--seed", type=click.IntRange(0, 2**32 - 1), help="Instead of the description's.")
@click.option("--classifier", type=click.Choice(CLASSIFIERS), help="As hdl.build's.")
@click.option("--folding", multiple=True, metavar="LAYER=PExSIMD|shared=PE", help="As hdl.build's.")
@click.option("--skip-zeros/--no-skip-zeros", default=True, help="As hdl.build's.")
def main(network: str, data: str | None, samples: int, board: str, **options: Any) -> None:
    """Train the golden model and the simulated RTL on the same samples and compare every bit.

    Compared are, for each sample, the class, all scores and what each unit of each layer is changed
    by, and in the end every weight and counter. Exit status: 0 without a difference, else 1.
    """
    console = Console(highlight=False)
    try:
        described = load_network(network)
        if options["seed"] is not None:
            described = replace(described, seed=options["seed"])
        formats = infer_formats(described)
        folding = parse_foldings(options["folding"])
        choices = Options(
            classifier=options["classifier"], folding=folding, skip_zeros=options["skip_zeros"]
        )
        schedule = pipeline.run(formats, find_board(board).budget, choices)
        x, y = first_samples(described, data, options["data_dir"], samples, options["label"])
        alike = compare(console, schedule, x, y, options["engine"])
    except SpecError as error:
        click.echo(f"Error: {error}", err=True)
        sys.exit(2)
    except (DoesNotFit, ToolError) as error:
        click.echo(f"Error: {error}", err=True)
        sys.exit(1)
    sys.exit(0 if alike else 1)


def compare(
    console: Console, schedule: ScheduledNetwork, samples: Samples, labels: Labels, engine: str
) -> bool:
    """Train both, print a summary and the first difference; says whether there is none."""
    formats = schedule.formats
    columns = TextColumn("{task.description:10}"), BarColumn(), MofNCompleteColumn()
    started = time.monotonic()
    with Progress(*columns, console=console, transient=True) as progress:
        tasks = [progress.add_task(name, total=len(samples)) for name in ("golden", engine)]
        golden, other = (lambda done, task=task: progress.advance(task, done) for task in tasks)
        # What an engine lacks is told before the golden model has taken its time.
        got = ENGINES[engine](schedule, samples, labels, other)
        expected = train(TracedGolden(formats), samples, labels, golden)
    elapsed = time.monotonic() - started
    console.print(_summary(formats, expected))
    compared = f"{len(samples)} samples, {expected.values} values compared in {elapsed:.0f} s"
    console.print(f"{formats.network.name}, {engine}: {compared}")
    found = differences(formats, expected, got)
    console.print(f"{len(found)} differences")
    if found:
        console.print(f"The first: {found[0]}", soft_wrap=True)
    return not found


def _summary(formats: FormattedNetwork, record: Record) -> Table:
    table = Table("layer", "units", "weights", "updates", "unit changes", box=None)
    rows = zip(formats.layers, record.gradients, strict=True)
    for layer, gradients in rows:
        updates, changes = gradients.any(axis=1).sum(), (gradients != 0).sum()
        numbers = (layer.units, layer.weight_count, updates, changes)
        table.add_row(layer.name, *map(str, numbers))
    return table


if __name__ == "__main__":
    main()
