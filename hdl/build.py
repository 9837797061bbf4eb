"""From a network's name to a bitstream: ``python -m hdl.build --board icebreaker``."""

import sys
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import click
from amaranth import Module
from rich.console import Console

from boards.board import Board
from boards.registry import find_board
from boards.serial import serial_line
from golden_model.spec.command import FOLDER, SETTINGS
from golden_model.spec.errors import SpecError
from golden_model.spec.formats import FormattedNetwork, infer_formats
from golden_model.spec.toml import load_network
from hdl import toolchain
from hdl.output import FAILED, claimed, staging
from hdl.passes import pipeline
from hdl.passes.errors import DoesNotFit
from hdl.passes.options import CLASSIFIERS, Options
from hdl.passes.sharing_memories import NAME
from hdl.passes.stages import ScheduledNetwork
from hdl.report import Report, engines, estimate, read_report
from hdl.rtl.chip import Chip

INFERENCE_ONLY = ".inference-only"
"""Behind the network's name in the folder of a build that cannot learn; no name has a dot."""
DIGITS = 9
"""Of a PE or SIMD, far more than any layer has units."""
SEEDS = 2**64
"""How many seeds nextpnr tells apart."""

Say = Callable[[str], None]


class MissedTiming(Exception):
    """The design is placed and routed, but slower than the board's clock."""

    def __init__(self, report: Report) -> None:
        self.figures = f"{report.clock_mhz:.1f} MHz needed, {report.fmax_mhz:.1f} MHz reached."
        super().__init__(f"Misses timing: {self.figures} Try another --seed or a smaller network.")


def build(
    *,
    board: Board,
    formats: FormattedNetwork,
    options: Options,
    seed: int,
    out: Path,
    say: Say,
) -> Report:
    """Build a bitstream, with its report, stages, Verilog and log, into `out`.

    A design that misses the board's clock is built once more for its slower one, if it has one.

    Parameters
    ----------
    options
        Choices that the flow leaves to the user.
    seed
        Of the placement; the same seed gives the same bitstream.
    say
        Called with a line about what is happening now.

    Raises
    ------
    DoesNotFit, MissedTiming
        If the board is too small or too slow for it.
    ToolError
        If a tool is missing or fails for another reason.
    SpecError
        If `out` is not to be written to, see :func:`hdl.output.claimed`.
    """
    attempt = partial(_attempt, formats=formats, options=options, seed=seed, out=out, say=say)
    with claimed(out):
        try:
            return attempt(board, usual_hz=board.clock_hz)
        except MissedTiming as missed:
            if board.slower is None:
                raise
            slower = replace(board, clock=board.slower, slower=None)
            say(f"{missed.figures} Once more, for {slower.clock_hz / 1e6:.1f} MHz")
            return attempt(slower, usual_hz=board.clock_hz)


def _attempt(
    board: Board,
    *,
    usual_hz: int,
    formats: FormattedNetwork,
    options: Options,
    seed: int,
    out: Path,
    say: Say,
) -> Report:
    """`build` for one clock, which need not be the board's usual one."""
    with staging(out) as folder:
        schedule = pipeline.run(formats, board.budget, options, folder)
        say("Synthesis; all in all some minutes for a full chip, half an hour for the largest")
        placed = toolchain.build(
            lambda platform: on_board(Chip(schedule, board.clock_hz, board.baud), board, platform),
            board,
            folder,
            seed,
            say,
        )
        report = Report(
            board=board.name,
            device=board.budget.device,
            network=formats.network.name,
            classifier=schedule.classifier,
            engines=engines(schedule),
            seed=seed,
            design=design_of(formats, options),
            clock_mhz=board.clock_hz / 1e6,
            usual_mhz=usual_hz / 1e6,
            timing=placed.timing,
            utilization=placed.utilization,
            estimate=estimate(schedule, board.budget),
            cycles_per_sample=cycles_per_sample(schedule),
            skips_zeros=schedule.skips_zeros,
            learns=options.learns,
        )
        (folder / "report.json").write_text(report.as_json() + "\n", encoding="utf-8")
        (folder / "report.md").write_text(report.as_markdown(), encoding="utf-8")
        if not report.timing_met:
            raise MissedTiming(report)
    return report


def design_of(formats: FormattedNetwork, options: Options) -> str:
    """The description's fingerprint and the options, but for whether it learns.

    Options that are left to the flow are none: what it takes may depend on whether it learns.
    """
    zeros = "zeros skipped" if options.skip_zeros else "zeros not skipped"
    folded = (f"{name}={pe}x{simd}" for name, (pe, simd) in sorted(options.folding.items()))
    fingerprint = f"{formats.network.fingerprint:08x}"
    source = [f"classifier in {options.classifier}"] if options.classifier else []
    return ", ".join([fingerprint, *source, zeros, *folded])


def cycles_per_sample(schedule: ScheduledNetwork) -> dict[str, int]:
    """By what the network can do."""
    training = {"training": schedule.training} if schedule.learns else {}
    return {"inference": schedule.inference, **training}


