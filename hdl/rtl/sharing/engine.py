"""An engine that layers share: each sample goes through all of them, one after another."""

from collections.abc import Sequence

from amaranth import Array, Module, Mux, Signal, Value, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from golden_model.spec.layer import LayerFormat
from hdl.passes.sharing import SharedFolding, table, weight_depth
from hdl.rtl.parts.delay import registered
from hdl.rtl.parts.weight_memory import WeightMemory
from hdl.rtl.ports import EVENTS, SAMPLE, WEIGHT_REQUEST
from hdl.rtl.sharing.control import Control
from hdl.rtl.sharing.head import Head
from hdl.rtl.sharing.lanes import Lanes
from hdl.rtl.sharing.page_filler import PageFiller
from hdl.rtl.sharing.pages import Pages
from hdl.rtl.sharing.sweep import ForwardSweep
from hdl.rtl.sharing.updater import Updater
from hdl.rtl.sharing.weight_access import SharedWeightAccess

LAYER_LEAST = 16
"""Clocks that a sample takes in a layer, at least: its words and their sums pass registers."""


class SharedEngine(wiring.Component):
    """Layers take turns: a sweep F forms their sums, beside it U applies their updates.

    Parameters
    ----------
    layers, folding
        The network's last layers, and how they are folded.

    Members
    -------
    i
        Samples, as many beats each as the first layer has inputs.
    o_score
        Scores of the last layer, in order of class.
    rates, margins, learn
        Registers of each layer; change only while `idle`.
    idle
        Weights are drawn, no sample is in hand, no update pending.
    events
        For each layer what happens in this clock, in the order of `EVENTS`.
    i_weight, o_weight
        Access to single weights, while `idle`; `layer` is counted within the engine.

    For simulation, `probes` has signals by name: of each layer ``layer0_taken``, ``_judged`` and
    ``_updated``, and of each entry of winners that U applies ``probe_valid``, ``probe_layer``,
    ``probe_group``, ``probe_row``, ``probe_column``, ``probe_d0``, ``probe_place0`` and so on.

    Latency, throughput: :mod:`hdl.passes.sharing_cycles`. Cost: the sum of its parts.
    """

    def __init__(self, layers: Sequence[LayerFormat], folding: SharedFolding) -> None:
        self.formats, self.folding = layers, folding
        self.table = table(layers, folding)
        self.probes: dict[str, Signal] = {}
        rates = range(max(layer.rate_shift_max for layer in layers) + 1)
        margins = max(layer.score_bits for layer in layers) - 1
        super().__init__(
            {
                "i": In(stream.Signature(SAMPLE)),
                "o_score": Out(stream.Signature(signed(layers[-1].score_bits))),
                "rates": In(data.ArrayLayout(rates, len(layers))),
                "margins": In(data.ArrayLayout(margins, len(layers))),
                "learn": In(len(layers)),
                "idle": Out(1),
                "events": Out(data.ArrayLayout(len(EVENTS), len(layers))),
                "i_weight": In(stream.Signature(WEIGHT_REQUEST)),
                "o_weight": Out(stream.Signature(signed(16))),
            }
        )

    def elaborate(self, platform):
        m = Module()
        settings = (self.table, self.folding)
        m.submodules.control = control = Control(self.table, learns=self.folding.learns)
        m.submodules.filler = filler = PageFiller(*settings)
        m.submodules.pages = pages = Pages(*settings)
        m.submodules.sweep = sweep = ForwardSweep(*settings)
        m.submodules.lanes = lanes = Lanes(*settings)
        m.submodules.head = head = Head(*settings)
        m.submodules.access = access = SharedWeightAccess(*settings)
        connect(m, flipped(self.i), filler.i)
        connect(m, filler.o, pages.host)
        connect(m, head.o_score, flipped(self.o_score))
        connect(m, flipped(self.i_weight), access.i)
        connect(m, access.o, flipped(self.o_weight))
        self._take_turns(m, control, filler, sweep, head, access)
        self._sum(m, pages, sweep, lanes, head)
        updater = None
        if self.folding.learns:
            m.submodules.updater = updater = Updater(*settings)
            self._update(m, control, pages, head, updater)
        lanes_word = self._share_weights(m, sweep, access, updater)
        m.d.comb += lanes.weights.eq(lanes_word)
        self._report(m, control, updater)
        return m

    def _take_turns(self, m, control, filler, sweep, head, access):
        """Which layer F is at, and of which sample."""
        may_enter = control.may_enter
        if self.folding.place_by_place:
            # A group's first word waits for the head anyway, and so many cells are a long way.
            may_enter = registered(m, may_enter, name="may_enter")
        m.d.comb += [
            control.initialised.eq(access.initialised),
            control.full.eq(filler.full),
            control.tag.eq(filler.tag),
            filler.take.eq(control.take),
            filler.release.eq(control.release),
            control.learns_now.eq(self.learn),
            control.done.eq(sweep.done),
            control.blocked.eq(sweep.blocked),
            control.issue.eq(sweep.issue),
            control.enter_group.eq(sweep.enter_group),
            sweep.may_enter.eq(may_enter),
            control.written.eq(head.written),
            control.judged.eq(head.judged),
            control.judged_layer.eq(head.judged_layer),
            control.judged_any.eq(head.any),
            head.label.eq(control.label),
            head.learn.eq(control.learn),
            self.idle.eq(control.idle & access.initialised & ~filler.standing),
        ]
        for part in (sweep, head):
            m.d.comb += [
                part.start.eq(control.start),
                part.layer.eq(control.layer),
                part.parity.eq(control.parity),
            ]
        if self.folding.learns:
            m.d.comb += head.margins.eq(self.margins)

    def _sum(self, m, pages, sweep, lanes, head):
        """From a word's name to sums in the head."""
        m.d.comb += [
            pages.f_read.eq(sweep.issue),
            pages.f.eq(sweep.place),
            pages.f_layer.eq(sweep.layer),
            lanes.issue.eq(sweep.issue),
            lanes.first.eq(sweep.first),
            lanes.last.eq(sweep.last),
            lanes.x.eq(pages.f_x),
            head.sums.eq(lanes.sums),
            head.sums_next.eq(lanes.sums_next),
            head.group_named.eq(sweep.group_named),
            sweep.credit_group.eq(head.credit_group),
            pages.write_valid.eq(head.write_valid),
            pages.write.eq(head.write),
        ]
        if "taken" in lanes.signature.members:
            m.d.comb += lanes.taken.eq(head.sums_taken)
        if self.folding.skip_zeros:
            connect(m, sweep.flags, pages.f_flags)

    def _update(self, m, control, pages, head, updater):
        """U, and what it reads: inputs, winners and the errors of the layer that it is at."""
        at = control.update_layer
        if self.folding.parallel_classes:
            self._keep_errors(m, head, updater, at)
        else:
            m.d.comb += [
                head.error_address.eq(updater.error_address),
                head.error_layer.eq(at),
                head.error_fetch.eq(updater.error_fetch),
                updater.error.eq(head.error),
            ]
        m.d.comb += [
            updater.start.eq(control.update),
            updater.layer.eq(at),
            updater.parity.eq(control.update_parity),
            updater.rate.eq(self.rates[at]),
            control.update_busy.eq(updater.busy),
            control.update_group.eq(updater.group),
            control.update_done.eq(updater.done),
            control.update_read.eq(0 if self.folding.update_port else updater.read),
            control.update_write.eq(updater.write),
            head.winner_address.eq(updater.entry_address),
            head.winner_fetch.eq(updater.entry_fetch),
            updater.entry_grant.eq(head.winner_grant),
            updater.entry.eq(head.winner),
            head.count_address.eq(updater.count_address),
            head.count_fetch.eq(updater.count_fetch),
            updater.count.eq(head.count),
            pages.u_read.eq(updater.page_read),
            pages.u.eq(updater.page),
            pages.u_layer.eq(at),
            updater.page_grant.eq(pages.u_page_grant),
            updater.x.eq(pages.u_x),
        ]
        if self.folding.skip_zeros:
            connect(m, updater.flags, pages.u_flags)

    def _keep_errors(self, m, head, updater, at):
        """Of each layer, from its judgement on."""
        layers = range(len(self.table.rows))
        errors = [Signal.like(head.errors, name=f"errors{n}") for n in layers]
        for number, kept in enumerate(errors):
            with m.If(head.judged & (head.judged_layer == number)):
                m.d.sync += kept.eq(head.errors)
        m.d.comb += updater.errors.eq(Array(errors)[at])

    def _share_weights(self, m, sweep, access, updater):
        """One memory: F and U name a word in turn, unless U has a port of its own; single accesses
        while neither does.

        A word is read in the clock behind its naming; gives the lanes' weights.
        """
        table, fold = self.table, self.folding
        m.submodules.memory = memory = WeightMemory(
            depth=weight_depth(table, fold),
            lanes=fold.pe,
            weight_bits=access.bits,
            single_port=fold.single_port,
            update_port=fold.update_port,
        )
        named, address = sweep.issue | access.read, Signal.like(memory.read_address)
        m.d.comb += [
            address.eq(Mux(access.read, access.address, sweep.address)),
            memory.write_address.eq(access.address),
            memory.write_enable.eq(access.write),
            *(part.eq(access.value) for part in memory.write_data),
        ]
        if updater is not None:
            if not fold.update_port:
                with m.If(updater.read):
                    m.d.comb += address.eq(updater.read_address)
            with m.If(updater.write):
                m.d.comb += [
                    memory.write_address.eq(updater.write_address),
                    memory.write_enable.eq(~0),
                    memory.write_data.eq(updater.write_data),
                ]
            m.d.comb += sweep.hold.eq(updater.hold)
            if not fold.update_port:
                named = named | updater.read
        m.d.sync += [memory.read_enable.eq(named), memory.read_address.eq(address)]
        word = self._arrived(m, memory.read_data, "word")
        m.d.comb += access.read_data.eq(word)
        if updater is not None and fold.update_port:
            m.d.comb += [
                memory.update_enable.eq(updater.read),
                memory.update_address.eq(updater.read_address),
            ]
            own = self._arrived(m, memory.update_data, "update_word")
            m.d.comb += updater.read_data.eq(own)
        elif updater is not None:
            m.d.comb += updater.read_data.eq(word)
        return word

    def _arrived(self, m, word, name: str):
        """A word out of the memory, which may come so late that it passes through a register."""
        return registered(m, word, name=name) if self.folding.slow_memory else word

    def _report(self, m, control, updater):
        """Events; and for simulation the same and what is updated, a signal for each."""
        m.d.comb += self.events.eq(control.events)
        probes = {
            f"{row.format.name}_{name}": getattr(control, name)[number]
            for number, row in enumerate(self.table.rows)
            for name in ("taken", "judged_now", "updated")
        }
        if updater is not None:
            seen = updater.probe
            probes |= {f"probe_{name}": seen[name] for name in ("valid", "group", "row", "column")}
            probes["probe_layer"] = control.update_layer
            for lane in range(self.folding.pe):
                probes[f"probe_d{lane}"] = seen.gradients[lane]
                probes[f"probe_place{lane}"] = seen.places[lane]
        for full_name, value in probes.items():
            name = full_name.removesuffix("_now")
            self.probes[name] = Signal(Value.cast(value).shape(), name=name)
            m.d.comb += self.probes[name].eq(value)
