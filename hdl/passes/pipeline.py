"""The flow, as a list one can read: folding -> memory map -> schedule."""

import json
from dataclasses import asdict
from pathlib import Path

from boards.budget import Budget
from golden_model.spec.formats import FormattedNetwork
from hdl.passes.folding import fold
from hdl.passes.memory_map import map_memories
from hdl.passes.options import Options
from hdl.passes.schedule import schedule
from hdl.passes.stages import FoldedNetwork, MappedNetwork, ScheduledNetwork

Stage = FormattedNetwork | FoldedNetwork | MappedNetwork | ScheduledNetwork


def run(
    formats: FormattedNetwork,
    budget: Budget,
    options: Options | None = None,
    folder: Path | None = None,
) -> ScheduledNetwork:
    """Send a network through all passes.

    Parameters
    ----------
    formats, budget, options
        The network, what the board has, and what the user decided.
    folder
        Where each stage is written as numbered JSON, as soon as its pass is through.

    Raises
    ------
    DoesNotFit
        If the board has too little of something.
    SpecError
        If an option breaks a rule.
    """
    write_stage(folder, 0, "formats", formats)
    folded = fold(formats, budget, options or Options())
    write_stage(folder, 1, "folding", folded)
    mapped = map_memories(folded, budget)
    write_stage(folder, 2, "memory_map", mapped)
    scheduled = schedule(mapped)
    write_stage(folder, 3, "schedule", scheduled)
    return scheduled


def write_stage(folder: Path | None, number: int, name: str, stage: Stage) -> None:
    """Write a stage as ``<number>_<name>.json``, if there is a folder."""
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        text = json.dumps(asdict(stage), indent=2, sort_keys=True)
        (folder / f"{number}_{name}.json").write_text(text + "\n", encoding="utf-8")
