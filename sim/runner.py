"""Run a cocotb bench with Verilator."""

import hashlib
import importlib
import os
import pkgutil
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import ParseError

from cocotb_tools.runner import get_results, get_runner

from golden_model.spec.errors import SpecError, nearest
from hdl.toolchain import ToolError
from sim import benches
from sim.bench import DESIGN_VARIABLE, Bench
from sim.compiler import BUILD, alone, compiler, tools_on_path
from sim.netlist import TOP, to_verilog

BUILD_ARGUMENTS = ["-Wno-lint", "--output-split", "0"]
"""Generated text is no matter of style: widths differ and cases are left out on purpose. And it is
compiled in one piece, since the wheel is set up for no compiler's precompiled headers."""
OPTIMISATION = os.environ.get("LOAM_CXX_OPTIMISATION", "-Os")
"""Of simulators; tests name -O0, since most designs take longer to compile than to run."""
LOG_TAIL = 60
"""Lines of a log that a failure shows."""


class BenchFailure(ToolError):
    """A simulator did not build, a test failed, or no test ran; the message holds the log's end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """One configuration of a bench that passed.

    Members
    -------
    design
        Name of the configuration.
    tests
        How many cocotb tests ran.
    waveform
        VCD file, if asked for.
    """

    design: str
    tests: int
    waveform: Path | None


def known_benches() -> dict[str, str]:
    """Module of each bench, by name."""
    modules = [item.name for item in pkgutil.iter_modules(benches.__path__)]
    names = sorted(name for name in modules if name.startswith("bench_"))
    return {name.removeprefix("bench_"): f"{benches.__name__}.{name}" for name in names}


def load_bench(name: str) -> Bench:
    """The bench of that name.

    Raises
    ------
    SpecError
        If there is none; it names the nearest.
    """
    known = known_benches()
    if name not in known:
        raise SpecError(f"bench {name!r}", "there is no such bench", nearest(name, known))
    bench = importlib.import_module(known[name]).BENCH
    assert isinstance(bench, Bench)
    return bench


def run_bench(bench: Bench, *, waves: bool = False) -> list[Outcome]:
    """Run all tests of a bench on all of its configurations.

    Raises
    ------
    BenchFailure
        At the first configuration that does not pass.
    """
    return [run_design(bench, design, waves=waves) for design in bench.designs]


def run_design(
    bench: Bench, design: str, *, waves: bool = False, extra: Mapping[str, str] | None = None
) -> Outcome:
    """Run all tests of a bench on one configuration, with `extra` environment variables."""
    tools = tools_on_path()
    verilog = to_verilog(bench.designs[design]())
    folder = BUILD.resolve() / "benches" / bench.name / (design + "-waves" * waves)
    # Verilator's makefile takes its own setting of a variable, if not make's command line.
    optimised = {"MAKEFLAGS": f" -- OPT_FAST={OPTIMISATION}"}
    environment = {**tools, **optimised, DESIGN_VARIABLE: design, **(extra or {})}
    with alone(folder), _environment(environment):
        tests = _build_and_test(bench, verilog, folder, waves=waves)
    return Outcome(design=design, tests=tests, waveform=folder / "dump.vcd" if waves else None)


def _build_and_test(bench: Bench, verilog: str, folder: Path, *, waves: bool) -> int:
    """Number of tests, all of which have passed."""
    runner = get_runner("verilator")
    results = folder / "results.xml"
    results.unlink(missing_ok=True)
    _build(runner, verilog, folder, bench.depth, waves=waves)
    # The runner exits when a test fails; the results tell more.
    with suppress(SystemExit):
        runner.test(
            test_module=bench.module,
            hdl_toplevel=TOP,
            hdl_toplevel_lang="verilog",
            build_dir=folder,
            test_dir=folder,
            results_xml=str(results),
            log_file=folder / "test.log",
            timescale=("1ns", "1ps"),
            waves=waves,
        )
    return _checked(results, folder / "test.log", f"{bench.name}, {folder.name}")


def _build(runner: Any, verilog: str, folder: Path, depth: int, *, waves: bool) -> None:
    """Build the simulator, unless the folder holds that very one."""
    # cocotb's runner asks for every signal, which compiles four times longer than the ports alone;
    # a waveform should have them all.
    visible = [] if waves else ["--no-public-flat-rw", "--public-depth", str(depth)]
    arguments = [*BUILD_ARGUMENTS, *visible]
    recipe = [verilog, *compiler(), *arguments, OPTIMISATION]
    stamp = hashlib.sha256("\0".join(recipe).encode()).hexdigest()
    built = folder / "built"
    if built.exists() and built.read_text(encoding="utf-8") == stamp:
        runner.waves = waves
        return
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    source = folder / f"{TOP}.v"
    source.write_text(verilog, encoding="utf-8")
    try:
        runner.build(
            sources=[source],
            hdl_toplevel=TOP,
            build_dir=folder,
            build_args=arguments,
            timescale=("1ns", "1ps"),
            waves=waves,
            log_file=folder / "build.log",
        )
    except (RuntimeError, ValueError, OSError) as error:
        log = _tail(folder / "build.log")
        raise BenchFailure(f"Verilator did not build {folder.name}: {error}\n{log}") from error
    built.write_text(stamp, encoding="utf-8")


def _checked(results: Path, log: Path, what: str) -> int:
    """Number of tests in a results file, all of which must have passed."""
    if not results.exists():
        raise BenchFailure(f"{what}: the simulator ended without results\n{_tail(log)}")
    try:
        tests, failed = get_results(results)
    except ParseError as error:
        message = f"{what}: the simulator ended amid its results\n{_tail(log)}"
        raise BenchFailure(message) from error
    if failed or not tests:
        found = f"{failed} of {tests} tests failed" if tests else "no test ran"
        raise BenchFailure(f"{what}: {found}\n{_tail(log)}")
    return int(tests)


def _tail(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines() if log.exists() else []
    return "\n".join([*lines[-LOG_TAIL:], f"(all of it is in {log})"])


@contextmanager
def _environment(values: Mapping[str, str]) -> Iterator[None]:
    """cocotb's runner takes its environment from this process."""
    before = dict(os.environ)
    os.environ.update(values)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
