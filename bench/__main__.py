"""The benchmark: ``python -m bench`` measures everything, ``python -m bench cycles`` one part."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import click
from rich.console import Console

from bench import area, cycles, epoch, golden, multipliers, results, traffic
from bench.figures import Figure, Found
from bench.say import Say, saying
from bench.table import TITLES, as_markdown, as_rich
from golden_model.spec.errors import SpecError

PARTS: dict[str, Callable[[Say], Iterator[Found]]] = {
    "cycles": cycles.run,
    "traffic": traffic.run,
    "multipliers": multipliers.run,
    "golden": golden.run,
    "area": area.run,
}
"""Every part but the epoch, which shows bars of its own."""


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("parts", nargs=-1, type=click.Choice([*TITLES, "table"]))
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    default=results.FILE,
    show_default=True,
    help="File of results; other parts in it stay.",
)
@click.option("--markdown", is_flag=True, help="Print Markdown instead.")
@click.option("--samples", type=click.IntRange(2), help="Of the epoch; else all of them.")
def main(parts: tuple[str, ...], out: Path, markdown: bool, samples: int | None) -> None:
    """Measure how close to its limits everything runs; all parts, or those named.

    `table` measures nothing and prints what the file of results holds.
    """
    # What happens meanwhile goes to the other stream: the table can be redirected.
    console, meanwhile = Console(), Console(stderr=True)
    wanted = [part for part in parts or TITLES if part != "table"]
    try:
        results.load(out)
        for part in wanted:
            _measure(part, out, samples, meanwhile)
        entries = results.load(out)
    except SpecError as error:
        click.echo(f"Error: {error}", err=True)
        sys.exit(2)
    shown = [part for part in TITLES if part in entries and (part in wanted or "table" in parts)]
    found = {part: results.figures(entries[part]) for part in shown}
    _print(found, markdown, console)
    if any(map(_differs, found.get("epoch", []))):
        click.echo("Error: the chip is not equal to the golden model", err=True)
        sys.exit(1)


def _print(found: dict[str, list[Found]], markdown: bool, console: Console) -> None:
    if markdown:
        click.echo(as_markdown(found))
    else:
        console.print(as_rich(found))


def _differs(item: Found) -> bool:
    return isinstance(item, Figure) and item.what == epoch.DIFFERENCES and not item.met


def _measure(part: str, out: Path, samples: int | None, console: Console) -> None:
    command = f"python -m bench {part}"
    if part == "epoch":
        command += "" if samples is None else f" --samples {samples}"
        found = list(epoch.run(console, samples))
    else:
        with saying(console, part) as say:
            found = list(PARTS[part](say))
    results.merge(out, part, command, found)


if __name__ == "__main__":
    main()
