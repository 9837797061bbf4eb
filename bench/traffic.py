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
            yield from moved(case, dense, every_sample_learns(dense), "all learn", once=1.0)
            say(f"{case.name}, zeros skipped")
            schedule = case.schedule()
            found, _ = on_data(case, schedule, SAMPLES)
            yield from moved(case, schedule, found, f"{SAMPLES} of {case.data}")
        except (DoesNotFit, SpecError) as error:
            yield Skipped(case=case.name, why=str(error))


def moved(
    case: Case, schedule: ScheduledNetwork, found: Observation, note: str, once: float | None = None
) -> Iterator[Figure]:
    """Weights read and written per weight, and both against backpropagation.

    `once` is the limit of either where no zeros are skipped.
    """
    weights = [layer.weight_count for layer in schedule.formats.layers]
    both = 0.0
    for word, activity in MOVES.items():
        layers = range(len(weights))
        count = sum(found.words(index, activity) * schedule.word_weights(index) for index in layers)
        both += count
        yield Figure(case=case.name, what=f"each weight {word}, {note}", unit="times",
                     value=count / sum(weights), limit=once, goal=once and 1.02 * once,
                     fewer_is_better=True)  # fmt: skip
    strict = backpropagation(weights, "fused", first_read_backward=False)
    for kind, moves in {
        "plain": backpropagation(weights, "plain"),
        "fused": backpropagation(weights, "fused"),
        "fused, first layer not read backward": strict,
    }.items():
        yield Figure(case=case.name, what=f"moved / backpropagation, {kind}", unit="",
                     value=both / moves, fewer_is_better=True, note=note)  # fmt: skip
