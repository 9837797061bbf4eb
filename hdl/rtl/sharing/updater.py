"""U: the updates of judged samples, beside the sweep that forms the sums of the next ones."""

from amaranth import Cat, Module, Mux, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from hdl.passes.sharing import EngineTable, SharedFolding
from hdl.rtl.parts.delay import delayed, replicated
from hdl.rtl.parts.stage import Skid
from hdl.rtl.sharing.flag_reader import FlagReader
from hdl.rtl.sharing.gradients import Gradients
from hdl.rtl.sharing.lookup import lookup
from hdl.rtl.sharing.page_ports import flag_port, operands, page_read
from hdl.rtl.sharing.step_bank import STEPS_LATENCY, StepBank
from hdl.rtl.sharing.step_drain import StepDrain
from hdl.rtl.sharing.tap_walk import WINDOW, TapWalk
from hdl.rtl.sharing.update_walk import UpdateWalk
from hdl.rtl.sharing.weight_step import SHARE, WeightStep
from hdl.rtl.sharing.winners import count_shape, winner_layout

PAGE_LATENCY = 3
"""Clocks from reading a page to its inputs; slow memory takes one more."""
GRADIENTS_AT = 2
"""Clock behind a visit in which its gradients are asked for."""
DRAINS = ("add", "close", "slot", "base", "bias")
PLAN = ("bank", "fresh", "again", "read")
"""Of a visit: what is planned upon, and the plan."""


