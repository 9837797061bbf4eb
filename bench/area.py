"""Part ``area``: what learning costs, beside the same network built for inference only."""

from collections.abc import Iterator
from dataclasses import replace

from bench import builds
from bench.cases import OPTIONS, Case
from bench.figures import Figure, Found, Skipped
from bench.say import Say

CELLS = "cells"
GOAL = 1.6
"""Cells, of those of inference only."""


def run(cases: list[Case], say: Say) -> Iterator[Found]:
    """Each kind of resource, with learning against without."""
    for case in cases:
        yield from _case(case, say)


def _case(case: Case, say: Say) -> Iterator[Found]:
    try:
        learning = builds.report(case, say)["utilization"]
        options = replace(OPTIONS, learns=False)
        inference = builds.report(case, say, options)["utilization"]
    except builds.FAILURES as error:
        yield Skipped(case=case.name, why=str(error).splitlines()[0])
        return
    for kind, use in learning.items():
        without = inference.get(kind, {"used": 0})["used"]
        yield Figure(case=case.name, what=f"{kind} for inference only", unit="", value=without,
                     fewer_is_better=True)  # fmt: skip
        yield Figure(case=case.name, what=f"{kind} with learning", unit="", value=use["used"],
                     goal=GOAL * without if kind == CELLS else None,
                     fewer_is_better=True)  # fmt: skip
