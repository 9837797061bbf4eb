"""An Amaranth component as text that a simulator reads."""

import os
import re
import subprocess

from amaranth.back import rtlil, verilog
from amaranth.lib import wiring

from hdl.toolchain import ToolError, find_tool

TOP = "top"


def to_rtlil(component: wiring.Component) -> str:
    """RTLIL; without source locations, so that it changes only when the logic does."""
    return str(rtlil.convert(component, name=TOP, emit_src=False))


def to_verilog(component: wiring.Component) -> str:
    """Verilog, top module `TOP`; raises :class:`~hdl.toolchain.ToolError`."""
    # Amaranth looks for Yosys there.
    os.environ["YOSYS"] = find_tool("yosys")
    try:
        text = str(verilog.convert(component, name=TOP, emit_src=False))
    except verilog.YosysError as error:
        raise ToolError(f"Yosys failed:\n{error}") from error
    # Bits that are constant while others of the signal are not: nothing would wake such a process.
    return re.sub(r"always @\*(\n +[^\n=]+ = \d+'h\w+;)", r"always_comb\1", text)


def to_cxxrtl(rtlil_text: str, *, keep: tuple[str, ...] = ()) -> str:
    """C++ of CXXRTL for RTLIL text, with debug information for every signal and memory.

    `keep` are patterns of signals (Yosys selections such as ``w:*probe_*``) that must stay
    readable in every clock. Raises :class:`~hdl.toolchain.ToolError`.
    """
    marks = "".join(f"setattr -set keep 1 {pattern}\n" for pattern in keep)
    commands = f"read_rtlil <<rtlil\n{rtlil_text}\nrtlil\n{marks}write_cxxrtl\n"
    done = subprocess.run(
        [find_tool("yosys"), "-q", "-"], input=commands, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise ToolError(f"Yosys failed:\n{done.stderr}{done.stdout[-2000:]}")
    return _for_one_evaluation(done.stdout)


def _for_one_evaluation(source: str) -> str:
    """The same C++ without what a design that settles in one evaluation has no use for.

    Nobody asks whether a register changed, so it is copied and not compared; a write that is not
    enabled does not wait in the memory's queue. That makes a simulation twice as fast.
    """
    commit = r"if \(([pi]_\w+)\.commit\(observer\)\) changed = true;"
    source = re.sub(commit, r"\1.curr = \1.next;", source)
    return re.sub(r"\b(memory_\w+)\.update\(", r"write_enabled(\1, ", source)
