"""Clocks per sample of an engine that layers share, when samples follow each other for long."""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from golden_model.spec.formats import FullyConnected
from hdl.passes import sharing_estimate
from hdl.passes.cycles import network_timeline, steady_sample
from hdl.passes.sharing import EngineTable, Layout, Row, SharedFolding
from hdl.passes.sharing_cycles import LayerWork, SharedCycles
from hdl.passes.stages import Folding
from hdl.passes.update_work import update_groups

LEAST, MOST = 3, 12
"""Samples that are looked at."""
LONGEST = 150_000
"""Clocks per sample, as estimated, up to which the cycle model is asked, which takes a second."""


@lru_cache
def interval(table: EngineTable, folding: SharedFolding, training: bool) -> int:
    """Clocks per sample in the steady state, by the cycle model; of a larger network as estimated.

    No input is zero; if `training`, every sample leaves an update in every layer, every window
    learns and every weight moves.
    """
    estimate = sharing_estimate.interval(table, folding, training, expected=False)
    if estimate > LONGEST:
        return estimate
    work = [dense_work(row, folding, training) for row in table.rows]
    model = SharedCycles(table, folding, [work] * MOST)
    last = model.starts[-1]
    for count in range(LEAST, MOST + 1):
        while len(last) < count:
            model.clock(offered=True)
        if last[-1] - last[-2] == last[-2] - last[-3] and _in_step(model):
            break
    return last[-1] - last[-2]


def _in_step(model: SharedCycles) -> bool:
    """Whether the last sample is as far behind the one before in all layers."""
    count = len(model.starts[-1])
    return len({row[count - 1] - row[count - 2] for row in model.starts}) == 1


def behind_own(
    own: Sequence[tuple[FullyConnected, Folding]],
    table: EngineTable,
    folding: SharedFolding,
    training: bool,
) -> int:
    """The same of engines of single layers and, behind them, one that layers share."""
    layers, foldings = zip(*own, strict=True)
    count = MOST + 2 * len(own)
    work = [dense_work(row, folding, training) for row in table.rows]
    model = SharedCycles(table, folding, [work] * count)
    sample = [steady_sample(layer, own_folding, training) for layer, own_folding in own]
    network_timeline(layers, foldings, [sample] * count, model.accept)
    model.finish()
    last = model.starts[-1]
    return last[-1] - last[-2]


def dense_work(row: Row, folding: SharedFolding, training: bool) -> LayerWork:
    """Of a sample that has no zeros and, if `training`, moves all weights."""
    flat, layer = row.layout is Layout.FLAT, row.format
    x = np.ones((row.tap_pixels, row.tap_channels) if flat else layer.image, np.uint8)
    groups = []
    if training and folding.learns:
        learns = np.ones((layer.windows, layer.units), bool)
        groups = update_groups(row, folding, x, learns, np.ones((row.words, layer.units), bool))
    return LayerWork(inputs=x, updates=bool(groups), groups=groups)
