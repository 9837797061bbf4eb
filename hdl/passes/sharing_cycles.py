"""The cycle model of an engine that layers share: every clock, equal to what the RTL does.

It joins the models of its parts, :mod:`~hdl.passes.sharing_sweep` (F),
:mod:`~hdl.passes.head_cycles` and :mod:`~hdl.passes.update_cycles` (U), as
:class:`~hdl.rtl.sharing.engine.SharedEngine` joins the parts, clock by clock, for samples of which
is known what of them is not zero and what they teach. Clocks are counted from 0.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from golden_model.spec.control import Activity
from hdl.passes.head_cycles import HeadCycles
from hdl.passes.sharing import EngineTable, SharedFolding
from hdl.passes.sharing_sweep import Inputs, SweepClocks, Word
from hdl.passes.update_cycles import Block, UpdateCycles

FILL = 3
"""Clocks from the last input of a sample to `full`."""
PAGES = 2
"""Samples that stand in the pages."""
BUSY, WAITING, BLOCKED, READ, WRITTEN = range(len(Activity))
"""Places of :class:`~golden_model.spec.control.Activity`, which would be a slow key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerWork:
    """What the data of a sample mean for a layer.

    Members
    -------
    inputs
        Of the layer; counts only what is 0.
    updates
        The sample leaves an update.
    groups
        What that visits and moves, see :class:`~hdl.passes.update_cycles.UpdateCycles`; of no
        account unless it leaves one.
    """

    inputs: Inputs
    updates: bool
    groups: Sequence[Sequence[Block]] = ()


SampleWork = Sequence[LayerWork]
"""Of each layer of the engine."""


class SharedCycles:
    """An engine, clock by clock; its weights are drawn, and no sample is in hand.

    Parameters
    ----------
    table, folding
        The engine's.
    samples
        All that come.

    Members
    -------
    now
        The clock that comes next.
    starts, judged
        For each layer the clocks in which it began with each sample, and had judged it.
    counts
        Of each layer, what happened so often, see `BUSY` and its like.
    """

    def __init__(
        self, table: EngineTable, folding: SharedFolding, samples: Sequence[SampleWork]
    ) -> None:
        self.rows, self.folding, self.samples = table.rows, folding, samples
        self.now = 0
        self.starts: list[list[int]] = [[] for _ in self.rows]
        self.judged: list[list[int]] = [[] for _ in self.rows]
        self.counts = [[0] * len(Activity) for _ in self.rows]
        self._filler = _Filler(table.rows[0].format.input_size)
        self._sweep = SweepClocks(folding=folding)
        self._head = HeadCycles(table.rows, folding)
        self._updates = _Updates(self)
        self._state, self._layer, self._sample = "WAIT", 0, -1
        self._group, self._may_enter = 0, True  # the one that is entered, or in hand
        self._judging = [False] * len(self.rows)

    @property
    def activity(self) -> list[dict[Activity, int]]:
        """What the counters of each layer have come to."""
        return [dict(zip(Activity, counts, strict=True)) for counts in self.counts]

    @property
    def idle(self) -> bool:
        """No sample is in hand, and no update pending."""
        busy = self._filler.standing or self._state != "WAIT" or any(self._judging)
        return not (busy or any(self._updates.behind))

    def run(self) -> None:
        """All samples, from a source that always has the next input, until nothing is left."""
        beats = len(self.samples) * self._filler.beats
        while beats:
            beats -= self.clock(offered=True)
        self.finish()

    def finish(self) -> None:
        """No input comes any more."""
        while not self.idle:
            self.clock(offered=False)

    def accept(self, clock: int) -> int:
        """Go on to the clock from `clock` on in which an input is taken that is offered then."""
        while self.now < clock:
            self.clock(offered=False)
        while not self.clock(offered=True):
            pass
        return self.now - 1

    def clock(self, *, offered: bool, ready: bool = True) -> bool:
        """Go on by a clock, in which the source offers an input and a score is taken, or not.

        Says whether the input was taken.
        """
        head, filler, layer, released = self._head, self._filler, self._layer, False
        head.clock(self.now, ready=ready)
        if filler.full and filler.full[0] == self.now:
            filler.arrive()
        takes = offered and filler.ready and not head.writes
        waits = self._state != "SWEEP" and self._begin()
        shares = self.folding.page_copies == 1
        looks = shares and self._sweep.looks
        word, blocked = self._name()
        if self._updates.due:
            released = self._updates.clock(
                page=not shares or word is None, flags=not looks, entries=not head.appends
            )
        if head.judged is not None or (word is not None and word.end):
            self._judge(word)
        if not self.folding.learns:
            released = head.judged == 0
        if takes or released:
            filler.move(self.now, takes, released)
        self.counts[layer][WAITING if waits else BLOCKED if blocked else BUSY] += 1
        self.now += 1
        return takes

    def _begin(self) -> bool:
        """The order of layers; says whether no sample is there."""
        state = self._state
        if state == "WAIT":
            if not self._filler.waiting:
                return True
            self._filler.waiting -= 1
            self._sample += 1
            self._state = "START"
        elif state == "START":
            self.starts[self._layer].append(self.now)
            work = self.samples[self._sample][self._layer]
            self._sweep.start(self.rows[self._layer], work.inputs)
            self._head.begin(self._layer)
            self._state = "SWEEP"
        elif state == "WRITE" and self._head.written:
            self._layer += 1
            self._state = "START"
            if self._layer == len(self.rows):
                self._layer, self._state = 0, "WAIT"
        return False

    def _name(self) -> tuple[Word | None, bool]:
        """The word that is named, and whether one could not be."""
        sweep, updates, layer = self._sweep, self._updates, self._layer
        if self._state == "WAIT":
            return None, False
        waiting = sweep.word
        may_enter = not (
            self._judging[layer]
            or (updates.pending[layer] and not updates.past(layer, self._group))
        )
        if self.folding.place_by_place:
            # It is known a clock later.
            may_enter, self._may_enter = self._may_enter, may_enter
        word = sweep.clock(hold=updates.hold, may_enter=may_enter, credit=self._head.credit)
        if word is None:
            return None, waiting is not None
        self.counts[layer][READ] += 1
        if word.final:
            self._group = 0 if word.end else self._group + 1
        if word.last:
            self._head.named(self.now, word)
            if word.end:
                self._state = "WRITE"
        return word, False

    def _judge(self, word: Word | None) -> None:
        """What becomes known of a layer at the end of this clock."""
        judged = self._head.judged
        if word is not None and word.end:
            self._judging[self._layer] = True
        if judged is not None:
            self._judging[judged] = False
            work = self.samples[len(self.judged[judged])][judged]
            self.judged[judged].append(self.now)
            self._updates.behind[judged] = self.folding.learns
            self._updates.pending[judged] = self.folding.learns and work.updates


