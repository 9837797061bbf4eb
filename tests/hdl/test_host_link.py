"""The link's range checks against a second account of the rules, and the UART's divisor."""

import itertools

import pytest
from amaranth.sim import Simulator

from golden_model.spec.control import Counter, Register
from golden_model.spec.errors import SpecError
from golden_model.spec.formats import infer_formats
from golden_model.spec.frames import FrameError, Opcode
from golden_model.spec.network import Dense, Learning, Loss, Network, Readout
from hdl.rtl.header_check import HeaderCheck
from hdl.rtl.reply_payload import info_bytes
from hdl.rtl.request_check import RequestCheck
from hdl.rtl.uart import uart_divisor

LINES = (range(300), [2**n + d for n in range(8, 16) for d in (-1, 0, 1)], [0xFFFF])
NETWORKS = {
    "one-layer": Network(name="one", inputs=1, classes=2, layers=(Dense(units=1),)),
    "three-layers": Network(
        name="three", inputs=100, classes=10, layers=(Dense(units=300), Dense(units=64)),
        readout=Readout(), learning=Learning(margin=20),
    ),
    "many-classes": Network(
        name="many", inputs=255, classes=256, layers=(Dense(units=16), Dense(units=17)),
        learning=Learning(loss=Loss.SQUARED_HINGE),
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

    async def case(context):
        for opcode in range(256):
            near = (inputs - 1, inputs, inputs + 1, inputs + 2)
            tried = itertools.chain(*LINES, near) if opcode in lengths else (0, 7, inputs)
            for length in tried:
                context.set(check.opcode, opcode)
                context.set(check.length, length)
                await context.delay(1e-9)
                expected = (
                    FrameError.OPCODE
                    if opcode not in lengths
                    else (0 if length in lengths[Opcode(opcode)] else FrameError.LENGTH)
                )
                assert context.get(check.error) == expected, (opcode, length)

    settled(check, [case])


def allowed(formats, layer, unit, first, count):
    """Whether a layer has these weights."""
    if layer >= len(formats.layers):
        return False
    shape = formats.layers[layer]
    return unit < shape.units and count >= 1 and first + count <= shape.inputs + 1


@pytest.mark.parametrize("network", NETWORKS.values(), ids=NETWORKS)
def test_weights_in_range(network):
    formats = infer_formats(network)
    check = RequestCheck(formats)

    async def case(context):
        layers = range(len(formats.layers) + 1)
        for layer in (*layers, 32, 128, 255):
            shape = formats.layers[min(layer, len(formats.layers) - 1)]
            units = (0, shape.units - 1, shape.units, 255, 256, 0x8000, 0xFFFF)
            firsts = (0, 1, shape.inputs, shape.inputs + 1, 0x100, 0x8000, 0xFFFF)
            counts = (0, 1, 2, shape.inputs, shape.inputs + 1, shape.inputs + 2, 0x8000, 0xFFFF)
            for place in itertools.product(units, firsts, counts):
                for opcode in (Opcode.READ_WEIGHTS, Opcode.WRITE_WEIGHTS):
                    unit, first, count = place
                    weights = {"layer": layer, "unit": unit, "input": first, "value": 0x5A5A}
                    context.set(check.opcode, opcode)
                    context.set(check.fields.weights, weights)
                    context.set(check.count, count)
                    await context.delay(1e-9)
                    expected = allowed(formats, layer, *place)
                    assert context.get(check.ok) == expected, (opcode, layer, place)

    settled(check, [case])


def takes(formats, opcode, layer, number, value):
    """Whether a layer has this register or counter, and it can be read or take the value."""
    if layer >= len(formats.layers):
        return False
    shape = formats.layers[layer]
    if opcode == Opcode.READ_REGISTER:
        return number in {*Register, *Counter}
    limits = {0: shape.rate_shift_max, 1: shape.margin_max, 2: 1}
    return number in limits and value <= limits[number]


@pytest.mark.parametrize("network", NETWORKS.values(), ids=NETWORKS)
def test_registers_in_range(network):
    formats = infer_formats(network)
    check = RequestCheck(formats)

    async def case(context):
        for layer in (*range(len(formats.layers) + 1), 64, 255):
            shape = formats.layers[min(layer, len(formats.layers) - 1)]
            ends = (shape.rate_shift_max, shape.margin_max, 1)
            values = {end + d for end in ends for d in (-1, 0, 1)} | {2**n for n in range(32)}
            cases = [(n, v) for n in range(256) for v in ((0, 1) if n > 2 else sorted(values))]
            for number, value in cases:
                for opcode in (Opcode.READ_REGISTER, Opcode.WRITE_REGISTER):
                    register = {"layer": layer, "number": number, "value": value}
                    context.set(check.opcode, opcode)
                    context.set(check.fields.register, register)
                    await context.delay(1e-9)
                    expected = takes(formats, opcode, layer, number, value)
                    assert context.get(check.ok) == expected, (opcode, layer, number, value)

    settled(check, [case])


@pytest.mark.parametrize("network", NETWORKS.values(), ids=NETWORKS)
def test_labels_in_range(network):
    check = RequestCheck(infer_formats(network))

    async def case(context):
        for label in range(256):
            context.set(check.opcode, Opcode.TRAIN)
            context.set(check.fields.label, label)
            await context.delay(1e-9)
            assert context.get(check.ok) == (label < network.classes), label

    settled(check, [case])


def test_info_is_as_the_frames_say():
    network = NETWORKS["many-classes"]
    fingerprint = network.fingerprint.to_bytes(4, "little")
    assert info_bytes(infer_formats(network)) == b"\x01\x02\x00\x01\xff\x00" + fingerprint


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
