"""What the update machine of a shared engine does in each clock."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from hdl.passes.sharing import Layout, Row, SharedFolding

DRAW_LATENCY = 2
"""Clocks from the start of the draws to the first one; slow memory takes one more."""
GRADIENTS_FORMED = 4
"""From a group's last draw to its last word of gradients."""
GRADIENTS_ASKED = 2
"""From a visit to reading its gradients."""
INPUTS = 3
"""From a visit to its inputs; slow memory takes one more."""
STEPS = 3
"""From a visit's inputs to its steps, and from a word to its steps; slow memory takes one more."""
READ_AT = (3, 4)
"""From a word's steps to `read`, plain and with slow memory."""
WRITE_AT = (3, 6)
"""From `read` to `write`, plain and with slow memory; plain at one port a clock later."""
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
    """Of one clock; `group` is the number of those that are through.

    In a clock with `hold` the sweep must not name a word.
    """

    visit: bool
    read: bool
    write: bool
    hold: bool
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
    slots: list[int]
    block: Block


@dataclass(slots=True)
class _Closed:
    """Slots that are left, of a block that is complete."""

    slots: list[int]
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
        # Entries: behind the memory if slow, in the hand of the walk; words on their way out.
        self.items: deque[list[_Item]] = deque()
        self.asked = self.stands = False
        self.out: list[_Item] = []
        self.stages: list[_Item | None] = [None] * (2 + self.slow if self.skip_zeros else 0)
        self.shown: _Item | None = None
        self.held: _Item | None = None  # slow: one that came while another one was in hand
        self.at_once = folding.lookup_clocks == 0
        # The tap walk.
        self.current: _Item | None = None
        self.open, self.flat = False, row.layout is Layout.FLAT
        self.taps = folding.taps_of(row)
        self.down = False
        self.visits: deque[_Visit | None] = deque([None] * (GRADIENTS_ASKED + 1))
        # What is planned for the steps of a visit, a clock behind it, and for those of words.
        self.period, self.single_port = folding.word_period, folding.single_port
        self.own_port = folding.update_port
        self.phase = self.period - 1  # of words; one may go in phase 0, a flat layer's visit in 1
        self.touched: set[int] = set()
        self.before: int | None = None
        self.closing: _Closed | None = None
        self.behind = False
        self.left: _Closed | None = None
        # Words behind the plan: whether they move, and whether they are a group's last ones.
        self.read_at = INPUTS + STEPS + 2 * self.slow - 1 + READ_AT[self.slow]
        late = folding.one_port and not self.slow
        self.changed_at = self.read_at + WRITE_AT[self.slow] - 1 + late
        self.words: deque[tuple[bool, bool]] = deque([(False, False)] * (self.changed_at + 1))
        self.counted = False

    @property
    def hold(self) -> bool:
        """Whether in the clock to come the sweep must not name a word."""
        if self.own_port:
            return False
        changed = self.single_port and self.words[self.changed_at - 1][0]
        return self.words[self.read_at - 1][0] or changed

    def step(self, *, page: bool = True, flags: bool = True, entries: bool = True) -> Events:
        """One clock, in which U's reads of inputs, flags and winners are granted or not."""
        hold, busy = self.hold, self.group < len(self.groups)
        read = self.words[self.read_at - 1][0]
        # A port of its own has one register more.
        write = self.words[self.changed_at - self.own_port][0]
        through = self.words[self.changed_at][1]
        settled = self.gradients.standing > 0 and self.group == self.at
        skip = self.state == "EMPTY" and settled
        events = Events(False, read, write, hold, self.group, busy)
        before = self.visits[-1]
        final, leaves, events.visit = self._visit(before, page)
        asked = self.visits[-1 - GRADIENTS_ASKED]
        released = bool(asked and asked.close and asked.block.bias)
        self._plan(before)
        self._look(leaves, flags, entries, skip)
        self.gradients.step(final or skip, released or skip)
        self.group += through or skip
        return events

    def _visit(self, before: _Visit | None, page: bool) -> tuple[bool, bool, bool]:
        """The tap in hand: whether a group ends, whether the next item may come, and `add`."""
        item = self.current
        self.visits.popleft()
        if item is None:
            self.visits.append(None)
            return False, True, False
        some = bool(item.slots)
        together = self._together(item.slots)
        ends = len(item.slots) == len(together)
        closing = item.last and ends and (self.open or some)
        full = self.behind or bool(before and before.close)
        stuck = closing and full and not self.flat
        paused = self.flat and self.period > 1 and self.phase != 1
        add = some and self.gradients.standing > 0 and not stuck and not paused and page
        leaves = (add and ends) or (not some and not stuck)
        close = add if self.flat else leaves and closing
        if add:
            item.slots = [slot for slot in item.slots if slot not in together]
            # There and back, so that the tap that ends an item begins the next.
            self.down ^= ends and self.taps > 1
        self.visits.append(_Visit(add, close, together if add else [], item.block))
        self.open = (self.open or add) and not (leaves and item.last)
        return close and item.block.bias, leaves, add

    def _together(self, slots: list[int]) -> list[int]:
        """Those that are visited next."""
        if not slots:
            return []
        at = slots[-self.down] // self.taps
        return [slot for slot in slots if slot // self.taps == at]

    def _plan(self, visit: _Visit | None) -> None:
        """A word's steps are read where the visit has none to read."""
        add, closed = bool(visit and visit.add), None
        at = visit.slots[0] // self.taps if visit and add else None
        reads = add and at != self.before and any(n // self.taps == at for n in self.touched)
        spare = 1 if self.period == 1 else 0
        self.behind = bool(self.left and len(self.left.slots) > spare)
        self.behind |= self.closing is not None or bool(visit and visit.close)
        word = (False, False)
        if self.left and self.left.slots and self.phase == 0 and not reads:
            block = self.left.block
            word = (self.left.slots.pop(0) in block.moved, block.bias)
        self.words.appendleft(word)
        self.words.pop()
        self.before = at
        if visit:
            self.touched.update(visit.slots)
        if visit and visit.close:
            closed, self.touched = _Closed(sorted(self.touched), visit.block), set()
        if self.closing:
            self.left = self.closing
        self.closing = closed
        self.phase = (self.phase + 1) % self.period

    def _look(self, leaves: bool, flags: bool, entries: bool, skip: bool) -> None:
        """Flags in three stages, words of an entry, entries, groups."""
        if self.at_once:
            # Nothing stands on the way, but what comes next waits until nothing is in hand.
            self.shown = _kept(self.out[0]) if self.out else None
            if leaves and self.current is not None:
                self.current, leaves = None, False
        free = self.shown is None or (self.held is None if self.slow else leaves)
        moves = free
        if self.stages and self.stages[0] is not None and not self.stages[0].block.bias:
            moves = free and flags
        taken = not self.out or (moves and len(self.out) == 1)
        goes = self.stands and taken
        ends = goes and len(self.items) == 1
        running = self.state == "GROUP" and not ends
        comes = self.held or self.shown
        if self.held is None and (self.slow or leaves):
            self.shown = None
        if leaves:
            self.current = comes
        self.held = comes if self.slow and not leaves else None
        if moves:
            # What is in `shown` has gone to `current`, or there was nothing.
            line = [self.out[0] if self.out else None, *self.stages]
            item = line.pop()
            self.shown = None if self.at_once else _kept(item)
            self.stages = line
            if self.out:
                self.out.pop(0)
        if goes:
            self.out = list(self.items.popleft())
        if goes or not self.stands:
            self.stands = running and (self.asked if self.slow else entries)
        self.asked = running
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


def _kept(item: _Item | None) -> _Item | None:
    """It, unless it has nothing to visit and nothing to end."""
    return item if item and (item.slots or item.last) else None


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
