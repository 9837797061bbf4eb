"""Scores of a layer's random classifier, and those of a readout, in one store."""

from amaranth import Cat, Module, Mux, Signal, signed
from amaranth.lib import data, memory, wiring
from amaranth.lib.wiring import In, Out

from hdl.passes.sharing import EngineTable, SharedFolding
from hdl.rtl.parts.delay import delayed, registered
from hdl.rtl.ports import IN_BLOCKS, memory_depth, tag_layout
from hdl.rtl.sharing.lookup import lookup
from hdl.rtl.sharing.region_sums import region_bits
from hdl.rtl.sharing.window_head import score_bits


class RegionScores(wiring.Component):
    """``score[c] = sum of M[g, o, c] * z[g, o]`` over regions and filters, group by group.

    Subclasses add for all classes at once or for one after another, see :func:`region_scores`.
    Clocks from the one in which scoring begins, `S` of them for a group of a hidden layer:

    =========  ==================================================================
    0          a `group` came before and nobody reads; `draw_start` before a layer
    2          the first sum is read
    1 + S      the last one is read, for the last class
    4 + S      the group is `over`; behind a layer's last one scores stand, `scored`
    =========  ==================================================================

    ``S = regions * pe * period``, where a filter's period is 1 clock with parallel classes, else
    ``max(classes, 2 + slow_memory)``. With slow memory all from 2 on come a clock later, the end
    two clocks. A readout's group is over in clock 0.

    Parameters
    ----------
    table, folding
        The engine's layers, and how they are folded.

    Members
    -------
    group, layer, layer_last, tag
        Pulse: sums of all filters of a group are there, or will be within two clocks; the group's
        layer, whether it is the last one, and its sample's tag. Not before the one before is over.
    score_beat, score_start, score
        Scores of a readout, of as many classes as there are heads, class 0 behind `score_start`.
    region, lane, fetch, z
        Of :class:`~hdl.rtl.sharing.region_sums.RegionSums`.
    draw_layer, draw_start, draw_next, draw
        Of :class:`~hdl.rtl.sharing.draws.ClassifierDraws`.
    reading
        Scores are being read and must stay.
    over, scored
        Pulse: a group is over; and with it a layer, whose scores can be read from the next clock.
    o_layer, o_tag
        Of the layer scored.
    address, fetch_score, o_score
        Class to read, whether to read, and its score one clock later.
    """

    def __init__(self, table: EngineTable, folding: SharedFolding) -> None:
        self.table, self.folding = table, folding
        self.format = table.rows[0].format
        self.classes, layers = self.format.classes, range(len(table.rows))
        self.shape = signed(score_bits(table))
        draws = self.classes if folding.parallel_classes else 1
        tag = tag_layout(self.format)
        super().__init__(
            {
                "group": In(1),
                "layer": In(layers),
                "layer_last": In(1),
                "tag": In(tag),
                "score_beat": In(1),
                "score_start": In(1),
                "score": In(data.ArrayLayout(self.shape, folding.heads)),
                "region": Out(range(max(row.format.regions for row in table.rows))),
                "lane": Out(range(folding.pe)),
                "fetch": Out(1),
                "z": In(region_bits(table)),
                "draw_layer": Out(layers),
                "draw_start": Out(1),
                "draw_next": Out(1),
                "draw": In(draws),
                "reading": In(1),
                "over": Out(1),
                "scored": Out(1),
                "o_layer": Out(layers),
                "o_tag": Out(tag),
                "address": In(range(self.classes)),
                "fetch_score": In(1),
                "o_score": Out(self.shape),
            }
        )

    @property
    def period(self) -> int:
        """Clocks of a filter."""
        if self.folding.parallel_classes:
            return 1
        return max(self.classes, 2 + self.folding.slow_memory)

    def elaborate(self, platform):
        m = Module()
        slow = self.folding.slow_memory
        step, first, class_, adds = self._walk(m)
        # The sum arrives with its draw, and both are held.
        arrived = delayed(m, Cat(step & adds, first, class_), 1 + slow, name="arrived")[-1]
        m.d.comb += [self.fetch.eq(step), self.draw_next.eq(arrived[0])]
        z = registered(m, self.z, name="z_held")
        signs = registered(m, self.draw, name="signs")
        self._store(m, arrived[0], arrived[1], arrived[2:], z, signs)
        return m

    def _walk(self, m):
        """Region by region, filter by filter; says in which clocks, for which class, whether the
        score begins, and whether there is such a class."""
        rows, slow = self.table.rows, self.folding.slow_memory
        waiting, last, fresh = Signal(), Signal(), Signal(init=1)
        with m.If(self.group):
            m.d.sync += [
                waiting.eq(1),
                self.o_layer.eq(self.layer),
                self.o_tag.eq(self.tag),
                last.eq(self.layer_last),
            ]
        reads_out = lookup(m, self.o_layer, [int(not row.scored) for row in rows], name="reads_out")
        regions = [row.format.regions - 1 for row in rows]
        final = lookup(m, self.o_layer, regions, name="last_region")
        step, class_ = Signal(), Signal(range(self.period))
        last_class, last_lane = class_ == self.period - 1, self.lane == self.folding.pe - 1
        m.d.comb += [self.draw_layer.eq(self.o_layer), self.scored.eq(self.over & last)]
        # So long the draws take behind their start, and the last sums before they can be read.
        prepared, finished = Signal(1 + slow), Signal(3 + slow)
        m.d.sync += [prepared.eq(prepared << 1), finished.eq(finished << 1)]
        with m.FSM():
            with m.State("WAIT"), m.If(waiting & ~self.reading):
                m.d.sync += waiting.eq(0)
                with m.If(reads_out):
                    m.d.comb += self.over.eq(1)
                with m.Else():
                    m.d.comb += self.draw_start.eq(fresh)
                    m.d.sync += prepared[0].eq(1)
                    m.next = "PREPARE"
            with m.State("PREPARE"), m.If(prepared[-1]):
                m.next = "SCORE"
            with m.State("SCORE"):
                m.d.comb += step.eq(1)
                m.d.sync += class_.eq(Mux(last_class, 0, class_ + 1))
                with m.If(last_class):
                    m.d.sync += [fresh.eq(0), self.lane.eq(Mux(last_lane, 0, self.lane + 1))]
                    with m.If(last_lane):
                        m.d.sync += self.region.eq(self.region + 1)
                        with m.If(self.region == final):
                            m.d.sync += [self.region.eq(0), finished[0].eq(1)]
                            m.next = "FINISH"
            with m.State("FINISH"), m.If(finished[-1]):
                m.d.comb += self.over.eq(1)
                m.d.sync += fresh.eq(last)
                m.next = "WAIT"
        return step, fresh, class_, class_ < self.classes

    def _count(self, m, depth):
        """Scores of a readout so far, by as many as there are heads; stays at `depth`, since what
        pads its last group is no class."""
        out = Signal(range(depth + 1), name="out")
        with m.If(self.score_start):
            m.d.sync += out.eq(0)
        with m.Elif(self.score_beat & (out != depth)):
            m.d.sync += out.eq(out + 1)
        return out


