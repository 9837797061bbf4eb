"""The build command: what it writes, what it says, and what it leaves when it fails."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from boards.board import Board
from boards.parts import CELLS
from boards.registry import find_board
from golden_model.spec.errors import SpecError
from golden_model.spec.formats import infer_formats
from golden_model.spec.toml import load_network
from hdl import build as build_module
from hdl import toolchain
from hdl.build import INFERENCE_ONLY, SEEDS, main, parse_foldings
from hdl.passes import pipeline
from hdl.report import estimate
from hdl.timing import Timing
from hdl.toolchain import Placed, ToolError, Use

TINY = """
name = "tiny"
inputs = 3
classes = 2
[[layers]]
type = "dense"
units = 3
"""


class FakeTools:
    """Stands in for the tools: writes what they would, and answers as told."""

    def __init__(self) -> None:
        self.fmax_mhz, self.bitstream = 40.0, b"first"
        self.cells = 1234
        self.error: Exception | None = None

    def build(self, _design: Any, _board: Board, folder: Path, seed: int, _say: Any) -> Placed:
        self.seed = seed
        (folder / toolchain.LOG).write_text("what the tools said\n")
        if self.error is not None:
            raise self.error
        (folder / "top.bin").write_bytes(self.bitstream)
        (folder / "top.v").write_text("module top; endmodule\n")
        utilization: Mapping[str, Use] = {
            CELLS: Use(used=self.cells, available=5280),
            "EBR": Use(used=5, available=30),
        }
        timing = Timing(tool="nextpnr-ice40", tool_mhz=self.fmax_mhz, untimed=["a multiplier"])
        return Placed(timing=timing, utilization=utilization)


@pytest.fixture
def tools(monkeypatch: pytest.MonkeyPatch) -> FakeTools:
    fake = FakeTools()
    monkeypatch.setattr(build_module.toolchain, "build", fake.build)
    return fake


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def run_digits(out: Path, *more: object) -> Result:
    return run("--board", "icebreaker", "--network", "digits", "--out", out, *more)


def test_writes_everything(tmp_path: Path, tools: FakeTools) -> None:
    result = run_digits(tmp_path, "--seed", 7)
    assert result.exit_code == 0, result.output
    assert tools.seed == 7
    names = {path.name for path in tmp_path.iterdir()}
    assert {"top.bin", "top.v", "report.json", "report.md", toolchain.LOG} <= names
    stages = sorted(name for name in names if name[0].isdigit())
    assert [name[0] for name in stages] == [str(n) for n in range(len(stages))]
    assert len(stages) >= 4
    assert json.loads((tmp_path / stages[0]).read_text())["network"]["name"] == "digits"
    assert not [name for name in names if name.startswith(".")]
    assert str(tmp_path / "top.bin") in result.output


def test_report_says_what_was_asked_for_and_what_came_out(tmp_path: Path, tools: FakeTools) -> None:
    run_digits(tmp_path, "--classifier", "generator")
    report = json.loads((tmp_path / "report.json").read_text())
    schedule = pipeline.run(
        infer_formats(load_network("digits")),
        find_board("icebreaker").budget,
        build_module.Options(classifier="generator"),
    )
    assert report["board"] == "icebreaker"
    assert report["device"] == "iCE40UP5K"
    assert report["network"] == "digits"
    assert report["classifier"] == "generator"
    usual = find_board("icebreaker").clock_hz / 1e6
    assert (report["clock_mhz"], report["usual_mhz"], report["fmax_mhz"]) == (usual, usual, 40.0)
    assert report["timing_met"] is True
    assert report["utilization"]["EBR"] == {"used": 5, "available": 30}
    assert report["cycles_per_sample"] == {
        "inference": schedule.inference,
        "training": schedule.training,
    }
    expected = estimate(schedule, find_board("icebreaker").budget)
    assert report["estimate_and_result"][CELLS] == {"estimate": expected[CELLS], "result": 1234}
    page = (tmp_path / "report.md").read_text()
    assert "1234" in page
    assert str(expected["EBR"]) in page


def test_report_says_which_layers_share_an_engine(tmp_path: Path, tools: FakeTools) -> None:
    result = run_digits(tmp_path, "--folding", "shared=2")
    assert result.exit_code == 0, result.output
    line = "one engine: layer0 and readout take turns on one, 2 filters and 2 sums at a time"
    assert line in " ".join(result.output.split())
    assert json.loads((tmp_path / "report.json").read_text())["engines"] == [line]
    assert f"- {line}\n" in (tmp_path / "report.md").read_text()
    run_digits(tmp_path)
    assert json.loads((tmp_path / "report.json").read_text())["engines"] == []


def test_default_folder(tmp_path: Path, tools: FakeTools, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("tiny.toml").write_text(TINY)
    assert run("--board", "icebreaker", "--network", "tiny.toml").exit_code == 0
    assert Path("build/icebreaker/tiny/top.bin").exists()


@pytest.mark.parametrize(
    ("options", "skips", "learns"),
    [((), True, True), (("--no-skip-zeros",), False, True), (("--inference-only",), True, False)],
)
def test_options_reach_the_flow(
    tmp_path: Path, tools: FakeTools, options: tuple[str, ...], skips: bool, learns: bool
) -> None:
    assert run_digits(tmp_path, *options).exit_code == 0
    foldings = json.loads((tmp_path / "1_folding.json").read_text())["foldings"]
    assert any(folding["skip_zeros"] for folding in foldings) == skips
    assert [folding["learns"] for folding in foldings] == [learns] * len(foldings)


def test_inference_only_has_a_folder_of_its_own(
    tmp_path: Path, tools: FakeTools, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("tiny.toml").write_text(TINY)
    result = run("--board", "icebreaker", "--network", "tiny.toml", "--inference-only")
    assert result.exit_code == 0
    (folder,) = Path("build/icebreaker").iterdir()
    assert (folder / "top.bin").exists()
    # No network has the name of that folder.
    with pytest.raises(SpecError, match="it becomes a folder's name"):
        replace(load_network("tiny.toml"), name=folder.name)


def test_the_next_build_says_what_learning_costs(tmp_path: Path, tools: FakeTools) -> None:
    """In a folder of any name, even one that looks like markup."""
    for name in ("plain", "[/b]"):
        out = tmp_path / name
        beside = Path(f"{out}{INFERENCE_ONLY}")
        tools.cells = 617
        assert run_digits(beside, "--inference-only").exit_code == 0
        tools.cells = 1234
        result = run_digits(out)
        assert "learning costs: cells 1234 instead of 617 (+100%), EBR 5 instead of 5" in (
            result.output
        )
        assert result.output.endswith(f"{out}/top.bin\n")


def test_a_build_into_this_very_folder(
    tmp_path: Path, tools: FakeTools, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = tmp_path / "here"
    here.mkdir()
    assert run_digits(Path(f"{here}{INFERENCE_ONLY}"), "--inference-only").exit_code == 0
    monkeypatch.chdir(here)
    result = run_digits(Path("."))
    assert result.exit_code == 0
    assert "learning costs: cells" in result.output
    assert result.output.endswith("top.bin\n")


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "[" * 100_000, '{"board": "icebreaker"}', '{"utilization": {"EBR": 5}}', None],
    ids=lambda text: str(text)[:30],
)
def test_a_neighbour_without_a_report_of_today(
    tmp_path: Path, tools: FakeTools, text: str | None
) -> None:
    """None: of a build that failed, or of none."""
    beside = tmp_path / f"out{INFERENCE_ONLY}"
    beside.mkdir()
    if text is not None:
        (beside / "report.json").write_text(text)
    result = run_digits(tmp_path / "out")
    assert result.exit_code == 0, result.output
    told = f"what learning costs cannot be said: file '{beside}/report.json'" in result.output
    assert told == (text is not None)
    assert result.output.endswith("out/top.bin\n")


@pytest.mark.parametrize("used", ["12", None, -5, 1.5, True, [3]], ids=repr)
def test_a_neighbour_s_report_that_does_not_count(
    tmp_path: Path, tools: FakeTools, used: object
) -> None:
    beside = tmp_path / f"out{INFERENCE_ONLY}"
    assert run_digits(beside, "--inference-only").exit_code == 0
    report = json.loads((beside / "report.json").read_text())
    report["utilization"]["EBR"]["used"] = used
    (beside / "report.json").write_text(json.dumps(report))
    result = run_digits(tmp_path / "out")
    assert result.exit_code == 0, result.output
    assert "what learning costs cannot be said: file " in result.output


def test_a_neighbour_s_report_that_is_no_file(tmp_path: Path, tools: FakeTools) -> None:
    """A pipe would be waited for."""
    beside = tmp_path / f"out{INFERENCE_ONLY}"
    beside.mkdir()
    os.mkfifo(beside / "report.json")
    result = run_digits(tmp_path / "out")
    assert result.exit_code == 0, result.output
    assert "learning costs" not in result.output


def test_only_the_same_design_is_compared(tmp_path: Path, tools: FakeTools) -> None:
    tools.fmax_mhz = 70.0
    board = ["--board", "icebreaker"]
    tiny, wider = tmp_path / "tiny.toml", tmp_path / "wider.toml"
    tiny.write_text(TINY)
    wider.write_text(TINY.replace("units = 3", "units = 4"))
    for number, unlike in enumerate(
        [
            [*board, "--network", wider],
            ["--board", "hx8k-b-evn", "--network", tiny],
            [*board, "--network", tiny, "--classifier", "generator"],
            [*board, "--network", tiny, "--no-skip-zeros"],
            [*board, "--network", tiny, "--folding", "layer0=1x1"],
        ]
    ):
        out = tmp_path / str(number)
        beside = Path(f"{out}{INFERENCE_ONLY}")
        assert run(*unlike, "--out", beside, "--inference-only").exit_code == 0
        result = run(*board, "--network", tiny, "--out", out)
        assert result.exit_code == 0
        assert "learning costs:" not in result.output
        assert "what learning costs cannot be said: " in result.output
    # And one that learns itself, whatever its folder is called.
    assert (
        run(*board, "--network", tiny, "--out", Path(f"{tmp_path}/x{INFERENCE_ONLY}")).exit_code
        == 0
    )
    assert "cannot be said" in run(*board, "--network", tiny, "--out", tmp_path / "x").output


def test_a_missed_clock_leaves_the_last_good_bitstream(tmp_path: Path, tools: FakeTools) -> None:
    assert run_digits(tmp_path).exit_code == 0
    tools.bitstream, tools.fmax_mhz = b"second", 23.9
    result = run_digits(tmp_path)
    assert result.exit_code == 1
    assert "24.0 MHz needed, 23.9 MHz reached" in result.output
    assert (tmp_path / "top.bin").read_bytes() == b"first"
    assert json.loads((tmp_path / "report.json").read_text())["timing_met"] is True
    failed = tmp_path / "failed"
    assert json.loads((failed / "report.json").read_text())["timing_met"] is False
    assert "what the tools said" in (failed / toolchain.LOG).read_text()
    tools.fmax_mhz = 36.0
    assert run_digits(tmp_path).exit_code == 0
    usual = find_board("icebreaker").clock_hz / 1e6
    assert json.loads((tmp_path / "report.json").read_text())["clock_mhz"] == usual
    assert (tmp_path / "top.bin").read_bytes() == b"second"
    assert not failed.exists()


def test_the_slower_clock_is_taken_where_the_board_s_is_missed(
    tmp_path: Path, tools: FakeTools
) -> None:
    usual = find_board("icebreaker").clock_hz / 1e6
    tools.fmax_mhz = usual - 0.1
    result = run_digits(tmp_path)
    assert result.exit_code == 0
    assert tools.seed == find_board("icebreaker").seed
    missed = f"{usual:.1f} MHz needed, {usual - 0.1:.1f} MHz reached. Once more, for 24.0 MHz"
    assert missed in result.output
    report = json.loads((tmp_path / "report.json").read_text())
    assert (report["clock_mhz"], report["usual_mhz"]) == (24.0, usual)
    assert report["timing_met"]
    # Every report says that it is not the usual clock.
    told = f"built for 24.0 MHz: the board's {usual:.1f} were missed"
    assert told in (tmp_path / "report.md").read_text()
    assert told in result.output


def test_reports_say_what_no_tool_has_timed(tmp_path: Path, tools: FakeTools) -> None:
    result = run_digits(tmp_path)
    for text in (result.output, (tmp_path / "report.md").read_text()):
        assert "nextpnr-ice40 says 40.0 MHz" in text
        assert "not timed by nextpnr-ice40: a multiplier" in text
        assert "were missed" not in text


def test_a_failing_tool(tmp_path: Path, tools: FakeTools) -> None:
    tools.error = ToolError("yosys gave up")
    result = run_digits(tmp_path)
    assert result.exit_code == 1
    assert "yosys gave up" in result.output
    assert "failed/build.log" in result.output
    assert not (tmp_path / "top.bin").exists()
    assert (tmp_path / "failed" / toolchain.LOG).exists()


def test_a_network_too_large_says_what_runs_out(tmp_path: Path, tools: FakeTools) -> None:
    description = tmp_path / "large.toml"
    description.write_text(TINY.replace("inputs = 3", "inputs = 4000").replace("= 3", "= 200"))
    result = run("--board", "icebreaker", "--network", description, "--out", tmp_path / "out")
    assert result.exit_code == 1
    assert "Does not fit" in result.output
    assert "SPRAM needed, 4 available" in result.output
    assert "Does not fit" in (tmp_path / "out/failed" / toolchain.LOG).read_text()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--board", "icebraker"], "Did you mean 'icebreaker'"),
        (["--board", "icebreaker", "--network", "digit"], "Did you mean 'digits'"),
        (["--board", "icebreaker", "--folding", "layer0=3x1"], "power of two"),
        (["--board", "icebreaker", "--folding", "layer9=2x1"], "no such layer"),
        (["--board", "icebreaker", "--folding", "2x1"], "layer0=2x4"),
        (["--board", "icebreaker", "--folding", "shared=two"], "--folding shared=8"),
        (["--board", "icebreaker", "--folding", "layer0=2"], "layer0=2x4"),
        (
            ["--board", "icebreaker", "--folding", "layer0=2x1", "--folding", "layer0=1x1"],
            "--folding layer0=1x1: layer0 is folded already",
        ),
        (["--board", "icebreaker", "--classifier", "ram"], "'rom'"),
        (["--board", "icebreaker", "--seed", "-1"], "-1"),
        (["--board", "icebreaker", "--seed", str(SEEDS)], f"{SEEDS} is not in the range"),
        ([], "--board"),
    ],
)
def test_wrong_usage(
    arguments: list[str],
    message: str,
    tools: FakeTools,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    result = run(*arguments)
    assert result.exit_code == 2
    assert message in result.output
    assert "Traceback" not in result.output


def test_tools_get_the_same_design_whatever_the_hash_seed() -> None:
    script = """
