"""The runner of benches: what passes passes, what fails fails, and so does nothing at all."""

import dataclasses

import pytest
from click.testing import CliRunner

from golden_model.spec.errors import SpecError
from sim.__main__ import main
from sim.bench import Bench
from sim.netlist import to_verilog
from sim.runner import BenchFailure, _checked, known_benches, load_bench, run_design
from tests.sim import bench_accumulator
from tests.sim.accumulator import Accumulator


def test_bench_passes_and_leaves_a_waveform():
    outcome = run_design(bench_accumulator.BENCH, "sound", waves=True)
    assert outcome.tests == 4
    assert "$enddefinitions" in outcome.waveform.read_text(encoding="utf-8")[:20_000]


def test_faulty_component_fails():
    with pytest.raises(BenchFailure, match="accumulator, faulty: 4 of 4 tests failed"):
        run_design(bench_accumulator.BENCH, "faulty")


def test_withdrawn_offer_is_named():
    with pytest.raises(BenchFailure, match="was withdrawn before taken"):
        run_design(bench_accumulator.BENCH, "faulty")


def test_no_test_fails():
    empty = dataclasses.replace(bench_accumulator.BENCH, module="tests.sim.accumulator")
    with pytest.raises(BenchFailure, match=r"no test ran|without results"):
        run_design(empty, "sound")


def test_what_does_not_build_shows_the_log(monkeypatch):
    monkeypatch.setattr("sim.runner.to_verilog", lambda component: to_verilog(component) + "}")
    bench = Bench(module="tests.sim.bench_broken", designs={"only": Accumulator})
    with pytest.raises(BenchFailure, match="syntax error"):
        run_design(bench, "only")


def test_half_a_file_of_results(tmp_path):
    """The simulator was killed while it wrote."""
    whole = '<testsuites name="results"><testsuite name="all" tests="1"></testsuite></testsuites>'
    results = tmp_path / "results.xml"
    results.write_text(whole)
    assert _checked(results, tmp_path / "test.log", "bench") == 1
    for length in (0, len(whole) // 2, len(whole) - 1):
        results.write_text(whole[:length])
        with pytest.raises(BenchFailure, match="bench: the simulator ended amid its results"):
            _checked(results, tmp_path / "test.log", "bench")


def test_unknown_bench_names_the_nearest():
    known = sorted(known_benches())[0]
    with pytest.raises(SpecError, match=known):
        load_bench(known + "x")


def test_command_lists_and_refuses():
    listed = CliRunner().invoke(main, ["--list"])
    assert listed.output.split() == list(known_benches())
    refused = CliRunner().invoke(main, ["nothing-like-it"])
    assert refused.exit_code == 2
    assert "there is no such bench" in refused.output
