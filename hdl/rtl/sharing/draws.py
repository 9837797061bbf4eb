"""Rows of the random classifiers of all layers, in the order in which an engine wants them."""

from amaranth import Cat, Module, Mux, Signal, unsigned
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out

from hdl.passes.sharing import EngineTable, Row, SharedFolding
from hdl.rtl.parts.draws import STATE_BITS, leap, parities, xorshift, xorshift_constant
from hdl.rtl.ports import IN_BLOCKS, memory_depth
from hdl.rtl.sharing.lookup import lookup

DRAW_LATENCY = 2
"""Clocks from `start` to the first draw; slow memory takes one more."""


class ClassifierDraws(wiring.Component):
    """Draws of a layer's classifier: group by group, region by region, PE filters, all classes.

    =====  =======================================================================
    0      `start`, or `next`
    1      behind `next`: the next draw stands
    2      behind `start`: the first one stands; with slow memory a clock later
    =====  =======================================================================

    Subclasses read them from a ROM or generate them again, see :func:`classifier_draws`.

    Parameters
    ----------
    table, folding
        The engine's layers, and how they are folded.
    bits
        Top bits of each draw: 1 for the sign of M, more for K.

    Members
    -------
    layer, start
        Of the rows, and the pulse to begin with the first one; `layer` is stable from the clock of
        `start` until the last `next`.
    next
        Go on to the next draws; not before the first ones stand.
    draw
        Of one class, or, with parallel classes, of all, class 0 in the lowest bits. It stands until
        the clock behind `next`. Of filters that only pad a group rubbish.

    Throughput: a row in a clock, or, with serial classes, a draw.
    """

    def __init__(self, table: EngineTable, folding: SharedFolding, *, bits: int) -> None:
        self.rows, self.folding, self.bits = table.rows, folding, bits
        self.draws = table.draws
        self.classes = table.rows[0].format.classes
        self.at_a_time = self.classes if folding.parallel_classes else 1
        super().__init__(
            {
                "layer": In(range(len(table.rows))),
                "start": In(1),
                "next": In(1),
                "draw": Out(bits * self.at_a_time),
            }
        )

    @property
    def latency(self) -> int:
        """Clocks from `start` to the first draw."""
        return DRAW_LATENCY + self.folding.slow_memory


class DrawRom(ClassifierDraws):
    """From a ROM. Cost: `draws` rows of ``classes * bits`` of memory, about 20 cells."""

    def elaborate(self, platform):
        m = Module()
        words = self.classes // self.at_a_time
        m.submodules.rom = rom = memory.Memory(
            shape=unsigned(len(self.draw)),
            depth=memory_depth(self.draws * words),
            init=self._contents(),
            attrs=IN_BLOCKS,
        )
        read = rom.read_port()
        bases = [row.draw_base * words for row in self.rows]
        number = Signal(range(memory_depth(self.draws * words) + 1))
        # What has been read ahead moves on with `next`, and by itself behind `start`.
        filling = Signal(self.latency - 1)
        advance = Signal()
        m.d.comb += [
            advance.eq(self.next | filling.any()),
            read.addr.eq(number),
            read.en.eq(advance),
        ]
        m.d.sync += filling.eq(Cat(self.start, filling))
        with m.If(advance):
            m.d.sync += number.eq(number + 1)
        with m.If(self.start):
            m.d.sync += number.eq(lookup(m, self.layer, bases, name="draw_base"))
        if self.folding.slow_memory:
            held = Signal.like(self.draw)
            m.d.comb += self.draw.eq(held)
            with m.If(advance):
                m.d.sync += held.eq(read.data)
        else:
            m.d.comb += self.draw.eq(read.data)
        return m

    def _contents(self) -> list[int]:
        """Words in order; of padding 0."""
        draws = []
        for row in self.rows:
            if row.scored:
                draws += self._rows_of(row)
        step = self.at_a_time
        return [
            sum(draw << (self.bits * n) for n, draw in enumerate(draws[start : start + step]))
            for start in range(0, len(draws), step)
        ]

    def _rows_of(self, row: Row) -> list[int]:
        layer, pe = row.format, self.folding.pe
        state, stream = layer.classifier_seed, []
        for _ in range(layer.regions * layer.units * self.classes):
            state = xorshift_constant(state)
            stream.append(state >> (STATE_BITS - self.bits))
        draws = []
        for group in range(row.groups):
            for region in range(layer.regions):
                for unit in range(group * pe, (group + 1) * pe):
                    first = (region * layer.units + unit) * self.classes
                    exists = unit < layer.units
                    draws += stream[first : first + self.classes] if exists else [0] * self.classes
        return draws


