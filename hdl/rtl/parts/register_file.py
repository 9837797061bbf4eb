"""Registers and counters of all layers, in one memory."""

from collections.abc import Sequence

from amaranth import Array, Cat, Module, Mux, Signal
from amaranth.lib import data, memory, stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from golden_model.spec.control import Counter, Register
from golden_model.spec.formats import FormattedNetwork, LayerFormat
from golden_model.spec.network import Rounding
from hdl.rtl.parts.delay import delayed
from hdl.rtl.parts.draws import ACCESS, xorshift_constant
from hdl.rtl.parts.stage import Stage
from hdl.rtl.ports import EVENTS, IN_BLOCKS, REGISTER_REQUEST

BITS = 32
PHASES = 3
"""Clocks from reading a slot to reading the next one; slow memory takes one more."""
SLOTS, FIRST, COUNTERS = 16, 4, 8
"""Words of a layer, and the first one in use: registers stand from there, counters from the middle
on, so that a slot's bits are those of the number that the host knows."""


NAMES = {Register.RATE_SHIFT: "rate", Register.MARGIN: "margin", Register.LEARN: "learn"}
"""Registers that layers see. The one of stochastic rounding is the state of its generator, which a
layer has itself."""


def registers_layout(layer: LayerFormat) -> data.StructLayout:
    """The registers that a layer sees."""
    widths = range(layer.rate_shift_max + 1), layer.score_bits - 1, 1
    return data.StructLayout(dict(zip(NAMES.values(), widths, strict=True)))


def described(layer: LayerFormat) -> dict[Register, int]:
    """Values after a reset; of a register that is not among them 0."""
    values = {
        Register.RATE_SHIFT: layer.rate_shift,
        Register.MARGIN: layer.margin,
        Register.LEARN: 1,
    }
    if layer.rounding is Rounding.STOCHASTIC:
        values[Register.ROUNDING] = xorshift_constant(layer.rounding_seed)
    return values


