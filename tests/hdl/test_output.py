"""The folder of a build: what is the user's stays, and one build at a time."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from boards.board import Board
from hdl import build as build_module
from hdl.toolchain import LOG, Placed, ToolError
from tests.hdl.test_build import TINY, FakeTools, run, run_digits


class Tools(FakeTools):
    """Writes other files as well, and may do something meanwhile."""

    def __init__(self) -> None:
        super().__init__()
        self.others: list[str] = []
        self.meanwhile: Any = None

    def build(self, design: Any, board: Board, folder: Path, seed: int, say: Any) -> Placed:
        for name in self.others:
            (folder / name).write_text("of a build")
        if self.meanwhile is not None:
            self.meanwhile()
        return super().build(design, board, folder, seed, say)


@pytest.fixture
def tools(monkeypatch: pytest.MonkeyPatch) -> Tools:
    fake = Tools()
    monkeypatch.setattr(build_module.toolchain, "build", fake.build)
    return fake


def contents(folder: Path) -> dict[str, str | None]:
    """Text of every file, None for a folder, by path."""
    paths = sorted(folder.rglob("*"))
    return {
        str(p.relative_to(folder)): None if p.is_dir() else p.read_text("latin-1") for p in paths
    }


def refused(result: Result, *words: str) -> None:
    assert result.exit_code == 2, result.output
    assert "Error: " in result.output
    assert "Traceback" not in result.output
    for word in words:
        assert word in result.output


def test_a_folder_of_the_user_s_is_refused_and_left_alone(tmp_path: Path, tools: Tools) -> None:
    (tmp_path / "top.v").write_text("module mine; endmodule")
    (tmp_path / "2_measurements.json").write_text("{}")
    before = contents(tmp_path)
    refused(run_digits(tmp_path), str(tmp_path), "Remove it, or name another by --out")
    assert contents(tmp_path) == before


def test_files_beside_those_of_a_build_stay(tmp_path: Path, tools: Tools) -> None:
    assert run_digits(tmp_path).exit_code == 0
    mine = {"notes.txt": "mine", "2_measurements.json": "[]", "more/top.v": "mine"}
    (tmp_path / "more").mkdir()
    for name, text in mine.items():
        (tmp_path / name).write_text(text)
    tools.bitstream = b"second"
    assert run_digits(tmp_path).exit_code == 0
    found = contents(tmp_path)
    assert {name: found[name] for name in mine} == mine
    assert found["top.bin"] == "second"


def test_what_only_an_earlier_build_wrote_goes(tmp_path: Path, tools: Tools) -> None:
    tools.others = ["earlier.txt"]
    assert run_digits(tmp_path).exit_code == 0
    assert "earlier.txt" in contents(tmp_path)
    tools.others = []
    assert run_digits(tmp_path).exit_code == 0
    assert "earlier.txt" not in contents(tmp_path)


def test_a_file_in_the_way_stays_and_the_build_is_not_lost(tmp_path: Path, tools: Tools) -> None:
    assert run_digits(tmp_path).exit_code == 0
    (tmp_path / "new.txt").write_text("mine")
    tools.others, tools.bitstream = ["new.txt"], b"second"
    refused(run_digits(tmp_path), "new.txt", "Move it away")
    found = contents(tmp_path)
    assert (found["new.txt"], found["top.bin"]) == ("mine", "first")
    assert (found["failed/new.txt"], found["failed/top.bin"]) == ("of a build", "second")


def test_a_folder_called_failed_may_be_the_user_s(tmp_path: Path, tools: Tools) -> None:
    assert run_digits(tmp_path).exit_code == 0
    (tmp_path / "failed").mkdir()
    (tmp_path / "failed/notes.txt").write_text("mine")
    before = contents(tmp_path)
    refused(run_digits(tmp_path), "failed", "Move it away")
    assert contents(tmp_path) == before


def test_after_a_failure_the_next_build_goes_on(tmp_path: Path, tools: Tools) -> None:
    out = tmp_path / "out"
    tools.error = ToolError("yosys gave up")
    assert run_digits(out).exit_code == 1
    assert (out / "failed" / LOG).exists()
    tools.error = None
    assert run_digits(out).exit_code == 0
    assert not (out / "failed").exists()


@pytest.mark.parametrize(
    "text",
    ["", "[]", '{"name": "of a browser extension"}', '{"written by hdl.build": ["../notes.txt"]}'],
)
def test_a_manifest_of_something_else_is_refused(tmp_path: Path, tools: Tools, text: str) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (tmp_path / "notes.txt").write_text("mine")
    (out / "manifest.json").write_text(text)
    refused(run_digits(out), "manifest.json", "Remove the folder")
    assert contents(tmp_path) == {"notes.txt": "mine", "out": None, "out/manifest.json": text}


def test_one_build_at_a_time(tmp_path: Path, tools: Tools) -> None:
    second: list[Result] = []

    def once_more() -> None:
        tools.meanwhile = None
        second.append(run_digits(tmp_path))

    tools.meanwhile = once_more
    assert run_digits(tmp_path).exit_code == 0
    refused(second[0], "another build is writing there", "--out")
    assert run_digits(tmp_path).exit_code == 0


def test_the_slower_clock_s_build_is_under_the_same_lock(tmp_path: Path, tools: Tools) -> None:
    """Of a design that misses its clock: nobody gets the folder between the two attempts."""
    tools.fmax_mhz = 30.0
    others: list[Result] = []

    def say(text: str) -> None:
        if "Once more" in text:
            others.append(run_digits(tmp_path))

    formats = build_module.infer_formats(build_module.load_network("digits"))
    board, options = build_module.find_board("icebreaker"), build_module.Options()
    report = build_module.build(
        board=board, formats=formats, options=options, seed=1, out=tmp_path, say=say
    )
    assert report.clock_mhz == 24
    refused(others[0], "another build is writing there")


def test_left_overs_of_killed_builds_go(tmp_path: Path, tools: Tools) -> None:
    (tmp_path / ".partial-killed").mkdir()
    (tmp_path / ".partial-killed/top.il").write_text("much")
    assert run_digits(tmp_path).exit_code == 0
    assert not [name for name in contents(tmp_path) if name.startswith(".")]


def test_a_build_that_is_killed_locks_nobody_out(tmp_path: Path, tools: Tools) -> None:
    script = """
import sys, time
from pathlib import Path
from hdl.output import claimed, staging
out = Path(sys.argv[1])
with claimed(out), staging(out):
    print("at work", flush=True)
    time.sleep(600)
"""
    command = [sys.executable, "-c", script, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "at work\n"
            refused(run_digits(tmp_path), "another build is writing there")
        finally:
            process.kill()
    assert [name for name in contents(tmp_path) if name.startswith(".partial-")]
    assert run_digits(tmp_path).exit_code == 0
    assert not [name for name in contents(tmp_path) if name.startswith(".")]


def test_the_manifest_names_what_is_there(tmp_path: Path, tools: Tools) -> None:
    assert run_digits(tmp_path).exit_code == 0
    (names,) = json.loads((tmp_path / "manifest.json").read_text()).values()
    assert {*names, "manifest.json"} == set(contents(tmp_path))


def test_places_where_nothing_can_be_written(
    tmp_path: Path, tools: Tools, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("tiny.toml").write_text(TINY)
    Path("build").write_text("a file")
    for out in ("/dev/null/x", "tiny.toml/x"):
        refused(run_digits(Path(out)), out, "cannot be used (Not a directory)", "--out")
    refused(run("--board", "icebreaker", "--network", "tiny.toml"), "build", "--out")
    assert Path("build").read_text() == "a file"
