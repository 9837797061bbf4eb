"""Part ``traffic``: weights moved per sample, counted by the RTL, against backpropagation."""

from collections.abc import Iterator

from bench.cases import DENSE, Case
from bench.figures import Figure, Found, Skipped
from bench.limits import backpropagation
from bench.observe import Observation, every_sample_learns, on_data
from bench.say import Say
from golden_model.spec.control import Activity
from golden_model.spec.errors import SpecError
from hdl.passes.errors import DoesNotFit
from hdl.passes.stages import ScheduledNetwork

SAMPLES = 500
MOVES = {"read": Activity.WORDS_READ, "written": Activity.WORDS_WRITTEN}


def run(cases: list[Case], say: Say) -> Iterator[Found]:
    """All cases, one after the other."""
    for case in cases:
        try:
            say(f"{case.name}, every sample learns")
            dense = case.schedule(DENSE)
            yield from moved(case, dense, every_sample_learns(dense), "every sample learns")
            say(f"{case.name}, zeros skipped")
            schedule = case.schedule()
            found, _ = on_data(case, schedule, SAMPLES)
            yield from moved(case, schedule, found, f"{SAMPLES} samples of {case.data}")
        except (DoesNotFit, SpecError) as error:
            yield Skipped(case=case.name, why=str(error))


def moved(case: Case, schedule: ScheduledNetwork, found: Observation, note: str) -> Iterator[Found]:
    """Weights read and written per weight, and both against backpropagation."""
    layers, foldings = schedule.formats.layers, schedule.foldings
    weights = [layer.weight_count for layer in layers]
    both = 0.0
    for word, activity in MOVES.items():
        pairs = enumerate(foldings)
        count = sum(found.words(index, activity) * folding.lanes for index, folding in pairs)
        both += count
        yield Figure(case=case.name, what=f"each weight {word}, {note}", unit="times",
                     value=count / sum(weights), limit=1.0, goal=1.02, fewer_is_better=True,
                     note=note)  # fmt: skip
    for kind in ("plain", "fused"):
        yield Figure(case=case.name, what=f"moved / backpropagation, {kind}", unit="",
                     value=both / backpropagation(weights, kind), fewer_is_better=True,
                     note=note)  # fmt: skip
    strict = backpropagation(weights, "fused", first_read_backward=False)
    yield Figure(case=case.name, what="  its first layer not read backward", unit="",
                 value=both / strict, fewer_is_better=True, note=note)  # fmt: skip
