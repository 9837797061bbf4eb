"""Proofs by Yosys."""

import subprocess
from pathlib import Path

from hdl.toolchain import find_tool


def proves(commands: str, folder: Path | None = None) -> bool:
    """Whether the one proof among Yosys' `commands`, run in `folder`, holds.

    Raises
    ------
    RuntimeError
        If they end with another error.
    """
    done = subprocess.run(
        [find_tool("yosys"), "-q", "-"],
        cwd=folder,
        input=commands,
        capture_output=True,
        text=True,
        check=False,
    )
    if "ERROR" in done.stderr and "proof did fail" not in done.stderr:
        raise RuntimeError(done.stderr)
    return done.returncode == 0
