"""The rooms keep to themselves: who may import whom, and what works without Amaranth."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ROOMS = ("golden_model", "hdl", "boards", "sim", "bench", "tests")

# Room or part of one -> the parts of the project that it may import; the longest prefix counts.
# The host commands drive a board with the one training loop, hence all of golden_model.
MAY_IMPORT = {
    "golden_model.spec": ("golden_model.spec", "golden_model.networks"),
    "golden_model": ("golden_model",),
    "hdl.passes": ("hdl.passes", "golden_model.spec", "boards.budget"),
    "hdl.rtl": ("hdl.rtl", "hdl.passes", "golden_model.spec"),
    "hdl": ("hdl", "golden_model.spec", "golden_model.networks", "boards"),
    "boards.host": ("boards.host", "golden_model.spec"),
    "boards.host.__main__": ("boards.host", "golden_model"),
    "boards": ("boards", "golden_model.spec"),
    "sim": ("sim", "golden_model", "hdl", "boards"),
    "bench": ("bench", "sim", "golden_model", "hdl", "boards"),
}
# Parts that must not import a library, the judge and whatever plans without building.
WITHOUT_AMARANTH = ("golden_model", "hdl.passes", "boards.host", "boards.budget", "boards.parts")


def modules(*rooms: str) -> Iterator[tuple[str, Path]]:
    """Dotted name and file of every module of `rooms`."""
    for room in rooms:
        for path in sorted((ROOT / room).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            yield ".".join(parts[:-1] if parts[-1] == "__init__" else parts), path


def imported(path: Path) -> Iterator[str]:
    """Dotted name of everything that a file imports, wherever in the file."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: write imports in full"
            # "from hdl import toolchain" names a module, "from hdl.report import Report" does not.
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def within(name: str, parts: tuple[str, ...]) -> bool:
    """Whether `name` is one of `parts` or below one."""
    return any(name == part or name.startswith(f"{part}.") for part in parts)


def violations(name: str, names: Iterator[str]) -> list[str]:
    """Which of the imported `names` the module `name` may not import."""
    places = [part for part in MAY_IMPORT if within(name, (part,))]
    allowed = MAY_IMPORT[max(places, key=len)]
    return [n for n in names if within(n, ROOMS) and not within(n, allowed)]


@pytest.mark.parametrize("room", [room for room in ROOMS if room != "tests"])
def test_imports_run_one_way(room: str) -> None:
    found = list(modules(room))
    assert found
    for name, path in found:
        assert not violations(name, imported(path)), name


@pytest.mark.parametrize(
    ("name", "forbidden"),
    [
        ("hdl.rtl.engine.lane", "golden_model.engine.Engine"),
        ("hdl.passes.folding", "hdl.rtl.engine.lane"),
        ("hdl.passes.folding", "boards.ice40"),
        ("golden_model.engine", "hdl.passes.stages"),
        ("boards.ice40", "hdl.toolchain"),
        ("boards.host.driver", "boards.registry"),
        ("hdl.build", "sim.compare"),
        ("sim.chip", "bench.epoch"),
        ("golden_model.train", "tests.boards"),
    ],
)
def test_a_wrong_import_is_seen(name: str, forbidden: str) -> None:
    assert violations(name, iter([forbidden])) == [forbidden]


def test_no_star_imports() -> None:
    for name, path in modules(*ROOMS):
        assert not any(item.endswith(".*") for item in imported(path)), name


def test_judge_passes_and_host_need_no_amaranth() -> None:
    rooms = ("golden_model", "hdl/passes", "boards")
    names = [name for name, _ in modules(*rooms) if within(name, WITHOUT_AMARANTH)]
    assert {"golden_model.spec.formats", "hdl.passes.folding", "boards.budget"} <= set(names)
    blocked = "import sys; sys.modules['amaranth'] = sys.modules['amaranth_boards'] = None\n"
    # A module that is a command must not run when it is imported.
    text = blocked + "".join(f"import {name}\n" for name in names)
    done = subprocess.run(
        [sys.executable, "-c", text], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_blocking_amaranth_blocks_it() -> None:
    text = "import sys; sys.modules['amaranth'] = None\nimport hdl.rtl.ports"
    done = subprocess.run([sys.executable, "-c", text], cwd=ROOT, capture_output=True, check=False)
    assert done.returncode != 0
