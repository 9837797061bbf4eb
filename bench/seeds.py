"""Part ``seeds``: how often a board's usual network meets the board's clock, whatever the luck."""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any

from amaranth import Module

from bench.cases import OPTIONS, Case
from bench.figures import Figure, Found, Skipped
from bench.say import Say
from hdl import toolchain
from hdl.build import on_board
from hdl.passes.errors import DoesNotFit
from hdl.rtl.chip import Chip

SEEDS = range(1, 6)
GOAL = 4
"""Of five seeds."""


def run(cases: list[Case], say: Say) -> Iterator[Found]:
    """Placements of each case's netlist by five seeds, for the board's own clock."""
    for case in cases:
        try:
            reached = _fmax(case, say)
        except (DoesNotFit, toolchain.ToolError) as error:
            yield Skipped(case=case.name, why=str(error).splitlines()[0])
            continue
        needed = case.board.clock_hz / 1e6
        met = sum(mhz >= needed for mhz in reached)
        note = ", ".join(f"{mhz:.1f}" for mhz in reached)
        yield Figure(case=case.name, what=f"of five seeds meet {needed:g} MHz", unit="", value=met,
                     limit=len(SEEDS), goal=GOAL)  # fmt: skip
        yield Figure(case=case.name, what="clock, median of five seeds", unit="MHz",
                     value=median(reached), goal=needed, note=note)  # fmt: skip


def _fmax(case: Case, say: Say) -> list[float]:
    """The most careful figure for each seed, in MHz; synthesis runs once."""
    board, schedule = case.board, case.schedule(OPTIONS)

    def design(platform: Any) -> Module:
        return on_board(Chip(schedule, board.clock_hz, board.baud), board, platform)

    reached: list[float] = []
    with tempfile.TemporaryDirectory() as name:
        for seed in SEEDS:
            say(f"{case.name}: seed {seed}")
            placed = toolchain.build(
                design, board, Path(name), seed, say, synthesised=bool(reached)
            )
            reached.append(placed.timing.fmax_mhz)
    return reached
