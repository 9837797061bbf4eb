"""All command lines: what they have in common, and what they do without the extras."""

import importlib
import os
import subprocess
import sys
import tomllib
from itertools import chain
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from tests.test_architecture import ROOMS, ROOT, modules

COMMANDS = {
    "golden_model.calibrate",
    "golden_model.cost",
    "golden_model.experiments",
    "golden_model.new",
    "golden_model.predict",
    "golden_model.report",
    "golden_model.train",
    "hdl.build",
    "boards.host",
    "sim",
    "sim.compare",
    "sim.mutations",
    "sim.virtual_board",
    "bench",
}
UNKNOWN = {
    **{f"golden_model.{name}": ["--network", "digit"] for name in ("calibrate", "cost", "train")},
    "golden_model.new": ["--data", "digit"],
    "golden_model.predict": ["--network", "digit", "--load", "w.npz", "--data", "digits"],
    "golden_model.report": ["--network", "digit", "--load", "w.npz"],
    "golden_model.experiments": ["nothing"],
    "hdl.build": ["--board", "icebreaker", "--network", "digit"],
    "boards.host": ["info", "--port", "nowhere", "--network", "digit"],
    "sim": ["nothing"],
    "sim.compare": ["--network", "digit"],
    "sim.virtual_board": ["--network", "digit"],
    "bench": ["--case", "nothing"],
}
"""Something that there is not, for each command that can be asked for something."""


def command(name: str) -> click.Command:
    """What ``python -m name`` runs."""
    package = (ROOT / name.replace(".", "/")).is_dir()
    found = importlib.import_module(f"{name}.__main__" if package else name).main
    assert isinstance(found, click.Command)
    return found


def test_these_are_all_commands() -> None:
    texts = {name: path for name, path in modules(*ROOMS) if name != "sim.objcache"}
    starting = {
        name.removesuffix(".__main__")
        for name, path in texts.items()
        if '\nif __name__ == "__main__":\n    main()' in path.read_text(encoding="utf-8")
    }
    assert starting == COMMANDS


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_command_takes_h(name: str) -> None:
    found = command(name)
    subcommands = [[sub] for sub in getattr(found, "commands", ())]
    for words in ([], *subcommands):
        short, long = (CliRunner().invoke(found, [*words, option]) for option in ("-h", "--help"))
        assert short.exit_code == 0, short.output
        assert "-h, --help" in short.output
        assert short.output == long.output


@pytest.mark.parametrize("name", sorted(UNKNOWN))
def test_errors_begin_alike(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(command(name), UNKNOWN[name])
    assert done.exit_code == 2
    assert done.output.strip().splitlines()[-1].startswith("Error: ")


def extras() -> set[str]:
    """Names of what only extras install."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    lines = chain(*project["optional-dependencies"].values())
    return {line.split(">")[0].split("=")[0] for line in lines} | {"cocotb_tools"}


def without_extras(lines: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run Python where only ``pip install -e .`` has been said, and no C++ compiler is known."""
    blocked = f"import sys\nfor name in {sorted(extras())}: sys.modules[name] = None\n"
    environment = os.environ | {"PYTHONPATH": str(ROOT), "LOAM_CXX": "no-compiler"}
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", blocked + lines],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_every_command_starts_without_the_extras(tmp_path: Path) -> None:
    modules = [command(name).callback.__module__ for name in sorted(COMMANDS)]  # type: ignore[union-attr]
    done = without_extras("".join(f"import {name}\n" for name in modules), tmp_path)
    assert done.returncode == 0, done.stderr


STREAM = ["--network", "digits", "--online", "--plot", "p.png"]
COMPARE = ["--network", "digits", "--data", "random", "--samples", "1"]


@pytest.mark.parametrize(
    ("module", "arguments", "reason", "remedy"),
    [
        ("sim.__main__", ["--list"], "needs cocotb", "pip install -e '.[test]'."),
        ("sim.compare", [*COMPARE, "--engine", "verilator"], "needs cocotb", "'.[test]'."),
        ("golden_model.experiments.__main__", ["report"], "matplotlib", "'.[experiments]'."),
        ("golden_model.train", STREAM, "--plot: it needs matplotlib", "'.[experiments]'."),
        # This one needs none, and gets as far as its compiler.
        ("sim.compare", COMPARE, "no-compiler", "unset it."),
    ],
)
def test_what_is_missing_is_named(
    module: str, arguments: list[str], reason: str, remedy: str, tmp_path: Path
) -> None:
    done = without_extras(f"from {module} import main\nmain({arguments})", tmp_path)
    assert done.returncode == 2, done.stderr
    sentence = done.stderr.strip().splitlines()[-1]
    assert sentence.startswith("Error: ")
    assert reason in sentence
    assert sentence.endswith(remedy)
    assert "Traceback" not in done.stderr
