"""How long an engine that layers share is expected to take; folding chooses by it.

``F(L)``, the sweep of a layer: for each group and window a clock for each tap that is visited and
one for the bias, or what the head needs for the window if that is more. ``U(L)``, its update: for
each group a clock for each tap, or two of them, that is visited in a window with something to
learn. A word that an update changes takes an access of the weight memory from the sweep, two if it
has one port, none if the update has one of its own. Both machines work at once, but a group's sweep
waits for its update.
"""

from hdl.passes.sharing import EngineTable, Layout, Row, SharedFolding

LAYER_CLOCKS = 15
"""From the last word of a layer to the first one of the next."""
BLOCK_CLOCKS = 2
"""Of an update, for each entry of winners: to look at it, and at its zero flags."""
WORD_CLOCKS = 2
"""Accesses of a word that an update changes, where the memory makes one a clock."""
FIRST_VISITED, CONV_VISITED = {Layout.PACKED: 0.51, Layout.PIXELS: 0.61}, 0.37
"""Shares of (tap, block of 2 x 2 places) that are not all zero: of images, and of activations of
convolutions below; means of MNIST and Fashion-MNIST (PACKED) and CIFAR-10, as measured."""
INK, ACTIVE = 0.2, 0.5
"""Shares of single inputs that are not zero: of images of MNIST, and of activations."""
LEARNS = 0.19
"""Share of a filter's windows with something to learn, of samples that leave an update."""
ALIKE = 0.75
"""Filters learn in the same windows: so many of them count as ``filters ** ALIKE``."""
FIRST_UPDATES, UPDATES = 0.86, 0.46
"""Shares of samples that leave an update, in a network's first layer and above, as measured."""


def interval(
    table: EngineTable, folding: SharedFolding, training: bool, *, expected: bool = True
) -> int:
    """Clocks per sample in the steady state.

    Parameters
    ----------
    training
        Samples are learnt.
    expected
        Inputs are zero, and samples leave updates, as often as was measured; else no input is zero,
        every window learns, and every sample leaves an update in every layer.
    """
    sweeps = sum(sweep_clocks(row, folding, expected) for row in table.rows)
    if not training:
        return sweeps
    due = [_share(expected, FIRST_UPDATES if _first(row) else UPDATES) for row in table.rows]
    updates = [update_clocks(row, folding, expected) for row in table.rows]
    changed = sum(
        share * row.groups * (visited_taps(row, folding, expected) + 1)
        for share, row in zip(due, table.rows, strict=True)
    )
    accesses = 0 if folding.update_port else WORD_CLOCKS if folding.single_port else 1
    machine = sum(share * update for share, update in zip(due, updates, strict=True))
    if folding.page_copies == 1:
        # Where the sweep reads inputs in every clock the update waits for its end.
        return round(sweeps + accesses * changed + machine)
    # A layer's first group waits for its update, if there is one, where no other layer's sweep
    # hides it.
    late = max(
        share * max(0.0, update / row.groups - (sweeps - sweep_clocks(row, folding, expected)))
        for share, update, row in zip(due, updates, table.rows, strict=True)
    )
    return round(max(sweeps + accesses * changed + late, machine))


def sweep_clocks(row: Row, folding: SharedFolding, expected: bool) -> int:
    """Clocks of the sweep of one sample."""
    words = visited_taps(row, folding, expected) + 1
    head = folding.window_clocks(row)
    window = words + head - 1 if folding.place_by_place else max(words, head)
    # Of a group the sums of regions are scored while the next one is swept.
    group = max(row.windows * window, row.scored * _classifier_clocks(row, folding))
    return round(row.groups * group) + LAYER_CLOCKS


def update_clocks(row: Row, folding: SharedFolding, expected: bool) -> int:
    """Clocks of the update of a sample that leaves one."""
    entries = float(row.winners)
    if row.layout is not Layout.FLAT:
        entries *= _share(expected, 1 - (1 - LEARNS) ** (folding.pe**ALIKE))
    visited = visited_taps(row, folding, expected) + 1
    # Taps of a block are added up while the words of the block before are changed.
    visits = update_visits(row, folding, expected) + 1
    clocks = max(entries * (visits + BLOCK_CLOCKS), folding.word_period * visited)
    if row.scored:
        # The next group's gradients are formed meanwhile.
        clocks = max(clocks, _classifier_clocks(row, folding))
    return round(row.groups * clocks) + LAYER_CLOCKS


def visited_taps(row: Row, folding: SharedFolding, expected: bool) -> float:
    """Taps of a window that are visited, without the bias."""
    return row.format.inputs * _share(expected and folding.skip_zeros, visited_share(row))


def update_visits(row: Row, folding: SharedFolding, expected: bool) -> float:
    """Visits of an update to a window's taps, without the bias: one of two is enough for both."""
    visited = visited_taps(row, folding, expected)
    if folding.taps_of(row) == 1:
        return visited
    # Zeros of two are as good as independent.
    left_out = 1 - visited / row.format.inputs
    return row.format.inputs / 2 * (1 - left_out**2)


def visited_share(row: Row) -> float:
    """Share of its taps that a window is expected to visit."""
    layer = row.format
    if layer.signed_input:
        return 1.0
    if row.layout is not Layout.FLAT:
        return FIRST_VISITED[row.layout] if _first(row) else CONV_VISITED
    return INK if _first(row) and not layer.pair_distance else ACTIVE


def _classifier_clocks(row: Row, folding: SharedFolding) -> int:
    """Of a group: a row of the classifier a clock, or a class."""
    at_once = row.format.classes if folding.parallel_classes else 1
    return folding.pe * row.format.regions * (row.format.classes // at_once)


def _first(row: Row) -> bool:
    """Whether it is fed what the host sends."""
    return row.format.index == 0


def _share(counts: bool, share: float) -> float:
    return share if counts else 1.0