class _Filler:
    """Inputs of samples on their way into the pages."""

    def __init__(self, beats: int) -> None:
        self.beats = beats
        self.standing = self.waiting = 0
        self.ready = True
        self._left = beats
        self.full = deque[int]()  # clocks from which samples wait

    def arrive(self) -> None:
        """A sample waits from this clock on."""
        self.full.popleft()
        self.waiting += 1

    def move(self, now: int, takes: bool, released: bool) -> None:
        """An input is taken, a sample is not needed any more, or neither."""
        self._left -= takes
        self.standing -= released
        if not self._left:
            self._left = self.beats
            self.standing += 1
            self.full.append(now + FILL)
        self.ready = self.standing < PAGES


class _Updates:
    """What U has before it, layer after layer.

    Members
    -------
    behind, pending
        Of each layer, whether it has been judged and not been looked at since; and leaves an
        update.
    hold
        F may not name a word in this clock.
    """

    def __init__(self, engine: SharedCycles) -> None:
        self.engine = engine
        self.behind, self.pending = ([False] * len(engine.rows) for _ in range(2))
        self._layer = self._sample = 0
        self._machine: UpdateCycles | None = None

    @property
    def hold(self) -> bool:
        """F may not name a word in this clock."""
        return self._machine is not None and self._machine.hold

    @property
    def due(self) -> bool:
        """U is at work, or has something to look at."""
        return self._machine is not None or self.behind[self._layer]

    def past(self, layer: int, group: int) -> bool:
        """U is at that layer, and through with that group, but not with all."""
        machine = self._machine
        if machine is None or self._layer != layer:
            return False
        return group < machine.group < len(machine.groups)

    def clock(self, *, page: bool, flags: bool, entries: bool) -> bool:
        """Go on by a clock; says whether the first layer's inputs are not needed any more."""
        machine, engine = self._machine, self.engine
        if machine is None:
            if not self.pending[self._layer]:
                return self._leave()
            work = engine.samples[self._sample][self._layer]
            row = engine.rows[self._layer]
            self._machine = UpdateCycles(row, engine.folding, work.groups)
            self._machine.step()
            return False
        if machine.group == len(machine.groups):
            self._machine = None
            return self._leave()
        events = machine.step(page=page, flags=flags, entries=entries)
        counts = engine.counts[self._layer]
        counts[READ] += events.read and not engine.folding.update_port
        counts[WRITTEN] += events.write
        return False

    def _leave(self) -> bool:
        layer = self._layer
        self.behind[layer] = self.pending[layer] = False
        self._layer += 1
        if self._layer == len(self.engine.rows):
            self._layer, self._sample = 0, self._sample + 1
        return layer == 0
