"""Steps become weights: rounded, subtracted, saturated, written."""

from amaranth import Cat, Module, Mux, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from hdl.passes.sharing import FLAGS, EngineTable, SharedFolding
from hdl.rtl.parts.delay import registered
from hdl.rtl.sharing.lookup import lookup
from hdl.rtl.sharing.step_bank import SLOT_BITS

FINE_BITS = 3
"""Of a shift, in the second of its two stages."""


class WeightStep(wiring.Component):
    """``W' = saturate(W - ((step + half(r)) >> r))`` for each touched slot of a closed bank.

    Clocks of a word, where nothing keeps it up:

    =====  ==========================================================================
    0      `fetch`: the lowest slot that is left, in a clock that is `free`
    1      its `steps`, which are shifted by whole bytes
    2      and by single bits
    3      whether any lane moves
    4      a word that does not is through; one behind it may be here in the next clock
    5      `read` of one that does, with `hold`
    6      the memory is asked
    7      its word arrives; with slow memory a clock later, as late as it can be
    8      subtracted and saturated; on a single port `hold`
    9      `write`; a word behind may be at clock 4 by now
    9      `done`, if it was the bias, a group's last word; 5, if that does not move
    =====  ==========================================================================

    Words are fetched one in two clocks, and one that moves stays at clock 4 for five.

    Parameters
    ----------
    table, folding
        The engine's.

    Members
    -------
    layer, rate
        Row of the table and its rate shift, for as long as an update lasts.
    closed, touched
        Of :class:`~hdl.rtl.sharing.step_bank.StepBank`.
    base, bias
        Weight word of slot 0, and whether the block is the bias; until `fetched`.
    fetched
        The last slot is fetched in this clock.
    free, fetch, fetch_slot, steps
        To the bank.
    hold, read, read_address, read_data
        Sweeps must not name a word; the weight is read, and arrives `2 + slow` clocks later.
    write, write_address, write_data
        The weight memory's, all lanes.
    done
        Pulse: all words of a group are written.

    Cost: a lane about 9 * step_bits + 2 * weight_bits cells.
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
                "closed": In(1),
                "touched": In(FLAGS),
                "base": In(address),
                "bias": In(1),
                "fetched": Out(1),
                "free": In(1),
                "fetch": Out(1),
                "fetch_slot": Out(SLOT_BITS),
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
        word = {"valid": 1, "bias": 1, "address": self.read_address.shape()}
        shifted = data.ArrayLayout(signed(self.step_bits + 1), self.folding.pe)
        layout = data.StructLayout(word | {"steps": shifted})
        arrived = Signal(data.StructLayout(word))
        coarse, fine, moved = (Signal(layout, name=name) for name in ("coarse", "fine", "moved"))
        some = Signal(self.folding.pe)
        advance, slot_of_arrived = Signal(), Signal.like(self.fetch_slot)
        self._fetch(m, arrived, coarse, advance, slot_of_arrived)

        plain, biased = self._shifts(m)
        to_coarse = Mux(arrived.bias, biased, plain)[FINE_BITS:]
        to_fine = Mux(coarse.bias, biased, plain)[:FINE_BITS]
        with m.If(advance | ~coarse.valid):
            m.d.sync += [
                coarse.valid.eq(arrived.valid),
                coarse.bias.eq(arrived.bias),
                coarse.address.eq(self.base + slot_of_arrived),
            ]
            for lane, step in enumerate(self.steps):
                m.d.sync += coarse.steps[lane].eq(self._bytes_right(m, step, to_coarse, lane))
        with m.If(advance):
            m.d.sync += [fine.eq(coarse), moved.eq(fine)]
            for lane in range(self.folding.pe):
                left = fine.steps[lane]
                m.d.sync += [
                    fine.steps[lane].eq(coarse.steps[lane] >> to_fine),
                    some[lane].eq(left.any() & ~left.all()),
                ]
        self._write(m, moved, some, advance)
        return m

    def _fetch(self, m, arrived, coarse, advance, slot_of_arrived) -> None:
        """Slot by slot, when there is room for what comes: arrived now, or held up in coarse."""
        left, lowest = Signal(FLAGS), Signal(FLAGS)
        rest = left & (left - 1)
        numbers = (Mux(lowest[n], n, 0) for n in range(FLAGS))
        slot = 0
        for number in numbers:
            slot = slot | number
        m.d.comb += [
            lowest.eq(left & ~rest),
            self.fetch_slot.eq(slot),
            self.fetch.eq(left.any() & self.free & ~arrived.valid & (advance | ~coarse.valid)),
            self.fetched.eq(self.fetch & ~rest.any()),
        ]
        m.d.sync += [
            arrived.valid.eq(self.fetch),
            arrived.bias.eq(self.bias),
            slot_of_arrived.eq(self.fetch_slot),
        ]
        with m.If(self.fetch):
            m.d.sync += left.eq(rest)
        with m.If(self.closed):
            m.d.sync += left.eq(self.touched)

    def _shifts(self, m):
        """How far a weight's steps go to the right, and a bias's."""
        extra = lookup(m, self.layer, self.bias_shifts, name="bias_shift")
        largest = (1 << len(self.rate)) - 1 + max(self.bias_shifts)
        biased = Signal(range(max(largest, 1 << FINE_BITS) + 1))
        plain = Signal.like(biased)
        m.d.sync += biased.eq(self.rate + extra)
        m.d.comb += plain.eq(self.rate)
        return plain, biased

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

    def _write(self, m, moved, some, advance) -> None:
        """A word that moves is read, changed and written while it stands still."""
        due, phases = Signal(), Signal(4)
        reading, changing = phases[0], phases[-1]
        m.d.comb += [
            due.eq(moved.valid & some.any() & ~phases.any()),
            advance.eq(~(due | phases[:3].any())),
            self.read.eq(reading),
            self.read_address.eq(moved.address),
            self.hold.eq(reading | (changing if self.folding.single_port else 0)),
        ]
        m.d.sync += [
            phases.eq(Cat(due, phases[:3])),
            self.write.eq(changing),
            self.write_address.eq(moved.address),
        ]
        widths = [row.format.weight_bits for row in self.table.rows]
        bits = max(self.weight_bits, self.step_bits + 1) + 1
        above = [(1 << bits) - (1 << width - 1) for width in widths]
        mask = lookup(m, self.layer, above, name="above")
        for lane, arriving in enumerate(self.read_data):
            weight = arriving
            if not self.folding.slow_memory:
                weight = registered(m, arriving, name=f"weight{lane}")
            changed = self._changed(m, weight, moved.steps[lane], mask, lane)
            m.d.sync += self.write_data[lane].eq(changed)
        through = Signal()
        m.d.sync += through.eq(moved.valid & moved.bias & advance)
        m.d.comb += self.done.eq(through)

    def _changed(self, m, weight, step, mask, lane: int):
        """``saturate(weight - round(step / 2))``; `mask` has the bits from a weight's sign on."""
        bits = len(mask)
        changed = Signal(signed(bits), name=f"changed{lane}")
        # w - floor(step / 2) - lowest bit is w + ~floor + (1 - bit): one adder with a carry in.
        m.d.comb += changed.eq(weight + ~(step >> 1) + ~step[0])
        sign = changed[-1]
        beyond = ((changed ^ sign.replicate(bits)) & mask).any()
        # The nearest that fits: all bits below the mask's the sign's opposite.
        limit = sign.replicate(bits) ^ ~mask
        return Mux(beyond, limit, changed)[: self.weight_bits]
