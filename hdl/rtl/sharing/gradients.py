"""What a layer's errors ask of each filter, group by group, for the update machine."""

from amaranth import Cat, Module, Mux, Signal, signed, unsigned
from amaranth.lib import data, memory, wiring
from amaranth.lib.wiring import In, Out

from golden_model.spec.network import Feedback
from golden_model.spec.random import MAGNITUDES
from hdl.passes.sharing import EngineTable, SharedFolding
from hdl.rtl.parts.delay import delayed, registered
from hdl.rtl.ports import memory_depth
from hdl.rtl.sharing.draws import classifier_draws
from hdl.rtl.sharing.lookup import lookup

BUFFERS = 2
"""Groups whose gradients stand: one in use, one to come."""
FORMED = 5
"""Clocks from a group's last draw to `ready`."""


class Gradients(wiring.Component):
    """``D[region][o] = sum_c K[region, o, c] * e[c]``; of a readout ``D[0][o] = e[o]``.

    Groups are formed in order, at most two ahead. Clocks are counted from a filter's last draw:

    =====  ==========================================================================
    0      a draw stands, and the next one is asked for
    1      it and the errors are operands
    2      parts of the sum, or, class by class, the sum
    3      the sum
    4      the word of the region's filters; written, if this was the last of PE
    5      `ready`, if it was the group's last region
    =====  ==========================================================================

    The first draw is used ``ClassifierDraws.latency + 2`` clocks after `start`; the next group's
    follow a group's without a gap, or begin two clocks after `released`.

    Parameters
    ----------
    table, folding
        The engine's.

    Members
    -------
    start, layer
        Pulse: form those of `layer`; stable until all are formed.
    errors
        With parallel classes: e, stable, too.
    error_address, error_fetch, error
        Else: entry of e, whether to read it, and the entry one clock later.
    ready
        The gradients of the group in hand stand.
    taken
        Pulse: go on to the next group; only while `ready`.
    released
        Pulse: that of a group that was taken is not read any more.
    buffer, region, fetch, gradients
        To read: parity of the group's number, region; D of its filters a clock later, with slow
        memory two.

    Throughput: a filter of a region in a clock; with serial classes, or in a layer of filters and
    not of a readout, in as many clocks as there are classes. Cost: a memory of twice as many words
    of ``pe * gradient_bits`` as there are regions, the draws, and serial about 3 * gradient_bits +
    60 cells, else classes * (2 * error_bits + gradient_bits).
    """

    def __init__(self, table: EngineTable, folding: SharedFolding) -> None:
        self.table, self.folding = table, folding
        formats = [row.format for row in table.rows]
        self.classes, self.feedback = formats[0].classes, formats[0].feedback
        self.gradient_bits = max(layer.gradient_bits for layer in formats)
        self.error_bits = max(layer.error_bits for layer in formats)
        self.reading_out = [int(layer.reads_out) for layer in formats]
        self.draw_bits = 3 if self.feedback is Feedback.SIGN_CONCORDANT else 1
        regions = range(max(layer.regions for layer in formats))
        super().__init__(
            {
                "start": In(1),
                "layer": In(range(len(formats))),
                "ready": Out(1),
                "taken": In(1),
                "released": In(1),
                "buffer": In(1),
                "region": In(regions),
                "fetch": In(1),
                "gradients": Out(data.ArrayLayout(signed(self.gradient_bits), folding.pe)),
            }
            | self._error_members()
        )

    def _error_members(self) -> dict:
        error = signed(self.error_bits)
        if self.folding.parallel_classes:
            return {"errors": In(data.ArrayLayout(error, self.classes))}
        return {
            "error_address": Out(range(self.classes)),
            "error_fetch": Out(1),
            "error": In(error),
        }

    def elaborate(self, platform):
        m = Module()
        at = self._walk(m)
        parallel = self.folding.parallel_classes
        value, formed = (self._parallel if parallel else self._serial)(m, at)
        self._keep(m, at, value, formed)
        return m

    def _walk(self, m) -> dict:
        """Group by group, region by region, filter by filter, and class by class if serial."""
        rows, pe = self.table.rows, self.folding.pe
        of_layer = {
            "regions": [row.format.regions - 1 for row in rows],
            "groups": [row.groups - 1 for row in rows],
            "classes": [0 if out else self.classes - 1 for out in self.reading_out],
            "reads_out": self.reading_out,
        }
        last = {name: lookup(m, self.layer, v, name=f"last_{name}") for name, v in of_layer.items()}
        if self.folding.parallel_classes:
            last["classes"] = 0
        m.submodules.draws = draws = classifier_draws(self.table, self.folding, bits=self.draw_bits)
        started = delayed(m, self.start, draws.latency, name="started")[-1]

        running, held = Signal(), Signal(range(BUFFERS + 1))
        lane, region = Signal(range(pe)), Signal.like(self.region)
        group, unit = Signal(range(max(row.groups for row in rows))), Signal(range(self._units()))
        class_ = Signal(range(self.classes))
        final_class, final_lane, final = Signal(), Signal(), Signal()
        m.d.comb += [
            final_class.eq(class_ == last["classes"]),
            final_lane.eq(final_class & (lane == pe - 1)),
            final.eq(final_lane & (region == last["regions"])),
            draws.layer.eq(self.layer),
            draws.start.eq(self.start & ~last["reads_out"]),
            draws.next.eq(running & ~last["reads_out"]),
        ]
        more, begin, idle = Signal(), Signal(), Signal()
        m.d.comb += [
            idle.eq(~running | final),
            begin.eq(idle & more & (held != BUFFERS)),
        ]
        with m.If(running):
            m.d.sync += class_.eq(Mux(final_class, 0, class_ + 1))
            with m.If(final_class):
                m.d.sync += [lane.eq(Mux(final_lane, 0, lane + 1)), unit.eq(unit + 1)]
            with m.If(final_lane):
                m.d.sync += region.eq(Mux(final, 0, region + 1))
        with m.If(idle):
            m.d.sync += running.eq(begin)
        m.d.sync += held.eq(held + begin - self.released)
        with m.If(begin):
            m.d.sync += [group.eq(group + 1), more.eq(group != last["groups"])]
        with m.If(started):
            m.d.sync += [more.eq(1), group.eq(0), unit.eq(0)]
        return {
            "draw": draws.draw,
            "step": running,
            "reads_out": last["reads_out"],
            "first_class": class_ == 0,
            "index": Mux(last["reads_out"], unit, class_),
            "unit": unit,
            "final_class": running & final_class,
            "final_lane": running & final_lane,
            "final": running & final,
            "region": region,
        }

    def _units(self) -> int:
        """Of a readout, with what pads its last group."""
        return max(row.groups * self.folding.pe for row in self.table.rows)

    def _term(self, draw, e):
        """K times e."""
        if self.feedback is Feedback.SIGN_CONCORDANT:
            choices = [e, e << 1, (e << 1) + e]
            first, second, third, fourth = (choices[size - 1] for size in MAGNITUDES)
            e = Mux(draw[1], Mux(draw[0], fourth, third), Mux(draw[0], second, first))
        return Mux(draw[-1], -e, e)

    def _error(self, m, index) -> Signal:
        """e of one class; 0 beyond them."""
        e = Signal(signed(self.error_bits))
        with m.Switch(index):
            for number, error in enumerate(self.errors):
                with m.Case(number):
                    m.d.comb += e.eq(error)
        return e

    def _serial(self, m, at):
        """The sum, and whether it is complete, 3 clocks after the last draw."""
        draw = Signal(self.draw_bits)
        m.d.comb += draw.eq(Mux(at["reads_out"], 0, at["draw"]))
        draw = registered(m, draw, name="draw_held")
        # What pads a readout's last group gets a rubbish error, and does not learn.
        m.d.comb += [self.error_address.eq(at["index"]), self.error_fetch.eq(at["step"])]
        adding, first = (Signal(name=name) for name in ("adding", "first"))
        total = Signal(signed(self.gradient_bits))
        m.d.sync += [adding.eq(at["step"]), first.eq(at["first_class"])]
        with m.If(adding):
            m.d.sync += total.eq(Mux(first, 0, total) + self._term(draw, self.error))
        return registered(m, total, name="value"), at["final_class"]

    def _parallel(self, m, at):
        """The same, of all classes at once."""
        draws, bits = registered(m, at["draw"], name="draws_held"), self.draw_bits
        terms = [
            self._term(draws[number * bits : (number + 1) * bits], e)
            for number, e in enumerate(self.errors)
        ]
        parts = [
            registered(m, sum(terms[n + 1 : n + 3], terms[n]), name=f"part{n}")
            for n in range(0, len(terms), 3)
        ]
        value = sum(parts[1:], parts[0])
        if any(self.reading_out):
            e = registered(m, self._error(m, at["unit"]), name="e_held")
            value = Mux(at["reads_out"], registered(m, e, name="e_later"), value)
        result = Signal(signed(self.gradient_bits), name="value", reset_less=True)
        m.d.sync += result.eq(value)
        return result, at["final_class"]

    def _keep(self, m, at, value, formed) -> None:
        """Words of a region's filters go into the memory of two groups."""
        pe, bits = self.folding.pe, self.gradient_bits
        region_bits = len(self.region)
        m.submodules.ram = ram = memory.Memory(
            shape=unsigned(pe * bits), depth=memory_depth(BUFFERS << region_bits), init=[]
        )
        write, read = ram.write_port(), ram.read_port()
        events = delayed(m, Cat(formed, at["final_lane"], at["final"]), FORMED - 1, name="formed")
        region = delayed(m, at["region"], FORMED - 1, name="region_formed")[-1]
        word, buffer, made = Signal(pe * bits), Signal(), Signal()
        with m.If(events[-2][0]):
            m.d.sync += word.eq(Cat(word, value)[bits:])
        m.d.comb += [
            write.en.eq(events[-1][1]),
            write.addr.eq(Cat(region, buffer)),
            write.data.eq(word),
            made.eq(events[-1][2]),
            read.addr.eq(Cat(self.region, self.buffer)),
            read.en.eq(self.fetch),
        ]
        m.d.comb += self.gradients.as_value().eq(
            delayed(m, read.data, self.folding.slow_memory, name="gradients")[-1]
        )
        standing = Signal(range(BUFFERS + 1))
        m.d.comb += self.ready.eq(standing.any())
        m.d.sync += [standing.eq(standing + made - self.taken), buffer.eq(buffer ^ made)]
        with m.If(self.start):
            m.d.sync += buffer.eq(0)
