"""What the update machine of a shared engine does in each clock."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from hdl.passes.sharing import Row, SharedFolding

DRAW_LATENCY = 2
"""Clocks from the start of the draws to the first one; slow memory takes one more."""
GRADIENTS_FORMED = 4
"""From a group's last draw to its last word of gradients."""
GRADIENTS_ASKED = 2
"""From a visit to reading its gradients."""
INPUTS = 3
"""From a visit to its inputs; slow memory takes one more."""
STEP_READ, STEP_CLOSED = 2, 3
"""From inputs to reading the step so far, and to writing it."""
READ_PHASE, LAST_PHASE = 1, 4
"""Of a word that moves: `read`, and the last clock in which it stands still."""
BUFFERS = 2
"""Groups of gradients that stand."""


@dataclass(frozen=True, slots=True)
class Look:
    """A word of flags of a block in one window: slots of the taps to be visited, in order."""

    slots: tuple[int, ...]
    bias: bool = False


@dataclass(frozen=True, slots=True)
class Block:
    """A block of taps: for each entry of the winners its words, and the slots that move."""

    entries: tuple[tuple[Look, ...], ...]
    moved: frozenset[int]
    bias: bool = False


@dataclass(slots=True)
class Events:
    """Of one clock; `group` is the number of those that are through."""

    visit: bool
    read: bool
    write: bool
    group: int
    busy: bool


@dataclass(slots=True)
class _Item:
    """Slots that are left, of a block."""

    slots: list[int]
    last: bool
    block: Block


@dataclass(slots=True)
class _Visit:
    add: bool
    close: bool
    slot: int
    bank: int
    block: Block


@dataclass(slots=True)
class _Gradients:
    """Groups are formed ahead of their use."""

    clocks: int
    groups: int
    wait: int
    left: int = 0
    held: int = 0
    standing: int = 0
    formed: deque[bool] = field(default_factory=lambda: deque([False] * GRADIENTS_FORMED))

    def step(self, taken: bool, released: bool) -> None:
        final = self.left == 1
        begin = self.left <= 1 and self.wait == 0 and self.groups > 0 and self.held < BUFFERS
        self.formed.append(final)
        self.standing += self.formed.popleft() - taken
        self.held += begin - released
        self.groups -= begin
        self.left = self.clocks if begin else max(0, self.left - 1)
        self.wait = max(0, self.wait - 1)


