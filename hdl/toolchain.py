"""Finding the FPGA tools, running them, and reading what they report.

The tools come as WebAssembly with the Python packages ``yowasp-*``. To use others, name them in
the environment: ``YOSYS``, ``NEXTPNR_ICE40``, ``ICEPACK``, ``NEXTPNR_ECP5``, ``ECPPACK``,
``NEXTPNR_HIMBAECHEL_GOWIN``, ``GOWIN_PACK``, and ``ICETIME``, which is asked where it is installed.
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
from hdl.passes.errors import DoesNotFit
from hdl.timing import Timing, ask_second, slowest

LOG = "build.log"
_REPORT = "nextpnr.json"
_WRITE_VERILOG = """\
design -save read
proc -noopt
memory_collect
write_verilog -norename top.v
design -load read"""
"""What Amaranth wrote, as Verilog, before the board's commands change anything."""
_COMPILING = "Preparing to run "
"""How a tool's line begins when its WebAssembly is compiled for this machine, once."""
_STEPS = {"Info: Creating initial analytic placement": "Placement", "Info: Routing..": "Routing"}
"""What nextpnr begins, by how its line begins."""


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
    timing
        How fast the design is.
    utilization
        By the board's word for each kind of resource.
    """

    timing: Timing
    utilization: Mapping[str, Use]


def find_tools(family: Family) -> dict[str, str]:
    """Environment variable -> path of each tool that `family` needs.

    Raises
    ------
    ToolError
        If a tool is neither named in the environment nor installed.
    """
    return {_variable(t): find_tool(t) for t in ("yosys", family.place_and_route, family.pack)}


def find_tool(tool: str) -> str:
    """Absolute path of a tool, which may be called from another folder; raises `ToolError`."""
    variable = _variable(tool)
    # gowin_pack is Python, and comes under its own name.
    name = os.environ.get(variable, tool if tool == "gowin_pack" else f"yowasp-{tool}")
    # The folder of this interpreter comes first: it need not be an activated environment.
    places = os.pathsep.join([sysconfig.get_path("scripts"), os.environ.get("PATH", "")])
    path = shutil.which(name, path=places)
    if path is None:
        raise ToolError(f"{name} is not installed. Run pip install -e ., or set {variable}.")
    return str(Path(path).absolute())


def _variable(tool: str) -> str:
    return tool.upper().replace("-", "_")


def _overrides(board: Board, seed: int) -> dict[str, Any]:
    """Settings of Amaranth's platform for a build that gives the same each time.

    A missed clock is for the caller to judge, hence ``--timing-allow-fail``; source lines are left
    out because their paths differ from machine to machine. The frequency is for clocks that neither
    the platform nor the tool constrains: Gowin's, all of them.
    """
    place = f"--seed {seed} --freq {board.clock_hz / 1e6:g} --report {_REPORT}"
    return {
        **board.family.overrides,
        "script_after_read": f"{_WRITE_VERILOG}\n{board.family.script_after_read}",
        "nextpnr_opts": f"{place} --timing-allow-fail {board.family.place_options}".rstrip(),
        "verbose": True,
        "debug_verilog": False,
        "emit_src": False,
    }


def plan(design: Callable[[Any], Any], board: Board, seed: int) -> Any:
    """Amaranth's build plan, the files and commands that the tools run on; see :func:`build`."""
    platform = board.platform()
    return platform.prepare(design(platform), "top", **_overrides(board, seed))


def build(
    design: Callable[[Any], Any],
    board: Board,
    folder: Path,
    seed: int,
    say: Callable[[str], None],
    *,
    synthesised: bool = False,
) -> Placed:
    """Make a bitstream.

    Parameters
    ----------
    design
        Gives, for the board's Amaranth platform, whose pins it may request, a module.
    folder
        Where ``top.bin`` (or ``top.bit``), ``top.v`` and the log go; everything else there is the
        tools' own.
    seed
        Of the placement; the same seed gives the same bitstream.
    say
        Called with a line about what is happening now.
    synthesised
        `folder` holds the netlist of this very design from a build with another seed, which
        synthesis does not know: only place and route it.

    Raises
    ------
    DoesNotFit
        If place and route runs out of something.
    ToolError
        If a tool is missing, or fails for another reason.
    """
    environment = os.environ | find_tools(board.family)
    if synthesised:
        environment["YOSYS"] = "true"
    todo = plan(design, board, seed)
    todo.extract(folder)
    if _run(["sh", f"{todo.script}.sh"], folder, environment, say) != 0:
        raise _reason(folder / LOG, board)
    return _placed(folder, board)


def _run(
    command: list[str], folder: Path, environment: Mapping[str, str], say: Callable[[str], None]
) -> int:
    """Exit status of `command`; its output goes to the log, and what is going on to `say`."""
    with (
        (folder / LOG).open("w", encoding="utf-8", buffering=1) as log,
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
            for beginning, step in _STEPS.items():
                if line.startswith(beginning):
                    say(step)
    return process.returncode


def _placed(folder: Path, board: Board) -> Placed:
    family = board.family
    try:
        report = json.loads((folder / _REPORT).read_text(encoding="utf-8"))
        used = {kind: Use(**counts) for kind, counts in report["utilization"].items()}
        tool_mhz = slowest(report["fmax"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ToolError(f"{family.place_and_route} left no report that can be read.") from error
    if tool_mhz is None:
        raise ToolError(
            f"{family.place_and_route} reports no clock: it has timed none of the design's paths, "
            "so that nobody knows how fast it may run."
        )
    second = family.second_opinion
    timing = Timing(
        tool=family.place_and_route,
        tool_mhz=tool_mhz,
        second_tool=second[0] if second else "",
        second_mhz=ask_second(second, folder, folder / LOG) if second else None,
        untimed=family.untimed,
        untimed_ns=family.untimed_ns,
    )
    return Placed(timing=timing, utilization=_by_kind(used, board))


def _reason(log: Path, board: Board) -> Exception:
    """Why the tools failed, from their log: nextpnr writes no report of what it cannot place.

    What is needed of each kind stands there as ``Info:   ICESTORM_LC:  5600/ 5280   106%``.
    """
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    used = {}
    for line in lines:
        words = line.replace("/", " ").replace(":", " ").split()
        if len(words) == 5 and words[0] == "Info" and words[-1].endswith("%"):
            used[words[1]] = Use(used=int(words[2]), available=int(words[3]))
    for kind, use in _by_kind(used, board).items():
        if use.used > use.available:
            remedy = "Describe a smaller network or take a larger board"
            return DoesNotFit(kind, use.used, use.available, remedy)
    tail = "\n".join(lines[-12:])
    return ToolError(f"The tools failed. The last lines of their log:\n{tail}")


def _by_kind(used: Mapping[str, Use], board: Board) -> dict[str, Use]:
    found = {}
    for kind, words in board.family.resources.items():
        if uses := [used[word] for word in words if word in used]:
            total = sum(use.used for use in uses)
            found[kind] = Use(used=total, available=uses[0].available)
    return found
