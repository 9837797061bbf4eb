"""Answer samples: ``python -m golden_model.predict --network F.toml --load W.npz --data S.csv``."""

import sys
from pathlib import Path

import click

from golden_model.answers import answers, as_csv, trained
from golden_model.data.dataset import load_questions
from golden_model.files import check_writable, replace_file
from golden_model.progress import progress_bar
from golden_model.spec.command import DATA_HELP, FILE, FOLDER, LABEL, SEED, SETTINGS
from golden_model.spec.errors import SpecError


@click.command(context_settings=SETTINGS)
@click.option("--network", "name", required=True, help="A known network or a .toml file.")
@click.option("--load", "weights", required=True, type=FILE, help="Weights that --save wrote.")
@click.option("--data", "data_name", required=True, help=DATA_HELP)
@LABEL
@click.option("--data-dir", type=FOLDER, help="Where MNIST files are, instead of LOAM_DATA.")
@click.option("--seed", type=SEED, help="Instead of the description's, as in training.")
@click.option("--out", type=FILE, help="Write the table there, and not to the terminal.")
def main(
    name: str,
    weights: Path,
    data_name: str,
    label: str | None,
    data_dir: Path | None,
    seed: int | None,
    out: Path | None,
) -> None:
    """Have the golden model answer samples, with or without labels; writes a table as CSV.

    Each line is a sample: its number, from 0, its class by name, its label if there is one, and the
    score of every class. A file's samples are all answered, of a known data set, or of an .npz file
    that is split, those for test.
    """
    try:
        if out:
            check_writable(out, name, weights, data_name)
        engine, network = trained(name, seed, weights)
        samples = load_questions(data_name, network, data_dir, label)
        with progress_bar() as progress:
            bar = progress.add_task("answering", total=len(samples.x))
            found = answers(engine, samples.x, lambda done: progress.advance(bar, done))
        write_table(as_csv(found, samples), out)
    except SpecError as error:
        click.echo(f"Error: {error}", err=True)
        sys.exit(2)


def write_table(text: str, out: Path | None) -> None:
    """Into a file, or else to the terminal."""
    if out:
        replace_file(out, text.encode())
        click.echo(out)
    else:
        click.echo(text, nl=False)


if __name__ == "__main__":
    main()
