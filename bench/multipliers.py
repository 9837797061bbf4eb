"""Part ``multipliers``: weight updates per hard multiplier and clock in a dense training sweep."""

from collections.abc import Iterator

from bench.cases import DENSE, Case
from bench.figures import Figure, Found, Skipped
from bench.limits import UPDATES_PER_MULTIPLIER
from bench.observe import every_sample_learns
from bench.say import Say
from golden_model.spec.control import Activity
from hdl.passes.errors import DoesNotFit
from hdl.passes.estimate import layer_multipliers

GOAL = 0.48


def run(cases: list[Case], say: Say) -> Iterator[Found]:
    """The layer with most weights of each case that has multipliers."""
    for case in cases:
        if not case.board.budget.multiplier.count:
            yield Skipped(case=case.name, why="the FPGA has no multipliers")
            continue
        say(case.name)
        try:
            yield _case(case)
        except DoesNotFit as error:
            yield Skipped(case=case.name, why=str(error))


def _case(case: Case) -> Found:
    schedule = case.schedule(DENSE)
    if not schedule.own:
        return Skipped(case=case.name, why="all layers share an engine")
    layer, folding = max(schedule.own, key=lambda pair: pair[0].weight_count)
    blocks = layer_multipliers(layer, folding, case.board.budget.multiplier)
    if not blocks:
        return Skipped(case=case.name, why=f"{layer.name} uses no hard multiplier")
    found = every_sample_learns(schedule)
    # Every word has to pass the one port twice: no design can reach more than half of the limit.
    ports = ", whose memory has one port" if folding.single_port else ""
    updates = found.words(layer.index, Activity.WORDS_WRITTEN) * folding.lanes
    return Figure(
        case=case.name,
        what="updates per multiplier and clock",
        unit="",
        value=updates / (blocks * found.words(layer.index, Activity.BUSY)),
        limit=UPDATES_PER_MULTIPLIER,
        goal=GOAL,
        note=f"{layer.name}{ports}, {blocks} multipliers, {folding.lanes} weights per word",
    )