class SerialScores(RegionScores):
    """One addition per clock.

    Cost: a memory of scores for each head, about 2 * score_bits + 60 cells.
    """

    def _store(self, m, step, first, class_, z, signs):
        """Second stage: score[c] += M[g, o, c] * z[g, o]."""
        heads, slow = self.folding.heads, self.folding.slow_memory
        depth, head_bits = -(-self.classes // heads), (heads - 1).bit_length()
        wanted = Mux(self.fetch_score, self.address, class_)
        # The score is read with its sum, and a clock later they are added; or one more.
        adding, fresh, place = (
            delayed(m, value, 1 + slow, name=name)[-1]
            for value, name in ((step, "adding"), (first, "fresh"), (class_, "place"))
        )
        z, sign = (delayed(m, value, slow, name=f"{value.name}_later")[-1] for value in (z, signs))
        bank = Signal(head_bits)
        reading = Signal()
        m.d.comb += reading.eq(step | self.fetch_score)
        with m.If(reading):
            m.d.sync += bank.eq(wanted[:head_bits])
        out = self._count(m, depth)
        found, before = Signal(self.shape), Signal(self.shape)
        reads, after = [], Signal(self.shape)
        for k in range(heads):
            ram = memory.Memory(
                shape=self.shape, depth=memory_depth(depth), init=[], attrs=IN_BLOCKS
            )
            m.submodules[f"scores{k}"] = ram
            write, read = ram.write_port(), ram.read_port()
            reads.append(read.data)
            m.d.comb += [
                read.addr.eq(wanted[head_bits:]),
                read.en.eq(reading & (wanted[:head_bits] == k)),
                write.addr.eq(Mux(self.score_beat, out, place[head_bits:])),
                write.data.eq(Mux(self.score_beat, self.score[k], after)),
                write.en.eq(Mux(self.score_beat, out < depth, adding & (place[:head_bits] == k))),
            ]
        m.d.comb += [
            found.eq(Cat(reads).word_select(bank, self.shape.width)),
            self.o_score.eq(found),
            before.eq(Mux(fresh, 0, delayed(m, found, slow, name="found")[-1])),
            after.eq(Mux(sign, before - z, before + z)),
        ]


class ParallelScores(RegionScores):
    """All classes at once. Cost: about 3 * classes * score_bits cells."""

    def _store(self, m, step, first, class_, z, signs):
        """Second stage: score[c] += M[g, o, c] * z[g, o]."""
        heads = self.folding.heads
        out = self._count(m, -(-self.classes // heads))
        adding, fresh = Signal(), Signal()
        m.d.sync += [adding.eq(step), fresh.eq(first)]
        scores = [Signal(self.shape, name=f"score{c}") for c in range(self.classes)]
        for c, (score, sign) in enumerate(zip(scores, signs, strict=True)):
            before = Signal.like(score)
            m.d.comb += before.eq(Mux(fresh, 0, score))
            with m.If(adding):
                m.d.sync += score.eq(Mux(sign, before - z, before + z))
            with m.If(self.score_beat & (out == c // heads)):
                m.d.sync += score.eq(self.score[c % heads])
        with m.If(self.fetch_score), m.Switch(self.address):
            for number, score in enumerate(scores):
                with m.Case(number):
                    m.d.sync += self.o_score.eq(score)


def region_scores(table: EngineTable, folding: SharedFolding) -> RegionScores:
    """The scores, all classes at once with parallel classes."""
    return (ParallelScores if folding.parallel_classes else SerialScores)(table, folding)
