"""What is right and wrong: ``python -m golden_model.report --network F.toml --load W.npz``."""

import importlib.util
import io
import sys
from pathlib import Path

import click
from rich.console import Console

from golden_model.answers import answers, trained
from golden_model.data.dataset import Questions, load_data, load_questions, natural_data
from golden_model.files import check_writable, replace_file
from golden_model.outcome import Outcome, as_json, outcome, show
from golden_model.progress import progress_bar
from golden_model.spec.command import DATA_HELP, FILE, FOLDER, LABEL, SEED, SETTINGS
from golden_model.spec.errors import SpecError
from golden_model.spec.learner import Learner
from golden_model.spec.network import Network

FILES = ("report.txt", "report.json", "report.png")
WHOLE = click.option(
    "--whole",
    is_flag=True,
    help="Ask all samples of a file; of an .npz file that is split, those for test.",
)
WIDTH = 120
"""Of the text in a file, in characters."""


@click.command(context_settings=SETTINGS)
@click.option("--network", "name", required=True, help="A known network or a .toml file.")
@click.option("--load", "weights", required=True, type=FILE, help="Weights that --save wrote.")
@click.option("--data", "data_name", help=DATA_HELP)
@LABEL
@WHOLE
@click.option("--data-dir", type=FOLDER, help="Where MNIST files are, instead of LOAM_DATA.")
@click.option("--seed", type=SEED, help="Instead of the description's, as in training.")
@click.option("--out", type=FOLDER, help=f"Write {', '.join(FILES)} there.")
def main(
    name: str,
    weights: Path,
    data_name: str | None,
    label: str | None,
    whole: bool,
    data_dir: Path | None,
    seed: int | None,
    out: Path | None,
) -> None:
    """Tell what a trained golden model gets right and wrong of the test samples.

    For every class: how many of its samples are answered rightly, and what the others are taken
    for. Then the samples whose wrong answer is the surest, by their number in the file, from 0.
    """
    try:
        prepare(out)
        engine, network = trained(name, seed, weights)
        data = data_name or natural_data(network)
        report(engine, network, asked(data, network, data_dir, label, whole=whole), out)
    except SpecError as error:
        click.echo(f"Error: {error}", err=True)
        sys.exit(2)


def asked(
    data: str, network: Network, directory: Path | None, label: str | None, *, whole: bool
) -> Questions:
    """The test samples of a data set, or all samples of a file, with labels.

    Raises
    ------
    SpecError
        If there are none.
    """
    if not whole:
        found = load_data(data, network, directory, label)
        return Questions(
            name=f"{found.name}, test part",
            x=found.x_test,
            y=found.y_test,
            labels=found.labels,
            rows=found.rows_test,
        )
    questions = load_questions(data, network, directory, label)
    if questions.y is None:
        remedy = "Use predict, which needs none"
        raise SpecError(data, "only what has labels can be found right or wrong", remedy)
    return questions


def prepare(out: Path | None) -> None:
    """Make the folder of the files; :class:`SpecError` if one of them could not be written."""
    if out is None:
        return
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        rule = f"it cannot be made ({error.strerror})"
        raise SpecError(f"folder {str(out)!r}", rule, "Name another") from error
    for name in FILES:
        check_writable(out / name)


def report(learner: Learner, network: Network, samples: Questions, out: Path | None) -> None:
    """Ask a learner, print what came of it and write it into a folder."""
    with progress_bar() as progress:
        bar = progress.add_task("answering", total=len(samples.x))
        given = answers(learner, samples.x, lambda done: progress.advance(bar, done))
    found = outcome(given, samples)
    show(Console(highlight=False, soft_wrap=True), found, samples)
    if out:
        _write(found, network, samples, out)


def _write(found: Outcome, network: Network, samples: Questions, out: Path) -> None:
    text = io.StringIO()
    show(Console(file=text, width=WIDTH, highlight=False, soft_wrap=True), found, samples)
    contents = (text.getvalue(), as_json(found, network, samples))
    for name, content in zip(FILES[:2], contents, strict=True):
        replace_file(out / name, content.encode())
    if importlib.util.find_spec("matplotlib") is None:
        click.echo("Without matplotlib there is no picture: pip install matplotlib", err=True)
    else:
        # Imported here because matplotlib is optional, and takes a second.
        from golden_model.picture import draw  # noqa: PLC0415

        replace_file(out / FILES[2], draw(found, f"{network.name}: {samples.name}"))
    click.echo(out)


if __name__ == "__main__":
    main()
