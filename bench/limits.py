"""What cannot be passed, as plain arithmetic on the stages of the flow."""

from golden_model.spec.formats import FullyConnected
from hdl.passes.sharing import EngineTable, SharedFolding
from hdl.passes.stages import Folding, ScheduledNetwork

UPDATES_PER_MULTIPLIER = 0.5
"""Weight updates per multiplier and clock: one product forward, one for the update."""
BACKPROPAGATION = {"plain": 4, "fused": 3}
"""Weight words moved per weight and sample.

Plain: read forward, read backward, read and written for the update. Fused: the backward pass or the
next forward pass reads what the update writes. A convolution's weights are read, both ways, for
each of its windows.
"""


def slots(layer: FullyConnected, folding: Folding, update: bool) -> int:
    """Accesses that a dense sweep makes one after the other: the least clocks that it can take.

    Dual-port memory reads one word while it writes another. The port of single-port memory is
    there once for the read and, with an update to write back, once more for the write.
    """
    accesses = 2 if update and folding.single_port else 1
    return folding.weight_words(layer) * accesses


def shared_slots(table: EngineTable, folding: SharedFolding, update: bool) -> int:
    """The same of an engine that layers share: each window reads all words, updates change each."""
    accesses = (2 if folding.single_port else 1) if update else 0
    reads = sum(row.weight_words * row.windows for row in table.rows)
    return reads + accesses * table.weight_words


def dense_limit(schedule: ScheduledNetwork, update: bool) -> int:
    """Clocks per sample that the ports of the slowest layer's weight memory allow."""
    engines = [slots(layer, folding, update) for layer, folding in schedule.own]
    if schedule.engine is not None:
        engines.append(shared_slots(*schedule.engine, update))
    return max(engines)


def backpropagation(
    weights: list[int],
    kind: str,
    *,
    windows: list[int] | None = None,
    first_read_backward: bool = True,
) -> int:
    """Weights that backpropagation moves per sample.

    Parameters
    ----------
    weights
        Of each layer, the first one first.
    kind
        ``plain`` or ``fused``.
    windows
        How often a layer's weights are read for a sample, each way; those of a convolution once for
        each block of places that shares a read. All of them once if left out.
    first_read_backward
        Nobody needs the error of the inputs, so that the backward pass can leave out the first
        layer; False counts it so.
    """
    windows = windows or [1] * len(weights)
    reads = [count * times for count, times in zip(weights, windows, strict=True)]
    update = BACKPROPAGATION[kind] - 2
    moved = 2 * sum(reads) + update * sum(weights)
    return moved if first_read_backward else moved - reads[0]
