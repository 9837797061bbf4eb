"""A byte for each place, out of four banks."""

from amaranth import Cat, Module, Mux, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from golden_model.spec.formats import ACTIVATION_BITS
from hdl.passes.sharing import EngineTable, SharedFolding
from hdl.rtl.parts.delay import delayed, registered
from hdl.rtl.sharing.lookup import lookup
from hdl.rtl.sharing.page_ports import operands, page_read, sides


class PageReader(wiring.Component):
    """Reads a byte of each bank and puts it where it belongs.

    Clocks are counted from the one with `read`:

    =====  ====================================================================
    1      `address` and `enable` stand, at the memories
    2      `words` come; with slow memory they pass through a register
    3      `x` stands
    =====  ====================================================================

    Parameters
    ----------
    table, folding
        The engine's.
    taps
        Two: what stands behind the byte in its word comes, too; if that is the first one.

    Members
    -------
    read, place, layer
        What is read.
    address, enable
        Of each bank: a byte's.
    words
        Of each bank, `heads` bytes.
    x
        Of each place, 3 + slow_memory clocks later; then those of the second tap.

    Throughput: one a clock. Cost: an adder for each bank, two multiplexers for each place.
    """

    def __init__(self, table: EngineTable, folding: SharedFolding, *, taps: int = 1) -> None:
        self.table, self.folding, self.taps = table, folding, taps
        word = data.ArrayLayout(ACTIVATION_BITS, folding.heads)
        super().__init__(
            {
                "read": In(1),
                "place": In(page_read(table, folding)),
                "layer": In(range(len(table.rows))),
                "address": Out(data.ArrayLayout(range(table.page_depth), folding.places)),
                "enable": Out(folding.places),
                "words": In(data.ArrayLayout(word, folding.places)),
                "x": Out(operands(folding, taps=taps)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        place, side = self.place, sides(self.folding)
        for bank in range(self.folding.places):
            row, column = divmod(bank, side)
            part = place.column[column]
            m.d.sync += [
                self.address[bank].eq(Cat(part[:3], (part >> 3) + place.row[row])),
                self.enable[bank].eq(
                    self.read & ~place.bias & place.rows[row] & place.columns[column]
                ),
            ]
        clocks = 2 + self.folding.slow_memory
        turn = delayed(m, Cat(place.column_parity, place.row_parity), clocks, name="turn")[-1]
        bias = delayed(m, place.bias, clocks, name="bias")[-1]
        layer = delayed(m, self.layer, clocks, name="layer")[-1]
        formats = [row.format for row in self.table.rows]
        constant = lookup(m, layer, [f.bias_input for f in formats], name="bias_input")
        negative = lookup(m, layer, [int(f.signed_input) for f in formats], name="signed_input")
        found, seconds = self._bytes(m)
        for number in range(self.folding.places):
            byte = Signal(ACTIVATION_BITS, name=f"byte{number}")
            m.d.comb += byte.eq(self._turned(found, turn, number))
            value = Signal(signed(ACTIVATION_BITS + 1), name=f"value{number}")
            sign = byte[-1] & negative
            m.d.comb += value.eq(Mux(bias, constant, Cat(byte, sign)))
            m.d.comb += self.x[number].eq(registered(m, value, name=f"x{number}"))
            if self.taps > 1:
                byte = self._turned(seconds, turn, number)
                second = registered(m, Cat(byte, byte[-1] & negative), name=f"second_x{number}")
                m.d.comb += self.x[self.folding.places + number].eq(second)
        return m

    def _bytes(self, m):
        """Of each bank, out of its word; and all second bytes."""
        slow, found, seconds = self.folding.slow_memory, [], []
        for bank, arrived in enumerate(self.words):
            word = delayed(m, arrived.as_value(), slow, name=f"word{bank}")[-1]
            if self.folding.heads == 1:
                found.append(word)
                continue
            second = delayed(m, self.address[bank][0], 1 + slow, name=f"second{bank}")[-1]
            found.append(Mux(second, word[ACTIVATION_BITS:], word[:ACTIVATION_BITS]))
            seconds.append(word[ACTIVATION_BITS:])
        return found, seconds

    def _turned(self, found, turn, number):
        """The byte of the place, whose bank depends on the parities of the first place's."""
        if len(found) == 1:
            return found[0]
        rows = [
            Mux(turn[0], found[(2 * p) + (~number & 1)], found[2 * p + (number & 1)])
            for p in (0, 1)
        ]
        upper = number >> 1
        return Mux(turn[1], rows[1 - upper], rows[upper])
