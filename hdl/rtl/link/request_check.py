"""Whether the values in a request lie in the ranges of the network that is built."""

from collections.abc import Iterator

from amaranth import Cat, Const, Module, Signal
from amaranth.lib import data, memory, wiring
from amaranth.lib.wiring import In, Out

from golden_model.spec.control import Activity, Counter, Register
from golden_model.spec.formats import FormattedNetwork, LayerFormat
from golden_model.spec.frames import Opcode
from hdl.rtl.link.header_check import OPCODE_BITS

WEIGHTS = data.StructLayout({"layer": 8, "unit": 16, "input": 16, "value": 16})
"""First bytes of a request for weights: `value` is the count to read, or the first weight."""

REGISTER = data.StructLayout({"layer": 8, "number": 8, "value": 32})
"""The same bytes of a request for a register."""

FIELDS = data.UnionLayout({"weights": WEIGHTS, "register": REGISTER, "label": 8})
"""The first bytes of a payload, whatever they mean."""

INDEX_BITS = 3
"""Of the number of a byte among them."""

VALUES_OF = {
    Register.RATE_SHIFT: Opcode.INFO,
    Register.MARGIN: Opcode.INFER,
    Register.LEARN: Opcode.RESET,
    Register.ROUNDING: Opcode.WRITE_REGISTER,
}
"""Opcodes without fields in these bytes, in whose place the limits of the registers' values
stand."""


def register_limit(layer: LayerFormat, register: Register, learns: bool) -> int:
    """Largest value of a layer's register."""
    return {
        Register.RATE_SHIFT: layer.rate_shift_max,
        Register.MARGIN: layer.margin_max,
        Register.LEARN: int(learns),
        Register.ROUNDING: layer.rounding_max,
    }[register]


def field_limits(
    formats: FormattedNetwork, layer: LayerFormat, learns: bool
) -> Iterator[tuple[Opcode, int, int, int]]:
    """Every field of a layer's requests: opcode, first byte, number of bytes, largest value.

    `input` is checked together with the count of weights, wherever the later of the two stands; the
    count of WRITE_WEIGHTS comes two too large, see :class:`RequestCheck`.
    """
    last = len(formats.layers) - 1
    yield Opcode.TRAIN, 0, 1, formats.network.classes - 1
    for opcode in (Opcode.READ_WEIGHTS, Opcode.WRITE_WEIGHTS):
        yield opcode, 0, 1, last
        yield opcode, 1, 2, layer.units - 1
    yield Opcode.READ_WEIGHTS, 3, 2, layer.fan_in
    yield Opcode.READ_WEIGHTS, 5, 2, layer.fan_in
    yield Opcode.WRITE_WEIGHTS, 3, 2, layer.fan_in + 2
    for opcode, numbers in (
        (Opcode.READ_REGISTER, (*Register, *Counter, *Activity)),
        (Opcode.WRITE_REGISTER, Register),
    ):
        yield opcode, 0, 1, last
        yield opcode, 1, 1, max(numbers)
    for register, place in VALUES_OF.items():
        yield place, 2, 4, register_limit(layer, register, learns)


def limits(formats: FormattedNetwork, learns: bool) -> list[int]:
    """A byte of a limit, and bit 8 where it is the last one, by opcode, layer and byte's number.

    Bytes that are no field's may have any value. Layers that do not exist are the last one again:
    the first byte is looked up with the layer of the request before.
    """
    layers = 1 << (len(formats.layers) - 1).bit_length()
    table = [0xFF] * (layers << OPCODE_BITS + INDEX_BITS)
    for number in range(layers):
        layer = formats.layers[min(number, len(formats.layers) - 1)]
        for opcode, first, size, largest in field_limits(formats, layer, learns):
            start = (opcode * layers + number) * (1 << INDEX_BITS) + first
            for byte, value in enumerate(largest.to_bytes(size, "little")):
                table[start + byte] = value | (byte == size - 1) << 8
    return table


def added(a, b, carry):
    """``a + b + carry`` of bytes, 9 bits, as one chain: the carry is that of a bit below."""
    return (Cat(Const(1, 1), a) + Cat(carry, b))[1:]


