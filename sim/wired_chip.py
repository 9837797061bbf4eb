"""The simulated chip with a serial line soldered to its pins, as a transport for the driver."""

import numpy as np
from amaranth import Module
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from hdl.passes.stages import ScheduledNetwork
from hdl.rtl.chip import Chip
from hdl.rtl.link.uart import DIVISOR_MIN, UartReceiver, UartTransmitter
from sim.cxxrtl import Agent, Simulation

BAUD = 1_000_000
CLOCK_HZ = DIVISOR_MIN * BAUD
"""As few clocks per bit as the line allows: what is simulated is the chip, not the waiting."""
STEP = 500
"""Clocks between two looks at what came back."""
PATIENCE = 20_000_000
"""Clocks without a byte after which a reader gives up; a transport's patience."""
MANY = 2**31
"""Bytes that a sink waits for: more than ever come between two requests."""


class ChipOnWire(wiring.Component):  # type: ignore[misc]
    """A chip and, on the other side of its two pins, the host's end of the line.

    Parameters
    ----------
    schedule
        The last stage of the flow.

    Members
    -------
    i, o
        Bytes to and from the chip.
    """

    i: In(stream.Signature(8))  # type: ignore[valid-type]
    o: Out(stream.Signature(8))  # type: ignore[valid-type]

    def __init__(self, schedule: ScheduledNetwork) -> None:
        self.schedule = schedule
        super().__init__()

    def elaborate(self, platform: object) -> Module:
        """Chip, transmitter and receiver."""
        m = Module()
        m.submodules.chip = chip = Chip(self.schedule, CLOCK_HZ, BAUD)
        m.submodules.transmitter = transmitter = UartTransmitter(chip.divisor)
        m.submodules.receiver = receiver = UartReceiver(chip.divisor)
        connect(m, flipped(self.i), transmitter.i)
        connect(m, receiver.o, flipped(self.o))
        m.d.comb += [chip.rx.eq(transmitter.tx), receiver.rx.eq(chip.tx)]
        return m


class WiredChip:
    """A transport to the simulated chip; time passes only while somebody writes, reads or polls.

    Parameters
    ----------
    schedule
        The last stage of the flow.
    """

    patience = PATIENCE / CLOCK_HZ

    def __init__(self, schedule: ScheduledNetwork) -> None:
        self.simulation = Simulation(ChipOnWire(schedule))
        self._sink: Agent | None = None
        self._received = b""
        self.simulation.reset()

    def write(self, content: bytes) -> int:
        """Send bytes to the chip; returns when the last one is on the line."""
        self._collect()
        source = self.simulation.feed("i", payload=np.frombuffer(content, np.uint8))
        while source.beats < len(content):
            self.simulation.step(STEP)
        source.retire()
        return len(content)

    def read(self, size: int) -> bytes:
        """Up to `size` bytes; fewer if the chip stays silent for long."""
        waited = 0
        while len(self._received) + self._new() < size and waited < PATIENCE:
            before = self._new()
            self.simulation.step(STEP)
            waited = 0 if self._new() > before else waited + STEP
        self._collect()
        content, self._received = self._received[:size], self._received[size:]
        return content

    def flush(self) -> None:
        """Forget what has come back and was not read."""
        self._collect()
        self._received = b""

    def now(self) -> float:
        """Seconds that have passed in the simulation."""
        return self.simulation.clocks / CLOCK_HZ

    def poll(self) -> bytes:
        """What has come back after some more clocks."""
        self.simulation.step(STEP)
        self._collect()
        content, self._received = self._received, b""
        return content

    def _new(self) -> int:
        return self._sink.beats if self._sink else 0

    def _collect(self) -> None:
        """Keep what the sink has; a new one takes its place, since a sink's rows only grow."""
        if self._sink and not self._sink.beats:
            return
        if self._sink:
            self._received += self._sink.rows[:, 0].astype(np.uint8).tobytes()
            self._sink.retire()
        self._sink = self.simulation.collect("o", MANY)
