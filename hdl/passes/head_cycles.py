"""What happens in each clock behind the sums of a shared engine, up to the errors."""

from collections import deque

from golden_model.spec.network import Loss
from hdl.passes.sharing import PLACES, Row, SharedFolding
from hdl.passes.sharing_sweep import Word

NAME_TO_SUM = (5, 8)
"""Clocks from naming a window's last word to its sums, plain and with slow memory."""
SUM_TO_WRITE = 7
"""From sums to the first activations that leave."""
LAST_TO_SCORES = 1
"""From a group's last activations to the first clock in which scoring may begin; with a layer's
last ones `written`."""
SCORES_AROUND = 4
"""Of scoring a group, beside those in which sums are added; slow memory takes two more."""
SCORED_TO_LEFT = 3
"""From the end of scoring to the first score that leaves; the pairwise hinge takes one more."""
LEFT_TO_JUDGED = 3
"""From the last score's leaving to the errors."""
SERIAL_PERIOD = 2
"""Clocks of a filter, at least, with serial classes; slow memory takes one more."""


class HeadCycles:
    """Activations, scores and errors; :meth:`clock` goes first in each clock.

    Parameters
    ----------
    rows, folding
        The engine's.

    Members
    -------
    credit
        The last word of a group may be named.
    writes
        Activations leave for the next layer's page, and the host waits.
    appends
        The last activations of a window's place leave, and its winners may be written.
    written
        Those of a layer have all left.
    judged
        The layer whose errors stand now, or None.
    """

    def __init__(self, rows: tuple[Row, ...], folding: SharedFolding) -> None:
        self.rows, self.folding = rows, folding
        self.credit, self.writes, self.appends, self.written = True, False, False, False
        self.judged: int | None = None
        self._beats = folding.pe // folding.heads
        self._inside = [inside_map(row) for row in rows]
        self._layer = 0
        self._writing = deque[tuple[int, int]]()  # clocks from, and up to, which it writes
        self._appending = deque[int]()  # clocks in which it does
        self._written_at = -1
        # The group that is to be scored: from when on, its layer, whether it is the last one.
        self._group: tuple[int, int, bool] | None = None
        self._over_at: int | None = None
        self._waits = self._reading = self._aside = False
        # Scores that are to leave, from which clock on, and of which layer.
        self._left, self._leaves_at, self._scored = 0, 0, 0
        self._judged_at = -1

    def begin(self, layer: int) -> None:
        """The sweep of a layer begins in this clock."""
        self._layer = layer

    def clock(self, now: int, *, ready: bool) -> None:
        """What stands in clock `now`, in which a score is taken or not."""
        reads_out = not self.rows[self._layer].scored
        self.credit = not (self._waits or (reads_out and self._reading))
        while self._writing and self._writing[0][1] <= now:
            self._writing.popleft()
        self.writes = bool(self._writing) and self._writing[0][0] <= now
        self.appends = bool(self._appending) and self._appending[0] == now
        if self.appends:
            self._appending.popleft()
        self.written = now == self._written_at
        self.judged = self._scored if now == self._judged_at else None
        if self._left or self._aside:
            self._answer(now, ready)
        if self._group is not None:
            self._score(now)
        if self.judged is not None:
            self._reading = False

    def named(self, now: int, word: Word) -> None:
        """The last word of a window is named in this clock."""
        fold, row = self.folding, self.rows[self._layer]
        sums = now + NAME_TO_SUM[fold.slow_memory]
        for turn in range(row.outputs_per_window if fold.single_port_winners else 0):
            first = sums + SUM_TO_WRITE + turn * fold.head_clocks
            self._appending.append(first + self._beats - 1)
        if self._layer < len(self.rows) - 1:
            for turn, inside in enumerate(self._inside[self._layer][word.window]):
                first = sums + SUM_TO_WRITE + turn * fold.head_clocks
                if inside:
                    self._writing.append((first, first + self._beats))
        if not word.final:
            return
        turns = (row.outputs_per_window - 1) * fold.head_clocks
        last = sums + SUM_TO_WRITE + self._beats - 1 + turns
        self._waits = True
        self._group = (last + LAST_TO_SCORES, self._layer, word.end)
        if word.end:
            self._written_at = last + LAST_TO_SCORES

    def _score(self, now: int) -> None:
        """Of a group: begins when nobody reads scores, and is over."""
        assert self._group is not None
        first, layer, last = self._group
        if self._over_at is None:
            if now < first or self._reading:
                return
            self._over_at = now + scoring_clocks(self.rows[layer], self.folding)
        if now < self._over_at:
            return
        self._group = self._over_at = None
        self._waits = False
        if last:
            format = self.rows[layer].format
            self._reading, self._left, self._scored = True, format.classes, layer
            self._leaves_at = now + SCORED_TO_LEFT + (format.loss is Loss.PAIRWISE_HINGE)

    def _answer(self, now: int, ready: bool) -> None:
        """A score leaves; of the layer that answers one may be set aside, behind the engine."""
        answers = self._scored == len(self.rows) - 1
        leaves = bool(self._left) and now >= self._leaves_at and not (answers and self._aside)
        self._aside = (self._aside or (leaves and answers)) and not ready
        self._left -= leaves
        if leaves and not self._left:
            self._judged_at = now + LEFT_TO_JUDGED


def scoring_clocks(row: Row, folding: SharedFolding) -> int:
    """Of a group, from the clock in which scoring begins to the one in which it is over."""
    if not row.scored:
        return 0
    period, slow = 1, folding.slow_memory
    if not folding.parallel_classes:
        period = max(row.format.classes, SERIAL_PERIOD + slow)
    return SCORES_AROUND + 2 * slow + row.format.regions * folding.pe * period


def inside_map(row: Row) -> list[list[bool]]:
    """Of each window, for each output, whether it is in the map and not beyond its edge."""
    rows, columns = row.format.pooled_shape
    if row.outputs_per_window < PLACES:
        return [[True]] * row.windows
    return [
        [2 * i + dy < rows and 2 * j + dx < columns for dy in range(2) for dx in range(2)]
        for i in range(row.window_rows)
        for j in range(row.window_columns)
    ]
