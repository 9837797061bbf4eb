"""Host link against the golden engine: every request, every refusal, damaged and cut frames."""

import cocotb
import numpy as np
from amaranth import Module, signed
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from boards.host.protocol import HEADER, REGISTER, VALUE, WEIGHTS, encode_weights
from golden_model.spec.control import Activity, Counter, Register
from golden_model.spec.formats import infer_formats
from golden_model.spec.frames import REPLY, SYNC, WRITE_WEIGHTS_MAX, FrameError, Opcode
from golden_model.spec.network import Dense, Learning, Network, Readout
from hdl.rtl.link.host_link import HostLink
from hdl.rtl.ports import REGISTER_REQUEST, SAMPLE, WEIGHT_REQUEST, score_layout
from sim.bench import Bench, Regime, Sink, Source, clocks, start
from sim.benches.frame_host import FrameHost
from sim.benches.golden_core import GoldenCore

TIMEOUT = 200
"""Clocks, more than a refusal takes to send; a real link waits TIMEOUT_MS."""

NETWORKS = {
    "two-layers": Network(
        name="two-layers", inputs=9, classes=3, layers=(Dense(units=6, weight_bits=12),),
        readout=Readout(rate_shift=3), learning=Learning(margin=20, rate_shift=2), coding="signed",
    ),
    "smallest": Network(name="smallest", inputs=1, classes=2, layers=(Dense(units=1),)),
    "long-rows": Network(
        name="long-rows", inputs=150, classes=256, layers=(Dense(units=2), Dense(units=5)),
        learning=Learning(loss="squared-hinge"),
    ),
}  # fmt: skip