class RequestCheck(wiring.Component):
    """Range check of the fields of a request, byte by byte as they pass.

    A field is at most its limit if subtracting it from the limit leaves no borrow. Weights are in
    range if the index of the first and their count together are at most the inputs of a unit.

    Parameters
    ----------
    formats
        Gives the number of layers, units, inputs and classes, and the registers' limits.
    learns
        Whether labelled samples may come.

    Members
    -------
    opcode : In(OPCODE_BITS)
    length : In(16)
        Of the payload.
    clear : In(1)
        Held for a clock at least before the first byte.
    valid : In(1), index : In(INDEX_BITS), data : In(8)
        A byte, and its number, which stands a clock before.
    fields : In(FIELDS)
        The bytes before it.
    ok : Out(1)
        Of all bytes up to three clocks ago.

    One byte in two clocks, latency 3. A memory of 64 words of 9 bits for each layer, rounded up to
    a power of two; about 60 cells.
    """

    def __init__(self, formats: FormattedNetwork, learns: bool = True) -> None:
        self.formats, self.learns = formats, learns
        super().__init__(
            {
                "opcode": In(OPCODE_BITS),
                "length": In(16),
                "clear": In(1),
                "valid": In(1),
                "index": In(INDEX_BITS),
                "data": In(8),
                "fields": In(FIELDS),
                "ok": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        table = limits(self.formats, self.learns)
        m.submodules.limits = rom = memory.Memory(shape=9, depth=len(table), init=table)
        read = rom.read_port()
        limit, end = read.data[:8], read.data[8]
        taken, total, fits, held = Signal(), Signal(9), Signal(), Signal(8)
        no_borrow, bad, some = Signal(), Signal(), Signal()
        # The sum's carry counts only from the low byte of an input or a count to the high one.
        carry = total[8] & self.index[2] & ~self.index[0]
        m.d.comb += [
            read.addr.eq(self._address(m)),
            fits.eq(added(limit, ~total[:8], no_borrow)[8]),
        ]
        m.d.sync += [
            self.ok.eq(~bad & self._allowed(m, some)),
            taken.eq(self.valid),
            held.eq(self._held(m)),
        ]
        with m.If(self.valid):
            m.d.sync += total.eq(added(self.data, held, carry))
            m.d.sync += some.eq((self.data != 0) | (some & ~self.index[0]))
        with m.If(taken):
            m.d.sync += no_borrow.eq(fits | end)
            m.d.sync += bad.eq(bad | (end & ~(fits & ~total[8])))
        with m.If(self.clear):
            m.d.sync += [no_borrow.eq(1), bad.eq(0)]
        return m

    def _address(self, m):
        """Where the byte's limit stands."""
        place = Signal(OPCODE_BITS)
        m.d.comb += place.eq(self.opcode)
        is_value = (self.opcode == Opcode.WRITE_REGISTER) & (self.index[1:] != 0)
        elsewhere = {n: o for n, o in VALUES_OF.items() if o != Opcode.WRITE_REGISTER}
        for register, opcode in elsewhere.items():
            with m.If(is_value & (self.fields.register.number[:2] == register)):
                m.d.comb += place.eq(opcode)
        layer = self.fields.weights.layer[: (len(self.formats.layers) - 1).bit_length()]
        return Cat(self.index, layer, place)

    def _held(self, m):
        """What is added to a byte: of input and count, the byte of the one that came first."""
        held = Signal(8)
        # Of an input that is no larger than its limit.
        largest = max(layer.fan_in for layer in self.formats.layers)
        first = self.fields.weights.input[: largest.bit_length()]
        with m.Switch(Cat(self.index, self.opcode)):
            with m.Case(Opcode.READ_WEIGHTS << INDEX_BITS | 5):
                m.d.comb += held.eq(first[:8])
            with m.Case(Opcode.READ_WEIGHTS << INDEX_BITS | 6):
                m.d.comb += held.eq(first[8:])
            with m.Case(Opcode.WRITE_WEIGHTS << INDEX_BITS | 3):
                m.d.comb += held.eq(self.length[1:8])
        return held

    def _allowed(self, m, some):
        """What no limit says: a count is not 0, a register that is read exists."""
        allowed = Signal(init=1)
        with m.Switch(self.opcode):
            with m.Case(Opcode.TRAIN):
                m.d.comb += allowed.eq(self.learns)
            with m.Case(Opcode.READ_WEIGHTS):
                m.d.comb += allowed.eq(some)
            with m.Case(Opcode.READ_REGISTER):
                known = (*Register, *Counter, *Activity)
                m.d.comb += allowed.eq(self.fields.register.number.matches(*known))
        return allowed
