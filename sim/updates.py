"""What was seen of a core's updates, put together sample by sample."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from golden_model.spec.formats import FullyConnected
from hdl.passes.sharing import EngineTable, Layout, Row
from hdl.passes.stages import Folding

Integers = NDArray[np.int64]
Clocks = Sequence[int] | Integers
"""When something happened: clocks, or anything else that grows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What a layer was changed by, for every sample; see :class:`sim.record.Record`.

    Members
    -------
    gradients, winners
        Shape ``[samples, outputs]``, of fully connected layers ``[samples, units]`` and
        ``[samples, 0]``; where no filter learns both are 0.
    """

    gradients: Integers
    winners: Integers


def of_own_engine(
    layer: FullyConnected, folding: Folding, taken: Clocks, updated: Clocks, handed: Clocks
) -> Change:
    """Of a layer with an engine of its own.

    Parameters
    ----------
    taken, updated
        When samples were taken, and when they left an update.
    handed
        d as handed over for each update, filter by filter, padding too.

    Raises
    ------
    AssertionError
        Unless each was handed over once.
    """
    padded = folding.groups(layer) * folding.pe
    assert len(handed) == padded * len(updated), "not every gradient was handed over once"
    gradients = np.zeros((len(taken), layer.units), np.int64)
    sample = np.searchsorted(taken, updated, side="right") - 1
    gradients[sample] = np.reshape(handed, (len(updated), padded))[:, : layer.units]
    return Change(gradients=gradients, winners=np.zeros((len(taken), 0), np.int64))


@dataclass(frozen=True, slots=True, kw_only=True)
class Entries:
    """Windows with a learner, as a shared engine's updates came to them.

    Members
    -------
    clocks, layers
        When, and of which layer of the engine, shape ``[n]``.
    groups, rows, columns
        Of filters, and of the block of 2 x 2 places, shape ``[n]``.
    gradients, places
        d of each filter of the group, 0 where it does not learn; and the place in the block that
        won, row above column. Shape ``[n, pe]``.
    """

    clocks: Integers
    layers: Integers
    groups: Integers
    rows: Integers
    columns: Integers
    gradients: Integers
    places: Integers


def entries_of(clocks: Clocks, seen: Sequence[Sequence[int]] | Integers, pe: int) -> Entries:
    """From rows of layer, group, row, column, all gradients, all places."""
    table = np.array(seen, np.int64).reshape(-1, 4 + 2 * pe)
    layers, groups, rows, columns = table[:, :4].T
    return Entries(
        clocks=np.array(clocks, np.int64),
        layers=layers,
        groups=groups,
        rows=rows,
        columns=columns,
        gradients=table[:, 4 : 4 + pe],
        places=table[:, 4 + pe :],
    )


def of_shared_engine(
    table: EngineTable, judged: Sequence[Clocks], updated: Sequence[Clocks], entries: Entries
) -> list[Change]:
    """Of each layer of an engine that layers share.

    Parameters
    ----------
    judged, updated
        Of each layer: when its samples were judged, in order, and which of them left an update.
    entries
        Of all updates; those of one come behind its judgement, and before the next one's.

    Raises
    ------
    AssertionError
        For a filter or a place that there is not, or one that learns twice.
    """
    changes = []
    for number, row in enumerate(table.rows):
        shape = len(judged[number]), row.format.windows, row.format.units
        gradients, winners = np.zeros(shape, np.int64), np.zeros(shape, np.int64)
        sample = np.searchsorted(judged[number], updated[number])
        ours = np.flatnonzero(entries.layers == number)
        update = np.searchsorted(updated[number], entries.clocks[ours]) - 1
        entry, lane = entries.gradients[ours].nonzero()
        window, unit, place = _places(row, entries, ours[entry], lane)
        where = sample[update[entry]], window, unit
        times = np.unique(np.stack(where), axis=1, return_counts=True)[1]
        assert times.max(initial=0) <= 1, f"{row.format.name}: a filter learns twice in a window"
        gradients[where] = entries.gradients[ours[entry], lane]
        winners[where] = place
        flat = gradients.reshape(shape[0], -1), winners.reshape(shape[0], -1)
        won = 0 if row.layout is Layout.FLAT else flat[1].shape[1]
        changes.append(Change(gradients=flat[0], winners=flat[1][:, :won]))
    return changes


def _places(
    row: Row, entries: Entries, entry: Integers, lane: Integers
) -> tuple[Integers, Integers, Integers]:
    """Window, filter and winning place of lanes of entries."""
    layer, pe = row.format, entries.gradients.shape[1]
    unit, place = entries.groups[entry] * pe + lane, entries.places[entry, lane]
    y, x = 2 * entries.rows[entry] + (place >> 1), 2 * entries.columns[entry] + (place & 1)
    rows, columns = layer.pooled_shape
    window_y, window_x = y // layer.pool, x // layer.pool
    assert (unit < layer.units).all(), f"{layer.name}: a filter learns that there is not"
    inside = (window_y < rows) & (window_x < columns)
    assert inside.all(), f"{layer.name}: a place won that is in no window"
    return window_y * columns + window_x, unit, y * layer.map_shape[1] + x
