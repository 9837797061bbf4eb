"""Finding the FPGA tools, running them, and reading what they report.

The tools come as WebAssembly with the Python packages ``yowasp-*``. To use others, name them in
the environment: ``YOSYS``, ``NEXTPNR_ICE40``, ``ICEPACK``, ``NEXTPNR_ECP5``, ``ECPPACK``.
"""

import json
import os
import shutil
import subprocess
import sysconfig
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from boards.board import Board, Family

LOG = "build.log"
_REPORT = "nextpnr.json"
_COMPILING = "Preparing to run "
"""How a tool's line begins when its WebAssembly is compiled for this machine, once."""


class ToolError(Exception):
    """A tool is missing or has failed; the message ends with the last lines of its log."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """Used and available of one kind of resource."""

    used: int
    available: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """What place and route achieved.

    Members
    -------
    fmax_mhz
        Of the slowest clock against its own constraint; None if the design did not fit.
    utilization
        By the board's word for each kind of resource.
    """

    fmax_mhz: float | None
    utilization: Mapping[str, Use]

    @property
    def overflow(self) -> tuple[str, Use] | None:
        """The first kind of which more is needed than there is."""
        over = (item for item in self.utilization.items() if item[1].used > item[1].available)
        return next(over, None)


def find_tools(family: Family) -> dict[str, str]:
    """Environment variable -> path of each tool that `family` needs.

    Raises
    ------
    ToolError
        If a tool is neither named in the environment nor installed.
    """
    found = {}
    # The folder of this interpreter comes first: it need not be an activated environment.
    places = os.pathsep.join([sysconfig.get_path("scripts"), os.environ.get("PATH", "")])
    for tool in ("yosys", family.place_and_route, family.pack):
        variable = tool.upper().replace("-", "_")
        name = os.environ.get(variable, f"yowasp-{tool}")
        path = shutil.which(name, path=places)
        if path is None:
            raise ToolError(f"{name} is not installed. Run pip install -e ., or set {variable}.")
        found[variable] = path
    return found


def _override(board: Board, seed: int) -> dict[str, Any]:
    """Settings of Amaranth's platform for a build that says the same each time.

    A missed clock is for the caller to judge, hence ``--timing-allow-fail``; sources are left out
    because their paths differ from machine to machine.
    """
    options = {key: value for key, value in board.family.overrides.items()}
    after_read = options.pop("script_after_read", "")
    # top.v is what Amaranth wrote, before the board's commands change anything.
    write = "design -save read\nproc -noopt\nmemory_collect\nwrite_verilog -norename top.v"
    options["script_after_read"] = f"{write}\ndesign -load read\n{after_read}"
    options["nextpnr_opts"] = f"--seed {seed} --timing-allow-fail --report {_REPORT}"
    return {**options, "verbose": True, "debug_verilog": False, "emit_src": False}


def build(design: Any, board: Board, folder: Path, seed: int, say: Callable[[str], None]) -> Placed:
    """Make a bitstream of an Amaranth `design` in `folder`.

    Parameters
    ----------
    design
        Elaboratable that requests the board's pins from the platform.
    folder
        Where ``top.bin`` (or ``top.bit``), ``top.v`` and the log go; everything else there is the
        tools' own.
    seed
        Of the placement; the same seed gives the same bitstream.
    say
        Called with a line about what is happening now.

    Raises
    ------
    ToolError
        If a tool is missing, or fails for another reason than a design too large.
    """
    environment = os.environ | find_tools(board.family)
    plan = board.platform().prepare(design, "top", **_override(board, seed))
    plan.extract(folder)
    status = _run(["sh", f"{plan.script}.sh"], folder, environment, say)
    log = folder / LOG
    placed = _placed(folder, board) if status == 0 else _overfull(log, board)
    if status and placed.overflow is None:
        tail = "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-12:])
        raise ToolError(f"The tools failed, see {log}. Its last lines:\n{tail}")
    return placed


def _run(
    command: list[str], folder: Path, environment: Mapping[str, str], say: Callable[[str], None]
) -> int:
    """Exit status of `command`; its output goes to the log, and what is going on to `say`."""
    with (
        (folder / LOG).open("w", encoding="utf-8") as log,
        subprocess.Popen(
            command,
            cwd=folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        ) as process,
    ):
        assert process.stdout is not None
        for line in process.stdout:
            log.write(line)
            if line.startswith(_COMPILING):
                tool = line.removeprefix(_COMPILING).split(".")[0]
                say(f"Compiling {tool} for this machine: a minute or so, the first time only")
    return process.returncode


def _placed(folder: Path, board: Board) -> Placed:
    report = json.loads((folder / _REPORT).read_text(encoding="utf-8"))
    clocks = report["fmax"].values()
    slowest = min(clocks, key=lambda clock: clock["achieved"] / clock["constraint"])
    used = {kind: Use(**counts) for kind, counts in report["utilization"].items()}
    return Placed(fmax_mhz=slowest["achieved"], utilization=_by_kind(used, board))


def _overfull(log: Path, board: Board) -> Placed:
    """Utilization from the log: nextpnr writes no report of a design that it could not place.

    Its lines look like ``Info:   ICESTORM_LC:  5600/ 5280   106%``.
    """
    used = {}
    for line in log.read_text(encoding="utf-8", errors="replace").splitlines():
        words = line.replace("/", " ").replace(":", " ").split()
        if len(words) == 5 and words[0] == "Info" and words[-1].endswith("%"):
            used[words[1]] = Use(used=int(words[2]), available=int(words[3]))
    return Placed(fmax_mhz=None, utilization=_by_kind(used, board))


def _by_kind(used: Mapping[str, Use], board: Board) -> dict[str, Use]:
    named = board.family.resources.items()
    return {kind: used[tool_name] for kind, tool_name in named if tool_name in used}
