"""What the parts do with a small network, and where data, PyTorch or a tool is missing."""

import importlib.util
import io
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from click.testing import CliRunner
from rich.console import Console

from bench import builds, cases, cycles, epoch, golden, observe, passage, seeds, sharing
from bench.__main__ import main
from bench.cases import Case
from bench.figures import Figure, Skipped
from bench.say import Meanwhile
from boards.registry import find_board
from golden_model.data.dataset import Dataset
from golden_model.engine import GoldenEngine
from golden_model.rates import Rates, write_rates
from golden_model.spec.control import Activity, Counter
from golden_model.spec.network import Conv, Dense, Learning, Network, Readout
from hdl.timing import Timing
from sim.chip import SimulatedCore
from sim.cxxrtl import QUICK

NETWORK = Network(
    name="tiny", inputs=6, classes=3, seed=2, layers=(Dense(units=4),), readout=Readout(),
    learning=Learning(margin=20),
)  # fmt: skip
CASE = Case(board=find_board("icebreaker"), network=NETWORK)


def silent(text: str) -> None:
    pass


class Quick(SimulatedCore):
    """A simulator that compiles fast."""

    def __init__(self, schedule):
        super().__init__(schedule, optimisation=QUICK)


@pytest.fixture
def quick(monkeypatch, tmp_path):
    for module in (observe, epoch):
        monkeypatch.setattr(module, "SimulatedCore", Quick)
    monkeypatch.setattr(epoch, "KEPT", tmp_path)


@pytest.fixture
def data(monkeypatch):
    """Thirty random samples to learn and twelve to answer, a third of the inputs 0."""
    chance = np.random.default_rng(7)

    def some(count):
        x = chance.integers(1, 256, (count, 6)) * (chance.random((count, 6)) > 0.3)
        return x.astype(np.uint8), chance.integers(0, 3, count).astype(np.uint8)

    (x, y), (x_test, y_test) = some(30), some(12)
    found = Dataset(name="some", x_train=x, y_train=y, x_test=x_test, y_test=y_test)
    for module in (observe, epoch, golden):
        monkeypatch.setattr(module, "dataset", lambda network, name: found)
    monkeypatch.setattr(Case, "data", "some")
    return found


def an_epoch(advance=silent):
    return epoch.epoch(CASE, *epoch.passed(CASE, None), advance)


def test_an_epoch_on_the_chip_equals_the_golden_model(data, quick):
    done = []
    found = an_epoch(done.append)
    assert found.differences == 0
    # Classes and scores of 42 samples, and 4 x 7 and 3 x 5 weights.
    assert found.compared == 42 * (1 + 3) + 28 + 15
    assert found.accuracy == found.golden_accuracy
    assert sum(done) == 2 * 42


def test_an_epoch_notices_a_golden_model_that_differs(data, quick, monkeypatch):
    class Wrong(epoch.GoldenEngine):
        def send(self, sample, label=None):
            super().send(sample, None if label == 2 else label)

    monkeypatch.setattr(epoch, "GoldenEngine", Wrong)
    found = an_epoch()
    assert found.differences > 0
    figures = [f for f in epoch.figures(CASE, found, None) if isinstance(f, Figure)]
    (unlike,) = [f for f in figures if f.what == epoch.DIFFERENCES]
    assert not unlike.met


def interrupting(stop):
    """Somebody who presses Ctrl-C at the sign of progress of that number."""
    left = iter(range(stop))

    def advance(done):
        if next(left) == stop - 1:
            raise KeyboardInterrupt

    return advance


