"""What a build achieved, beside what the flow estimated."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, astuple, dataclass, fields
from pathlib import Path

from rich.table import Table

from boards.budget import Budget
from boards.parts import CELLS
from golden_model.spec.errors import SpecError
from hdl.passes.estimate import (
    chip_cells,
    layer_multipliers,
    shared_cells,
    shared_multipliers,
)
from hdl.passes.stages import ScheduledNetwork
from hdl.timing import Timing
from hdl.toolchain import Use


def estimate(schedule: ScheduledNetwork, budget: Budget) -> dict[str, int]:
    """What the flow expects the design to take of each kind in `budget`."""
    layers = [layer for layer, _ in schedule.own]
    engine, memories = schedule.engine, schedule.memories
    shared = 0 if engine is None else shared_cells(*engine, memories)
    expected = {CELLS: chip_cells(layers, schedule.foldings, budget, shared)}
    for kind in budget.memories:
        blocks = (memory.blocks for memory in schedule.memories if memory.kind == kind.name)
        expected[kind.name] = sum(blocks)
    block = budget.multiplier
    if block.count:
        expected[block.name] = sum(layer_multipliers(*pair, block) for pair in schedule.own)
        if engine is not None:
            expected[block.name] += shared_multipliers(*engine, block)
    return expected


def engines(schedule: ScheduledNetwork) -> list[str]:
    """A line on the engine that layers share, if there is one."""
    if schedule.shared is None:
        return []
    pe, lanes = schedule.shared.pe, schedule.shared.lanes
    names = [layer.name for layer in schedule.sharing]
    which = f"{' and '.join([', '.join(names[:-1]), names[-1]])}" if names[1:] else names[0]
    count = len(schedule.all_foldings)
    most = f"{count} engines" if count > 1 else "one engine"
    filters = f"{pe} filter" + "s" * (pe > 1)
    return [f"{most}: {which} take turns on one, {filters} and {lanes} sums at a time"]


def read_report(file: Path) -> "Report":
    """The report that a build has left, see :meth:`Report.as_json`.

    Raises
    ------
    SpecError
        If it cannot be read, is damaged, or lacks what a report of today says.
    """
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        members = {field.name: content[field.name] for field in fields(Report)}
        used = {kind: Use(**use) for kind, use in members.pop("utilization").items()}
        timing = Timing(**members.pop("timing"))
        # What is compared is calculated with.
        if not all(type(n) is int and n >= 0 for use in used.values() for n in astuple(use)):
            raise ValueError("a use is a count")
    except (OSError, ValueError, TypeError, LookupError, AttributeError, RecursionError) as error:
        rule = "it is no report of this version"
        raise SpecError(f"file {str(file)!r}", rule, "Build anew what it is of") from error
    return Report(**members, utilization=used, timing=timing)


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Result of one build; `report.json` holds it as `as_json` writes it.

    Members
    -------
    board, device, network, classifier, seed
        What was built; the seed is the placement's.
    engines
        Which layers share an engine: a line, or none if each layer has its own.
    design
        Names the network's description and all that the user decided but whether it learns.
    clock_mhz, usual_mhz
        What the design runs at, and what the board's designs usually do: more where this one has
        missed that clock.
    timing
        How fast it may run, and by which tool.
    utilization
        By kind of resource, in the words of the board's budget.
    estimate
        By kind, before synthesis; a kind that the flow does not estimate is missing.
    cycles_per_sample
        Clocks from one sample to the next, for ``inference`` and ``training``; if zeros are
        skipped, for samples that have none.
    skips_zeros, learns
        Whether some layer leaves out zeros; whether the network learns.
    """

    board: str
    device: str
    network: str
    classifier: str
    engines: Sequence[str]
    seed: int
    design: str
    clock_mhz: float
    usual_mhz: float
    timing: Timing
    utilization: Mapping[str, Use]
    estimate: Mapping[str, int]
    cycles_per_sample: Mapping[str, int]
    skips_zeros: bool
    learns: bool

    @property
    def fmax_mhz(self) -> float:
        """What the design may run at, by the most careful figure."""
        return self.timing.fmax_mhz

    @property
    def timing_met(self) -> bool:
        """Whether the design is as fast as its clock."""
        return self.fmax_mhz >= self.clock_mhz

    @property
    def clock_notes(self) -> list[str]:
        """Where the clock's figure comes from, and first of all whether it is not the usual one."""
        slower = f"built for {self.clock_mhz:.1f} MHz: the board's {self.usual_mhz:.1f} were missed"
        return [slower] * (self.clock_mhz < self.usual_mhz) + self.timing.notes

    @property
    def samples_per_second(self) -> dict[str, int]:
        """What the clock makes of the cycles; the serial line may be slower."""
        hertz = self.clock_mhz * 1e6
        return {kind: int(hertz / cycles) for kind, cycles in self.cycles_per_sample.items()}

    def as_json(self) -> str:
        """All members, what follows from them, and estimate and result side by side."""
        return json.dumps(
            {
                **asdict(self),
                "fmax_mhz": self.fmax_mhz,
                "timing_met": self.timing_met,
                "samples_per_second": self.samples_per_second,
                "estimate_and_result": {
                    kind: {"estimate": self.estimate.get(kind), "result": use.used}
                    for kind, use in self.utilization.items()
                },
            },
            indent=2,
        )

    def _rows(self) -> list[tuple[str, str, str, str]]:
        """Cells of the table: what, estimate, result, available or required."""
        rows = [
            (kind, str(self.estimate.get(kind, "-")), str(use.used), str(use.available))
            for kind, use in self.utilization.items()
        ]
        clock = ("clock, MHz", "-", f"{self.fmax_mhz:.1f}", f"{self.clock_mhz:.1f} required")
        return [*rows, clock]

    @property
    def throughput(self) -> list[str]:
        """A line for inference and one for training."""
        per_second, (most, least) = self.samples_per_second, ("", "")
        if self.skips_zeros:
            most, least = "at most ", "at least "
        return [
            f"{kind}: {most}{cycles} cycles per sample, {least}{per_second[kind]} samples a second"
            for kind, cycles in self.cycles_per_sample.items()
        ]

    def against(self, inference_only: "Report") -> str:
        """What learning costs: each kind of resource beside that of a build that only infers.

        Raises
        ------
        SpecError
            If that is another design, on another board, or learns too.
        """
        same = (self.board, self.design) == (inference_only.board, inference_only.design)
        if inference_only.learns or not same:
            rule = f"it is not {self.network} on {self.board} with the same options but learning"
            remedy = "Build that with --inference-only"
            raise SpecError(inference_only.title, rule, remedy)
        pairs = (
            (kind, use.used, inference_only.utilization[kind].used)
            for kind, use in self.utilization.items()
            if kind in inference_only.utilization
        )
        costs = [
            f"{kind} {used} instead of {less}" + (f" ({used / less - 1:+.0%})" if less else "")
            for kind, used, less in pairs
        ]
        return f"learning costs: {', '.join(costs)}"

    @property
    def title(self) -> str:
        """One line that says what was built."""
        kind = f"classifier in {self.classifier}" + ("" if self.learns else ", inference only")
        return f"{self.network} on {self.board} ({self.device}), {kind}"

    def as_markdown(self) -> str:
        """A page with the same figures."""
        header = ("", "estimate", "result", "available")
        rows = [header, ("---", "---:", "---:", "---:"), *self._rows()]
        table = [f"| {' | '.join(row)} |" for row in rows]
        verdict = "Timing is met." if self.timing_met else "Timing is missed."
        points = [f"- {line}" for line in (*self.engines, *self.throughput, *self.clock_notes)]
        lines = [f"# {self.title}", "", *table, "", verdict, f"Placement seed {self.seed}.", ""]
        return "\n".join([*lines, *points, ""])

    def as_table(self) -> Table:
        """The same figures for a terminal."""
        table = Table()
        table.add_column("")
        for name in ("estimate", "result", "available"):
            table.add_column(name, justify="right")
        for row in self._rows():
            table.add_row(*row)
        return table
