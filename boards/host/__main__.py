"""Talk to a board: ``python -m boards.host train --port /dev/ttyUSB1 --network mnist``."""

import functools
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import click
import numpy as np
from rich.console import Console
from rich.table import Table

from boards.host.driver import Board
from boards.host.protocol import LinkError, Refused
from boards.host.serial_port import open_port
from golden_model.answers import Answers, answers, as_csv
from golden_model.data.dataset import Dataset, load_data, load_questions, load_stream, natural_data
from golden_model.files import check_writable
from golden_model.online import Online, online_options
from golden_model.predict import write_table
from golden_model.progress import progress_bar
from golden_model.report import FILES, WHOLE, asked, prepare
from golden_model.report import report as write_report
from golden_model.spec.command import DATA_HELP, FILE, FOLDER, LABEL, SETTINGS
from golden_model.spec.control import Activity, Counter, Register
from golden_model.spec.errors import SpecError
from golden_model.spec.formats import infer_formats
from golden_model.spec.frames import FrameError
from golden_model.spec.learner import Miscounted, Samples
from golden_model.spec.network import EPOCHS_MAX, Network
from golden_model.spec.toml import load_network
from golden_model.symptoms import teller
from golden_model.training import UNTRAINED, EpochReport, Reached, epochs_due, stages_left
from golden_model.training import train as run_training
from golden_model.weight_file import Checkpoint, read_checkpoint, save_weights

BAUD = 1_000_000
CONSOLE = Console(highlight=False, soft_wrap=True)
LOAD = click.option(
    "--load", type=FILE, help="Give the chip these weights first; else its own answer."
)


@click.group(context_settings=SETTINGS)
def main() -> None:
    """Train, question and inspect the network on a board over its serial port."""


