"""What is seen of a shared engine's updates becomes gradients and winners, sample by sample."""

import numpy as np
import pytest

from golden_model.data.dataset import load_data
from golden_model.spec.formats import infer_formats
from golden_model.spec.network import Conv, Dense, Learning, Network, Readout
from hdl.passes.sharing import EngineTable, SharedFolding, table
from sim.record import TracedGolden
from sim.updates import entries_of, of_shared_engine

SAMPLES = 12
FORMATS = infer_formats(
    Network(
        name="entries",
        inputs=(7, 6, 2),
        classes=3,
        layers=(Conv(filters=3, kernel=2, pool=1), Conv(filters=5, kernel=2), Dense(units=4)),
        learning=Learning(margin=400),
        readout=Readout(),
    )
)
FOLDING = SharedFolding(pe=2, weight_memory="any")
TABLE = table(FORMATS.layers, FOLDING)


@pytest.fixture(scope="module")
def golden():
    data = load_data("random", FORMATS.network)
    engine = TracedGolden(FORMATS)
    for number in range(SAMPLES):
        engine.send(data.x_train[number], int(data.y_train[number]) if number % 3 else None)
    return engine


def seen_of(number, gradients, winners):
    """When the layer's samples are judged, which update, and entries behind each, as an engine of
    one layer comes to them, a window at a time."""
    layer, pe = FORMATS.layers[number], FOLDING.pe
    judged = [1000 * sample for sample in range(SAMPLES)]
    updated = [judged[sample] for sample in np.flatnonzero(gradients.any(axis=1))]
    seen = {}
    for sample, output in np.argwhere(gradients):
        place = int(winners[sample, output]) if winners.size else 0
        y, x = divmod(place, layer.map_shape[1])
        (group, lane), inside = divmod(int(output) % layer.units, pe), 2 * (y % 2) + x % 2
        window = int(sample), group, y // 2, x // 2, inside if layer.pool == 1 else 0
        entry = seen.setdefault(window, np.zeros((2, pe), np.int64))
        entry[:, lane] = gradients[sample, output], inside
    rows = [[0, *key[1:4], *entry.ravel()] for key, entry in seen.items()]
    clocks = [judged[key[0]] + n + 1 for n, key in enumerate(seen)]
    return [judged], [updated], entries_of(clocks, rows, pe)


def shared_table(number):
    """An engine with only that layer."""
    return EngineTable(
        rows=TABLE.rows[number : number + 1], weight_words=0, page_depth=0, flag_depth=0,
        winners=0, groups=0, draws=0,
    )  # fmt: skip


@pytest.mark.parametrize("number", range(len(FORMATS.layers)))
def test_golden_updates_come_back(golden, number):
    gradients, winners = golden.gradients()[number], golden.winners()[number]
    seen = seen_of(number, gradients, winners)
    (change,) = of_shared_engine(shared_table(number), *seen)
    assert np.array_equal(change.gradients, gradients)
    assert change.winners.shape == winners.shape
    if winners.size:
        learns = gradients != 0
        assert np.array_equal(change.winners[learns], winners[learns])
    assert 0 < len(seen[1][0]) < SAMPLES


@pytest.mark.parametrize(
    ("number", "field", "value", "message"),
    [
        (0, "groups", 2, "filter learns that there is not"),
        (0, "rows", 3, "no window"),
        (1, "columns", 2, "no window"),
        (1, "rows", 0, "twice in a window"),
    ],
)
def test_what_cannot_be_is_told(golden, number, field, value, message):
    seen = seen_of(number, golden.gradients()[number], golden.winners()[number])
    getattr(seen[2], field)[:] = value
    with pytest.raises(AssertionError, match=message):
        of_shared_engine(shared_table(number), *seen)
