"""Whose turn it is: layers on the sweep, and behind it on the update machine."""

from amaranth import Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from golden_model.spec.control import Activity, Counter
from hdl.passes.sharing import EngineTable
from hdl.rtl.ports import EVENTS, tag_layout


class Control(wiring.Component):
    """Sends each sample through the layers, and each layer that has something to learn to U.

    The sweep F takes the layers of a sample in order, and the next layer when all activations of
    the one before are written. It enters a group of filters when the sample before has been judged
    in that layer and U, if it has work there, is past the group. U takes layers in the order in
    which they were judged.

    Parameters
    ----------
    table
        The engine's layers.
    learns
        Whether there is an update machine.

    Members
    -------
    initialised
        All weights are drawn; before that nothing starts.
    full, tag, take, release
        Of the page filler: a sample waits, and its label; it is taken; its page is free again.
    start, layer, parity, label, learn
        Pulse: F begins with `layer`; all others stay until the next `start`. `parity` is that of
        the sample's number, `learn` says whether it is to be learnt.
    learns_now
        Of each layer, its register.
    done, blocked, issue
        Of F: its last word is named; a word waits; a word is named.
    enter_group, may_enter
        The group that F comes to, and whether it may.
    written
        Behind `done`: all activations of the layer are written.
    judged, judged_layer, judged_any
        Pulse: the errors of a layer stand, whose they are, whether one is not 0.
    update, update_layer, update_parity
        Pulse: U begins with that layer, of a sample of that parity; stable while it is at work.
    update_busy, update_group, update_done, update_read, update_write
        Of U: at work; groups below this one are through; pulse: all are; a word read, one written.
    idle
        No sample is in flight and nothing is pending, once `initialised`.
    events
        For each layer what happens in this clock, in the order of `EVENTS`. The layer that F is at
        is busy, or waits for a sample, or is blocked; words are counted for F and U.
    taken, judged_now, updated
        One bit a layer: F begins with it; it is judged; the sample left an update.

    Cost: about 12 cells a layer and 60.
    """

    def __init__(self, table: EngineTable, *, learns: bool) -> None:
        self.table, self.learns = table, learns
        layers = range(len(table.rows))
        groups = range(max(row.groups for row in table.rows) + 1)
        super().__init__(
            {
                "initialised": In(1),
                "full": In(1),
                "tag": In(tag_layout(table.rows[0].format)),
                "take": Out(1),
                "release": Out(1),
                "start": Out(1),
                "layer": Out(layers),
                "parity": Out(1),
                "label": Out(range(table.rows[0].format.classes)),
                "learn": Out(1),
                "learns_now": In(len(table.rows)),
                "done": In(1),
                "blocked": In(1),
                "issue": In(1),
                "enter_group": In(groups),
                "may_enter": Out(1),
                "written": In(1),
                "judged": In(1),
                "judged_layer": In(layers),
                "judged_any": In(1),
                "update": Out(1),
                "update_layer": Out(layers),
                "update_parity": Out(1),
                "update_busy": In(1),
                "update_group": In(groups),
                "update_done": In(1),
                "update_read": In(1),
                "update_write": In(1),
                "idle": Out(1),
                "events": Out(len(EVENTS) * len(table.rows)),
                "taken": Out(len(table.rows)),
                "judged_now": Out(len(table.rows)),
                "updated": Out(len(table.rows)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        count = len(self.table.rows)
        at, judging = Signal(count, init=1), Signal(count)
        waiting = self._sweep(m, at)
        judged_at = self.judged_now
        m.d.comb += [
            judged_at.eq(Mux(self.judged, 1 << self.judged_layer, 0)),
            self.updated.eq(Mux(self.judged_any, judged_at, 0)),
        ]
        m.d.sync += judging.eq((judging | Mux(self.done, at, 0)) & ~judged_at)
        pending, behind = self._updates(m, judged_at) if self.learns else (0, 0)
        past = Signal()
        m.d.comb += [
            past.eq(
                self.update_busy
                & (self.update_layer == self.layer)
                & (self.update_group > self.enter_group)
            ),
            self.may_enter.eq(~(at & judging).any() & (~(at & pending).any() | past)),
            self.idle.eq(waiting & at[0] & ~self.full & ~(judging | pending | behind).any()),
        ]
        if not self.learns:
            m.d.comb += self.release.eq(judged_at[0])
        self._report(m, at, waiting, judged_at)
        return m

    def _sweep(self, m, at):
        """Layers in order, sample after sample; says whether F waits for one."""
        waiting, learn = Signal(), Signal()
        m.d.comb += self.learn.eq(learn & (at & self.learns_now).any() & self.learns)
        with m.FSM():
            with m.State("WAIT"):
                m.d.comb += waiting.eq(1)
                with m.If(self.full & self.initialised):
                    m.d.comb += self.take.eq(1)
                    m.d.sync += [self.label.eq(self.tag.label), learn.eq(self.tag.learn)]
                    m.next = "START"
            with m.State("START"):
                m.d.comb += [self.start.eq(1), self.taken.eq(at)]
                m.next = "SWEEP"
            with m.State("SWEEP"), m.If(self.done):
                m.next = "WRITE"
            with m.State("WRITE"), m.If(self.written):
                m.d.sync += [
                    at.eq(at.rotate_left(1)),
                    self.layer.eq(Mux(at[-1], 0, self.layer + 1)),
                ]
                m.next = "START"
                with m.If(at[-1]):
                    m.d.sync += self.parity.eq(~self.parity)
                    m.next = "WAIT"
        return waiting

    def _updates(self, m, judged_at):
        """U looks at each layer of each sample in the same order, once it is judged.

        Gives which layers have an update pending, and which are judged and not yet looked at.
        """
        count = len(self.table.rows)
        at, pending, behind = Signal(count, init=1), Signal(count), Signal(count)
        leaving, changed = Signal(), self.judged & self.judged_any
        m.d.sync += [
            pending.eq((pending | Mux(changed, judged_at, 0)) & ~Mux(leaving, at, 0)),
            behind.eq((behind | judged_at) & ~Mux(leaving, at, 0)),
        ]
        m.d.comb += self.release.eq(leaving & at[0])
        with m.FSM():
            with m.State("LOOK"), m.If((at & behind).any()):
                with m.If((at & pending).any()):
                    m.d.comb += self.update.eq(1)
                    m.next = "UPDATE"
                with m.Else():
                    m.d.comb += leaving.eq(1)
            with m.State("UPDATE"):
                m.d.comb += leaving.eq(self.update_done)
                with m.If(self.update_done):
                    m.next = "LOOK"
        with m.If(leaving):
            m.d.sync += [
                at.eq(at.rotate_left(1)),
                self.update_layer.eq(Mux(at[-1], 0, self.update_layer + 1)),
                self.update_parity.eq(self.update_parity ^ at[-1]),
            ]
        return pending, behind

    def _report(self, m, at, waiting, judged_at):
        """The events; none before the weights are drawn."""
        blocked, waits = Signal(), Signal()
        m.d.comb += [
            blocked.eq(self.blocked),
            waits.eq(waiting & ~self.full),
        ]
        updating = Mux(self.update_busy, 1 << self.update_layer, 0)
        happens = {
            Counter.SAMPLES: self.taken,
            Counter.UPDATES: self.updated,
            Counter.UNCHANGED: judged_at & ~self.updated,
            Activity.BUSY: Mux(blocked | waits, 0, at),
            Activity.WAITING: Mux(waits, at, 0),
            Activity.BLOCKED: Mux(blocked, at, 0),
            Activity.WORDS_READ: Mux(self.issue, at, 0) | Mux(self.update_read, updating, 0),
            Activity.WORDS_WRITTEN: Mux(self.update_write, updating, 0),
        }
        for number in range(len(self.table.rows)):
            events = Cat(happens[event][number] for event in EVENTS)
            place = self.events[number * len(EVENTS) : (number + 1) * len(EVENTS)]
            m.d.comb += place.eq(Mux(self.initialised, events, 0))
