"""Compiler launcher that compiles Verilator's run time once for all benches.

The same four files are compiled for every bench and take longer than the bench itself; make
calls this in front of the compiler (``OBJCACHE``). Every other command just runs.
"""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path


def main(command: list[str]) -> int:
    """Run `command`, or copy the object that it made before; returns the exit status."""
    source = Path(command[-1])
    runtime = Path(os.environ["VERILATOR_ROOT"]) / "include"
    if "-o" not in command or source.parent != runtime:
        return subprocess.call(command)
    target = Path(command[command.index("-o") + 1])
    # The launcher script stands for the compiler: its text names the command that it runs.
    launcher = shutil.which(command[0]) or command[0]
    key = hashlib.sha256("\0".join([*command, Path(launcher).read_text(errors="replace")]).encode())
    kept = Path(os.environ["LOAM_OBJECTS"]) / f"{key.hexdigest()}.o"
    if not kept.exists():
        if status := subprocess.call(command):
            return status
        kept.parent.mkdir(parents=True, exist_ok=True)
        draft = kept.with_suffix(f".{os.getpid()}")
        shutil.copy(target, draft)
        draft.replace(kept)
    shutil.copy(kept, target)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
