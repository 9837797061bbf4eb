"""Where simulators are compiled: what is missing or cannot be used is told in a sentence."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from golden_model.spec.errors import SpecError
from hdl.toolchain import ToolError
from sim.compare import main
from sim.compiler import compiler, tools_on_path
from sim.cxxrtl import QUICK, compile_library
from sim.netlist import to_rtlil, to_verilog
from sim.runner import run_design
from tests.sim import bench_accumulator
from tests.sim.accumulator import Accumulator


def compile_here(depth: int = 4) -> Path:
    return compile_library(Accumulator(depth=depth), (), QUICK)


@pytest.mark.parametrize("named", ["no-compiler", "./no-compiler -O2", "'", " ", "/tmp"])
def test_a_compiler_that_is_not_there(monkeypatch: pytest.MonkeyPatch, named: str) -> None:
    monkeypatch.setenv("LOAM_CXX", named)
    with pytest.raises(SpecError, match="there is no such program") as caught:
        compiler()
    assert caught.value.value == f"LOAM_CXX = {named!r}"


def test_a_compiler_may_be_named_by_a_relative_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """make calls it from another folder."""
    (tmp_path / "cxx").write_text("#!/bin/sh\n")
    (tmp_path / "cxx").chmod(0o755)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LOAM_CXX", "./cxx -m64")
    assert compiler() == [str(tmp_path / "cxx"), "-m64"]


@pytest.mark.parametrize("variable", ["LOAM_CXX", "YOSYS"])
def test_a_tool_that_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    tool = tmp_path / "tool"
    tool.write_text("#!/bin/sh\necho 'error: the reason' >&2\nexit 1\n")
    tool.chmod(0o755)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(variable, str(tool))
    with pytest.raises(ToolError, match="the reason"):
        compile_here()


@pytest.mark.parametrize("named", ["no-such-yosys", "false"])
def test_verilog_needs_yosys(monkeypatch: pytest.MonkeyPatch, named: str) -> None:
    component = Accumulator(depth=4)
    to_rtlil(component)
    monkeypatch.setenv("YOSYS", named)
    with pytest.raises(ToolError, match=r"not installed|Yosys failed"):
        to_verilog(component)


def test_a_folder_may_have_any_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = tmp_path / 'it\'s a "place" $HOME #1'
    place.mkdir()
    monkeypatch.chdir(place)
    assert compile_here().is_relative_to(place)


@pytest.mark.parametrize("name", ["a b", 'a"b', "$HOME", "a:b", "a#b", "a;b"])
def test_verilator_cannot_work_in_every_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path / name)
    with pytest.raises(SpecError, match="Verilator cannot work where a path has") as caught:
        run_design(bench_accumulator.BENCH, "sound")
    assert caught.value.value == f"folder {str(tmp_path / name / 'build/sim')!r}"


def test_verilator_can_work_in_most_folders(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "it's[a](b)&*~").mkdir()
    monkeypatch.chdir(tmp_path / "it's[a](b)&*~")
    assert tools_on_path()


@pytest.mark.parametrize("build", ["a file", "a dangling link"])
def test_a_build_folder_that_cannot_be_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, build: str
) -> None:
    monkeypatch.chdir(tmp_path)
    if build == "a file":
        Path("build").write_text("mine")
    else:
        Path("build").symlink_to("/dev/null/nowhere")
    for attempt in (compile_here, tools_on_path):
        with pytest.raises(SpecError, match="it cannot be used"):
            attempt()
    for engine in ("cxxrtl", "verilator"):
        arguments = ["--data", "random", "--samples", "1", "--engine", engine]
        done = CliRunner().invoke(main, arguments)
        assert done.exit_code == 2, done.output
        assert "it cannot be used" in done.output
