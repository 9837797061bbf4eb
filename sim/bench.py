"""What cocotb benches share: registration, clock and reset, stream drivers with stalls.

Drivers set their signals at the falling edge and look at the settled ones right after: what they
see then is what the next rising edge acts on, whatever the simulator's order of events.
"""

import os
import random
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

import cocotb
from amaranth.lib import wiring
from cocotb.clock import Clock
from cocotb.triggers import (
    Event,
    FallingEdge,
    First,
    ReadOnly,
    RisingEdge,
    SimTimeoutError,
    Timer,
    ValueChange,
    with_timeout,
)

from sim import streams

DESIGN_VARIABLE = "LOAM_DESIGN"
PERIOD_NS = 10
"""Of every bench's clock."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """A file of cocotb tests and the components that all of them run on.

    Members
    -------
    module
        ``__name__`` of the file, ``sim.benches.bench_NAME``.
    designs
        For each name of a configuration, what makes its component.
    depth
        Levels of the hierarchy whose signals tests see; 1 for the component's ports.
    """

    module: str
    designs: Mapping[str, Callable[[], wiring.Component]]
    depth: int = 1

    @property
    def name(self) -> str:
        """What ``python -m sim`` calls it."""
        return self.module.rpartition("bench_")[2]

    def component(self) -> Any:
        """Inside a test: a component like the one under test, for its ports and parameters."""
        return self.designs[os.environ[DESIGN_VARIABLE]]()


class Regime(Enum):
    """How often source and sink refuse to go on, as probabilities."""

    FLOWING = (0.0, 0.0)
    STALLED_SOURCE = (0.7, 0.0)
    STALLED_SINK = (0.0, 0.7)
    STALLED_BOTH = (0.6, 0.6)

    @property
    def source(self) -> float:
        """Probability that a source has nothing to offer in a clock."""
        return self.value[0]

    @property
    def sink(self) -> float:
        """Probability that a sink takes nothing in a clock."""
        return self.value[1]


async def start(dut: Any, component: wiring.Component) -> None:
    """Drive every input to 0, start the clock and hold reset for two clocks.

    Returns after a falling edge, with reset released.
    """
    for name in streams.input_ports(component):
        getattr(dut, name).value = 0
    if not hasattr(dut, "clk"):
        return
    Clock(dut.clk, PERIOD_NS, unit="ns").start(start_high=False)
    if hasattr(dut, "rst"):
        dut.rst.value = 1
    for _ in range(3):
        await FallingEdge(dut.clk)
    if hasattr(dut, "rst"):
        dut.rst.value = 0


async def clocks(dut: Any, count: int) -> None:
    """Wait for `count` falling edges."""
    if count > 2:  # all but the first and the last pass without a look at each
        await FallingEdge(dut.clk)
        await Timer((count - 2) * PERIOD_NS + PERIOD_NS // 4, unit="ns")
        count = 1
    for _ in range(count):
        await FallingEdge(dut.clk)


async def reached(dut: Any, signal: Any, level: int = 1, *, limit: int = 20_000) -> None:
    """Wait for a falling edge at which a signal of one bit is at `level`; not at all if it is.

    Fails after `limit` clocks.
    """

    async def changes() -> None:
        while int(signal.value) != level:
            await ValueChange(signal)
            await FallingEdge(dut.clk)

    try:
        await with_timeout(changes(), limit * PERIOD_NS, "ns")
    except SimTimeoutError as error:
        raise AssertionError(f"{signal._name} not {level} in {limit} clocks") from error


async def any_rises(dut: Any, *signals: Any) -> None:
    """From a look at settled signals of one bit, all 0, to the first one at which some may be 1."""
    await First(*map(RisingEdge, signals))
    if int(dut.clk.value):  # a register's; else another driver's signal came through
        await FallingEdge(dut.clk)
    await ReadOnly()


class _Driver:
    """One end of a stream.

    Parameters
    ----------
    name
        Member of the component's signature.
    stall
        Probability of a clock in which this end does not go on.
    seed
        Of this driver's own random numbers.
    """

    def __init__(
        self, dut: Any, component: wiring.Component, name: str, *, stall: float = 0.0, seed: int = 0
    ) -> None:
        self.name, self.shape = name, streams.payload_shape(component, name)
        self.clk = dut.clk
        self.payload = getattr(dut, streams.payload_port(name))
        self.valid = getattr(dut, streams.valid_port(name))
        self.ready = getattr(dut, streams.ready_port(name))
        self.stall = stall
        self.beats = 0
        """Beats that have moved."""
        self._moved = Event()
        self.random = random.Random(f"{name}/{seed}")
        cocotb.start_soon(self._run())

    async def _run(self) -> None:
        while True:
            await self._work()
            await FallingEdge(self.clk)
            self._drive()
            await ReadOnly()
            self._sample()
            while (change := self._unchanged_until()) is not None:
                await change
                if int(self.clk.value):
                    break  # a register changed; its clock's falling edge comes
                # Another driver's signal came through in this clock, after its falling edge.
                await ReadOnly()
                self._sample()

    def _count(self) -> None:
        """A beat has moved."""
        self.beats += 1
        self._moved.set()

    async def _until(self, done: Callable[[], bool], limit: int) -> bool:
        """Wait for beats until it is `done`, then for the falling edge; False after `limit`."""
        if done():
            return True
        try:
            await with_timeout(self._beats(done), limit * PERIOD_NS, "ns")
        except SimTimeoutError:
            return False
        await FallingEdge(self.clk)
        return True

    async def _beats(self, done: Callable[[], bool]) -> None:
        while not done():
            self._moved.clear()
            await self._moved.wait()

    async def _work(self) -> None:
        """Wait until there is something to do."""

    def _unchanged_until(self) -> Any:
        """Before which change every clock would pass like this one; None if at once."""
        raise NotImplementedError

    def _stalls(self) -> bool:
        return self.random.random() < self.stall

    def _drive(self) -> None:
        raise NotImplementedError

    def _sample(self) -> None:
        raise NotImplementedError


class Source(_Driver):
    """Offers payloads to an input stream; rubbish while it has none.

    A payload is a number, or a mapping of a number for each field.
    """

    def __init__(self, *args: Any, **settings: Any) -> None:
        self._queue: deque[int] = deque()
        self._offered = False
        self._filled = Event()
        super().__init__(*args, **settings)

    def send(self, *payloads: int | Mapping[str, int]) -> None:
        """Offer `payloads` after those sent before; returns at once."""
        self._queue.extend(streams.encode(self.shape, payload) for payload in payloads)
        self._filled.set()

    def send_raw(self, words: streams.Words) -> None:
        """The same for payloads that :func:`sim.streams.pack` made."""
        self._queue.extend(words.tolist())
        self._filled.set()

    async def sent(self, limit: int = 100_000) -> None:
        """Wait until everything has been taken; fails after `limit` clocks."""
        if not await self._until(lambda: not self._queue, limit):
            left = len(self._queue)
            raise AssertionError(f"{self.name}: {left} beats not taken in {limit} clocks")

    def _drive(self) -> None:
        self._offered = bool(self._queue) and (self._offered or not self._stalls())
        self.valid.value = int(self._offered)
        rubbish = self.random.getrandbits(len(self.payload))
        self.payload.value = self._queue[0] if self._offered else rubbish

    def _sample(self) -> None:
        if self._offered and int(self.ready.value):
            self._queue.popleft()
            self._offered = False
            self._count()

    async def _work(self) -> None:
        if not self._queue and not int(self.valid.value):
            self._filled.clear()
            await self._filled.wait()

    def _unchanged_until(self) -> Any:
        return RisingEdge(self.ready) if self._offered else None


class Sink(_Driver):
    """Takes payloads from an output stream and checks that each one offered stays until taken.

    A stalled sink is ready at random, for some beats only once it has seen valid: a component
    that waits for ready before it is valid gets stuck.
    """

    def __init__(self, *args: Any, **settings: Any) -> None:
        self._received: list[Any] = []
        self._pending: int | None = None
        self._coy = False
        super().__init__(*args, **settings)

    async def take(self, count: int, limit: int = 100_000) -> list[Any]:
        """The next `count` payloads: numbers, or dicts of fields; fails after `limit` clocks."""
        if not await self._until(lambda: len(self._received) >= count, limit):
            found = len(self._received)
            raise AssertionError(f"{self.name}: {found} of {count} beats in {limit} clocks")
        taken, self._received = self._received[:count], self._received[count:]
        return taken

    def untaken(self) -> list[Any]:
        """Payloads received and not yet asked for."""
        return list(self._received)

    def _drive(self) -> None:
        self.ready.value = int(not self._waits() and not self._stalls())

    def _sample(self) -> None:
        valid, ready = int(self.valid.value), int(self.ready.value)
        payload = int(self.payload.value) if valid else None
        if self._pending is not None and payload != self._pending:
            gone = "was withdrawn" if payload is None else f"became {self._show(payload)}"
            raise AssertionError(f"{self.name}: {self._show(self._pending)} {gone} before taken")
        self._pending = payload if valid and not ready else None
        if valid and ready:
            assert payload is not None
            self._received.append(streams.decode(self.shape, payload))
            self._count()
            self._coy = self._stalls()

    def _unchanged_until(self) -> Any:
        changes = self.stall and not self._waits()
        return None if changes or int(self.valid.value) else RisingEdge(self.valid)

    def _waits(self) -> bool:
        """Whether it is not ready before it has seen valid."""
        return self._coy and self._pending is None

    def _show(self, raw: int) -> str:
        return str(streams.decode(self.shape, raw))