def test_an_interrupted_epoch_goes_on_and_ends_as_if_it_had_not_been(data, quick, monkeypatch):
    """Each time a chunk is lost that has been done since the file was written."""
    monkeypatch.setattr(passage, "CHUNK", 5)
    monkeypatch.setattr(passage, "KEPT", 300)
    whole = an_epoch()
    epoch.file_of(CASE).unlink()
    for _ in range(3):
        with pytest.raises(KeyboardInterrupt):
            an_epoch(interrupting(4))
    done = []
    again = an_epoch(done.append)
    assert sum(done) == 2 * 42
    assert done[0] == 30
    assert again.differences == 0
    same = ("accuracy", "compared")
    assert [getattr(again, name) for name in same] == [getattr(whole, name) for name in same]
    for name in ("training", "inference"):
        one, other = getattr(again, name), getattr(whole, name)
        assert one.clocks == other.clocks
        for words in (Activity.WORDS_READ, Activity.WORDS_WRITTEN):
            assert [one.words(layer, words) for layer in (0, 1)] == [
                other.words(layer, words) for layer in (0, 1)
            ]


def test_a_damaged_file_is_of_no_use(data, quick):
    epoch.file_of(CASE).parent.mkdir()
    epoch.file_of(CASE).write_bytes(b"damaged")
    done = []
    assert an_epoch(done.append).differences == 0
    assert done[0] == 0


def test_what_another_design_or_other_samples_came_to_is_of_no_use(data):
    """Each of these has another key, which a file must have to be gone on from."""
    stretch, test = epoch.passed(CASE, None)[0]
    others = [{"x": stretch.x ^ 1}, {"labels": stretch.labels[::-1]}, {"rates": Rates(((0, 1),))}]
    stretches = [stretch, *(replace(stretch, **other) for other in others)]
    cores = [SimpleNamespace(simulation=SimpleNamespace(key=key)) for key in ("one", "other")]
    keys = {passage.key_of(core, [stretch, test]) for core in cores for stretch in stretches}
    assert len(keys) == 8


def test_steady_state_is_what_the_schedule_says(quick):
    """The simulated clocks of a dense sweep are those of the cycle model."""
    schedule = CASE.schedule(cases.DENSE)
    assert observe.every_sample_learns(schedule).clocks == schedule.training
    assert observe.no_sample_learns(schedule).clocks == schedule.inference


def test_samples_that_do_not_all_learn_are_noticed(quick, monkeypatch):
    real = Quick.read_register

    def one_less(core, layer, number):
        return real(core, layer, number) - (number is Counter.UPDATES)

    monkeypatch.setattr(Quick, "read_register", one_less)
    with pytest.raises(AssertionError, match="not all samples learn"):
        observe.every_sample_learns(CASE.schedule(cases.DENSE))


def test_a_shared_engine_is_measured_dense_and_on_images(data, monkeypatch):
    """Zeros make a sample shorter, learning makes it longer; nothing is below its limit."""
    layers = (Conv(filters=3, kernel=1),)
    network = replace(NETWORK, inputs=6, image=(2, 3, 1), layers=layers)
    case = Case(board=find_board("ulx3s-85f"), network=network)
    monkeypatch.setattr(sharing, "dataset", lambda *_: data)
    monkeypatch.setattr(
        sharing, "golden_after_an_epoch", lambda case, data: GoldenEngine(case.formats)
    )
    figures = {figure.what: figure for figure in sharing.run([case], silent)}
    clocks = {what: figure.value for what, figure in figures.items()}
    assert clocks["training, dense"] == case.schedule().training
    assert clocks["inference, dense"] == case.schedule().inference
    assert clocks["inference, images"] <= clocks["inference, dense"]
    assert clocks["training, images"] > clocks["inference, images"]
    ratio = clocks["training, images"] / clocks["inference, images"]
    assert clocks["training by inference, images"] == ratio
    assert all(figure.share <= 1 for figure in figures.values() if figure.limit)


def test_without_data_a_case_is_skipped(monkeypatch):
    monkeypatch.delenv("LOAM_DATA", raising=False)
    observe.dataset.cache_clear()
    (skipped,) = golden.run(cases.find(cases.WIDE), silent)
    assert isinstance(skipped, Skipped)
    assert "LOAM_DATA" in skipped.why


def test_an_epoch_without_data_is_skipped(monkeypatch):
    """The reason comes out of the process that found it."""
    monkeypatch.delenv("LOAM_DATA", raising=False)
    told = Meanwhile(Console(file=io.StringIO()), "epoch")
    (skipped,) = epoch.run(cases.find(cases.MNIST, "icebreaker"), told)
    assert isinstance(skipped, Skipped)
    assert "LOAM_DATA" in skipped.why