from boards.registry import find_board
from golden_model.spec.formats import infer_formats
from golden_model.spec.toml import load_network
from hdl import build, toolchain
from hdl.passes import pipeline
board = find_board("icebreaker")
schedule = pipeline.run(infer_formats(load_network("digits")), board.budget)
chip = build.Chip(schedule, board.clock_hz, board.baud)
plan = toolchain.plan(lambda platform: build.on_board(chip, board, platform), board, 1)
print(plan.digest().hex(), end="")
"""
    digests = [
        subprocess.run(
            [sys.executable, "-c", script],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    ]
    assert len(digests[0]) == 128
    assert digests[0] == digests[1]


def test_folding_option() -> None:
    assert parse_foldings(["layer0=2x4", "readout=1x8"]) == {"layer0": (2, 4), "readout": (1, 8)}
    assert parse_foldings(["shared=32"]) == parse_foldings(["shared=32x1"]) == {"shared": (32, 1)}


def test_a_tiny_network_becomes_a_bitstream(tmp_path: Path) -> None:
    # On the board that `make bitstream` does not build for.
    description = tmp_path / "tiny.toml"
    description.write_text(TINY)
    out = tmp_path / "out"
    result = run("--board", "ulx3s-85f", "--network", description, "--out", out)
    assert result.exit_code == 0, result.output
    report = json.loads((out / "report.json").read_text())
    assert report["timing_met"] is True
    assert report["fmax_mhz"] >= report["clock_mhz"]
    assert 0 < report["utilization"][CELLS]["used"] < report["utilization"][CELLS]["available"]
    assert (out / "top.bit").stat().st_size > 100_000
