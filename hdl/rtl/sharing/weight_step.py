"""Steps become weights: rounded, subtracted, saturated, written."""

from amaranth import Cat, Module, Mux, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from hdl.passes.sharing import EngineTable, SharedFolding
from hdl.rtl.parts.delay import delayed, registered, replicated
from hdl.rtl.sharing.lookup import lookup
from hdl.rtl.sharing.step_drain import drained_word

FINE_BITS = 3
"""Of a shift, in the second of its two steps."""
SHARE = 4
"""Lanes that are told what to do by registers of their own."""
READ_AT = (3, 4)
"""Clocks from a word's steps to its read, plain and with slow memory."""
WRITTEN_LATER = 2
"""Clocks by which what has been subtracted is written later, with slow memory."""


class WeightStep(wiring.Component):
    """``W' = saturate(W - ((step + half(r)) >> r))`` for each word whose steps arrive.

    Words arrive one a clock, or, where :attr:`~hdl.passes.sharing.SharedFolding.word_period` is
    more, at most one in so many, and nothing ever waits. Clocks are counted from the steps'
    arrival:

    =====  =====  ===================================================================
    plain  slow
    =====  =====  ===================================================================
    0      0      `word` and its `steps`, which are shifted by whole bytes
    0      1      and by single bits
    1      2      whether a lane moves
    2      3      whether any does
    3      4      `read`, with `hold`; what does not move goes along and is not written
    4      5      the memory is asked
    5      7      the word has arrived; plain, at one port, a clock later
    5      7      subtracted; on a single port `hold`, two clocks later if slow
    5      8      saturated
    6      10     `write`, a clock earlier if the port is its own; `done`, if it was the bias, a
                  group's last word
    =====  =====  ===================================================================

    On a single port, and on one of its own, words arrive an even number of clocks apart: a word is
    read while no other is written. Where the port is its own there is no `hold`.

    Parameters
    ----------
    table, folding
        The engine's.

    Members
    -------
    layer, rate
        Row of the table and its rate shift, for as long as an update lasts.
    coming, word, steps
        What comes in the next clock, and what has come, of
        :class:`~hdl.rtl.sharing.step_drain.StepDrain`, with what
        :class:`~hdl.rtl.sharing.step_bank.StepBank` read for it.
    hold, read, read_address, read_data
        Sweeps must not name a word; the weight is read, and arrives `2 + slow` clocks later.
    write, write_address, write_data
        The weight memory's, all lanes.
    done
        Pulse: all words of a group are written.

    Throughput: a word in `word_period` clocks. Cost: a lane about 10 * step_bits + 2 * weight_bits
    cells; 6 * step_bits if a word comes in two.
    """

    def __init__(self, table: EngineTable, folding: SharedFolding) -> None:
        self.table, self.folding = table, folding
        formats = [row.format for row in table.rows]
        self.weight_bits = max(layer.weight_bits for layer in formats)
        self.step_bits = max(layer.step_bits for layer in formats)
        self.bias_shifts = [layer.bias_shift for layer in formats]
        rates = range(max(layer.rate_shift_max for layer in formats) + 1)
        weights = data.ArrayLayout(signed(self.weight_bits), folding.pe)
        address = range(table.weight_words)
        super().__init__(
            {
                "layer": In(range(len(formats))),
                "rate": In(rates),
                "coming": In(drained_word(table)),
                "word": In(drained_word(table)),
                "steps": In(data.ArrayLayout(signed(self.step_bits), folding.pe)),
                "hold": Out(1),
                "read": Out(1),
                "read_address": Out(address),
                "read_data": In(weights),
                "write": Out(1),
                "write_address": Out(address),
                "write_data": Out(weights),
                "done": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        period, single = self.folding.word_period, self.folding.single_port
        own, slow = self.folding.update_port, self.folding.slow_memory
        late = slow or self.folding.one_port
        read_at = READ_AT[slow]
        changed_at = read_at + 2 + late
        valid = delayed(m, self.word.valid, changed_at, name="valid")
        shifted = data.ArrayLayout(signed(self.step_bits + 1), self.folding.pe)
        word = {"bias": 1, "address": self.word.address.shape(), "steps": shifted}
        stages = [
            Signal(data.StructLayout(word), name=f"stage{n}", reset_less=True)
            for n in range((changed_at - 1) // period + 1)
        ]
        self._shift(m, stages, valid)
        some = Signal(self.folding.pe)
        for lane, step in enumerate(stages[slow and period == 1].steps):
            m.d.sync += some[lane].eq(step.any() & ~step.all())
        m.d.sync += self.read.eq(valid[read_at - 1] & some.any())
        last = stages[-1]
        change = {"moves": 1, "address": last.address.shape(), "done": 1}
        changing = Signal(data.StructLayout(change))
        m.d.comb += [
            changing.moves.eq(delayed(m, self.read, changed_at - read_at, name="moving")[-1]),
            changing.address.eq(last.address),
            changing.done.eq(valid[changed_at] & last.bias),
        ]
        lasts = period * len(stages) > changed_at and not slow
        # One clock ahead of the write, and with it; a port of its own has the last register.
        written = delayed(m, changing, 1 + WRITTEN_LATER * slow, name="changing")
        ahead, changed = written[-2], written[-2 if own else -1]
        m.d.comb += [
            self.read_address.eq(stages[(read_at - 1) // period].address),
            self.hold.eq(0 if own else self.read | (ahead.moves if single else 0)),
            self.write.eq(changed.moves),
            self.write_address.eq(last.address if lasts else changed.address),
            self.done.eq(written[-1].done),
        ]
        self._change(m, last.steps)
        return m

    def _shift(self, m, stages, valid) -> None:
        """Words go from stage to stage. They are shifted as they come into the first one; with slow
        memory by single bits a clock later, there or on the way to the next one."""
        pe, period, slow = self.folding.pe, self.folding.word_period, self.folding.slow_memory
        parts = -(-pe // SHARE)
        by_bytes = self._shifts(m, self.coming.bias, slice(FINE_BITS, None), parts, "bytes")
        late = self.word if slow else self.coming
        by_bits = self._shifts(m, late.bias, slice(FINE_BITS), parts, "bits")
        shifting = replicated(m, self.word.valid, parts, name="shifting")
        # Stages into which a word comes shifted by single bits, or in which it is.
        on_the_way, there = (None, 0) if slow and period > 1 else (int(slow), None)
        for number, stage in enumerate(stages):
            before = stages[number - 1] if number else self.word
            with m.If(valid[number * period]):
                m.d.sync += [stage.bias.eq(before.bias), stage.address.eq(before.address)]
            comes = valid[number * period - 1] if number else self.coming.valid
            taking = replicated(m, comes, parts, name=f"taking{number}_")
            for lane in range(pe):
                part = lane // SHARE
                if number:
                    step = before.steps[lane]
                else:
                    step = self._bytes_right(m, self.steps[lane], by_bytes[part], lane)
                if number == on_the_way:
                    step = step >> by_bits[part]
                # With a word in every clock none has to stand.
                with m.If(1 if period == 1 else taking[part]):
                    m.d.sync += stage.steps[lane].eq(step)
                if number == there:
                    with m.Elif(shifting[part]):
                        m.d.sync += stage.steps[lane].eq(stage.steps[lane] >> by_bits[part])

    def _shifts(self, m, bias, part: slice, copies: int, name: str):
        """A part of how far a weight's steps go to the right, or a bias's, one clock later."""
        extra = lookup(m, self.layer, self.bias_shifts, name=f"bias_shift_{name}")
        largest = (1 << len(self.rate)) - 1 + max(self.bias_shifts)
        biased = Signal(range(max(largest, 1 << FINE_BITS) + 1), name=f"biased_{name}")
        plain = Signal.like(biased, name=f"plain_{name}")
        m.d.sync += biased.eq(self.rate + extra)
        m.d.comb += plain.eq(self.rate)
        amount = Mux(bias, biased[part], plain[part])
        return replicated(m, amount, copies, name=name)

    def _bytes_right(self, m, step, amount, lane: int):
        """``2 * step`` shifted right by 8 bits `amount` times; its lowest bit rounds."""
        doubled = Signal(signed(self.step_bits + 1), name=f"doubled{lane}")
        result = Signal.like(doubled, name=f"bytes{lane}")
        m.d.comb += doubled.eq(Cat(0, step))
        with m.Switch(amount):
            for number in range(min(self.step_bits // 8 + 1, 1 << len(amount))):
                with m.Case(number):
                    m.d.comb += result.eq(doubled >> (8 * number))
            with m.Default():
                m.d.comb += result.eq(doubled[-1].replicate(self.step_bits + 1))
        return result

    def _change(self, m, steps) -> None:
        """Writes what stands where the word has arrived."""
        widths = [row.format.weight_bits for row in self.table.rows]
        bits = max(self.weight_bits, self.step_bits + 1) + 1
        above = [(1 << bits) - (1 << width - 1) for width in widths]
        mask = lookup(m, self.layer, above, name="above")
        fold = self.folding
        waits = fold.one_port and not fold.slow_memory
        for lane, arriving in enumerate(self.read_data):
            weight = registered(m, arriving, name=f"weight{lane}") if waits else arriving
            changed = self._changed(m, weight, steps[lane], mask, lane)
            for stage in range(1 + fold.slow_memory - fold.update_port):
                changed = registered(m, changed, name=f"written{stage}_{lane}")
            m.d.comb += self.write_data[lane].eq(changed)

    def _changed(self, m, weight, step, mask, lane: int):
        """``saturate(weight - round(step / 2))``; `mask` has the bits from a weight's sign on."""
        bits = len(mask)
        changed = Signal(signed(bits), name=f"changed{lane}")
        # w - floor(step / 2) - lowest bit is w + ~floor + (1 - bit): one adder with a carry in.
        m.d.comb += changed.eq(weight + ~(step >> 1) + ~step[0])
        if self.folding.slow_memory:
            changed = registered(m, changed, name=f"summed{lane}")
        sign = changed[-1]
        beyond = ((changed ^ sign.replicate(bits)) & mask).any()
        # The nearest that fits: all bits below the mask's the sign's opposite.
        limit = sign.replicate(bits) ^ ~mask
        return Mux(beyond, limit, changed)[: self.weight_bits]
