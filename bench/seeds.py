"""Part ``seeds``: how often a network meets a board's clock, whatever the luck of placement."""

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from amaranth import Module

from bench.cases import CONVOLUTIONS, OPTIONS, Case
from bench.figures import Figure, Found, Skipped
from bench.say import Say
from hdl import toolchain
from hdl.build import on_board
from hdl.passes.errors import DoesNotFit
from hdl.rtl.chip import Chip

WORDS = {3: "three", 5: "five"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """How many placements there are, and how many of them should reach what clock."""

    seeds: int
    goal: int
    mhz: float


def trial(case: Case) -> Trial:
    """Five placements for the board's clock; three of a convolution, which takes 20 minutes each.

    Of a convolution the median is to reach the clock that the board falls back to.
    """
    board = case.board
    if case.network.name in CONVOLUTIONS and board.slower is not None:
        return Trial(seeds=3, goal=2, mhz=board.slower.output_hz(board.oscillator_hz) / 1e6)
    return Trial(seeds=5, goal=4, mhz=board.clock_hz / 1e6)


def run(cases: list[Case], say: Say) -> Iterator[Found]:
    """Placements of each case's netlist, which is always that for the board's own clock."""
    for case in cases:
        tried = trial(case)
        try:
            reached = _fmax(case, tried.seeds, say)
        except (DoesNotFit, toolchain.ToolError) as error:
            yield Skipped(case=case.name, why=str(error).splitlines()[0])
            continue
        met = sum(mhz >= tried.mhz for mhz in reached)
        count = WORDS[tried.seeds]
        note = ", ".join(f"{mhz:.1f}" for mhz in reached)
        yield Figure(case=case.name, what=f"of {count} seeds meet {tried.mhz:g} MHz", unit="",
                     value=met, limit=tried.seeds, goal=tried.goal)  # fmt: skip
        yield Figure(case=case.name, what=f"clock, median of {count} seeds", unit="MHz",
                     value=median(reached), goal=tried.mhz, note=note)  # fmt: skip


def _fmax(case: Case, seeds: int, say: Say) -> list[float]:
    """The most careful figure for each seed, in MHz; synthesis runs once."""
    board, schedule = case.board, case.schedule(OPTIONS)

    def design(platform: Any) -> Module:
        return on_board(Chip(schedule, board.clock_hz, board.baud), board, platform)

    def fmax(folder: Path, seed: int) -> float:
        seeded = f"{case.name}, seed {seed} of {seeds}"
        say(seeded)
        placed = toolchain.build(
            design, board, folder, seed, lambda text: say(f"{seeded}: {text}"), synthesised=seed > 1
        )
        return placed.timing.fmax_mhz

    with tempfile.TemporaryDirectory() as name:
        return [fmax(Path(name), seed) for seed in range(1, seeds + 1)]
