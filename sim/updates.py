"""What was seen of a core's updates, put together sample by sample."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from golden_model.spec.formats import FullyConnected
from hdl.passes.sharing import Layout, Row

Integers = NDArray[np.int64]


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Entries:
    """Windows with a learner as a shared engine's updates of one layer came to them.

    Members
    -------
    update
        Which of the layer's updates, shape ``[n]``.
    group, row, column
        Of filters, and of the block of 2 x 2 places, shape ``[n]``.
    gradients, places
        d of each filter of the group, 0 where it does not learn; and the place in the block that
        won, row above column. Shape ``[n, pe]``.
    """

    update: Integers
    group: Integers
    row: Integers
    column: Integers
    gradients: Integers
    places: Integers

    @classmethod
    def of(cls, update: Integers, columns: Integers) -> Self:
        """From one row an entry: group, row, column, all gradients, all places."""
        gradients, places = np.hsplit(columns[:, 3:], 2)
        return cls(
            update=update,
            group=columns[:, 0],
            row=columns[:, 1],
            column=columns[:, 2],
            gradients=gradients,
            places=places,
        )


def from_gradients(
    layer: FullyConnected, samples: int, updated: Integers, handed: Integers
) -> Change:
    """Of a layer with an engine of its own.

    Parameters
    ----------
    samples
        That the layer took.
    updated
        Number of the sample of each update.
    handed
        d as handed over for each of them, shape ``[updates, units]`` or more, the rest padding.
    """
    gradients = np.zeros((samples, layer.units), np.int64)
    gradients[updated] = handed[:, : layer.units]
    return Change(gradients=gradients, winners=np.zeros((samples, 0), np.int64))


def from_entries(row: Row, samples: int, updated: Integers, entries: Entries) -> Change:
    """Of a layer of a shared engine.

    Raises
    ------
    AssertionError
        For a filter or a place that there is not, or one that learns twice.
    """
    layer = row.format
    shape = samples, layer.windows, layer.units
    gradients, winners = np.zeros(shape, np.int64), np.zeros(shape, np.int64)
    entry, lane = entries.gradients.nonzero()
    unit = entries.group[entry] * entries.gradients.shape[1] + lane
    place = entries.places[entry, lane]
    y, x = 2 * entries.row[entry] + (place >> 1), 2 * entries.column[entry] + (place & 1)
    (map_rows, map_columns), (rows, columns) = layer.map_shape, layer.pooled_shape
    pooled_y, pooled_x = y // layer.pool, x // layer.pool
    assert (unit < layer.units).all(), f"{layer.name}: a filter learns that there is not"
    assert (y < map_rows).all(), f"{layer.name}: a place won that there is not"
    assert (x < map_columns).all(), f"{layer.name}: a place won that there is not"
    assert ((pooled_y < rows) & (pooled_x < columns)).all(), f"{layer.name}: an odd edge won"
    sample = updated[entries.update[entry]]
    where = sample, pooled_y * columns + pooled_x, unit
    assert not np.unique(np.stack(where), axis=1, return_counts=True)[1].max(initial=0) > 1, (
        f"{layer.name}: a filter learns twice in a window"
    )
    gradients[where], winners[where] = entries.gradients[entry, lane], y * map_columns + x
    won = 0 if row.layout is Layout.FLAT else layer.outputs
    outputs = layer.windows * layer.units
    return Change(
        gradients=gradients.reshape(samples, outputs),
        winners=winners.reshape(samples, outputs)[:, :won],
    )
