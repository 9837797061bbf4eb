"""Words moved in and out of a shared engine's buffers, by what its cycle models visit.

Of a layer, for a sample (`taps`: those that the sweep visits, in all windows and groups):

=============  ====================================================================================
pages          read by the sweep for each tap, and by the update for each of its visits; written
               with each input of the network, and with activations, `heads` of them at a time
flags          read for 8 taps at a time by both, where zeros are skipped
winners        written for each window of a group with something to learn; read for every 8 taps
regions        read and written for each window, `heads` filters at a time; read for the scores
classifiers    read for each filter and region, for scores and again for gradients
gradients      written for each region of a group; read for each visit
steps          written for each visit; read for each but the first one of a tap; read at the end
=============  ====================================================================================

Backpropagation on the same engine does what they say of pages, flags, winners and steps. It has no
classifiers, and so no regions. Gradients are written for each window; for the error of what a layer
was fed (not of the network's inputs) they are read once more for each tap, and that error, as wide
as a gradient, is written and read, `heads` at a time.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from golden_model.spec.formats import ACTIVATION_BITS, ACTIVATION_MAX
from hdl.passes.sharing import FLAGS, EngineTable, Row, SharedFolding
from hdl.passes.sharing_cycles import LayerWork, SampleWork
from hdl.passes.sharing_memories import NAME
from hdl.passes.sharing_steady import dense_work
from hdl.passes.sharing_sweep import blocks_of
from hdl.passes.stages import ScheduledNetwork
from hdl.passes.update_cycles import Block

Words = Counter[str]
"""How many of each buffer."""


def local(table: EngineTable, folding: SharedFolding, samples: Sequence[SampleWork]) -> Words:
    """What learning by local errors moves for these samples."""
    found = Words()
    for row, work, entries in _layers(table, folding, samples):
        found += _of_both(row, folding, work, entries)
        if row.scored:
            each, beats = row.format.regions * folding.pe, folding.pe // folding.heads
            found["regions"] += row.groups * beats * (2 * row.windows + row.format.regions)
            found["classifiers"] += row.groups * each + _groups_learning(work) * each
        found["gradients"] += _groups_learning(work) * row.format.regions
    return found


def chained(table: EngineTable, folding: SharedFolding, samples: Sequence[SampleWork]) -> Words:
    """What backpropagation would, if it skipped the same zeros and left the same updates."""
    found = Words()
    for row, work, entries in _layers(table, folding, samples):
        found += _of_both(row, folding, work, entries)
        if work.groups:
            found["gradients"] += entries
            if row is not table.rows[0]:
                found["errors"] += 2 * -(-row.format.input_size // folding.heads)
    found["gradients"] += backward(table, folding, samples)
    return found


def backward(table: EngineTable, folding: SharedFolding, samples: Sequence[SampleWork]) -> int:
    """Weight words that it would read for errors of all layers but the first, zeros skipped."""
    above = (
        (row, work) for sample in samples for row, work in zip(table.rows, sample, strict=True)
    )
    return sum(
        _taps(row, folding, work)[0] for row, work in above if work.groups and row.format.index
    )


def chained_dense(table: EngineTable, folding: SharedFolding) -> Words:
    """What it would for a sample without zeros."""
    plain = replace(folding, skip_zeros=False)
    return chained(table, plain, [[dense_work(row, plain, True) for row in table.rows]])


def bits(schedule: ScheduledNetwork) -> dict[str, int]:
    """Of a word of each buffer."""
    assert schedule.shared is not None
    folding = schedule.shared
    widths = {memory.name.removeprefix(f"{NAME}."): memory.width for memory in schedule.memories}
    return {
        "pages read": ACTIVATION_BITS * folding.places,
        "pages written": ACTIVATION_BITS * folding.heads,
        "flags": FLAGS,
        "winners": widths["winners"],
        "regions": widths["sums"],
        "classifiers": widths.get("classifier.scores", 0),
        "gradients": widths["gradients"],
        "errors": widths["gradients"] // folding.pe * folding.heads,
        "steps": widths["steps"],
    }


def _layers(
    table: EngineTable, folding: SharedFolding, samples: Sequence[SampleWork]
) -> Iterator[tuple[Row, LayerWork, int]]:
    """Each layer of each sample, and the windows of a group in which a filter may learn."""
    for sample in samples:
        for index, (row, work) in enumerate(zip(table.rows, sample, strict=True)):
            if index == len(table.rows) - 1:
                yield row, work, row.groups
                continue
            # What the next layer is fed is what this one has come to.
            h = sample[index + 1].inputs.astype(np.int64).reshape(-1, row.format.units)
            learns = (h > 0) & ((h < ACTIVATION_MAX) | row.format.saturated_learns)
            starts = range(0, row.format.units, folding.pe)
            groups = [learns[:, start : start + folding.pe].any(axis=1) for start in starts]
            yield row, work, int(np.sum(groups))


def _of_both(row: Row, folding: SharedFolding, work: LayerWork, entries: int) -> Words:
    """What any rule moves that accumulates, pools and updates on this engine."""
    taps, looks = _taps(row, folding, work)
    found = Words({"pages read": taps, "winners": entries})
    fed = row.format.input_size
    found["pages written"] += fed if row.format.index == 0 else -(-fed // folding.heads)
    flags = looks
    for group in work.groups:
        for block in group:
            visits, looked = _visits(block, folding.taps_of(row))
            found["winners"] += len(block.entries)
            found["gradients"] += visits
            # Written at each visit; read at each but a tap's first one, and once more at the end.
            found["steps"] += 2 * visits
            if not block.bias:
                found["pages read"] += visits
                flags += looked
    if folding.skip_zeros:
        found["flags"] += flags
    return found


def _taps(row: Row, folding: SharedFolding, work: LayerWork) -> tuple[int, int]:
    """Weights of all windows and groups but the biases, and words of flags that tell which."""
    blocks = blocks_of(row, work.inputs, skip_zeros=folding.skip_zeros)
    taps = sum(len(block) for window in blocks for block in window)
    return row.groups * taps, row.groups * sum(map(len, blocks))


def _visits(block: Block, taps: int) -> tuple[int, int]:
    """Of a block of taps: visits, so many taps at a time, and words of flags looked at."""
    looks = [look for entry in block.entries for look in entry]
    return sum(
        len({slot // (1 if block.bias else taps) for slot in look.slots}) for look in looks
    ), len(looks)


def _groups_learning(work: LayerWork) -> int:
    return sum(bool(group) for group in work.groups)


def kilobytes(words: Words, widths: dict[str, int]) -> float:
    """All words together."""
    return sum(widths[name] * count for name, count in words.items()) / 8000