def connected(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options of a connection, and the board for its first argument."""

    @click.option("--port", required=True, help="Serial port, for example /dev/ttyUSB1.")
    @click.option("--network", required=True, help="What was built: a name or a .toml file.")
    @click.option("--baud", default=BAUD, show_default=True, type=click.IntRange(1))
    @functools.wraps(command)
    def run(port: str, network: str, baud: int, **options: Any) -> None:
        try:
            formats = infer_formats(load_network(network))
            with closing(open_port(port, baud, formats)) as transport:
                command(Board(transport, formats), **options)
        except SpecError as error:
            click.echo(f"Error: {error}", err=True)
            sys.exit(2)
        except (LinkError, Miscounted) as error:
            end = "" if str(error).endswith("?") else "."
            click.echo(f"Error: {error}{end}", err=True)
            sys.exit(1)

    return main.command()(run)


def data_options(command: Callable[..., None]) -> Callable[..., None]:
    """The options that choose a data set."""
    command = LABEL(command)
    command = click.option("--data-dir", type=FOLDER, help="Where MNIST files are.")(command)
    return click.option("--data", "data_name", help=DATA_HELP)(command)


def _network(board: Board, saved: Checkpoint | None) -> Network:
    """What was built, with the scaler and labels of its weights."""
    network = board.formats.network
    return saved.completed(network) if saved else network


@connected
def info(board: Board) -> None:
    """Show what the chip is, and each layer's registers and counters."""
    found = board.info()
    network = board.formats.network
    CONSOLE.print(
        f"{network.name}: {found.inputs} inputs, {found.classes} classes, {found.layers} layers, "
        f"fingerprint {found.fingerprint:08x}, frames of version {found.version}"
    )
    _show(board, Register, Counter)


@connected
def counters(board: Board) -> None:
    """Show where each layer's clocks and words went, counted since the last reset.

    All counters wrap at 32 bits. "-" stands for what the far end does not count: a golden model
    has no clocks.
    """
    _show(board, Activity, Counter)


def _show(board: Board, *kinds: Iterable[Register | Counter | Activity]) -> None:
    """A table for each kind of number, with a row for each layer: 80 columns hold the widest."""
    for kind in kinds:
        table = Table("layer")
        for number in kind:
            table.add_column(number.name.lower().replace("_", " "), justify="right")
        for layer in board.formats.layers:
            table.add_row(layer.name, *(_value(board, layer.index, number) for number in kind))
        CONSOLE.print(table)


def _value(board: Board, layer: int, number: Register | Counter | Activity) -> str:
    try:
        return str(board.read_register(layer, number))
    except Refused as refusal:
        if refusal.error != FrameError.VALUE:
            raise
        return "-"


@connected
@data_options
@click.option(
    "--epochs",
    type=click.IntRange(1, EPOCHS_MAX),
    help="How often the data is gone through, if not as the description says or once.",
)
@click.option("--layer-by-layer", is_flag=True, help="Lowest layer first, then freeze it.")
@click.option("--reset/--no-reset", default=True, help="Start from the initial weights [default].")
@click.option("--load", type=FILE, help="Start from weights that --save wrote.")
@click.option("--save", type=FILE, help="Write the weights after every epoch.")
@online_options
def train(
    board: Board,
    data_name: str | None,
    data_dir: Path | None,
    *,
    label: str | None,
    epochs: int | None,
    layer_by_layer: bool,
    reset: bool,
    load: Path | None,
    save: Path | None,
    **words: Any,
) -> None:
    """Train the chip with the loop that trains the golden model; prints accuracy per epoch.

    With --online prints, every so often, how many samples of a stream were answered rightly before
    they were learnt.
    """
    # Whatever can be wrong is found out before the chip's weights are gone.
    online = Online.asked(words, save)
    saved = read_checkpoint(load, board.formats) if load else None
    reached = saved.reached if saved else UNTRAINED
    network = _network(board, saved)
    name = data_name or natural_data(network)
    if online:
        order = online.order(board.formats, reached)
        stream = load_stream(name, network, data_dir, label, order=order)
        work = functools.partial(online.run, board, stream, reached, save=save)
    else:
        data = load_data(name, network, data_dir, label)
        due = epochs_due(network, epochs, reached, layer_by_layer, 1)
        stages = stages_left(board.formats, due, reached, layer_by_layer)
        total = sum(len(numbers) for _, numbers in stages) * len(data.x_train)
        training = functools.partial(
            run_training, epochs=due, reached=reached, layer_by_layer=layer_by_layer
        )
        work = functools.partial(_epochs, board, data, training, total, save)
    if save:
        check_writable(save, name)
    if reset:
        board.reset()
    if saved:
        saved.restore(board)
    work()


def _epochs(
    board: Board,
    data: Dataset,
    training: Callable[..., Iterator[EpochReport]],
    total: int,
    save: Path | None,
) -> None:
    """Go through a training of so many samples, and tell and save what comes of each epoch."""
    tell = teller(functools.partial(click.echo, err=True))
    with progress_bar() as progress:
        bar = progress.add_task("training", total=total)
        for report in training(board, data, advance=lambda n: progress.advance(bar, n)):
            stage = "" if report.stage == "all" else f" of {report.stage}"
            shares = ", ".join(f"{name} {share:.2%}" for name, share in report.accuracy.items())
            progress.console.print(
                f"epoch {report.epoch}{stage}  test accuracy: {shares}  "
                f"({report.seconds:.1f} s, {report.samples / report.seconds:.0f} samples/s)"
            )
            tell(report.symptoms)
            if save:
                save_weights(save, board, report, data)


@connected
@data_options
@click.option("--samples", type=click.IntRange(1), help="Only the first so many of the test set.")
def infer(
    board: Board,
    data_name: str | None,
    data_dir: Path | None,
    *,
    label: str | None,
    samples: int | None,
) -> None:
    """Have the chip answer the test set; prints its accuracy."""
    network = board.formats.network
    data = load_data(data_name or natural_data(network), network, data_dir, label)
    y = data.y_test[:samples]
    predicted = _answers(board, data.x_test[:samples]).predicted
    CONSOLE.print(f"accuracy {np.mean(predicted == y):.2%} of {len(y)} test samples")


def _answers(board: Board, x: Samples) -> Answers:
    with progress_bar() as progress:
        bar = progress.add_task("answering", total=len(x))
        return answers(board, x, lambda done: progress.advance(bar, done))


@connected
@data_options
@LOAD
@click.option("--out", type=FILE, help="Write the table there, and not to the terminal.")
def predict(
    board: Board,
    data_name: str | None,
    data_dir: Path | None,
    *,
    label: str | None,
    load: Path | None,
    out: Path | None,
) -> None:
    """Have the chip answer samples, with or without labels: golden_model.predict's table."""
    if out:
        check_writable(out, load, data_name)
    saved = read_checkpoint(load, board.formats) if load else None
    network = _network(board, saved)
    samples = load_questions(data_name or natural_data(network), network, data_dir, label)
    if saved:
        saved.restore(board)
    write_table(as_csv(_answers(board, samples.x), samples), out)


@connected
@data_options
@WHOLE
@LOAD
@click.option("--out", type=FOLDER, help=f"Write {', '.join(FILES)} there.")
def report(
    board: Board,
    data_name: str | None,
    data_dir: Path | None,
    *,
    label: str | None,
    whole: bool,
    load: Path | None,
    out: Path | None,
) -> None:
    """Tell what the chip gets right and wrong of the test samples, as golden_model.report does."""
    prepare(out)
    saved = read_checkpoint(load, board.formats) if load else None
    network = _network(board, saved)
    data = data_name or natural_data(network)
    samples = asked(data, network, data_dir, label, whole=whole)
    if saved:
        saved.restore(board)
    write_report(board, network, samples, out)


@connected
@click.argument("file", type=FILE)
@click.option(
    "--epochs",
    default=0,
    type=click.IntRange(0, EPOCHS_MAX),
    help="How many the weights have seen, noted in the file.",
)
def read_weights(board: Board, file: Path, *, epochs: int) -> None:
    """Save the chip's weights in FILE, as golden_model.train --save does."""
    check_writable(file)
    save_weights(file, board, Reached(epoch=epochs, seen=epochs))


@connected
@click.argument("file", type=FILE)
def write_weights(board: Board, file: Path) -> None:
    """Give the chip the weights in FILE, from golden_model.train --save or read-weights."""
    read_checkpoint(file, board.formats).restore(board)


if __name__ == "__main__":
    main()