class RegisterFile(wiring.Component):
    """Keeps what the host can read: a copy of every register, and every counter.

    A counter is a narrow one in flip-flops, which takes the events, and a wide one in memory, whose
    lowest bits are the narrow one's as they were last seen. The slots come round one after another,
    so soon that the narrow one wraps at most once in between. The memory is filled in the first
    round after a reset.

    Parameters
    ----------
    formats
        Gives the layers.
    slow
        What is read from the memory passes through a register.
    dithering
        Names of the layers that have a generator for stochastic rounding.
    sample_clocks
        No layer takes two samples within so many clocks: what is counted once for a sample needs
        the fewer bits.

    Members
    -------
    i, o
        Requests, and the values read, in order; see :func:`hdl.rtl.ports.core_signature`. Only
        while no event happens: requests one after another hold the slots up.
    events
        Of each layer, in the order of `EVENTS`.
    registers
        Of each layer, by name.
    NAME_rounding : In(ACCESS)
        Of each layer of `dithering`: its generator.

    Throughput: a write in PHASES clocks, a read in twice as many. Latency: PHASES clocks more; the
    first round takes 36 for each layer. Cost: a memory of 16 words of 32 bits for each layer, about
    110 cells and 70 for each layer, 32 more for one that is dithering.
    """

    def __init__(
        self,
        formats: FormattedNetwork,
        *,
        slow: bool = False,
        dithering: Sequence[str] = (),
        sample_clocks: int = 1,
    ) -> None:
        self.formats, self.slow, self.phases = formats, slow, PHASES + slow
        self.dithering, self.sample_clocks = dithering, sample_clocks
        layers = formats.layers
        shapes = {layer.name: registers_layout(layer) for layer in layers}
        values = {
            layer.name: {name: described(layer)[number] for number, name in NAMES.items()}
            for layer in layers
        }
        super().__init__(
            {
                "i": In(stream.Signature(REGISTER_REQUEST)),
                "o": Out(stream.Signature(BITS)),
                "events": In(data.ArrayLayout(len(EVENTS), len(layers))),
                "registers": Out(data.StructLayout(shapes), init=values),
            }
            | {f"{name}_rounding": In(ACCESS) for name in dithering}
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.ram = ram = memory.Memory(
            shape=BITS, depth=SLOTS * len(self.formats.layers), init=[], attrs=IN_BLOCKS
        )
        write, read = ram.write_port(), ram.read_port()
        m.submodules.answer = answer = Stage(BITS)
        connect(m, answer.o, flipped(self.o))

        # A slot is read in the first clock and written in the last.
        request, asked, fresh = self.i.payload, Signal(), Signal(init=1)
        phase = Signal(self.phases, init=1)
        m.d.sync += phase.eq(phase.rotate_left(1))
        accepted = self.i.valid & answer.i.ready & ~fresh
        slot, is_counter = Signal.like(read.addr, init=FIRST), request.number[4]
        wanted = Cat(request.number[:2], Mux(is_counter, request.number[2], 1), is_counter)
        m.d.comb += [
            read.addr.eq(Mux(accepted, Cat(wanted, request.layer), slot)),
            read.en.eq(phase[0]),
            write.en.eq(phase[-1]),
        ]
        with m.If(phase[0]):
            m.d.sync += [write.addr.eq(read.addr), asked.eq(accepted)]
        with m.If(phase[-1] & ~asked):
            final = slot == SLOTS * len(self.formats.layers) - 1
            following = slot + 1
            begin = FIRST
            if self.sample_clocks > 1:
                # Behind the first round only counters are looked at.
                begin = Mux(fresh & ~final, FIRST, COUNTERS)
            m.d.sync += slot.eq(Mux(final, begin, following | Mux(following[:4] == 0, begin, 0)))
            with m.If(final):
                m.d.sync += fresh.eq(0)

        before = delayed(m, read.data, self.slow, name="before")[-1]
        counted = (self._counted if self.sample_clocks == 1 else self._advanced)(
            m, write.addr, before, fresh
        )
        known = Mux(fresh, self._described(m, write.addr), before)
        known = self._live(m, write.addr, known)
        value = Mux(write.addr[3], counted, known)
        m.d.comb += [
            write.data.eq(Mux(asked & request.write, request.value, value)),
            answer.i.payload.eq(value),
            answer.i.valid.eq(phase[-1] & asked & ~request.write),
            self.i.ready.eq(phase[-1] & asked),
        ]
        with m.If(self.i.ready & request.write):
            self._set(m, request)
        return m

    def _described(self, m, slot):
        """The value of a slot after a reset."""
        bits = max(max(described(layer).values()).bit_length() for layer in self.formats.layers)
        value = Signal(bits)
        with m.Switch(slot):
            for number, layer in enumerate(self.formats.layers):
                for register, start in described(layer).items():
                    with m.Case(SLOTS * number + FIRST + register):
                        m.d.comb += value.eq(start)
        return value

    def _live(self, m, slot, known):
        """What is known of a slot, but for states of generators, which are looked at."""
        if not self.dithering:
            return known
        value = Signal(BITS)
        m.d.comb += value.eq(known)
        with m.Switch(slot):
            for number, layer in enumerate(self.formats.layers):
                if layer.name in self.dithering:
                    with m.Case(SLOTS * number + FIRST + Register.ROUNDING):
                        m.d.comb += value.eq(self.generator(layer).state)
        return value

    def generator(self, layer):
        """Port to a layer's generator."""
        return getattr(self, f"{layer.name}_rounding")

    def _counted(self, m, slot, before, fresh):
        """The wide counter of a slot: its lowest bits are the narrow one's."""
        count = self._count(m, slot)
        narrow, wrapped = Signal.like(count), Signal()
        m.d.sync += [narrow.eq(count), wrapped.eq(count < before[: len(count)])]
        return Cat(narrow, Mux(fresh, 0, before[len(count) :] + wrapped))

    def _advanced(self, m, slot, before, fresh):
        """The same of narrow ones of two widths: they say how far it has to go on."""
        rare, often = self._widths
        counts = [
            Signal(rare if event in Counter else often, name=f"{event.name.lower()}{layer}")
            for layer in range(len(self.formats.layers))
            for event in EVENTS
        ]
        events = delayed(m, Cat(self.events), int(self.slow), name="events")[-1]
        for count, event in zip(counts, events, strict=True):
            m.d.sync += count.eq(count + event)
        number, is_rare, ahead = Cat(slot[:3], slot[4:]), Signal(), Signal(often)
        m.d.comb += is_rare.eq(Array(event in Counter for event in EVENTS)[slot[:3]])
        difference = (Array(counts)[number] - before[:often])[:often]
        m.d.sync += ahead.eq(difference & Mux(is_rare, (1 << rare) - 1, (1 << often) - 1))
        return Mux(fresh, 0, (before + ahead)[:BITS])

    @property
    def _widths(self) -> tuple[int, int]:
        """Of a narrow counter that counts samples at most, and of one that may count clocks."""
        first = FIRST if self.sample_clocks == 1 else COUNTERS
        round_ = self.phases * (SLOTS - first) * len(self.formats.layers) + self.phases
        return (round_ // self.sample_clocks + 1).bit_length(), round_.bit_length()

    def _count(self, m, slot):
        """Counts the events; gives the narrow counter of a slot."""
        layers, bits = len(self.formats.layers), self._widths[1]
        counts = Signal(data.ArrayLayout(bits, len(EVENTS) * layers))
        events = delayed(m, Cat(self.events), 1, name="events")[-1]
        for count, event in zip(counts, events, strict=True):
            with m.If(event):
                m.d.sync += count.eq(count + 1)
        return counts[Cat(slot[:3], slot[4:])]

    def _set(self, m, request):
        """A register gets a value."""
        for number, layer in enumerate(self.formats.layers):
            with m.If(request.layer == number), m.Switch(request.number):
                for register, name in NAMES.items():
                    with m.Case(register):
                        m.d.sync += self.registers[layer.name][name].eq(request.value)
                if layer.name in self.dithering:
                    generator = self.generator(layer)
                    with m.Case(Register.ROUNDING):
                        m.d.comb += [generator.value.eq(request.value), generator.write.eq(1)]
