"""How fast a placed and routed design is: the more careful of the figures that can be had."""

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_SECOND_SAYS = "Total path delay:"
"""Begins icetime's line ``Total path delay: 29.05 ns (34.42 MHz)``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """What tools say of a design's slowest path.

    Members
    -------
    tool, tool_mhz
        Place and route, and what it reports of the slowest clock against its own constraint.
    second_tool, second_mhz
        Another tool that times the routed design, and what it says; "" and None without one.
    untimed, untimed_ns
        What place and route does not time, and what is allowed for it, see
        :class:`~boards.board.Family`.
    """

    tool: str
    tool_mhz: float
    second_tool: str = ""
    second_mhz: float | None = None
    untimed: Sequence[str] = ()
    untimed_ns: float = 0.0

    @property
    def fmax_mhz(self) -> float:
        """What the design may run at: no more than any tool says, and less by what is untimed."""
        allowed = 1e3 / (1e3 / self.tool_mhz + self.untimed_ns)
        return allowed if self.second_mhz is None else min(allowed, self.second_mhz)

    @property
    def notes(self) -> list[str]:
        """Where the figure comes from, and what stands behind it untimed, a line each."""
        says = f"{self.tool} says {self.tool_mhz:.1f} MHz"
        if self.second_mhz is not None:
            says += f", {self.second_tool} {self.second_mhz:.1f}"
        elif self.second_tool:
            says += f"; {self.second_tool} is not installed"
        if self.untimed_ns:
            says += f"; {self.untimed_ns:g} ns are allowed for what {self.tool} leaves out"
        untimed = "; ".join(self.untimed) or "nothing that the design is made of"
        return [says, f"not timed by {self.tool}: {untimed}"]


def slowest(clocks: Mapping[str, Mapping[str, float]]) -> float | None:
    """MHz of the slowest clock against its constraint in nextpnr's report; None without one.

    Parameters
    ----------
    clocks
        ``fmax`` of the report: ``achieved`` and ``constraint``, in MHz, by clock.
    """
    key = min(
        clocks, key=lambda name: clocks[name]["achieved"] / clocks[name]["constraint"], default=None
    )
    return None if key is None else clocks[key]["achieved"]


def ask_second(command: Sequence[str], folder: Path, log: Path) -> float | None:
    """MHz by a tool that times what lies in `folder`; None if it is not installed or fails.

    Parameters
    ----------
    command
        Like :attr:`boards.board.Family.second_opinion`; the tool may be named in the environment
        by its name in capitals.
    log
        Gets what the tool prints.
    """
    name, *arguments = command
    path = shutil.which(os.environ.get(name.upper(), name))
    if path is None:
        return None
    done = subprocess.run(
        [path, *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    with log.open("a", encoding="utf-8") as text:
        text.write(done.stdout + done.stderr)
    for line in done.stdout.splitlines():
        if line.startswith(_SECOND_SAYS):
            return float(line.split("(")[1].split()[0])
    return None