def on_board(chip: Any, board: Board, platform: Any) -> Module:
    """`chip` with the board's clock and serial port."""
    m = Module()
    board.clock.connect(m, platform)
    from_host, to_host = serial_line(m, platform)
    m.submodules.chip = chip
    m.d.comb += [chip.rx.eq(from_host), to_host.eq(chip.tx)]
    return m


def parse_foldings(texts: Iterable[str]) -> dict[str, tuple[int, int]]:
    """Layers' names and their (PE, SIMD), of texts like ``layer0=2x4``.

    ``shared=8``, of the engine that layers share, is short for ``shared=8x1``.

    Raises
    ------
    SpecError
        If one is no such text, or a layer is named twice.
    """
    foldings: dict[str, tuple[int, int]] = {}
    for text in texts:
        name, shape = _parse_folding(text)
        if name in foldings:
            rule = f"{name} is folded already"
            raise SpecError(f"--folding {text}", rule, "Fold each layer once")
        foldings[name] = shape
    return foldings


def _parse_folding(text: str) -> tuple[str, tuple[int, int]]:
    name, _, shape = text.partition("=")
    numbers = (f"{shape}x1" if name == NAME and "x" not in shape else shape).split("x")
    plain = all(n.isascii() and n.isdigit() and len(n) <= DIGITS for n in numbers)
    if not name or len(numbers) != 2 or not plain:
        rule = "it must be a layer, its PE and its SIMD"
        remedy = f"Write for example --folding layer0=2x4, or --folding {NAME}=8"
        raise SpecError(f"--folding {text}", rule, remedy)
    return name, (int(numbers[0]), int(numbers[1]))


@click.command(context_settings=SETTINGS)
@click.option("--board", "board_name", required=True, help="For example icebreaker, ulx3s-85f.")
@click.option("--network", default="mnist", show_default=True, help="A name or a .toml file.")
@click.option("--out", type=FOLDER, help="Folder to write to.")
@click.option(
    "--seed", type=click.IntRange(0, SEEDS - 1), help="Of placement; else the board's own."
)
@click.option(
    "--classifier",
    type=click.Choice(CLASSIFIERS),
    help="Keep the random classifier in memory, or draw it again and again; else the flow chooses.",
)
@click.option(
    "--folding",
    "foldings",
    multiple=True,
    metavar="LAYER=PExSIMD|shared=PE",
    help="Units and inputs at a time of a layer, for example layer0=2x4, or, for example shared=8, "
    "filters at a time of the engine that layers share; else the flow chooses.",
)
@click.option(
    "--skip-zeros/--no-skip-zeros",
    default=True,
    show_default=True,
    help="Leave out weights whose inputs are all zero.",
)
@click.option("--inference-only", is_flag=True, help="Build nothing of what learning takes.")
def main(
    *,
    board_name: str,
    network: str,
    out: Path | None,
    seed: int | None,
    classifier: str | None,
    foldings: tuple[str, ...],
    skip_zeros: bool,
    inference_only: bool,
) -> None:
    """Build a network's bitstream for a board, into build/BOARD/NETWORK unless --out says else."""
    # A folder's name may look like markup.
    console = Console(markup=False)
    try:
        board, description = find_board(board_name), load_network(network)
        folder = description.name + (INFERENCE_ONLY if inference_only else "")
        out = out or Path("build", board.name, folder)
        with console.status(f"Building {description.name} for {board.name}"):
            report = build(
                board=board,
                formats=infer_formats(description),
                options=Options(
                    classifier=classifier,
                    folding=parse_foldings(foldings),
                    skip_zeros=skip_zeros,
                    learns=not inference_only,
                ),
                seed=board.seed if seed is None else seed,
                out=out,
                say=console.print,
            )
    except SpecError as error:
        click.echo(f"Error: {error}", err=True)
        sys.exit(2)
    except (DoesNotFit, MissedTiming, toolchain.ToolError) as error:
        click.echo(f"Error: {error}\nThe log is {out}/{FAILED}/{toolchain.LOG}.", err=True)
        sys.exit(1)
    notes = *report.throughput, *report.clock_notes
    console.print(report.title, *report.engines, report.as_table(), *notes, sep="\n")
    if report.learns and (line := _cost_of_learning(report, out.resolve())):
        console.print(line, soft_wrap=True)
    console.print(f"{out}/top.{board.family.bitstream}", soft_wrap=True)


def _cost_of_learning(report: Report, out: Path) -> str:
    """A line, if the folder beside `out` holds a build without learning."""
    inference_only = out.parent / f"{out.name}{INFERENCE_ONLY}" / "report.json"
    if not inference_only.is_file():
        return ""
    try:
        return report.against(read_report(inference_only))
    except SpecError as error:
        return f"what learning costs cannot be said: {error}"


if __name__ == "__main__":
    main()