class DrawGenerator(ClassifierDraws):
    """From the generator, which leaps from region to region and back to the next group.

    Cost: 64 flip-flops; a step about 45 cells, with parallel classes 100 and 5 for each bit of a
    draw; a leap 100 for each layer of several regions and groups.
    """

    def elaborate(self, platform):
        m = Module()
        if not self.draws:
            return m
        firsts = [xorshift_constant(row.format.classifier_seed) for row in self.rows]
        state, after = Signal(STATE_BITS), Signal(STATE_BITS)
        advance = Signal()
        if self.at_a_time == 1:
            m.d.comb += [advance.eq(self.next), self.draw.eq(state[-self.bits :])]
            step = xorshift(state)
        else:
            started = Signal()
            m.d.sync += started.eq(self.start)
            m.d.comb += advance.eq(self.next | started)
            tops = (leap(number)[-self.bits :] for number in range(self.at_a_time))
            with m.If(advance):
                m.d.sync += self.draw.eq(Cat(parities(state, top) for top in tops))
            step = parities(state, leap(self.at_a_time))
        m.d.comb += after.eq(step)
        self._walk(m, state, after, advance)
        with m.If(self.start):
            m.d.sync += state.eq(lookup(m, self.layer, firsts, name="seed"))
        return m

    def _walk(self, m, state, after, advance):
        """Row by row; `after` is the state one step on."""
        pe = self.folding.pe
        layers = [row.format for row in self.rows]
        lane, region = Signal(range(pe)), Signal(range(max(f.regions for f in layers)))
        class_ = Signal(range(self.classes))
        last_class = (class_ == self.classes - 1) if self.at_a_time == 1 else 1
        present = lookup(m, self.layer, [min(f.units, pe) for f in layers], name="present")
        regions = lookup(m, self.layer, [f.regions - 1 for f in layers], name="last_region")
        first_region, last_region, last_lane = Signal(), Signal(), Signal()
        following, mark = Signal(STATE_BITS), Signal(STATE_BITS)
        m.d.comb += [
            first_region.eq(region == 0),
            last_region.eq(region == regions),
            last_lane.eq(last_class & (lane == pe - 1)),
            following.eq(Mux(lane < present, after, state)),
        ]
        with m.If(advance):
            m.d.sync += [state.eq(following), class_.eq(Mux(last_class, 0, class_ + 1))]
            with m.If(last_class):
                m.d.sync += lane.eq(Mux(last_lane, 0, lane + 1))
            with m.If(last_lane):
                m.d.sync += region.eq(Mux(last_region, 0, region + 1))
                with m.If(first_region):
                    m.d.sync += mark.eq(after)
                with m.If(last_region & ~first_region):
                    m.d.sync += state.eq(mark)
                with m.Elif(~last_region):
                    self._leap(m, state)
        with m.If(self.start):
            m.d.sync += [lane.eq(0), region.eq(0), class_.eq(0)]

    def _leap(self, m, state):
        """From a region's last filter of a group to the next region's first one."""
        with m.Switch(self.layer):
            for number, row in enumerate(self.rows):
                layer = row.format
                skipped = (layer.units - self.folding.pe) * self.classes
                if row.scored and layer.regions > 1 and skipped > 0:
                    with m.Case(number):
                        m.d.sync += state.eq(parities(state, leap(self.at_a_time + skipped)))


def classifier_draws(table: EngineTable, folding: SharedFolding, *, bits: int) -> ClassifierDraws:
    """The draws for one user, from a ROM or a generator."""
    kind = DrawRom if folding.classifier_rom else DrawGenerator
    return kind(table, folding, bits=bits)
