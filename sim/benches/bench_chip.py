"""The whole chip through its two pins, against the golden engine."""

from collections import deque

import cocotb
from cocotb.triggers import FallingEdge

from boards.registry import find_board
from golden_model.spec.formats import infer_formats
from golden_model.spec.frames import TIMEOUT_MS, FrameError, Opcode
from golden_model.spec.network import Dense, Learning, Network, Readout
from hdl.passes.options import Options
from hdl.passes.pipeline import run
from hdl.rtl.chip import Chip
from sim.bench import Bench, clocks, start
from sim.benches.frame_host import FrameHost

DIVISOR = 4
BAUD = 10_000
"""So slow a line that the timeout, TIMEOUT_MS of it, is short in clocks."""
NETWORKS = {
    "readout": Network(
        name="readout", inputs=9, classes=3, layers=(Dense(units=6, weight_bits=12),),
        readout=Readout(rate_shift=3), learning=Learning(margin=20, rate_shift=2), coding="signed",
    ),
    "local-scores": Network(
        name="local-scores", inputs=5, classes=2, layers=(Dense(units=3), Dense(units=4)),
        learning=Learning(loss="pairwise-hinge"),
    ),
}  # fmt: skip


def chip(network: Network, board: str) -> Chip:
    """A network as it is built for a board, on a short line."""
    classifier = "rom" if board == "icebreaker" else "generator"
    schedule = run(infer_formats(network), find_board(board).budget, Options(classifier=classifier))
    return Chip(schedule, DIVISOR * BAUD, BAUD)


BENCH = Bench(
    module=__name__,
    designs={
        "readout": lambda: chip(NETWORKS["readout"], "icebreaker"),
        "local-scores": lambda: chip(NETWORKS["local-scores"], "ulx3s-85f"),
    },
)


class PinHost(FrameHost):
    """Drives `rx` and watches `tx`, bit by bit, with pauses of its own choosing."""

    def __init__(self, dut, component) -> None:
        super().__init__(component.schedule.formats)
        self.dut = dut
        self._outgoing: deque[int] = deque()
        self._incoming: deque[int] = deque()
        dut.rx.value = 1
        cocotb.start_soon(self._drive())
        cocotb.start_soon(self._watch())

    def send(self, content):
        self._outgoing.extend(content)

    async def sent(self) -> None:
        """Wait until the last byte is on the line."""
        while self._outgoing:
            await FallingEdge(self.dut.clk)
        await clocks(self.dut, 12 * DIVISOR)

    async def receive(self, count):
        for _ in range(10**6):
            if len(self._incoming) >= count:
                return bytes(self._incoming.popleft() for _ in range(count))
            await FallingEdge(self.dut.clk)
        raise AssertionError(f"{len(self._incoming)} of {count} bytes came")

    async def _drive(self):
        while True:
            await FallingEdge(self.dut.clk)
            if not self._outgoing:
                continue
            byte = self._outgoing.popleft()
            for level in (0, *(byte >> n & 1 for n in range(8)), 1):
                self.dut.rx.value = level
                await clocks(self.dut, DIVISOR)
            if self.chance.random() < 0.1:
                await clocks(self.dut, self.chance.randrange(1, 100))

    async def _watch(self):
        while True:
            await FallingEdge(self.dut.clk)
            if int(self.dut.tx.value):
                continue
            await clocks(self.dut, DIVISOR // 2)
            byte = 0
            for n in range(8):
                await clocks(self.dut, DIVISOR)
                byte |= int(self.dut.tx.value) << n
            await clocks(self.dut, DIVISOR)
            assert int(self.dut.tx.value), "no stop bit"
            self._incoming.append(byte)


async def begin(dut) -> PinHost:
    component = BENCH.component()
    await start(dut, component)
    host = PinHost(dut, component)
    await clocks(dut, 12 * DIVISOR)  # the line was low during reset
    return host


@cocotb.test()
async def first_words(dut):
    """The chip has drawn its weights by itself, whatever it is asked first."""
    host = await begin(dut)
    await host.sample(train=True)
    await host.all_weights()


@cocotb.test()
async def conversation(dut):
    """All requests and, after the reset, samples; every weight compared at the end."""
    host = await begin(dut)
    await host.conversation()
    for _ in range(10):
        await host.sample(train=True)
    await host.all_weights()


@cocotb.test()
async def damaged_frames(dut):
    """Wrong check, cut frame, byte without stop bit: an error each, and not a weight changes."""
    host = await begin(dut)
    await host.sample(train=True)
    x = bytes([0] + [200] * host.formats.network.inputs)
    frame = host.request(Opcode.TRAIN, x)
    for content, error in (
        (frame[:-1] + bytes([frame[-1] ^ 1]), FrameError.CRC),
        (frame[:-3], FrameError.TIMEOUT),
    ):
        host.send(content)
        await host.refusal(error, Opcode.TRAIN, frame[2])
        await host.all_weights()
    host.send(frame[:2])
    await host.sent()
    dut.rx.value = 0  # a break: bytes without stop bit, then silence
    await clocks(dut, 30 * DIVISOR)
    dut.rx.value = 1
    await clocks(dut, DIVISOR * BAUD * TIMEOUT_MS // 1000)
    await host.refusal(FrameError.TIMEOUT, Opcode.TRAIN, 0)  # its tag has not come
    await host.all_weights()