class UpdateCycles:
    """U from the clock of `start` on; :meth:`step` goes through one clock.

    Parameters
    ----------
    row, folding
        The layer's, and the engine's.
    groups
        For each group its blocks, the bias's last; none at all if it has no entry.
    """

    def __init__(self, row: Row, folding: SharedFolding, groups: Sequence[Sequence[Block]]) -> None:
        self.groups, self.skip_zeros, self.slow = groups, folding.skip_zeros, folding.slow_memory
        layer, serial = row.format, row.scored and not folding.parallel_classes
        clocks = layer.regions * folding.pe * (layer.classes if serial else 1)
        wait = DRAW_LATENCY + self.slow + 1
        self.gradients = _Gradients(clocks, len(groups), wait)
        self.group = self.at = 0
        self.state, self.since = "START", 0
        # The entry in the hand of the walk, and its words on their way out.
        self.items: deque[list[_Item]] = deque()
        self.asked = self.stands = 0
        self.out: list[_Item] = []
        self.stages: list[_Item | None] = [None] * (2 + self.slow if self.skip_zeros else 0)
        self.shown: _Item | None = None
        # The tap walk.
        self.current: _Item | None = None
        self.open = self.pending = False
        self.bank = 0
        latency = INPUTS + self.slow + STEP_CLOSED
        self.visits: deque[_Visit | None] = deque([None] * (latency + 1))
        self.touched: set[int] = set()
        # Words: slots left, and a word each in the stages of rounding.
        self.left: list[int] = []
        self.closing: list[int] = []
        self.draining: Block | None = None
        self.words: list[tuple[Block, int] | None] = [None] * 4
        self.phase = 0
        self.writing = self.through = self.counted = False

    def step(self, *, page: bool = True, flags: bool = True) -> Events:
        """One clock, in which U's reads of inputs and of flags are granted or not."""
        busy = self.group < len(self.groups)
        events = Events(False, self.phase == READ_PHASE, self.writing, self.group, busy)
        final, leaves, events.visit = self._visit(page)
        settled = self.gradients.standing > 0 and self.group == self.at
        skip = self.state == "EMPTY" and settled
        asked = self.visits[-1 - GRADIENTS_ASKED]
        released = bool(asked and asked.close and asked.block.bias)
        fetched = self._write()
        self._sum()
        self._look(leaves, flags, skip)
        if fetched:
            self.pending = False
        self.gradients.step(final or skip, released or skip)
        self.group += self.counted or skip
        self.counted = self.through
        return events

    def _visit(self, page: bool) -> tuple[bool, bool, bool]:
        """The tap in hand: whether a group ends, whether the next item may come, and `add`."""
        item = self.current
        if item is None:
            self.visits.append(None)
            return False, True, False
        some = bool(item.slots)
        ends = item.last and len(item.slots) <= 1
        stuck = ends and self.pending and (self.open or some)
        add = some and self.gradients.standing > 0 and not stuck and page
        leaves = (add and len(item.slots) == 1) or (not some and not stuck)
        close = leaves and item.last and (self.open or some)
        slot = item.slots.pop(0) if add else 0
        self.visits.append(_Visit(add, close, slot, self.bank, item.block))
        self.open = (self.open or add) and not (leaves and item.last)
        if close:
            self.pending, self.bank = True, 1 - self.bank
        return close and item.block.bias, leaves, add

    def _sum(self) -> None:
        """Steps of a closed bank may be fetched from the next clock on."""
        self.visits.popleft()
        if self.closing:
            self.left, self.closing = self.closing, []
        visit = self.visits[-1 - INPUTS - self.slow - STEP_READ]
        if visit is None:
            return
        if visit.add:
            self.touched.add(visit.slot)
        if visit.close:
            self.closing, self.touched = sorted(self.touched), set()
            self.draining = visit.block

    def _reading(self) -> bool:
        """The steps so far are read for a visit."""
        at = -1 - INPUTS - self.slow - STEP_READ
        visit, before = self.visits[at], self.visits[at - 1]
        if visit is None or not visit.add:
            return False
        if before is None or not before.add:
            return True
        return (visit.slot, visit.bank) != (before.slot, before.bank)

    def _write(self) -> bool:
        """A word in each stage: arrived, shifted by bytes, by bits, and to be written."""
        arrived, coarse, fine, moved = self.words
        due = moved is not None and moved[1] in moved[0].moved and self.phase == 0
        advance = not due and self.phase in (0, LAST_PHASE)
        fetch = bool(self.left) and not self._reading() and arrived is None
        fetch = fetch and (advance or coarse is None)
        self.through = advance and moved is not None and moved[0].bias
        self.writing = self.phase == LAST_PHASE
        self.phase = (self.phase + 1) % (LAST_PHASE + 1) if due or self.phase else 0
        if advance:
            fine, moved = coarse, fine
        if advance or coarse is None:
            coarse = arrived
        arrived = None
        fetched = False
        if fetch and self.draining is not None:
            arrived, fetched = (self.draining, self.left.pop(0)), not self.left
        self.words = [arrived, coarse, fine, moved]
        return fetched

    def _look(self, leaves: bool, flags: bool, skip: bool) -> None:
        """Flags in three stages, words of an entry, entries, groups."""
        free = self.shown is None or leaves
        moves = free
        if self.stages and self.stages[0] is not None and not self.stages[0].block.bias:
            moves = free and flags
        taken = not self.out or (moves and len(self.out) == 1)
        goes = bool(self.stands) and taken
        ends = goes and len(self.items) == 1
        running = self.state == "GROUP"
        fetch = running and ((not self.asked and not self.stands) or (goes and not ends))
        if leaves:
            self.current = self.shown
            self.shown = None
        if moves:
            # What is in `shown` has gone to `current`, or there was nothing.
            line = [self.out[0] if self.out else None, *self.stages]
            item = line.pop()
            self.shown = item if item and (item.slots or item.last) else None
            self.stages = line
            if self.out:
                self.out.pop(0)
        if goes:
            self.out = list(self.items.popleft())
        arriving = self.asked if self.slow else fetch
        self.stands = 1 if arriving else 0 if goes else self.stands
        self.asked = int(fetch and self.slow)
        self._walk(ends, skip)

    def _walk(self, ends: bool, skip: bool) -> None:
        """The states of a group."""
        self.since += 1
        after = {"START": "LAYER", "LAYER": "COUNT", "COUNT": "COUNTED"}
        if self.state in after:
            self.state, self.since = after[self.state], 0
        elif self.state == "COUNTED" and self.since > self.slow:
            blocks = self.groups[self.at]
            self.items.extend(_items(blocks))
            self.state = "GROUP" if blocks else "EMPTY"
        elif ends or skip:
            self.state = "NEXT"
        elif self.state == "NEXT":
            self.at += 1
            self.state = "COUNT" if self.at < len(self.groups) else "IDLE"


def _items(blocks: Sequence[Block]) -> list[list[_Item]]:
    """Entry by entry of each block, in words; only the very last of a block is so marked."""
    found = []
    for block in blocks:
        for number, entry in enumerate(block.entries):
            final = number == len(block.entries) - 1
            found.append(
                [
                    _Item(list(look.slots), final and n == len(entry) - 1, block)
                    for n, look in enumerate(entry)
                ]
            )
    return found
