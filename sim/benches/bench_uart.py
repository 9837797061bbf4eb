"""UART: both ends against each other and against a line drawn bit by bit."""

import random

import cocotb
from amaranth import Module
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped
from cocotb.triggers import FallingEdge

from hdl.rtl.link.uart import UartReceiver, UartTransmitter
from sim.bench import Bench, Sink, Source, clocks, start


class UartPair(wiring.Component):
    """Transmitter and receiver with the line between them outside."""

    i: In(stream.Signature(8))
    tx: Out(1)
    rx: In(1)
    o: Out(stream.Signature(8))

    def __init__(self, divisor: int) -> None:
        self.divisor = divisor
        super().__init__()

    def elaborate(self, platform):
        m = Module()
        m.submodules.transmitter = transmitter = UartTransmitter(self.divisor)
        m.submodules.receiver = receiver = UartReceiver(self.divisor)
        connect(m, flipped(self.i), transmitter.i)
        connect(m, receiver.o, flipped(self.o))
        m.d.comb += [self.tx.eq(transmitter.tx), receiver.rx.eq(self.rx)]
        return m


BENCH = Bench(
    module=__name__,
    designs={f"divisor-{n}": lambda n=n: UartPair(n) for n in (4, 5, 8, 24)},
)


def bits(byte: int, stop: int = 1) -> list[int]:
    """A byte on the line."""
    return [0, *(byte >> n & 1 for n in range(8)), stop]


async def draw(dut, levels, divisor, period=None):
    """Levels onto `rx`, each for `period` clocks, which may be a fraction."""
    period, time = period or divisor, 0.0
    for level in levels:
        dut.rx.value = level
        time += period
        await clocks(dut, int(time))
        time -= int(time)
    dut.rx.value = 1


async def begin(dut):
    component = BENCH.component()
    await start(dut, component)
    dut.rx.value = 1
    dut.o__ready.value = 1
    await clocks(dut, 12 * component.divisor)  # `start` held the line low: a byte may have begun
    dut.o__ready.value = 0
    return component


@cocotb.test()
async def transmitted_bits(dut):
    """Every byte, back to back: each bit lasts exactly the divisor's clocks."""
    component = await begin(dut)
    source = Source(dut, component, "i")
    source.send(*range(256))
    while int(dut.tx.value):
        await FallingEdge(dut.clk)
    for byte in range(256):
        for bit in bits(byte):
            for _ in range(component.divisor):
                assert int(dut.tx.value) == bit, f"byte {byte:#04x}"
                await FallingEdge(dut.clk)
    assert int(dut.tx.value) == 1


@cocotb.test()
async def received_bytes(dut):
    """Every byte arrives, back to back, also from a clock too fast or too slow."""
    component = await begin(dut)
    sink = Sink(dut, component, "o")
    off = 0.04 if component.divisor >= 8 else 0.02
    for scale in (1.0, 1 - off, 1 + off):
        levels = [bit for byte in range(256) for bit in bits(byte)]
        await draw(dut, levels, component.divisor, component.divisor * scale)
        await clocks(dut, 2 * component.divisor)
        assert sink.untaken() == list(range(256)), f"scale {scale}"
        await sink.take(256)


@cocotb.test()
async def damaged_bytes(dut):
    """A byte without its stop bit and a glitch shorter than half a bit are dropped."""
    component = await begin(dut)
    sink = Sink(dut, component, "o")
    chance = random.Random(1)
    for _ in range(20):
        await draw(dut, bits(chance.randrange(256), stop=0), component.divisor)
        await clocks(dut, 12 * component.divisor)
        assert sink.untaken() == []
        dut.rx.value = 0
        await clocks(dut, 1)
        await draw(dut, [1] * 12, component.divisor)
        assert sink.untaken() == []
        byte = chance.randrange(256)
        await draw(dut, [*bits(byte), 1], component.divisor)
        assert await sink.take(1) == [byte]


@cocotb.test()
async def pair(dut):
    """What one sends the other receives, with pauses between bytes."""
    component = await begin(dut)
    chance = random.Random(2)
    source = Source(dut, component, "i", stall=0.9)
    sink = Sink(dut, component, "o")
    sent = [chance.randrange(256) for _ in range(100)]
    source.send(*sent)

    async def wire():
        while True:
            dut.rx.value = int(dut.tx.value)
            await FallingEdge(dut.clk)

    cocotb.start_soon(wire())
    assert await sink.take(len(sent)) == sent