class Updater(wiring.Component):
    """Updates all weights of a layer for one sample, group of filters by group.

    For each group: blocks of taps, for each the windows with a learner, for each of these its taps
    that are not all zero, a clock each. The sums of a block are rounded and subtracted while the
    next block's are formed. Clocks are counted from a visit of a tap:

    =====  ==========================================================================
    0      inputs are read: `page_read`, `page`, where `page_grant` is 1
    2      and gradients
    3      `x` arrives; with slow memory this and all that follows a clock later
    6      the step is written, with slow memory one clock more later, like the rest; if that was
           the block's last one:
    7      the first of its sums is read, if no visit reads; what becomes of it takes
           :class:`~hdl.rtl.sharing.weight_step.WeightStep` 3 or 4 clocks to `read`
    =====  ==========================================================================

    Parameters
    ----------
    table, folding
        The engine's.

    Members
    -------
    start, layer, parity, rate
        Pulse: update `layer` for the sample of this parity; all but the pulse stay until `done`.
    errors; or error_address, error_fetch, error
        Of :class:`~hdl.rtl.sharing.gradients.Gradients`; they stay, too.
    busy, group, done
        At work, from the clock behind `start` on; groups below this one are through; pulse: all
        are, in the first clock that is not busy.
    entry_address, entry_fetch, entry_grant, entry, count_address, count_fetch, count
        To :class:`~hdl.rtl.sharing.winners.Winners`.
    flags, page_read, page, page_grant, x
        To U's ports of :class:`~hdl.rtl.sharing.pages.Pages`; flags only if zeros are skipped.
    hold, read, read_address, read_data, write, write_address, write_data
        To the weight memory, see :class:`~hdl.rtl.sharing.weight_step.WeightStep`.

    probe
        For simulation only: an entry of the winners, once for each group, with the gradients of
        its filters, 0 where they do not learn.

    Throughput: a visit in a clock. Cost: the sum of its parts.
    """

    def __init__(self, table: EngineTable, folding: SharedFolding) -> None:
        self.table, self.folding = table, folding
        self.gradients = Gradients(table, folding)
        self.weights = WeightStep(table, folding)
        self.walk = UpdateWalk(table, folding)
        members = {
            "start": In(1),
            "layer": In(range(len(table.rows))),
            "parity": In(1),
            "rate": In(self.weights.rate.shape()),
            "busy": Out(1),
            "group": Out(range(max(row.groups for row in table.rows) + 1)),
            "done": Out(1),
            "entry_address": Out(self.walk.address.shape()),
            "entry_fetch": Out(1),
            "entry_grant": In(1),
            "entry": In(winner_layout(table, folding)),
            "count_address": Out(self.walk.count_address.shape()),
            "count_fetch": Out(1),
            "count": In(count_shape(table)),
            "page_read": Out(1),
            "page": Out(page_read(table, folding)),
            "page_grant": In(1),
            "x": In(operands(folding, taps=folding.taps)),
        }
        winner = winner_layout(table, folding)
        members["probe"] = Out(
            data.StructLayout(
                {"valid": 1, "group": members["group"].shape}
                | {name: winner[name].shape for name in ("row", "column", "places")}
                | {"gradients": data.ArrayLayout(signed(self.gradients.gradient_bits), folding.pe)}
            )
        )
        if folding.skip_zeros:
            members["flags"] = Out(flag_port(table, folding))
        for name in ERRORS:
            if name in self.gradients.signature.members:
                members[name] = self.gradients.signature.members[name]
        for name in WEIGHT_PORT:
            members[name] = self.weights.signature.members[name]
        super().__init__(members)

    def elaborate(self, platform):
        m = Module()
        m.submodules.walk = walk = self.walk
        m.submodules.taps = taps = TapWalk(self.table, self.folding)
        m.submodules.gradients = gradients = self.gradients
        m.submodules.weights = weights = self.weights
        m.submodules.flags = flags = FlagReader(
            self.table, self.folding, token=walk.out["token"].shape
        )
        connect(m, walk.o, flags.i)
        found = flags.o
        if self.folding.slow_memory:
            # So that whether a tap is the last of its block does not reach back to the walk.
            m.submodules.skid = skid = Skid(flags.o.payload.shape())
            connect(m, flags.o, skid.i)
            found = skid.o
        connect(m, found, taps.i)
        if self.folding.skip_zeros:
            connect(m, flags.flags, flipped(self.flags))
        layers = [self.layer] * 2
        if self.folding.slow_memory:
            # Neither looks at it before the clock behind `start`.
            layers = replicated(m, self.layer, len(layers), name="layer_of")
        for part, layer in zip((walk, taps), layers, strict=True):
            m.d.comb += [
                part.start.eq(self.start),
                part.layer.eq(layer),
                part.parity.eq(self.parity),
            ]
        m.d.comb += [gradients.start.eq(self.start), gradients.layer.eq(self.layer)]
        m.d.comb += [
            self.entry_address.eq(walk.address),
            self.entry_fetch.eq(walk.fetch),
            walk.grant.eq(self.entry_grant),
            walk.entry.eq(self.entry),
            self.count_address.eq(walk.count_address),
            self.count_fetch.eq(walk.count_fetch),
            walk.count.eq(self.count),
            self.page_read.eq(taps.read),
            self.page.eq(taps.page),
            taps.grant.eq(self.page_grant),
            taps.ready.eq(gradients.ready),
            gradients.taken.eq(taps.final | walk.skip),
            walk.settled.eq(gradients.ready & (self.group == walk.group)),
            taps.skip.eq(walk.skip),
        ]
        self._sum(m, walk, taps, gradients, weights)
        for name in WEIGHT_PORT:
            own, port = getattr(self, name), getattr(weights, name)
            m.d.comb += port.eq(own) if name == "read_data" else own.eq(port)
        for name in ERRORS:
            if name in self.signature.members:
                own, port = getattr(self, name), getattr(gradients, name)
                m.d.comb += port.eq(own) if name in ("errors", "error") else own.eq(port)
        self._groups(m, walk, weights)
        return m

    def _sum(self, m, walk, taps, gradients, weights) -> None:
        """A visit on its way to the sums, until its inputs and gradients have come."""
        m.submodules.drain = drain = StepDrain(self.table, self.folding)
        m.submodules.bank = bank = StepBank(
            pe=self.folding.pe,
            places=self.folding.places,
            gradient_bits=gradients.gradient_bits,
            step_bits=weights.step_bits,
            hard=self.folding.hard_update,
            taps=self.folding.taps,
            far=self.folding.slow_memory,
        )
        drains = DRAINS + ("halves",) * (self.folding.taps > 1)
        visit, plan = _members(taps, (*drains, *WINDOW)), _members(drain, PLAN)
        planned = [Signal(visit, name="visited"), Signal(plan, name="planned")]
        for part, members, now in zip((taps, drain), (visit, plan), planned, strict=True):
            m.d.comb += [now[name].eq(getattr(part, name)) for name in members.members]
        latency = PAGE_LATENCY + self.folding.slow_memory
        visits = delayed(m, planned[0], latency, name="visit")
        plans = delayed(m, planned[1], latency - 1, name="plan")
        m.d.comb += [
            *(getattr(drain, name).eq(visits[1][name]) for name in drains),
            drain.start.eq(self.start),
            taps.full.eq(drain.full),
            taps.pause.eq(drain.pause),
        ]
        self._ask(m, visits[GRADIENTS_AT], walk, gradients)
        arrived, plan = visits[-1], plans[-1]
        m.d.comb += [
            *(getattr(bank, name).eq(arrived[name]) for name in ("add", "slot")),
            *(getattr(bank, name).eq(plan[name]) for name in PLAN),
            bank.winners.eq(arrived.places),
            bank.x.eq(self.x),
        ]
        for lane, learns in enumerate(arrived.learns):
            d = gradients.gradients[lane]
            m.d.comb += bank.gradients[lane].eq(Mux(learns, d, 0))
        steps_latency = latency - 1 + STEPS_LATENCY + bank.far
        coming, word = self._word(m, drain.word, steps_latency)
        m.d.comb += [
            weights.layer.eq(self.layer),
            weights.rate.eq(self.rate),
            weights.coming.eq(coming),
            weights.word.eq(word),
            weights.steps.eq(self._half(m, taps, drain, bank, steps_latency)),
            self.probe.valid.eq(arrived.add & arrived.bias),
            self.probe.group.eq(arrived.group),
            self.probe.row.eq(arrived.window_row),
            self.probe.column.eq(arrived.window_column),
            self.probe.places.eq(arrived.places),
            self.probe.gradients.eq(bank.gradients),
        ]

    def _half(self, m, taps, drain, bank, latency: int):
        """Steps of the word that is drained, out of those of two taps."""
        if self.folding.taps == 1:
            return bank.steps
        m.d.comb += drain.paired.eq(taps.paired)
        pe = self.folding.pe
        late = delayed(m, drain.half, latency - 1, name="half")[-1]
        half = replicated(m, late, -(-pe // SHARE), name="half_of")
        return Cat(Mux(half[n // SHARE], bank.steps[pe + n], bank.steps[n]) for n in range(pe))

    def _word(self, m, word, clocks: int):
        """The word whose steps are read, a clock before they arrive, and when they do."""
        if self.folding.word_period <= clocks:
            return delayed(m, word, clocks, name="word")[-2:]
        # None follows so soon, so it is enough to delay that one has come.
        held = Signal.like(word, name="held")
        with m.If(word.valid):
            m.d.sync += held.eq(word)
        made = []
        for name, valid in zip(
            ("coming", "arrived"),
            delayed(m, word.valid, clocks, name="word_valid")[-2:],
            strict=True,
        ):
            made.append(Signal.like(word, name=name))
            m.d.comb += [made[-1].eq(held), made[-1].valid.eq(valid)]
        return made

    def _ask(self, m, visit, walk, gradients) -> None:
        """For its region's gradients; behind the last one, or a skip, for those of the group."""
        buffer, read_out = Signal(), Signal()
        m.d.comb += read_out.eq((visit.close & visit.bias) | walk.skip)
        m.d.sync += buffer.eq(~self.start & (buffer ^ read_out))
        m.d.comb += [
            gradients.buffer.eq(buffer),
            gradients.region.eq(visit.region),
            gradients.fetch.eq(visit.add),
            gradients.released.eq(read_out),
        ]

    def _groups(self, m, walk, weights) -> None:
        """Counts those that are through."""
        rows = self.table.rows
        groups = lookup(m, self.layer, [row.groups for row in rows], name="groups")
        through = Signal()
        m.d.comb += through.eq(weights.done | walk.skip)
        m.d.sync += self.done.eq(0)
        with m.If(through):
            m.d.sync += self.group.eq(self.group + 1)
            with m.If(self.group + 1 == groups):
                m.d.sync += [self.busy.eq(0), self.done.eq(1)]
        with m.If(self.start):
            m.d.sync += [self.busy.eq(1), self.group.eq(0)]


def _members(part, names) -> data.StructLayout:
    """Some of a component's, in a layout."""
    return data.StructLayout({name: part.signature.members[name].shape for name in names})


ERRORS = ("errors", "error_address", "error_fetch", "error")
"""Members of :class:`~hdl.rtl.sharing.gradients.Gradients` that are, some of them."""
WEIGHT_PORT = (
    "hold",
    "read",
    "read_address",
    "read_data",
    "write",
    "write_address",
    "write_data",
)
"""Members of :class:`~hdl.rtl.sharing.weight_step.WeightStep` that are the machine's own."""
