"""Everything behind the sums of an engine that layers share."""

from amaranth import Module, Signal, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hdl.passes.sharing import EngineTable, SharedFolding
from hdl.rtl.parts.delay import delayed
from hdl.rtl.ports import memory_depth, tag_layout
from hdl.rtl.sharing.draws import classifier_draws
from hdl.rtl.sharing.head_walk import HeadWalk
from hdl.rtl.sharing.held_sums import HeldSums
from hdl.rtl.sharing.judge import Judge, Judged, error_members
from hdl.rtl.sharing.lanes import sums_layout
from hdl.rtl.sharing.lookup import lookup
from hdl.rtl.sharing.page_ports import head_write
from hdl.rtl.sharing.place_head import PlaceHead
from hdl.rtl.sharing.region_scores import region_scores
from hdl.rtl.sharing.region_sums import RegionSums
from hdl.rtl.sharing.window_head import WindowHead
from hdl.rtl.sharing.winners import Winners, count_shape, winner_layout


class Head(wiring.Component):
    """Activations, scores and errors of all layers, and who won in each window.

    From the clock in which sums stand, as many filters of a window a clock as there are heads:

    =========  ==========================================================================
    0          sums stand; `sums_next` in the clock before
    1          the first filters are shown
    2          scores of a readout are written
    7          the first filters' activations leave at `write`, and are added to their region
    6 + n      the last ones, ``n = pe / heads``; the window's winners are written
    7 + n      behind a layer's last window: `written`
    7 + n      behind a group's last window scoring begins, once nobody reads the scores: see
               :class:`~hdl.rtl.sharing.region_scores.RegionScores`; behind a layer's last group
               :class:`~hdl.rtl.sharing.judge.Judge` starts when that is over
    =========  ==========================================================================

    Without pooling a window comes four times, once for each place, `head_clocks` apart.

    Parameters
    ----------
    table, folding
        The engine's layers, and how they are folded.

    Members
    -------
    start, layer, parity, label, learn
        Pulse: windows of that layer will come, group by group; the others stay until `written`.
    sums, sums_next, sums_taken
        Of :class:`~hdl.rtl.sharing.lanes.Lanes`; windows no closer than `window_clocks` of the
        folding. Pulse, only place by place: the next ones may stand.
    group_named, credit_group
        The last word of a group's last window is named; it may be, in this clock.
    write_valid, write
        Activations, for the next layer's page; always taken.
    written
        Pulse, of every layer: the last of its activations have left.
    margins
        Of each layer; only if the engine learns, like the errors and all that follow.
    o_score
        Scores of the last layer, in order of class.
    judged, judged_layer, any
        Pulse: the layer is judged; whether it is to learn from errors that are not all 0. Without
        learning `any` is 0.
    errors; or error_address, error_layer, error_fetch, error
        Of :class:`~hdl.rtl.sharing.judge.Judge`; the first until the next layer's first score
        leaves.
    winner_address, winner_fetch, winner_grant, winner, count_address, count_fetch, count
        Of :class:`~hdl.rtl.sharing.winners.Winners`.
    """

    def __init__(self, table: EngineTable, folding: SharedFolding) -> None:
        self.table, self.folding = table, folding
        format, layers = Judged.of(table), range(len(table.rows))
        tag = tag_layout(table.rows[0].format)
        learning = {
            "margins": In(data.ArrayLayout(format.score_bits - 1, len(layers))),
            "winner_address": In(range(memory_depth(table.winners))),
            "winner_fetch": In(1),
            "winner_grant": Out(1),
            "winner": Out(winner_layout(table, folding)),
            "count_address": In(range(memory_depth(table.groups))),
            "count_fetch": In(1),
            "count": Out(count_shape(table)),
            **error_members(table, folding),
        }
        super().__init__(
            {
                "start": In(1),
                "layer": In(layers),
                "parity": In(1),
                "label": In(tag["label"].shape),
                "learn": In(1),
                "sums": In(sums_layout(table, folding)),
                "sums_next": In(1),
                "group_named": In(1),
                "credit_group": Out(1),
                "write_valid": Out(1),
                "write": Out(head_write(table, folding)),
                "written": Out(1),
                "o_score": Out(stream.Signature(signed(table.rows[-1].format.score_bits))),
                "judged": Out(1),
                "judged_layer": Out(layers),
                "any": Out(1),
            }
            | (learning if folding.learns else {})
            | ({"sums_taken": Out(1)} if folding.place_by_place else {})
        )

    def elaborate(self, platform):
        m = Module()
        settings = (self.table, self.folding)
        m.submodules.held = held = HeldSums(*settings)
        by_place = self.folding.place_by_place
        m.submodules.window = window = (PlaceHead if by_place else WindowHead)(*settings)
        m.submodules.walk = walk = HeadWalk(*settings)
        m.d.comb += [
            held.sums.eq(self.sums),
            held.sums_next.eq(self.sums_next),
            held.layer.eq(self.layer),
            window.i.eq(held.o),
            window.layer.eq(self.layer),
            *([] if by_place else [window.turn.eq(walk.turn)]),
            walk.start.eq(self.start),
            walk.layer.eq(self.layer),
            walk.parity.eq(self.parity),
            self.written.eq(walk.written),
        ]
        if by_place:
            m.d.comb += [
                window.first.eq(held.first),
                window.counts.eq(held.counts),
                self.sums_taken.eq(held.window_ends),
            ]
        for name in ("beat", "first", "last", "ends", "window_ends"):
            m.d.comb += getattr(walk, name).eq(getattr(held, name))
        h, place, learns = self._activations(m, window)
        self._send(m, walk, h)
        scores = self._score(m, held, window, walk, h)
        self._judge(m, scores)
        if self.folding.learns:
            self._win(m, walk, place, learns & walk.exists & walk.inside.replicate(len(h)))
        return m

    def _is(self, m, name, value):
        """Something that is true of the layer or not, by its row."""
        return lookup(m, self.layer, [int(value(row)) for row in self.table.rows], name=name)

    def _activations(self, m, window):
        """Activation, place and whether it learns, of each filter; a readout's units always do."""
        heads = self.folding.heads
        reads_out = self._is(m, "always", lambda row: row.format.reads_out)
        saturated = self._is(m, "saturated", lambda row: row.format.saturated_learns)
        h, place = Signal.like(window.h), Signal.like(window.place)
        learns = Signal(heads)
        m.d.sync += [h.eq(window.h), place.eq(window.place)]
        for k, found in enumerate(window.h):
            m.d.sync += learns[k].eq((found.any() & (~found.all() | saturated)) | reads_out)
        return h, place, learns

    def _send(self, m, walk, h):
        """On to the next layer's page."""
        m.d.comb += [
            self.write_valid.eq(walk.o_beat & walk.inside & walk.feeds),
            self.write.layer.eq(self.layer + 1),
            self.write.parity.eq(self.parity),
            self.write.bank.eq(walk.bank),
            self.write.address.eq(walk.address),
            self.write.enable.eq(walk.exists),
            self.write.data.eq(h),
        ]

    def _score(self, m, held, window, walk, h):
        """Sums over regions, and the scores."""
        m.submodules.regions = regions = RegionSums(self.table, self.folding)
        m.submodules.scores = scores = region_scores(self.table, self.folding)
        m.submodules.draws = draws = classifier_draws(self.table, self.folding, bits=1)
        reads_out = self._is(m, "reads_out", lambda row: not row.scored)
        clocks = window.sum_to_score
        score_beat = delayed(m, held.beat & reads_out, clocks, name="score_beat")[-1]
        over = walk.o_last & walk.group_last
        m.d.comb += [
            regions.beat.eq(walk.o_beat),
            regions.first.eq(walk.o_first),
            regions.add.eq(walk.o_beat & walk.inside & ~reads_out),
            regions.region.eq(walk.region),
            regions.region_first.eq(walk.region_first),
            regions.turn.eq(over),
            regions.read_region.eq(scores.region),
            regions.lane.eq(scores.lane),
            regions.fetch.eq(scores.fetch),
            scores.z.eq(regions.z),
            scores.group.eq(over),
            scores.layer.eq(self.layer),
            scores.layer_last.eq(walk.layer_last),
            scores.tag.label.eq(self.label),
            scores.tag.learn.eq(self.learn),
            scores.score_start.eq(self.start),
            scores.score_beat.eq(score_beat),
            scores.score.eq(window.score),
            draws.layer.eq(scores.draw_layer),
            draws.start.eq(scores.draw_start),
            draws.next.eq(scores.draw_next),
            scores.draw.eq(draws.draw),
        ]
        for k, exists in enumerate(walk.exists):
            m.d.comb += regions.h[k].eq(h[k] & exists.replicate(len(h[k])))

        waits = Signal()  # for a group, from its naming until its scores are done
        m.d.sync += waits.eq((waits | self.group_named) & ~scores.over)
        m.d.comb += self.credit_group.eq(~waits & ~(reads_out & scores.reading))
        return scores

    def _judge(self, m, scores):
        m.submodules.judge = judge = Judge(self.table, self.folding)
        wiring.connect(m, judge.o_score, wiring.flipped(self.o_score))
        m.d.comb += [
            judge.start.eq(scores.scored),
            judge.layer.eq(scores.o_layer),
            judge.tag.eq(scores.o_tag),
            scores.reading.eq(judge.reading),
            scores.address.eq(judge.address),
            scores.fetch_score.eq(judge.fetch),
            judge.score.eq(scores.o_score),
            self.judged.eq(judge.judged),
            self.judged_layer.eq(judge.judged_layer),
            self.any.eq(judge.any),
        ]
        if self.folding.learns:
            m.d.comb += judge.margins.eq(self.margins)
            for name, member in error_members(self.table, self.folding).items():
                own, port = getattr(self, name), getattr(judge, name)
                m.d.comb += own.eq(port) if member.flow is Out else port.eq(own)

    def _win(self, m, walk, place, learns):
        """Who won in each window, for the update."""
        m.submodules.winners = winners = Winners(self.table, self.folding)
        m.d.comb += [
            winners.beat.eq(walk.o_beat),
            winners.last.eq(walk.o_last),
            winners.group_last.eq(walk.group_last),
            winners.layer.eq(self.layer),
            winners.row.eq(walk.row),
            winners.column.eq(walk.column),
            winners.region.eq(walk.region),
            winners.places.eq(place),
            winners.learns.eq(learns),
            winners.address.eq(self.winner_address),
            winners.fetch.eq(self.winner_fetch),
            self.winner_grant.eq(winners.grant),
            self.winner.eq(winners.entry),
            winners.count_address.eq(self.count_address),
            winners.count_fetch.eq(self.count_fetch),
            self.count.eq(winners.count),
        ]
