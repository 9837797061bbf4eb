"""Train the golden model: ``python -m golden_model.train --network digits --epochs 5``."""

import functools
import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from golden_model.data.dataset import Dataset, load_data, load_stream, natural_data, stratified
from golden_model.engine import GoldenEngine, engine_for
from golden_model.files import check_writable, replace_file
from golden_model.online import Online, online_options
from golden_model.progress import progress_bar
from golden_model.spec.command import DATA_HELP, FILE, FOLDER, LABEL, SEED, SETTINGS
from golden_model.spec.errors import SpecError
from golden_model.spec.network import EPOCHS_MAX
from golden_model.symptoms import teller
from golden_model.training import (
    ALL,
    UNTRAINED,
    EpochReport,
    epochs_due,
    stages_left,
    train,
)
from golden_model.weight_file import read_checkpoint, save_weights

EPOCHS = 5
"""Of a description that does not say how many."""
LINES = 20
"""Told of a training, at most twice as many."""


@click.command(context_settings=SETTINGS)
@click.option("--network", "name", required=True, help="A known network or a .toml file.")
@click.option(
    "--epochs",
    type=click.IntRange(1, EPOCHS_MAX),
    help=f"How often the data is gone through, if not as the description says or {EPOCHS} times.",
)
@click.option("--data", "data_name", help=DATA_HELP)
@LABEL
@click.option("--data-dir", type=FOLDER, help="Where MNIST files are, instead of LOAM_DATA.")
@click.option(
    "--seed", type=SEED, help="Instead of the description's: weights, classifiers, order."
)
@click.option("--json", "json_file", type=FILE, help="Write what is printed to a file.")
@click.option(
    "--layer-by-layer", is_flag=True, help="Train the lowest layer, freeze it, and so on."
)
@click.option(
    "--validation",
    type=click.IntRange(1),
    help="Hold so many training samples out, drawn by seed from every class; test on them.",
)
@click.option("--save", type=FILE, help="Write the weights after every epoch.")
@click.option("--load", type=FILE, help="Start from weights that --save wrote.")
@online_options
def main(name: str, data_name: str | None, data_dir: Path | None, **options: Any) -> None:
    """Train a network with the integer golden model, one sample at a time.

    Prints, after each epoch, the test accuracy of every layer's scores (the last one is the
    network's answer) and the share of training samples that changed no weight. Samples are shuffled
    anew for each epoch by the seed and the epoch's number. With --online prints, every so often,
    how many samples of a stream were answered rightly before they were learnt.
    """
    try:
        _train(name, data_name, data_dir, **options)
    except SpecError as error:
        click.echo(f"Error: {error}", err=True)
        sys.exit(2)


def _train(
    name: str,
    data_name: str | None,
    data_dir: Path | None,
    *,
    label: str | None,
    epochs: int | None,
    seed: int | None,
    json_file: Path | None,
    layer_by_layer: bool,
    validation: int | None,
    save: Path | None,
    load: Path | None,
    **words: Any,
) -> None:
    online = Online.asked(words, save, json_file)
    if save:
        check_writable(save, name, data_name)
    if json_file:
        check_writable(json_file, name, data_name, load)
    if save and json_file and save.resolve() == json_file.resolve():
        rule = "weights and results are two files"
        raise SpecError(f"--save and --json {str(save)!r}", rule, "Name another for one of them")
    engine = engine_for(name, seed)
    network = engine.formats.network
    reached = UNTRAINED
    if load:
        saved = read_checkpoint(load, engine.formats)
        network = saved.completed(network)
        saved.restore(engine)
        reached = saved.reached
    data_name = data_name or natural_data(network)
    if online:
        order = online.order(engine.formats, reached)
        stream = load_stream(data_name, network, data_dir, label, order=order)
        online.run(engine, stream, reached, save=save, json_file=json_file)
        return
    data = load_data(data_name, network, data_dir, label)
    if validation:
        data = stratified(data, validation, network.seed)
    due = epochs_due(network, epochs, reached, layer_by_layer, EPOCHS)
    stages = stages_left(engine.formats, due, reached, layer_by_layer)
    total = sum(len(numbers) for _, numbers in stages) * len(data.x_train)
    reports: list[EpochReport] = []
    tell = teller(functools.partial(click.echo, err=True))
    with progress_bar() as progress:
        progress.console.print(_heading(engine, data), markup=False)
        bar = progress.add_task("training", total=total)
        run = train(
            engine,
            data,
            epochs=due,
            reached=reached,
            layer_by_layer=layer_by_layer,
            advance=lambda samples: progress.advance(bar, samples),
        )
        for report in run:
            reports.append(report)
            if is_told(report.epoch, due):
                progress.console.print(_line(report))
            tell(report.symptoms)
            if save:
                save_weights(save, engine, report, data)
            if json_file:
                replace_file(json_file, _json(engine, data, reports).encode())


def is_told(epoch: int, of: int) -> bool:
    """Whether an epoch, counted from 1, has a line of its own: of long trainings only some do."""
    return epoch % max(1, of // LINES) == 0 or epoch == of


def _heading(engine: GoldenEngine, data: Dataset) -> str:
    network = engine.formats.network
    shape = "-".join(str(n) for n in [network.inputs, *(f.units for f in engine.formats.layers)])
    samples = f"{len(data.x_train)} training and {len(data.x_test)} test samples"
    return f"{network.name} {shape}, seed {network.seed}, on {data.name}: {samples}"


def _line(report: EpochReport) -> str:
    stage = "" if report.stage == ALL else f" of {report.stage}"
    accuracy = ", ".join(f"{name} {share:.2%}" for name, share in report.accuracy.items())
    unchanged = ", ".join(f"{name} {share:.1%}" for name, share in report.unchanged.items())
    everywhere = report.unchanged_everywhere
    overall = "" if everywhere is None else f"{everywhere:.1%}, "
    return (
        f"epoch {report.epoch}{stage}  test accuracy: {accuracy}"
        f"  samples that changed no weight: {overall}by layer {unchanged}  ({report.seconds:.1f} s)"
    )


def _json(engine: GoldenEngine, data: Dataset, reports: list[EpochReport]) -> str:
    network = engine.formats.network
    content = {
        "network": network.name,
        "fingerprint": f"{network.fingerprint:08x}",
        "seed": network.seed,
        "data": data.name,
        "train_samples": len(data.x_train),
        "test_samples": len(data.x_test),
        "epochs": [asdict(report) for report in reports],
    }
    return json.dumps(content, indent=2) + "\n"


if __name__ == "__main__":
    main()
