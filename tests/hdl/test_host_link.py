"""The link's range checks against a second account of the rules, and the UART's divisor."""

import itertools
from dataclasses import replace

import pytest
from amaranth.sim import Simulator

from boards.host.line import OVERHEAD
from boards.host.protocol import REGISTER, VALUE, WEIGHTS, Frame, encode
from golden_model.spec.control import Activity, Counter, Register
from golden_model.spec.errors import SpecError
from golden_model.spec.formats import infer_formats
from golden_model.spec.frames import REPLY, WRITE_WEIGHTS_MAX, FrameError, Opcode
from golden_model.spec.network import Dense, Learning, Loss, Network, Readout, Rounding
from hdl.rtl.link.header_check import HeaderCheck
from hdl.rtl.link.host_link import HostLink
from hdl.rtl.link.reply_payload import info_bytes
from hdl.rtl.link.request_check import RequestCheck
from hdl.rtl.link.uart import uart_divisor

LINES = (range(300), [2**n + d for n in range(8, 16) for d in (-1, 0, 1)], [0xFFFF])
NETWORKS = {
    "one-layer": Network(name="one", inputs=1, classes=2, layers=(Dense(units=1),)),
    "three-layers": Network(
        name="three", inputs=100, classes=10, layers=(Dense(units=300), Dense(units=64)),
        readout=Readout(), learning=Learning(margin=20),
    ),
    "many-classes": Network(
        name="many", inputs=255, classes=256, layers=(Dense(units=16), Dense(units=17)),
        learning=Learning(loss=Loss.SQUARED_HINGE, rounding=Rounding.STOCHASTIC),
    ),
}  # fmt: skip


def settled(component, cases):
    """Run a combinational component: each case drives its inputs and judges its outputs."""

    async def bench(context):
        for case in cases:
            await case(context)

    simulator = Simulator(component)
    simulator.add_testbench(bench)
    simulator.run()


@pytest.mark.parametrize("inputs", [1, 64, 784, 16384])
def test_header(inputs):
    check = HeaderCheck(inputs)
    lengths = {
        Opcode.INFO: [0], Opcode.INFER: [inputs], Opcode.TRAIN: [inputs + 1],
        Opcode.READ_WEIGHTS: [7], Opcode.WRITE_WEIGHTS: [5 + 2 * n for n in range(1, 65)],
        Opcode.READ_REGISTER: [2], Opcode.WRITE_REGISTER: [6], Opcode.RESET: [0],
    }  # fmt: skip

    async def fits(context, high, byte):
        context.set(check.high, high)
        context.set(check.byte, byte)
        await context.delay(1e-9)
        return context.get(check.fits)

    async def case(context):
        for opcode in range(256):
            context.set(check.opcode, opcode)
            await context.delay(1e-9)
            assert context.get(check.known) == (opcode in lengths), opcode
        for opcode, allowed in lengths.items():
            context.set(check.opcode, opcode)
            near = (inputs - 1, inputs, inputs + 1, inputs + 2)
            for length in itertools.chain(*LINES, near):
                high, low = divmod(length, 256)
                both = await fits(context, 0, low) and await fits(context, 1, high)
                assert both == (length in allowed), (opcode, length)

    settled(check, [case])


def judged(network, requests, learns=True):
    """What the check says of requests, each an opcode and its fields, one after the other."""
    check = RequestCheck(infer_formats(network), learns)
    verdicts = []

    async def bench(context):
        for opcode, content, length in requests:
            context.set(check.clear, 1)
            await context.tick()
            context.set(check.clear, 0)
            context.set(check.opcode, opcode)
            context.set(check.length, length)
            for index, byte in enumerate(content):
                context.set(check.index, index)
                await context.tick()
                context.set(check.data, byte)
                context.set(check.valid, 1)
                await context.tick()
                before = int.from_bytes(content[: index + 1], "little")
                context.set(check.fields.as_value(), before)
                context.set(check.valid, 0)
            await context.tick().repeat(2)
            verdicts.append(context.get(check.ok))

    simulator = Simulator(check)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    return verdicts


def compare(network, cases, learns=True):
    """`cases`: what the check must say -> request."""
    verdicts = judged(network, [request for _, request in cases], learns)
    for (expected, request), verdict in zip(cases, verdicts, strict=True):
        assert verdict == expected, request


def allowed(formats, layer, unit, first, count):
    """Whether a layer has these weights."""
    if layer >= len(formats.layers):
        return False
    shape = formats.layers[layer]
    return unit < shape.units and count >= 1 and first + count <= shape.inputs + 1


@pytest.mark.parametrize("network", NETWORKS.values(), ids=NETWORKS)
def test_weights_in_range(network):
    formats = infer_formats(network)
    cases = []
    for layer in (*range(len(formats.layers) + 1), 255):
        shape = formats.layers[min(layer, len(formats.layers) - 1)]
        units = (0, shape.units - 1, shape.units, shape.units | 0x8000)
        firsts = (0, 1, shape.inputs, shape.inputs + 1, 0x100, 0xFFFF)
        counts = (0, 1, 2, shape.inputs, shape.inputs + 1, shape.inputs + 2, 64, 0x8000, 0xFFFF)
        for unit, first, count in itertools.product(units, firsts, counts):
            place = WEIGHTS.pack(layer, unit, first)
            good = allowed(formats, layer, unit, first, count)
            content = place + count.to_bytes(2, "little")
            cases.append((good, (Opcode.READ_WEIGHTS, content, len(content))))
            if 1 <= count <= WRITE_WEIGHTS_MAX:
                request = Opcode.WRITE_WEIGHTS, place + b"\x5a\xa5", 5 + 2 * count
                cases.append((good, request))
    compare(network, cases)


