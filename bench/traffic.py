"""Part ``traffic``: words moved per sample against backpropagation on the same network.

Weights are counted by the RTL; of engines that layers share by their cycle model, which gives what
the counters do, on images behind an epoch. Buffers are counted by :mod:`bench.buffers`.
"""

from collections.abc import Iterator

import numpy as np

from bench import buffers
from bench.cases import DENSE, Case
from bench.figures import Figure, Found, Skipped
from bench.limits import backpropagation
from bench.observe import Observation, dataset, epoch_of, every_sample_learns, on_data
from bench.say import Say
from bench.sharing import golden_after_an_epoch, work_of
from golden_model.spec.control import Activity
from golden_model.spec.errors import SpecError
from hdl.passes.errors import DoesNotFit
from hdl.passes.sharing_cycles import READ, WRITTEN, SampleWork, SharedCycles
from hdl.passes.stages import ScheduledNetwork

SAMPLES, IMAGES = 500, 40
"""Through the RTL, and through the cycle model."""
MOVES = {"read": Activity.WORDS_READ, "written": Activity.WORDS_WRITTEN}


def run(cases: list[Case], say: Say) -> Iterator[Found]:
    """All cases, one after the other."""
    for case in cases:
        try:
            schedule = case.schedule()
            if schedule.engine is not None:
                yield from _shared(case, schedule, say)
                continue
            say(f"{case.name}, every sample learns")
            dense = case.schedule(DENSE)
            yield from moved(case, dense, every_sample_learns(dense), "all learn", once=1.0)
            say(f"{case.name}, zeros skipped")
            found, _ = on_data(case, schedule, SAMPLES)
            yield from moved(case, schedule, found, f"{SAMPLES} of {case.data}")
        except (DoesNotFit, SpecError) as error:
            yield Skipped(case=case.name, why=str(error))


def _shared(case: Case, schedule: ScheduledNetwork, say: Say) -> Iterator[Found]:
    engine = schedule.only_engine
    if engine is None:
        yield Skipped(case=case.name, why="its layers do not all share one engine")
        return
    say(f"{case.name}, an epoch of the golden model, then {IMAGES} images")
    data = dataset(case.network, case.data)
    learner = golden_after_an_epoch(case, data)
    x, labels = epoch_of(case, data, epoch=1)
    work = work_of(schedule, learner, x[:IMAGES], labels[:IMAGES].tolist())
    model = SharedCycles(*engine, work)
    model.run()
    if engine[1].update_port:
        # Not counted there: each of them is written, too.
        for layer in model.counts:
            layer[READ] += layer[WRITTEN]
    counts = Observation(clocks=model.now / IMAGES, activity=np.array(model.counts) / IMAGES)
    note = f"{IMAGES} images of {case.data}"
    yield from moved(case, schedule, counts, note)
    # Backpropagation reads the same words forward, those of the upper layers again, and updates.
    ours = sum(counts[READ] + counts[WRITTEN] for counts in model.counts)
    theirs = ours + buffers.backward(*engine, work)
    yield Figure(case=case.name, what="moved / backpropagation, zeros skipped alike", unit="",
                 value=ours / theirs, fewer_is_better=True, note=note)  # fmt: skip
    yield from buffered(case, schedule, work, note)


def buffered(
    case: Case, schedule: ScheduledNetwork, work: list[SampleWork], note: str
) -> Iterator[Figure]:
    """Words of each buffer per sample, all their bytes, and these against backpropagation's."""
    assert schedule.engine is not None
    found, widths = buffers.local(*schedule.engine, work), buffers.bits(schedule)
    for name, words in found.items():
        yield Figure(case=case.name, what=f"{name}, words of {widths[name]} bits", unit="words",
                     value=words / len(work), fewer_is_better=True, note=note)  # fmt: skip
    total = buffers.kilobytes(found, widths) / len(work)
    yield Figure(case=case.name, what="all buffers", unit="kB", value=total,
                 fewer_is_better=True, note=note)  # fmt: skip
    dense = buffers.chained_dense(*schedule.engine)
    alike = buffers.chained(*schedule.engine, work)
    for kind, moves in (
        ("dense", buffers.kilobytes(dense, widths)),
        ("zeros skipped alike", buffers.kilobytes(alike, widths) / len(work)),
    ):
        yield Figure(case=case.name, what=f"buffers / backpropagation, {kind}", unit="",
                     value=total / moves, fewer_is_better=True, note=note)  # fmt: skip


def moved(
    case: Case, schedule: ScheduledNetwork, found: Observation, note: str, once: float | None = None
) -> Iterator[Figure]:
    """Weights read and written per weight, and both against backpropagation.

    `once` is the limit of either where no zeros are skipped.
    """
    weights = [layer.weight_count for layer in schedule.formats.layers]
    rows = schedule.table.rows if schedule.table else ()
    windows = [1] * len(schedule.own) + [row.windows for row in rows]
    both = 0.0
    for word, activity in MOVES.items():
        layers = range(len(weights))
        count = sum(found.words(index, activity) * schedule.word_weights(index) for index in layers)
        both += count
        yield Figure(case=case.name, what=f"each weight {word}, {note}", unit="times",
                     value=count / sum(weights), limit=once, goal=once and 1.02 * once,
                     fewer_is_better=True)  # fmt: skip
    strict = backpropagation(weights, "fused", windows=windows, first_read_backward=False)
    for kind, moves in {
        "plain": backpropagation(weights, "plain", windows=windows),
        "fused": backpropagation(weights, "fused", windows=windows),
        "fused, first layer not read backward": strict,
    }.items():
        yield Figure(case=case.name, what=f"moved / backpropagation, {kind}", unit="",
                     value=both / moves, fewer_is_better=True, note=note)  # fmt: skip
