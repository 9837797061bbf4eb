"""The cycle model of the sweep: in which clock each weight word is named, equal to the RTL."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hdl.passes.sharing import FLAGS, Layout, Row, SharedFolding

Inputs = NDArray[np.generic]
"""Of a layer, shape ``[height, width, channels]``; of a flat one ``[pixels, channels]``."""
Block = tuple[int, ...]
"""Taps to be visited of 8 inputs that are looked up together."""

WALK = 2
"""Clocks from the start of a sweep to the first block."""


class Word(NamedTuple):
    """A weight word as it is named.

    Members
    -------
    address
        In the weight memory.
    group, window, tap
        What it is, and where it is used; the bias's tap is the last one.
    first, last
        Whether its window begins, ends.
    final, end
        Whether the group ends, the layer.
    """

    address: int
    group: int
    window: int
    tap: int
    first: bool
    last: bool
    final: bool
    end: bool


def blocks_of(row: Row, x: Inputs, *, skip_zeros: bool) -> list[list[Block]]:
    """Blocks of each window, the bias left out, and what is to be visited of each."""
    if row.layout is Layout.FLAT:
        return [_flat_blocks(row, x, skip_zeros)]
    height, width, channels = x.shape
    # Whether one of the four places at (r, c) is not 0; beyond the map all are.
    around = np.zeros((height + 1, width + 1, row.stride), bool)
    around[:height, :width, :channels] = x != 0
    around[:-1] |= around[1:].copy()
    around[:, :-1] |= around[:, 1:].copy()
    visit = around[:height, :width]
    if not skip_zeros:
        visit = np.zeros((height, width, row.stride), bool)
        visit[..., :channels] = True
    of = _packed_blocks if row.layout is Layout.PACKED else _pixel_blocks
    windows = np.ndindex(row.window_rows, row.window_columns)
    return [of(row, visit, 2 * i, 2 * j) for i, j in windows]


def _flat_blocks(row: Row, x: Inputs, skip_zeros: bool) -> list[Block]:
    visit = np.zeros((row.tap_pixels, -(-row.stride // FLAGS) * FLAGS), bool)
    visit[:, : row.tap_channels] = (x != 0) | (not skip_zeros)
    return _chunks(visit, 0)


def _chunks(visit: NDArray[np.bool_], first: int) -> list[Block]:
    """Visits, a chunk after another, their taps counted from `first` on."""
    chunks = visit.reshape(-1, FLAGS)
    return [
        tuple(first + FLAGS * number + int(place) for place in np.flatnonzero(chunk))
        for number, chunk in enumerate(chunks)
    ]


def _pixel_blocks(row: Row, visit: NDArray[np.bool_], top: int, left: int) -> list[Block]:
    kernel = row.format.kernel
    return _chunks(visit[top : top + kernel, left : left + kernel], 0)


def _packed_blocks(row: Row, visit: NDArray[np.bool_], top: int, left: int) -> list[Block]:
    """Each kernel row in words of flags, as they stand along the row of pixels."""
    bits, start, blocks = row.format.kernel * row.stride, left * row.stride, list[Block]()
    for ky in range(row.format.kernel):
        line = visit[top + ky].ravel()
        for word in range(start // FLAGS, (start + bits - 1) // FLAGS + 1):
            inside = range(max(start, FLAGS * word), min(start + bits, FLAGS * (word + 1)))
            blocks.append(tuple(ky * bits + b - start for b in inside if line[b]))
    return blocks


def words_of(row: Row, blocks: Sequence[Sequence[Block]]) -> Iterator[list[Word]]:
    """Words of each block of a layer's sweep, in order, those of the biases among them."""
    for group in range(row.groups):
        base = row.weight_base + group * row.words
        for window, inside in enumerate(blocks):
            fresh, final = True, window == len(blocks) - 1
            end = final and group == row.groups - 1
            for block, last in [*((b, False) for b in inside), ((row.taps,), True)]:
                words = [
                    Word(
                        address=base + tap,
                        group=group,
                        window=window,
                        tap=tap,
                        first=fresh and n == 0,
                        last=last,
                        final=last and final,
                        end=last and end,
                    )
                    for n, tap in enumerate(block)
                ]
                fresh = fresh and not words
                yield words


@dataclass(slots=True, kw_only=True)
class SweepClocks:
    """The registers of :class:`~hdl.rtl.sharing.sweep.ForwardSweep`, clock by clock.

    Members
    -------
    folding
        The engine's.
    blocked
        Clocks in which a word stood and was not named.
    """

    folding: SharedFolding
    blocked: int = 0
    _blocks: Iterator[list[Word]] | None = None
    _wait: int = 0  # clocks until the next block is looked up
    _looked_up: list[list[Word] | None] = field(init=False)
    _current: list[Word] = field(default_factory=list)
    _held: list[Word] = field(default_factory=list)  # what has come, and has to wait
    _named: Word | None = None
    _enters: bool = True
    _distance: int = 0
    _clearing: bool = False
    _period: int = 0

    def __post_init__(self) -> None:
        # At least what the walk shows, which it does a clock before any register has it.
        self._looked_up = [None] * max(1, self.folding.lookup_clocks)

    def start(self, row: Row, x: Inputs) -> None:
        """What the next clock's `start` begins with: it is called before that :meth:`clock`."""
        blocks = blocks_of(row, x, skip_zeros=self.folding.skip_zeros)
        at_once = self.folding.lookup_clocks == 0
        self._blocks, self._wait = words_of(row, blocks), WALK - at_once
        self._period = self.folding.window_clocks(row)

    @property
    def word(self) -> Word | None:
        """The word that waits to be named, if there is one."""
        return self._named

    @property
    def looks(self) -> bool:
        """Whether flags are read in the clock that comes next."""
        block = self._looked_up[0]
        if block is None or not self.folding.skip_zeros or (self._looked_up[-1] and self._held):
            return False
        return not (block and block[0].last)

    def clock(self, *, hold: bool, may_enter: bool, credit: bool) -> Word | None:
        """Go on by a clock; gives the word that is named in it."""
        word = self._named
        if word is not None and (
            hold
            or (self._enters and not may_enter)
            or ((word.last or self.folding.place_by_place) and self._distance > 0)
            or (word.final and not credit)
            or self._clearing
        ):
            self._clearing = False
            self.blocked += 1
            self._advance(free=False)
            return None
        self._advance(free=True)
        clears = self.folding.clear_slot and not self.folding.place_by_place
        self._clearing = clears and word is not None and word.last
        if word is not None:
            self._enters = word.final
            if word.last:
                self._distance = self._period - 1
        return word

    def _advance(self, *, free: bool) -> None:
        self._distance -= self._distance > 0
        arrived, held = self._looked_up[-1], self._held
        if free:
            self._named = self._current[0] if self._current else None
        ahead = held or arrived or []
        stays, at_once = bool(arrived and held), self.folding.lookup_clocks == 0
        if not self._current or (free and len(self._current) == 1 and not at_once):
            self._current, self._held = ahead, []
        else:
            self._current = self._current[free:]
            if at_once:
                stays = bool(arrived)
            else:
                self._held = ahead
        if not stays:
            self._looked_up = [self._next_block(), *self._looked_up[:-1]]

    def _next_block(self) -> list[Word] | None:
        """What goes to be looked up."""
        if self._wait > 0:
            self._wait -= 1
            return None
        return None if self._blocks is None else next(self._blocks, None)
