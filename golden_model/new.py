"""Describe a network for one's own data: ``python -m golden_model.new --data mine.csv``."""

import re
import shlex
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import click

from golden_model.calibrate import settled, show
from golden_model.calibration import Calibration, calibrate
from golden_model.data.dataset import Dataset, as_dataset
from golden_model.data.known_sets import LOADERS
from golden_model.data.own_files import is_own_file, read_own
from golden_model.describing import Seen, describe, network_for
from golden_model.files import check_writable, replace_file
from golden_model.progress import progress_bar
from golden_model.spec.command import FILE, LABEL, SEED, SETTINGS
from golden_model.spec.errors import SpecError
from golden_model.spec.network import MAX_NAME, MAX_UNITS, Coding, Network
from golden_model.spec.toml import parse_network
from golden_model.trial import trial


@click.command(context_settings=SETTINGS)
@click.option("--data", "data_name", required=True, help="A .npz, .npy or .csv file.")
@LABEL
@click.option("--out", type=FILE, help="The network's file, instead of the data's name with .toml.")
@click.option("--units", default=64, show_default=True, type=click.IntRange(1, MAX_UNITS))
@click.option(
    "--coding",
    type=click.Choice([kind.value for kind in Coding]),
    help="What inputs are, instead of what suits the data.",
)
@click.option("--seed", default=1, show_default=True, type=SEED)
def main(
    data_name: str,
    label: str | None,
    out: Path | None,
    units: int,
    coding: str | None,
    seed: int,
) -> None:
    """Look at data and write a network's file that learns it.

    It holds how inputs are centred, names of the classes, shifts, margins, rates and how long to
    train, each with the reason beside it, and is meant to be read and changed.
    """
    try:
        _new(data_name, label, out, units, Coding(coding) if coding else None, seed)
    except SpecError as error:
        click.echo(f"Error: {error}", err=True)
        sys.exit(2)


def _new(
    data_name: str,
    label: str | None,
    out: Path | None,
    units: int,
    coding: Coding | None,
    seed: int,
) -> None:
    if not is_own_file(data_name):
        rule = "a network is described for a .npz, .npy or .csv file"
        remedy = "Name one"
        if data_name in LOADERS:
            remedy = "Known sets have networks: see python -m golden_model.train --network"
        raise SpecError(f"data {data_name!r}", rule, remedy)
    name = name_of(Path(data_name))
    out = out or Path(f"{name}.toml")
    if out.suffix != ".toml":
        rule = "a network's file is known by its ending"
        raise SpecError(f"--out {str(out)!r}", rule, f"Write {str(out.with_suffix('.toml'))!r}")
    if out.exists():
        rule = "it is there already"
        raise SpecError(f"file {str(out)!r}", rule, "Name another by --out, or remove it")
    check_writable(out)
    with progress_bar() as progress:
        bar = progress.add_task("measuring", total=2.0)
        made = described(
            data_name,
            label,
            coding,
            name=name,
            units=units,
            seed=seed,
            advance=lambda layers: progress.advance(bar, layers),
        )
        bar = progress.add_task("trying it", total=1.0)
        right = trial(made.network, made.data, lambda share: progress.advance(bar, share))
    replace_file(out, made.text.encode())
    show(made.found)
    click.echo(f"After a brief training {right:.1%} of samples held out are right.")
    words = ["--network", str(out), "--data", data_name, *(["--label", label] if label else [])]
    click.echo(f"{out}\nTrain it: python -m golden_model.train {shlex.join(words)}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """A network for some data: its description and text, the data as its inputs, and what was
    measured of its layers."""

    network: Network
    text: str
    data: Dataset
    found: list[Calibration]


def described(
    data_name: str,
    label: str | None = None,
    coding: Coding | None = None,
    *,
    name: str = "new",
    units: int,
    seed: int,
    advance: Callable[[int], None] = lambda layers: None,
) -> Made:
    """Look at a file of data and describe a network that learns it.

    Parameters are those of the command; `advance` is told of every layer that is done.

    Raises
    ------
    SpecError
        If the file cannot be read, or there is nothing in it to learn.
    """
    raw = read_own(Path(data_name), label)
    seen = Seen.of(data_name, raw, coding)
    network = network_for(seen, name, units=units, seed=seed)
    data = as_dataset(data_name, raw, network)
    network = replace(network, scaler=data.scaler)
    _, found = calibrate(network, data, advance=advance)
    text = settled(describe(seen, network, data_name), network, found)
    return Made(network=parse_network(text), text=text, data=data, found=found)


def name_of(path: Path) -> str:
    """A network's name after a file of data."""
    stem = re.sub(r"_[xX]$", "", path.stem) if path.suffix.lower() == ".npy" else path.stem
    name = re.sub(r"[^A-Za-z0-9_]+", "-", stem).strip("-") or "network"
    return (name if not name[0].isdigit() else f"n{name}")[:MAX_NAME]


if __name__ == "__main__":
    main()
