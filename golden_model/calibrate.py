"""Choose shifts, margins and rates: ``python -m golden_model.calibrate --network FILE.toml``."""

import sys
from pathlib import Path

import click
import tomlkit
from rich.console import Console
from rich.table import Table

from golden_model.calibration import Calibration, calibrate
from golden_model.data.dataset import load_data, natural_data
from golden_model.files import check_writable, replace_file
from golden_model.progress import progress_bar
from golden_model.spec.command import DATA_HELP, FILE, FOLDER, LABEL, SETTINGS
from golden_model.spec.errors import SpecError
from golden_model.spec.network import Network
from golden_model.spec.toml import BYTE_ORDER_MARK, load_network, network_text
from golden_model.trial import trial


@click.command(context_settings=SETTINGS)
@click.option("--network", "name", required=True, help="A .toml file, or a known network.")
@click.option("--data", "data_name", help=DATA_HELP)
@LABEL
@click.option("--data-dir", type=FOLDER, help="Where the data sets are, instead of LOAM_DATA.")
@click.option("--samples", default=200, show_default=True, type=click.IntRange(1))
@click.option("--out", type=FILE, help="Write there, and leave the file that was read.")
def main(
    name: str,
    data_name: str | None,
    label: str | None,
    data_dir: Path | None,
    samples: int,
    out: Path | None,
) -> None:
    """Measure a network on some training samples and write what suits it into its file.

    Sets activation_shift, margin and rate_shift of every layer; all else in the file stays as it
    is, comments too. Both descriptions are then trained briefly on a part of the training samples
    and asked about the others: one that is worse than what was there is not taken. A known
    network's own file is never changed: say --out.
    """
    try:
        _calibrate(name, data_name, label, data_dir, samples, out)
    except SpecError as error:
        click.echo(f"Error: {error}", err=True)
        sys.exit(2)


def _calibrate(
    name: str,
    data_name: str | None,
    label: str | None,
    data_dir: Path | None,
    samples: int,
    out: Path | None,
) -> None:
    network = load_network(name)
    if out is None:
        if not name.endswith(".toml"):
            rule = "the description of a known network is not changed"
            raise SpecError(f"network {name!r}", rule, "Name a file by --out")
        out = Path(name)
    check_writable(out, data_name)
    data = load_data(data_name or natural_data(network), network, data_dir, label)
    layers = len(network.layers) + (network.readout is not None)
    text = network_text(name)
    with progress_bar() as progress:
        bar = progress.add_task("calibrating", total=layers)
        found_network, found = calibrate(
            network, data, samples, lambda done: progress.advance(bar, done)
        )
        bar = progress.add_task("trying both", total=2.0)
        before, after = (
            trial(each, data, lambda share: progress.advance(bar, share))
            for each in (network, found_network)
        )
    show(found)
    rates = f"after a brief training {after:.1%} of samples held out are right, {before:.1%} before"
    if after < before:
        click.echo(f"Not taken: {rates}. The description stays as it was.")
    else:
        click.echo(f"Taken: {rates}.")
        text = settled(text, network, found)
    if after >= before or out != Path(name):
        replace_file(out, text.encode())
    click.echo(out)


def settled(text: str, network: Network, found: list[Calibration]) -> str:
    """A description's text with what was found written into the tables of its layers.

    Lines end as they did, where all of them end alike.
    """
    body = text.removeprefix(BYTE_ORDER_MARK)
    unix = body.replace("\r\n", "\n")
    windows = unix.count("\n") == body.count("\r\n") > 0
    document = tomlkit.parse(unix if windows else body)
    tables = [*document.get("layers", [])]
    if network.readout is not None:
        tables.append(document["readout"])
    for table, layer in zip(tables, found, strict=True):
        for key in ("activation_shift", "margin", "rate_shift"):
            table[key] = getattr(layer, key)
    written = tomlkit.dumps(document)
    mark = text[: len(text) - len(body)]
    return mark + (written.replace("\n", "\r\n") if windows else written)


def show(found: list[Calibration]) -> None:
    """Print what was found and measured, a row for each layer."""
    table = Table("layer")
    for title in ("activation shift", "margin", "rate shift", "rms h", "rms score", "sums moved"):
        table.add_column(title, justify="right")
    for layer in found:
        table.add_row(
            layer.name,
            str(layer.activation_shift),
            str(layer.margin),
            str(layer.rate_shift),
            f"{layer.activation_rms:.1f}" if layer.activation_rms else "-",
            f"{layer.score_rms:.0f}",
            f"{layer.move_share:.3f}",
        )
    Console(highlight=False, soft_wrap=True).print(table)


if __name__ == "__main__":
    main()
