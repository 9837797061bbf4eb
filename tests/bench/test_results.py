"""Parts are written one by one, and read back as they were; tables show all of it."""

import io

import pytest
from click.testing import CliRunner
from rich.console import Console

from bench import results
from bench.__main__ import main
from bench.figures import Figure, Skipped
from bench.table import TITLES, as_markdown, as_rich, number
from golden_model.spec.errors import SpecError

SLOW = Figure(case="a on b", what="training", unit="clocks", value=1234.4, limit=1000, goal=1020,
              fewer_is_better=True, note="in a test")  # fmt: skip
FAST = Figure(case="c", what="chip", unit="samples/s", value=70_000.0, goal=10.0)
MISSING = Skipped(case="a on b", why="no such tool")


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "new" / "results.json"
    results.merge(path, "cycles", "python -m bench cycles", [SLOW, MISSING, FAST])
    return path


def test_parts_are_merged(file):
    results.merge(file, "golden", "python -m bench golden", [FAST])
    results.merge(file, "golden", "python -m bench golden", [])
    entries = results.load(file)
    assert results.figures(entries["cycles"]) == [SLOW, FAST, MISSING]
    assert results.figures(entries["golden"]) == []
    assert entries["cycles"]["versions"]["numpy"]


def test_cases_found_anew_replace_their_own(file):
    results.merge(file, "cycles", "", [MISSING], keep_cases=True)
    assert results.figures(results.load(file)["cycles"]) == [FAST, MISSING]


def test_share_and_verdict_stand_in_the_file(file):
    entry = results.load(file)["cycles"]["figures"][0]
    assert entry["share"] == pytest.approx(1000 / 1234.4)
    assert entry["met"] is False


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        "{}",
        '{"parts": 1}',
        '{"parts": 1',
        '{"parts": {"cycles": 1}}',
        '{"parts": {"cycles": {"figures": [{"case": "digits"}], "skipped": []}}}',
        pytest.param("[" * 9000, id="brackets"),
    ],
)
def test_a_file_of_something_else_is_refused(tmp_path, content):
    path = tmp_path / "results.json"
    path.write_text(content)
    with pytest.raises(SpecError, match="not what the benchmark writes"):
        results.load(path)
    done = CliRunner().invoke(main, ["table", "--out", str(path)])
    assert done.exit_code == 2
    assert "not what the benchmark writes" in done.output


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (0.48173, "0.4817"), (93.801, "93.8"), (842.57, "842.6"), (25323.7, "25,324")],
)
def test_numbers_have_the_digits_that_one_reads(value, text):
    assert number(value) == text


def test_tables_show_figures_limits_and_what_was_skipped(file):
    parts = {"cycles": results.figures(results.load(file)["cycles"])}
    terminal = Console(width=80, file=io.StringIO())
    terminal.print(as_rich(parts))
    for text in (terminal.file.getvalue(), as_markdown(parts)):
        for piece in (TITLES["cycles"], "a on b", "1,234", "1,000", "81.0%", "1,020", "missed",
                      "70,000", "met", "no such tool"):  # fmt: skip
            assert piece in text, piece
    assert "in a test" in as_markdown(parts)


def test_table_reads_the_file_and_measures_nothing(file):
    before = file.read_bytes()
    done = CliRunner().invoke(main, ["table", "--markdown", "--out", str(file)])
    assert done.exit_code == 0
    assert "| training, clocks (in a test) | 1,234 | 1,000 | 81.0% | \u2264 1,020 | missed |" in (
        done.output
    )
    assert file.read_bytes() == before


def test_a_chip_unlike_the_golden_model_fails(tmp_path):
    path = tmp_path / "results.json"
    for value, status in ((0, 0), (1, 1)):
        differences = Figure(case="a", what="differences to the golden model", unit="",
                             value=value, goal=0, fewer_is_better=True)  # fmt: skip
        results.merge(path, "epoch", "", [differences])
        assert CliRunner().invoke(main, ["table", "--out", str(path)]).exit_code == status
