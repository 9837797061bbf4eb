"""What is seen of a shared engine's updates becomes gradients and winners, sample by sample."""

import numpy as np
import pytest

from golden_model.data.dataset import load_data
from golden_model.spec.formats import infer_formats
from golden_model.spec.network import Conv, Dense, Learning, Network, Readout
from hdl.passes.sharing import SharedFolding, table
from sim.record import TracedGolden
from sim.updates import Entries, from_entries

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
ROWS = table(FORMATS.layers, FOLDING).rows


@pytest.fixture(scope="module")
def golden():
    data = load_data("random", FORMATS.network)
    engine = TracedGolden(FORMATS)
    for number in range(SAMPLES):
        engine.send(data.x_train[number], int(data.y_train[number]) if number % 3 else None)
    return engine


def entries_of(row, gradients, winners):
    """As an engine comes to them, a window at a time; and the samples that updated."""
    layer, pe = row.format, FOLDING.pe
    updated = np.flatnonzero(gradients.any(axis=1))
    seen = {}
    for update, sample in enumerate(updated):
        for output in np.flatnonzero(gradients[sample]):
            place = int(winners[sample, output]) if winners.size else 0
            y, x = divmod(place, layer.map_shape[1])
            (group, lane), inside = divmod(int(output) % layer.units, pe), 2 * (y % 2) + x % 2
            window = update, group, y // 2, x // 2, inside if layer.pool == 1 else 0
            entry = seen.setdefault(window, np.zeros((2, pe), np.int64))
            entry[:, lane] = gradients[sample, output], inside
    columns = [[*key[1:4], *entry.ravel()] for key, entry in seen.items()]
    return updated, Entries.of(np.array([*seen])[:, 0], np.array(columns))


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.format.name)
def test_golden_updates_come_back(golden, row):
    number = row.format.index
    gradients, winners = golden.gradients()[number], golden.winners()[number]
    updated, entries = entries_of(row, gradients, winners)
    change = from_entries(row, SAMPLES, updated, entries)
    assert np.array_equal(change.gradients, gradients)
    assert change.winners.shape == winners.shape
    learns = np.broadcast_to(gradients != 0, winners.shape) if winners.size else winners != 0
    assert np.array_equal(change.winners[learns], winners[learns])
    assert 0 < len(updated) < SAMPLES


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [("group", 2, "filter learns"), ("row", 3, "place won"), ("column", 2, "place won")],
)
def test_what_there_is_not_is_told(golden, field, value, message):
    row = ROWS[0]
    updated, entries = entries_of(row, golden.gradients()[0], golden.winners()[0])
    getattr(entries, field)[:] = value
    with pytest.raises(AssertionError, match=message):
        from_entries(row, SAMPLES, updated, entries)


def test_a_window_that_comes_twice_is_told(golden):
    row = ROWS[1]
    updated, entries = entries_of(row, golden.gradients()[1], golden.winners()[1])
    entries.row[:], entries.column[:] = 0, 0
    with pytest.raises(AssertionError, match="twice in a window"):
        from_entries(row, SAMPLES, updated, entries)
