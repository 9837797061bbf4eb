"""The benchmark: ``python -m bench`` measures everything, ``python -m bench cycles`` one part."""

import functools
import shlex
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import click
from rich.console import Console

from bench import area, cycles, epoch, golden, multipliers, results, seeds, sharing, tables, traffic
from bench.cases import DIGITS, MNIST, SHARING, WIDE, Pairs, find
from bench.figures import Figure, Found
from bench.say import Meanwhile
from bench.table import TITLES, as_markdown, as_rich
from golden_model.data.known_sets import DIRECTORY_VARIABLE
from golden_model.spec.command import FILE, SETTINGS
from golden_model.spec.errors import SpecError, nearest
from hdl.toolchain import ToolError


class Named(Protocol):
    """A network on a board, or a table."""

    @property
    def name(self) -> str:
        """For people."""


@dataclass(frozen=True, slots=True)
class Part:
    """One part of the benchmark: what is measured, and the cases with a text in their names."""

    run: Callable[[list[Any], Meanwhile], Iterator[Found]]
    cases: Callable[[str], Sequence[Named]]


def on_boards(pairs: Pairs) -> Callable[[str], Sequence[Named]]:
    """Cases of some boards and networks."""
    return functools.partial(find, pairs)


PARTS = {
    "cycles": Part(cycles.run, on_boards(MNIST + WIDE + DIGITS)),
    "epoch": Part(epoch.run, on_boards(MNIST + SHARING[:1])),
    "traffic": Part(traffic.run, on_boards(MNIST + WIDE + DIGITS + SHARING)),
    "multipliers": Part(multipliers.run, on_boards(MNIST + WIDE + DIGITS)),
    "golden": Part(golden.run, on_boards(MNIST[1:] + WIDE + SHARING)),
    "sharing": Part(sharing.run, on_boards(SHARING)),
    "area": Part(area.run, on_boards(MNIST[:1])),
    "seeds": Part(seeds.run, on_boards(MNIST + DIGITS + SHARING)),
    "tables": Part(tables.run, tables.find),
}


@click.command(context_settings=SETTINGS)
@click.argument("parts", nargs=-1, type=click.Choice([*TITLES, "table"]))
@click.option(
    "--out",
    type=FILE,
    default=results.FILE,
    show_default=True,
    help="File of results; other parts in it stay.",
)
@click.option("--case", "only", default="", help="Part of a case's name; its other cases stay.")
@click.option("--samples", type=click.IntRange(2), help="Of the epoch; else all of them.")
@click.option("--markdown", is_flag=True, help="Print Markdown instead.")
def main(parts: tuple[str, ...], out: Path, only: str, samples: int | None, markdown: bool) -> None:
    """Measure how close to its limits everything runs; all parts, or those named.

    `table` measures nothing and prints what the file of results holds.
    """
    # What happens meanwhile goes to the other stream: the table can be redirected.
    console, meanwhile = Console(), Console(stderr=True)
    wanted = [part for part in parts or TITLES if part != "table"]
    try:
        results.load(out)
        for part, cases in _cases(wanted, only).items():
            with Meanwhile(meanwhile, part, samples) as told:
                found = list(PARTS[part].run(list(cases), told))
            command = shlex.join(["python", "-m", "bench", *_words(part, only, samples)])
            results.merge(out, part, command, found, keep_cases=bool(only))
        entries = results.load(out)
    except SpecError as error:
        click.echo(f"Error: {error}", err=True)
        sys.exit(2)
    except ToolError as error:
        click.echo(f"Error: {error}", err=True)
        sys.exit(1)
    shown = [part for part in TITLES if part in entries and (part in wanted or "table" in parts)]
    held = {part: results.figures(entries[part]) for part in shown}
    _print(held, markdown, console)
    if any(map(_differs, held.get("epoch", []))):
        click.echo("Error: the chip is not equal to the golden model", err=True)
        sys.exit(1)


def _words(part: str, only: str, samples: int | None) -> list[str]:
    """What makes the part's figures again."""
    case = ["--case", only] if only else []
    return [part, *case, *(["--samples", str(samples)] if samples and part == "epoch" else [])]


def _cases(wanted: list[str], only: str) -> dict[str, Sequence[Named]]:
    """Cases of each part that has any; :class:`SpecError` if none has one of that name."""
    cases = {part: PARTS[part].cases(only) for part in wanted}
    if wanted and not any(cases.values()):
        if not only:
            rule = f"there is no .npz file in a folder {tables.FOLDER!r}"
            remedy = f"Put some there, and name the place that it is in by {DIRECTORY_VARIABLE}"
            raise SpecError(f"bench {' '.join(wanted)}", rule, remedy)
        known = {case.name for part in wanted for case in PARTS[part].cases("")}
        raise SpecError(f"--case {only}", "there is no such case", nearest(only, known))
    return {part: found for part, found in cases.items() if found}


def _print(found: dict[str, list[Found]], markdown: bool, console: Console) -> None:
    if markdown:
        click.echo(as_markdown(found))
    else:
        console.print(as_rich(found))


def _differs(item: Found) -> bool:
    return isinstance(item, Figure) and item.what == epoch.DIFFERENCES and not item.met


if __name__ == "__main__":
    main()
