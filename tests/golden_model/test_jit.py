"""Compiled loops are kept, but never longer than the sources that they read."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from golden_model.engine import can_compile
from tests.test_architecture import ROOT, imported, modules

pytest.importorskip("numba")
from golden_model.jit import READ

SCRIPT = """
import numpy as np
from golden_model.loops import SQUARED, Constants, judge

constants = Constants(
    activation_shift=0, loss=SQUARED, error_shift=0, margin=1000, rate_shift=0, limit=1,
    learns=True, trained=False, stochastic=False,
)
error = np.zeros(2, np.int64)
judge(np.zeros(2, np.int64), 0, constants, error)
print(error.tolist())
"""


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A copy of the golden model without anything compiled."""
    without = shutil.ignore_patterns("__pycache__", "experiments", "reference")
    return shutil.copytree(ROOT / "golden_model", tmp_path / "golden_model", ignore=without)


def judged(package: Path, **variables: str) -> tuple[str, str]:
    """What the copy's compiled loop makes of its largest error, and what is said to the user."""
    environment = {n: v for n, v in os.environ.items() if not n.startswith("NUMBA_")}
    environment |= {"PYTHONPATH": str(package.parent), **variables}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        env=environment, cwd=package.parent, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.strip(), done.stderr.strip()


def kept(package: Path) -> list[Path]:
    return sorted((package / "__pycache__").glob("*.nb[ic]"))


def test_what_is_kept_follows_every_source(package: Path) -> None:
    said = "Compiling the golden model's loops, which takes some 10 s; they are kept in "
    assert judged(package) == ("[-127, 127]", f"{said}{package}/__pycache__.")
    before = kept(package)
    assert before
    assert judged(package) == ("[-127, 127]", "")
    assert kept(package) == before
    layer = package / "spec" / "layer.py"
    layer.write_text(layer.read_text().replace("ERROR_MAX = 127", "ERROR_MAX = 5"))
    error, _ = judged(package)
    assert error == "[-5, 5]"
    assert len(kept(package)) == len(before)
    assert not {*kept(package)} & {*before}


@pytest.mark.parametrize("ending", ["nbi", "nbc"])
def test_what_is_damaged_is_compiled_anew(package: Path, ending: str) -> None:
    judged(package)
    before = kept(package)
    for path in (package / "__pycache__").glob(f"*.{ending}"):
        os.truncate(path, path.stat().st_size // 2 if ending == "nbc" else 0)
    error, said = judged(package)
    assert error == "[-127, 127]"
    assert "Compiling" in said
    assert kept(package) == before
    assert judged(package) == ("[-127, 127]", "")


def test_without_a_place_to_keep_them_loops_are_compiled_all_the_same(package: Path) -> None:
    (package / "__pycache__").touch()
    nowhere = dict.fromkeys(("HOME", "XDG_CACHE_HOME", "NUMBA_CACHE_DIR"), "/dev/null/x")
    error, said = judged(package, **nowhere)
    assert error == "[-127, 127]"
    assert said.startswith("Compiling the golden model's loops, which takes some 10 s in every run")
    assert "NUMBA_CACHE_DIR" in said


@pytest.mark.parametrize("kind", [ImportError, OSError, SystemError])
def test_a_numba_that_cannot_be_imported_is_done_without(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], kind: type[Exception]
) -> None:
    """Its libraries raise other errors than Python does."""

    def fails(name: str) -> None:
        raise kind("libLLVM is missing")

    can_compile.cache_clear()
    with monkeypatch.context() as patched:
        patched.setattr("importlib.import_module", fails)
        assert not can_compile()
        assert not can_compile()
    assert capsys.readouterr().err.count("numba cannot be used (libLLVM is missing)") == 1
    can_compile.cache_clear()
    assert can_compile()


def test_everything_that_loops_import_counts() -> None:
    files = dict(modules("golden_model"))
    read = {path for pattern in READ for path in (ROOT / "golden_model").glob(pattern)}
    found, left = set(), {"golden_model.loops"}
    while left:
        name = left.pop()
        found.add(name)
        names = {n for n in imported(files[name]) if n.startswith("golden_model.")}
        names = {n if n in files else n.rpartition(".")[0] for n in names}
        left |= names - found - {"golden_model"}
    assert len(found) > 5
    assert {files[name] for name in found} <= read