class FlatLink(wiring.Component):
    """The link with the core's ports brought to the top."""

    def __init__(self, network: Network) -> None:
        self.formats = infer_formats(network)
        super().__init__(
            {
                "i": In(stream.Signature(8)),
                "o": Out(stream.Signature(8)),
                "core_i": Out(stream.Signature(SAMPLE)),
                "core_o": In(stream.Signature(score_layout(self.formats.answer))),
                "core_i_weight": Out(stream.Signature(WEIGHT_REQUEST)),
                "core_o_weight": In(stream.Signature(signed(16))),
                "core_i_register": Out(stream.Signature(REGISTER_REQUEST)),
                "core_o_register": In(stream.Signature(32)),
                "core_drain": Out(1),
                "core_idle": In(1),
                "reset": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.link = link = HostLink(self.formats, TIMEOUT)
        for name in ("i", "o"):
            wiring.connect(m, wiring.flipped(getattr(self, name)), getattr(link, name))
        for name in ("i", "o", "i_weight", "o_weight", "i_register", "o_register"):
            outer = wiring.flipped(getattr(self, f"core_{name}"))
            wiring.connect(m, outer, getattr(link.core, name))
        m.d.comb += [
            self.core_drain.eq(link.core.drain),
            link.core.idle.eq(self.core_idle),
            self.reset.eq(link.reset),
        ]
        return m


BENCH = Bench(
    module=__name__,
    designs={name: lambda network=network: FlatLink(network) for name, network in NETWORKS.items()},
)


class LinkHost(FrameHost):
    """Sends and takes bytes at the link's streams; the golden engine is behind it."""

    def __init__(self, dut, component, regime) -> None:
        super().__init__(component.formats)
        self.dut = dut
        self.source = Source(dut, component, "i", stall=regime.source * 0.5, seed=1)
        self.sink = Sink(dut, component, "o", stall=regime.sink, seed=2)
        self.core = GoldenCore(dut, component, self.formats, stall=regime.sink)

    def send(self, content):
        self.source.send(*content)

    async def receive(self, count):
        return bytes(await self.sink.take(count, limit=30_000))

    async def refused(self, content: bytes, error: FrameError) -> None:
        """Some bytes are answered by that error, and the core sees nothing of them."""
        beats, resets = self.core.beats, self.core.resets
        self.send(content)
        opcode, tag = content[1:3].ljust(2, b"\0")  # 0 stands for what has not come
        await self.refusal(error, opcode, tag)
        assert (self.core.beats, self.core.resets) == (beats, resets), content.hex()

    async def quiet(self) -> None:
        """Long enough that the link waits for a new frame; it has nothing more to say."""
        await self.source.sent()
        await clocks(self.dut, TIMEOUT + 15)
        assert self.sink.untaken() == []

    def same_weights(self) -> None:
        """The core holds what the golden engine holds."""
        for layer in range(len(self.formats.layers)):
            found = self.core.engine.read_weights(layer)
            assert np.array_equal(found, self.golden.read_weights(layer))


async def begin(dut, regime=Regime.FLOWING) -> LinkHost:
    component = BENCH.component()
    await start(dut, component)
    return LinkHost(dut, component, regime)


@cocotb.test()
@cocotb.parametrize(regime=list(Regime))
async def requests(dut, regime):
    """A conversation of all requests, one right after the other."""
    host = await begin(dut, regime)
    rounds = 2 if host.formats.network.classes < 100 else 1
    for round in range(rounds):
        await host.conversation()
        host.same_weights()
        assert host.core.resets == round + 1
    await host.quiet()


@cocotb.test()
async def values_out_of_range(dut):
    """Each field one beyond its range, and far beyond, is refused with VALUE."""
    host = await begin(dut)
    layers, network = host.formats.layers, host.formats.network
    bad = []
    if network.classes < 256:
        bad += [(Opcode.TRAIN, bytes([label]) + bytes(network.inputs))
                for label in (network.classes, 255)]  # fmt: skip
    for layer in (len(layers), 128, 255):
        bad.append((Opcode.READ_WEIGHTS, WEIGHTS.pack(layer, 0, 0) + b"\1\0"))
        bad.append((Opcode.WRITE_WEIGHTS, WEIGHTS.pack(layer, 0, 0) + b"\1\0"))
        bad.append((Opcode.READ_REGISTER, REGISTER.pack(layer, 0)))
        bad.append((Opcode.WRITE_REGISTER, REGISTER.pack(layer, 0) + VALUE.pack(0)))
    for layer in layers:
        bad += [*bad_places(layer), *bad_registers(layer)]
    for opcode, payload in bad:
        await host.refused(host.request(opcode, payload), FrameError.VALUE)
    host.same_weights()
    await host.sample(train=True)


def bad_places(layer):
    """Requests for weights that the layer does not have."""
    places = [(unit, 0, 1) for unit in (layer.units, layer.units | 0x8000, 0xFFFF)]
    places += [(0, layer.fan_in, 1), (0, 0xFFFF, 1), (0, layer.inputs, 2), (0, 0, 0)]
    places += [(0, 0, layer.fan_in + 1), (0, 1, 0xFFFF), (0, 0xFFFF, 0xFFFF), (0, 0x8000, 0x8000)]
    for unit, first, count in places:
        place = WEIGHTS.pack(layer.index, unit, first)
        yield Opcode.READ_WEIGHTS, place + count.to_bytes(2, "little")
        if 1 <= count <= WRITE_WEIGHTS_MAX:
            yield Opcode.WRITE_WEIGHTS, place + encode_weights([1] * count)


def bad_registers(layer):
    """Registers that do not exist or cannot be written, and values they cannot take."""
    unknown = (4, 5, 8, 15, 24, 32, 64, 128, 144, 255)
    for number in unknown:
        yield Opcode.READ_REGISTER, REGISTER.pack(layer.index, number)
    for number in (*unknown, *Counter, *Activity):
        yield Opcode.WRITE_REGISTER, REGISTER.pack(layer.index, number) + VALUE.pack(0)
    limits = (layer.rate_shift_max, layer.margin_max, 1, layer.rounding_max)
    for register, limit in zip(Register, limits, strict=True):
        for value in (limit + 1, 1 << 31, 0xFFFFFFFF, 0x10000, 0x100):
            if value > limit:
                place = REGISTER.pack(layer.index, register)
                yield Opcode.WRITE_REGISTER, place + VALUE.pack(value)


@cocotb.test()
async def headers(dut):
    """Unknown opcodes and lengths are refused before a payload comes."""
    host = await begin(dut)
    inputs = host.formats.network.inputs
    allowed = {
        Opcode.INFO: {0}, Opcode.INFER: {inputs}, Opcode.TRAIN: {1 + inputs},
        Opcode.READ_WEIGHTS: {7}, Opcode.WRITE_WEIGHTS: set(range(7, 134, 2)),
        Opcode.READ_REGISTER: {2}, Opcode.WRITE_REGISTER: {6}, Opcode.RESET: {0},
    }  # fmt: skip
    for opcode in (8, 16, 32, 64, 0x7F, 0x80, 0x81, 0xFF):
        await host.refused(host.request(opcode)[:5], FrameError.OPCODE)
        await host.quiet()
    for opcode, lengths in allowed.items():
        far = {length + (1 << bit) for length in (min(lengths), max(lengths)) for bit in (8, 15)}
        unlike = {min(lengths) - 1, min(lengths) + 1, max(lengths) - 1, max(lengths) + 1, 0xFFFF}
        for length in sorted((far | unlike) - lengths - {-1}):
            header = bytes([SYNC]) + HEADER.pack(opcode, length & 0xFF, length)
            await host.refused(header, FrameError.LENGTH)
            await host.quiet()
    await host.sample(train=True)
    host.same_weights()


@cocotb.test()
async def flipped_bits(dut):
    """A frame with any one bit flipped is refused, or not seen as a frame; it changes nothing."""
    host = await begin(dut)
    inputs = host.formats.network.inputs
    if inputs > 20:
        return  # two-layers has shown it; here frames are only longer
    frames = {
        Opcode.TRAIN: bytes([1, *range(inputs)]),
        Opcode.WRITE_WEIGHTS: WEIGHTS.pack(0, 0, 0) + encode_weights([-5, 77]),
        Opcode.WRITE_REGISTER: REGISTER.pack(0, Register.LEARN) + VALUE.pack(0),
        Opcode.RESET: b"",
    }
    for opcode, payload in frames.items():
        whole = host.request(opcode, payload)
        for bit in range(8 * len(whole)):
            flipped = bytearray(whole)
            flipped[bit // 8] ^= 1 << bit % 8
            host.send(flipped)
            if bit >= 8:
                error = await host.frame()
                assert error.opcode == Opcode.ERROR, f"{opcode.name}, bit {bit}"
                assert (error.payload[1], error.tag) == (flipped[1], flipped[2])
            await host.quiet()
    assert (host.core.beats, host.core.resets) == (0, 0)
    await host.sample(train=True)
    host.same_weights()


@cocotb.test()
async def cut_frames(dut):
    """A frame that stops is answered by TIMEOUT, wherever it stops; the next one is served."""
    host = await begin(dut)
    inputs = host.formats.network.inputs
    full = len(host.request(Opcode.TRAIN, bytes(1 + inputs)))
    for length in {*range(1, min(9, full)), *range(full - 3, full)}:
        whole = host.request(Opcode.TRAIN, bytes([0, *range(inputs)]))
        await host.refused(whole[:length], FrameError.TIMEOUT)
        await host.sample(train=length % 2 == 0)
    host.same_weights()


@cocotb.test()
async def timeout_clocks(dut):
    """A pause one clock shorter than the timeout is none."""
    host = await begin(dut)
    request = host.request(Opcode.INFO)
    for pause, served in ((TIMEOUT - 2, True), (TIMEOUT + 2, False)):
        host.send(request[:3])
        await host.source.sent()
        await clocks(dut, pause)
        host.send(request[3:])
        reply = await host.frame()
        assert (reply.opcode == Opcode.INFO | REPLY) is served
        await host.quiet()


@cocotb.test()
async def garbage(dut):
    """Bytes between frames are skipped; after a bad header all are, until the line is silent."""
    host = await begin(dut)
    noise = [byte for byte in range(256) if byte != SYNC]
    for _ in range(20):
        host.send(bytes(host.chance.sample(noise, host.chance.randrange(1, 40))))
        await host.sample(train=True)
    await host.refused(bytes([SYNC, Opcode.INFO, 7, 1, 0]), FrameError.LENGTH)
    host.send(bytes(noise[:30]) + host.request(Opcode.RESET))
    await host.quiet()
    assert host.core.resets == 0
    await host.refused(host.request(Opcode.RESET)[:-1] + b"?", FrameError.CRC)
    await host.sample(train=True)
    host.same_weights()


@cocotb.test()
async def bytes_while_serving(dut):
    """What comes while a request is served is dropped, be it a frame."""
    host = await begin(dut)
    info, reset = (host.request(opcode) for opcode in (Opcode.INFO, Opcode.RESET))
    host.send(info + reset)
    reply = await host.frame()
    assert (reply.opcode, reply.tag) == (Opcode.INFO | REPLY, info[2])
    await host.quiet()
    assert host.core.resets == 0
    await host.sample(train=True)