def takes(formats, opcode, layer, number, value, learns):
    """Whether a layer has this register or counter, and it can be read or take the value."""
    if layer >= len(formats.layers):
        return False
    shape = formats.layers[layer]
    if opcode == Opcode.READ_REGISTER:
        return number in {*Register, *Counter, *Activity}
    stochastic = shape.rounding is Rounding.STOCHASTIC
    limits = {0: shape.rate_shift_max, 1: shape.margin_max, 2: int(learns), 3: -stochastic % 2**32}
    return number in limits and value <= limits[number]


@pytest.mark.parametrize("learns", [True, False])
@pytest.mark.parametrize("network", NETWORKS.values(), ids=NETWORKS)
def test_registers_in_range(network, learns):
    formats = infer_formats(network)
    cases = []
    for layer in (*range(len(formats.layers) + 1), 255):
        shape = formats.layers[min(layer, len(formats.layers) - 1)]
        ends = (shape.rate_shift_max, shape.margin_max, 1)
        values = {max(0, end + d) for end in ends for d in (-1, 0, 1)} | {2**n for n in range(32)}
        for number in range(256):
            place = REGISTER.pack(layer, number)
            good = takes(formats, Opcode.READ_REGISTER, layer, number, 0, learns)
            cases.append((good, (Opcode.READ_REGISTER, place, 2)))
            for value in sorted(values) if number < 4 else (0,):
                good = takes(formats, Opcode.WRITE_REGISTER, layer, number, value, learns)
                cases.append((good, (Opcode.WRITE_REGISTER, place + VALUE.pack(value), 6)))
    compare(network, cases, learns)


@pytest.mark.parametrize("learns", [True, False])
@pytest.mark.parametrize("network", NETWORKS.values(), ids=NETWORKS)
def test_labels_in_range(network, learns):
    cases = [
        (learns and label < network.classes, (Opcode.TRAIN, bytes([label]), 1 + network.inputs))
        for label in range(256)
    ]
    compare(network, cases, learns)


def test_requests_without_fields_are_good():
    opcodes = (Opcode.INFO, Opcode.INFER, Opcode.RESET)
    compare(NETWORKS["three-layers"], [(True, (opcode, b"", 0)) for opcode in opcodes], False)


def test_a_link_that_cannot_learn_refuses_to():
    link = HostLink(infer_formats(NETWORKS["one-layer"]), 10_000, learns=False)
    place = REGISTER.pack(0, Register.LEARN)
    train = Frame(opcode=Opcode.TRAIN, tag=3, payload=b"\0\7")
    learn, freeze = (
        Frame(opcode=Opcode.WRITE_REGISTER, tag=n, payload=place + VALUE.pack(n)) for n in (1, 0)
    )

    async def until(context, signal, value):
        """The value at the next clock in which the signal is 1."""
        for _ in range(1000):
            *_, found, now = await context.tick().sample(value, signal)
            if now:
                return found
        raise AssertionError("nothing more comes")

    async def bench(context):
        context.set(link.core.idle, 1)
        context.set(link.core.i_register.ready, 1)
        context.set(link.o.ready, 1)
        for request in (train, learn, freeze):
            for byte in encode(request):
                context.set(link.i.payload, byte)
                context.set(link.i.valid, 1)
                await until(context, link.i.ready, link.i.ready)
                context.set(link.i.valid, 0)
            reply = [await until(context, link.o.valid, link.o.payload)]
            while len(reply) < OVERHEAD or len(reply) < OVERHEAD + reply[3]:
                reply.append(await until(context, link.o.valid, link.o.payload))
            expected = replace(request, opcode=request.opcode | REPLY, payload=b"")
            if request is not freeze:
                why = bytes([FrameError.VALUE, request.opcode])
                expected = replace(request, opcode=Opcode.ERROR, payload=why)
            assert bytes(reply) == encode(expected)

    simulator = Simulator(link)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()


def test_info_is_as_the_frames_say():
    network = NETWORKS["many-classes"]
    fingerprint = network.fingerprint.to_bytes(4, "little")
    assert info_bytes(infer_formats(network)) == b"\x02\x02\x00\x01\xff\x00" + fingerprint


@pytest.mark.parametrize(
    ("clock_hz", "baud", "divisor"),
    [(24e6, 1_000_000, 24), (4e6, 1_000_000, 4), (12e6, 115200, 104)],
)
def test_divisor(clock_hz, baud, divisor):
    assert uart_divisor(clock_hz, baud) == divisor


@pytest.mark.parametrize(
    ("clock_hz", "baud", "text"),
    [
        (3e6, 1_000_000, "largest that fits is 750000"),
        (24e6, 9_000_000, "largest that fits is 6000000"),
        (4.5e6, 1_000_000, "12.5%"),
        (24e6, 0, "must be positive"),
    ],
)
def test_a_line_that_the_clock_cannot_make(clock_hz, baud, text):
    with pytest.raises(SpecError, match=text):
        uart_divisor(clock_hz, baud)
