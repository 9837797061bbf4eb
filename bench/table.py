"""Figures as tables, for a terminal of 80 columns and as Markdown."""

from collections.abc import Iterable

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from bench.figures import Figure, Found, Skipped

COLUMNS = ("measured", "limit", "share", "goal", "")
TITLES = {
    "cycles": "Clocks per sample, and what the clock makes of them",
    "epoch": "An epoch of MNIST through the RTL of the bitstream",
    "traffic": "Words moved, against backpropagation",
    "multipliers": "What the multipliers do in a dense training sweep",
    "golden": "Golden model, PyTorch and chip",
    "sharing": "Convolutions on an engine that layers share, by its cycle model",
    "area": "What learning costs in area",
    "tables": "Tables of measurements, learnt out of the box, beside other learners",
    "seeds": "Placements by several seeds",
}
"""Of each part, in the order of the tables."""
VERDICTS = {None: "", True: "met", False: "missed"}
STYLES = {None: "", True: "green", False: "red"}


def number(value: float) -> str:
    """As many digits as one wants to read."""
    if value == int(value) or abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.4g}"


def cells(figure: Figure) -> tuple[str, ...]:
    """What stands in the `COLUMNS` of a figure's row."""
    limit = "" if figure.limit is None else number(figure.limit)
    share = "" if figure.share is None else f"{figure.share:.1%}"
    sign = "\u2264" if figure.fewer_is_better else "\u2265"
    goal = "" if figure.goal is None else f"{sign} {number(figure.goal)}"
    return number(figure.value), limit, share, goal, VERDICTS[figure.met]


def by_case(found: Iterable[Found]) -> dict[str, list[Found]]:
    """What belongs to each case, cases in the order in which they come."""
    cases: dict[str, list[Found]] = {}
    for item in found:
        cases.setdefault(item.case, []).append(item)
    return cases


def as_rich(parts: dict[str, list[Found]]) -> RenderableType:
    """One table for each part."""
    return Group(*(_table(part, parts[part]) for part in TITLES if part in parts))


def _table(part: str, found: list[Found]) -> Table:
    table = Table(title=TITLES[part], title_justify="left", title_style="bold", box=box.SIMPLE)
    table.add_column("")
    for name in COLUMNS:
        table.add_column(name, justify="right", no_wrap=True)
    for case, items in by_case(found).items():
        table.add_row(Text(case, style="bold"))
        for item in items:
            if isinstance(item, Skipped):
                table.add_row(Text(f"  skipped: {item.why}", style="yellow"))
            else:
                *middle, verdict = cells(item)
                table.add_row(_words(item), *middle, Text(verdict, style=STYLES[item.met]))
        table.add_section()
    return table


def _words(figure: Figure) -> str:
    return f"  {figure.what}, {figure.unit}" if figure.unit else f"  {figure.what}"


def as_markdown(parts: dict[str, list[Found]]) -> str:
    """The same for a page, with the notes."""
    return "\n".join(_markdown(part, parts[part]) for part in TITLES if part in parts)


def _markdown(part: str, found: list[Found]) -> str:
    head = f"| | {' | '.join(COLUMNS)} |"
    lines = [f"### {TITLES[part]}", "", head, "|---|" + "---:|" * len(COLUMNS)]
    empty = " |" * len(COLUMNS)
    for case, items in by_case(found).items():
        lines.append(f"| **{case}** |{empty}")
        for item in items:
            if isinstance(item, Skipped):
                lines.append(f"| skipped: {item.why} |{empty}")
            else:
                note = f" ({item.note})" if item.note else ""
                lines.append(f"| {_words(item).strip()}{note} | {' | '.join(cells(item))} |")
    return "\n".join([*lines, ""])
