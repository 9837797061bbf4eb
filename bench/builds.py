"""Reports of bitstreams: the one that is there if it is of this very design, else a new build."""

import json
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from bench.cases import OPTIONS, Case
from bench.say import Say
from golden_model.spec.errors import SpecError
from hdl import toolchain
from hdl.build import INFERENCE_ONLY, MissedTiming, build, on_board
from hdl.passes.errors import DoesNotFit
from hdl.passes.options import Options
from hdl.rtl.chip import Chip

FAILURES = (DoesNotFit, MissedTiming, toolchain.ToolError, SpecError)
"""How a build may end without a bitstream."""

Report = dict[str, Any]
"""What `report.json` holds."""


def report(case: Case, say: Say, options: Options = OPTIONS) -> Report:
    """The report of a case's bitstream, built anew unless its folder holds this very design.

    Raises
    ------
    DoesNotFit, MissedTiming, ToolError, SpecError
        Like :func:`hdl.build.build`.
    """
    folder = place(case, options)
    # The first is where `python -m hdl.build` writes: the user's own build serves as well.
    for built in (Path("build", case.board.name, folder.name), folder):
        if any(built_from(plan, built) for plan in _plans(case, options)):
            return _read(built)
    say(f"Building {case.name}: some minutes for a full chip")
    build(
        board=case.board,
        formats=case.formats,
        options=options,
        seed=case.board.seed,
        out=folder,
        say=say,
    )
    return _read(folder)


def _plans(case: Case, options: Options) -> Iterator[Any]:
    """Of the board's clock, and of the slower one that a design which misses it is built for."""
    board, schedule = case.board, case.schedule(options)
    clocks = [board.clock] if board.slower is None else [board.clock, board.slower]
    for clock in clocks:
        timed = replace(board, clock=clock, slower=board.slower if clock is board.clock else None)
        chip = Chip(schedule, timed.clock_hz, timed.baud)
        yield toolchain.plan(partial(on_board, chip, timed), timed, timed.seed)


def place(case: Case, options: Options) -> Path:
    """Beside the user's builds, a folder for each choice of options."""
    name = case.network.name
    name += "" if options.skip_zeros else ".dense"
    name += "" if options.learns else INFERENCE_ONLY
    return Path("build", "bench", case.board.name, name)


def built_from(plan: Any, folder: Path) -> bool:
    """Whether a folder holds a whole report, and every file of the plan as it would be now."""
    try:
        _read(folder)
    except (OSError, ValueError, TypeError):
        return False
    for name, content in plan.files.items():
        path = folder / name
        wanted = content.encode() if isinstance(content, str) else content
        if not path.is_file() or path.read_bytes() != wanted:
            return False
    return True


def _read(folder: Path) -> Report:
    return dict(json.loads((folder / "report.json").read_text(encoding="utf-8")))
