"""What the update machine of a shared engine looks at, visits and moves, of a layer's data."""

from collections.abc import Callable, Iterator, Sequence
from functools import cache, partial

import numpy as np
from numpy.typing import NDArray

from hdl.passes.sharing import FLAGS, Layout, Row, SharedFolding
from hdl.passes.sharing_sweep import Inputs
from hdl.passes.update_cycles import Block, Look

Bits = NDArray[np.bool_]
Looks = Callable[[int, int], tuple[Look, ...]]
"""By row and column of a block of places, what is looked at there of a block of taps."""


def update_groups(
    row: Row, folding: SharedFolding, x: Inputs, learns: Bits, moves: Bits
) -> list[list[Block]]:
    """For each group its blocks of taps, that of the bias last; none without a learner.

    Parameters
    ----------
    x
        Inputs as :func:`~hdl.passes.sharing_sweep.blocks_of` takes them.
    learns, moves
        Whether a filter learns in a window, ``[windows, units]``; whether one of its weights moves,
        by padded tap, the bias last, ``[words, units]``.
    """
    looks = list(_looks(row, x, skip_zeros=folding.skip_zeros))
    groups = []
    for first in range(0, row.groups * folding.pe, folding.pe):
        units = slice(first, first + folding.pe)
        entries = _entries(row, np.any(learns[:, units], axis=1))
        groups.append(_blocks(entries, looks, np.any(moves[:, units], axis=1)))
    return groups


def _entries(row: Row, windows: Bits) -> list[tuple[int, int]]:
    """Blocks of places of these windows, in the order in which the head comes to them."""
    columns = row.format.pooled_shape[1]
    places = [divmod(int(n), columns) for n in np.flatnonzero(windows)]
    if row.outputs_per_window == 1:
        return places
    places.sort(key=lambda place: (place[0] >> 1, place[1] >> 1, place))
    return [(i >> 1, j >> 1) for i, j in places]


def _blocks(
    entries: Sequence[tuple[int, int]], looks: Sequence[tuple[int, Looks]], moves: Bits
) -> list[Block]:
    if not entries:
        return []
    blocks = []
    for first, found in looks:
        moved = frozenset(np.flatnonzero(moves[first : first + FLAGS]).tolist())
        blocks.append(Block(tuple(found(i, j) for i, j in entries), moved))
    bias = (Look((0,), bias=True),)
    moved = frozenset([0] if moves[-1] else [])
    return [*blocks, Block((bias,) * len(entries), moved, bias=True)]


def _looks(row: Row, x: Inputs, *, skip_zeros: bool) -> Iterator[tuple[int, Looks]]:
    """Of each block its first tap, and what is looked at."""
    seen = x != 0 if skip_zeros else np.ones_like(x, bool)
    if row.layout is Layout.FLAT:
        live = np.zeros((row.tap_pixels, -(-row.stride // FLAGS) * FLAGS), bool)
        live[:, : row.tap_channels] = seen
        for pixel in range(row.tap_pixels):
            for first in range(0, row.stride, FLAGS):
                slots = np.flatnonzero(live[pixel, first : first + FLAGS]).tolist()
                yield pixel * row.stride + first, partial(_same, (Look(tuple(slots)),))
        return
    around = np.zeros((row.height + 1, row.width + 1, row.stride), bool)
    around[:-1, :-1, : row.channels] = seen
    around[:-1] |= around[1:].copy()
    around[:, :-1] |= around[:, 1:].copy()
    kernel, packed = row.format.kernel, row.layout is Layout.PACKED
    width = kernel * row.stride if packed else row.stride
    for ky in range(kernel):
        for kx in range(1 if packed else kernel):
            for first in range(0, width, FLAGS):
                taps = range(first, min(first + FLAGS, width))
                place = (ky * kernel + kx) * row.stride + first
                yield place, cache(partial(_words, row, around, (ky, kx), taps))


def _same(looks: tuple[Look, ...], _i: int, _j: int) -> tuple[Look, ...]:
    return looks


def _words(
    row: Row, around: Bits, place: tuple[int, int], taps: range, i: int, j: int
) -> tuple[Look, ...]:
    """Words of flags that are looked at, and what is found."""
    line, left = around[2 * i + place[0]], 2 * j + place[1]
    words: dict[int, list[int]] = {}
    for slot, tap in enumerate(taps):
        column, channel = divmod(tap, row.stride)
        if channel < row.channels:
            number = (left * row.stride + tap) // FLAGS if row.layout is Layout.PACKED else 0
            found = words.setdefault(number, [])
            if line[left + column, channel]:
                found.append(slot)
    return tuple(Look(tuple(slots)) for _, slots in sorted(words.items()))
