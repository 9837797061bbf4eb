"""Whether the values in a request lie in the ranges of the network that is built."""

from amaranth import Module, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from golden_model.spec.control import Counter, Register
from golden_model.spec.formats import FormattedNetwork, LayerFormat
from golden_model.spec.frames import Opcode
from hdl.rtl.header_check import OPCODE_BITS

WEIGHTS = data.StructLayout({"layer": 8, "unit": 16, "input": 16, "value": 16})
"""First bytes of a request for weights: `value` is the count to read, or the first weight."""

REGISTER = data.StructLayout({"layer": 8, "number": 8, "value": 32})
"""The same bytes of a request for a register."""

FIELDS = data.UnionLayout({"weights": WEIGHTS, "register": REGISTER, "label": 8})
"""The first bytes of a payload, whatever they mean."""


def at_most(value, limit, limits: list[int]):
    """``value <= limit``, where `limit` is one of `limits`, with as few carries as these allow."""
    bits = max(limits).bit_length()
    low = value[:bits]
    if all(item & (item + 1) == 0 for item in limits):
        return (value[bits:] == 0) & ((low & ~limit) == 0)  # ones throughout: a mask
    return (value[bits:] == 0) & (low <= limit)


def register_limit(layer: LayerFormat, register: Register) -> int:
    """Largest value of a layer's register."""
    return {
        Register.RATE_SHIFT: layer.rate_shift_max,
        Register.MARGIN: layer.margin_max,
        Register.LEARN: 1,
    }[register]


class RequestCheck(wiring.Component):
    """Range check of all fields of a request; combinational.

    Parameters
    ----------
    formats
        Gives the number of layers, units, inputs and classes, and the registers' limits.

    Members
    -------
    opcode : In(OPCODE_BITS)
    fields : In(FIELDS)
    count : In(16)
        Weights to read or write.
    ok : Out(1)

    About 90 cells with two layers; every further layer adds constants to select from.
    """

    def __init__(self, formats: FormattedNetwork) -> None:
        self.formats = formats
        super().__init__(
            {"opcode": In(OPCODE_BITS), "fields": In(FIELDS), "count": In(16), "ok": Out(1)}
        )

    def elaborate(self, platform):
        m = Module()
        known_layer, weights_fit, register_fits = Signal(), Signal(), Signal()
        last_layer = len(self.formats.layers) - 1
        label_limit = self.formats.network.classes - 1
        m.d.comb += known_layer.eq(at_most(self.fields.label, last_layer, [last_layer]))
        self._weights(m, weights_fit)
        self._register(m, register_fits)
        with m.Switch(self.opcode):
            with m.Case(Opcode.TRAIN):
                m.d.comb += self.ok.eq(at_most(self.fields.label, label_limit, [label_limit]))
            with m.Case(Opcode.READ_WEIGHTS, Opcode.WRITE_WEIGHTS):
                m.d.comb += self.ok.eq(known_layer & weights_fit)
            with m.Case(Opcode.READ_REGISTER, Opcode.WRITE_REGISTER):
                m.d.comb += self.ok.eq(known_layer & register_fits)
            with m.Default():
                m.d.comb += self.ok.eq(1)
        return m

    def _by_layer(self, m, limits: list[int]):
        """Of a constant for each layer, the one of the layer asked for."""
        limit = Signal(max(limits).bit_length(), init=limits[-1])
        with m.Switch(self.fields.weights.layer[: (len(limits) - 1).bit_length()]):
            for index, value in enumerate(limits[:-1]):
                with m.Case(index):
                    m.d.comb += limit.eq(value)
        return limit

    def _weights(self, m, fits) -> None:
        """The unit exists, and ``input + count - 1`` is one of its inputs."""
        units = [layer.units - 1 for layer in self.formats.layers]
        ends = [layer.fan_in for layer in self.formats.layers]
        unit_limit, end_limit = self._by_layer(m, units), self._by_layer(m, ends)
        end = Signal(17)
        m.d.comb += [
            end.eq(self.fields.weights.input + self.count),
            fits.eq(
                at_most(self.fields.weights.unit, unit_limit, units)
                & at_most(end, end_limit, ends)
                & (self.count != 0)
            ),
        ]

    def _register(self, m, fits) -> None:
        """The register exists, and a value to be written is one that it can take."""
        is_read = self.opcode == Opcode.READ_REGISTER
        in_range = {}
        for register in Register:
            limits = [register_limit(layer, register) for layer in self.formats.layers]
            limit = self._by_layer(m, limits)
            in_range[register] = at_most(self.fields.register.value, limit, limits)
        with m.Switch(self.fields.register.number):
            for register in Register:
                with m.Case(register):
                    m.d.comb += fits.eq(in_range[register] | is_read)
            for counter in Counter:
                with m.Case(counter):
                    m.d.comb += fits.eq(is_read)