def test_signs_of_progress_where_nobody_watches():
    console = Console(file=io.StringIO())
    with Meanwhile(console, "part") as told:
        told("begins")
        for _ in range(50):
            told.advance("bar", 1, 50)
    lines = console.file.getvalue().splitlines()
    assert lines[:2] == ["part: begins", "part: bar: 5 of 50"]
    assert lines[-1] == "part: bar: 50 of 50"
    assert len(lines) == 11


def test_a_board_that_is_not_there_is_left_out():
    found = cases.find((("nowhere", "mnist"), ("icebreaker", "digits")))
    assert [case.name for case in found] == ["digits on icebreaker"]


def test_cases_are_found_by_a_part_of_their_name():
    (case,) = cases.find(cases.MNIST + cases.DIGITS, "25f")
    assert case.name == "digits on ulx3s-25f"


def test_a_case_that_no_part_has_is_an_error(tmp_path):
    out = tmp_path / "results.json"
    done = CliRunner().invoke(main, ["--case", "mnist on icebraker", "--out", str(out)])
    assert done.exit_code == 2
    assert "Did you mean 'mnist on icebreaker'" in done.output
    assert not out.exists()


def test_without_pytorch_and_numba_their_rows_are_skipped(data, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(golden, "_chip", lambda *given: iter(()))
    found = list(golden.compare(CASE, silent))
    numba, torch = (item for item in found if isinstance(item, Skipped))
    assert ("compiled" in numba.case, "[fast]" in numba.why) == (True, True)
    assert ("PyTorch" in torch.case, "[bench]" in torch.why) == (True, True)
    (figure,) = [item for item in found if isinstance(item, Figure)]
    assert figure.value > 0
    assert figure.met is None


def test_a_shared_engine_is_compared_by_its_cycle_model(data, monkeypatch):
    """At one clock for each sample of the model the chip would be as fast as that clock."""
    layers = (Conv(filters=3, kernel=1),)
    case = Case(
        board=find_board("ulx3s-85f"),
        network=replace(NETWORK, image=(2, 3, 1), layers=layers, learning=Learning(jitter=0)),
    )
    rival = {"PyTorch, slow": 100.0, "PyTorch, fast": 1000.0}
    monkeypatch.setattr(golden, "OPTIONAL", {"json": ("PyTorch", lambda *given: rival, "")})
    monkeypatch.setattr(golden, "GOALS", {"tiny": {"PyTorch": 8.0}})
    monkeypatch.setattr(golden, "fastest", GoldenEngine)
    monkeypatch.setattr(golden, "taken", lambda schedule, work: SimpleNamespace(clocks=len(work)))
    monkeypatch.setattr(builds, "report", lambda *given: {"clock_mhz": 50.0})
    figures = {figure.what: figure for figure in golden.run([case], silent)}
    # Thirty samples: six of the parts have four, two have three.
    clocks = (6 * 4 + 2 * 3) / 8
    assert figures["chip at 50 MHz, training"].value == 50e6 / clocks
    assert figures["clock that all goals take"].value == 8000 * clocks / 1e6
    fast, slow = (figures[f"chip / PyTorch, {name}"] for name in ("fast", "slow"))
    assert (fast.value, fast.goal, slow.goal) == (50e6 / clocks / 1000, 8.0, None)
    assert slow.value == 10 * fast.value
    assert figures["golden model, training"].goal is None


def test_clocks_of_a_shared_engine_are_those_of_its_samples(data, monkeypatch):
    layers = (Conv(filters=3, kernel=1),)
    network = replace(NETWORK, image=(2, 3, 1), layers=layers)
    case = Case(board=find_board("ulx3s-85f"), network=network)
    monkeypatch.setattr(golden, "fastest", GoldenEngine)
    monkeypatch.setattr(golden, "POINTS", 1)
    monkeypatch.setattr(golden, "AT_EACH", 30)
    clocks, _ = golden.clocks_of(case, data.x_train, data.y_train)
    schedule, fresh = case.schedule(), GoldenEngine(case.formats)
    write_rates(fresh, network.learning.first_step)
    work = sharing.work_of(schedule, fresh, data.x_train, data.y_train.tolist())
    assert clocks == sharing.taken(schedule, work).clocks


def test_a_build_that_fails_is_skipped_with_its_reason(monkeypatch):
    def fail(*given):
        raise builds.toolchain.ToolError("yosys is not installed\nand more")

    monkeypatch.setattr(builds, "report", fail)
    (skipped,) = cycles.clock(CASE, {"training": 100.0}, silent)
    assert isinstance(skipped, Skipped)
    assert skipped.why == "yosys is not installed"


def test_samples_per_second_are_clock_over_clocks(monkeypatch):
    report = {"fmax_mhz": 40.0, "clock_mhz": 24.0, "seed": 1}
    monkeypatch.setattr(builds, "report", lambda *given: report)
    monkeypatch.setattr(Case, "data", "some")
    fmax, rate = cycles.clock(CASE, {"training": 100.0}, silent)
    assert (fmax.value, fmax.goal, fmax.met) == (40.0, 36.0, True)
    assert rate.value == 240_000


def test_a_report_is_of_the_very_plan(tmp_path):
    plan = SimpleNamespace(files={"top.il": "module", "top.bin": b"\1"})
    assert not builds.built_from(plan, tmp_path)
    (tmp_path / "report.json").write_text("{}")
    (tmp_path / "top.il").write_text("module")
    assert not builds.built_from(plan, tmp_path)
    (tmp_path / "top.bin").write_bytes(b"\1")
    assert builds.built_from(plan, tmp_path)
    (tmp_path / "top.il").write_text("other module")
    assert not builds.built_from(plan, tmp_path)


@pytest.mark.parametrize("report", ["", '{"clock_mhz": 4', "7", "[[1]]", "\udcff"])
def test_a_damaged_report_is_of_no_plan(tmp_path, report):
    plan = SimpleNamespace(files={})
    (tmp_path / "report.json").write_text("{}")
    assert builds.built_from(plan, tmp_path)
    (tmp_path / "report.json").write_bytes(report.encode(errors="surrogateescape"))
    assert not builds.built_from(plan, tmp_path)


def test_each_choice_of_options_is_built_in_a_folder_of_its_own():
    dense = replace(cases.OPTIONS, skip_zeros=not cases.OPTIONS.skip_zeros)
    assert builds.place(CASE, cases.OPTIONS) != builds.place(CASE, dense)


def test_seeds_are_counted_by_the_board_s_own_clock(monkeypatch):
    needed, asked = CASE.board.clock_hz / 1e6, []

    def build(design, board, folder, seed, say, *, synthesised):
        asked.append((seed, synthesised, folder))
        timing = Timing(tool="a tool", tool_mhz=needed + (seed != 3) - (seed == 5) * 2)
        return SimpleNamespace(timing=timing)

    monkeypatch.setattr(seeds.toolchain, "build", build)
    met, middle = seeds.run([CASE], silent)
    assert (met.value, met.goal, met.met) == (4, 4, True)
    assert (middle.value, middle.goal) == (needed + 1, needed)
    # One netlist, in one folder, for all of them.
    assert [synthesised for _, synthesised, _ in asked] == [False, True, True, True, True]
    assert len({folder for *_, folder in asked}) == 1


def test_of_a_convolution_three_seeds_are_counted_by_the_slower_clock(monkeypatch):
    (case,) = cases.find(cases.SHARING, "mnist-conv")

    def build(design, board, folder, seed, say, *, synthesised):
        assert board.clock_hz == case.board.clock_hz
        return SimpleNamespace(timing=Timing(tool="a tool", tool_mhz=78.0 + seed))

    monkeypatch.setattr(seeds.toolchain, "build", build)
    met, middle = seeds.run([case], silent)
    assert (met.value, met.limit, met.what) == (2, 3, "of three seeds meet 80 MHz")
    assert (middle.value, middle.goal) == (80.0, 80.0)
