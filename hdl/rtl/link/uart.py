"""Asynchronous serial line, 8 data bits, no parity, 1 stop bit, least significant bit first."""

from amaranth import Cat, Const, Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.cdc import FFSynchronizer
from amaranth.lib.wiring import In, Out

from golden_model.spec.errors import SpecError

DIVISOR_MIN = 4
"""Fewer clocks per bit leave no room to find the middle of a bit."""
BAUD_ERROR_MAX = 0.02
"""Ten bits sampled in their middle forgive 4 % between both ends, and each may spend half of it;
below 8 clocks per bit the middle is so coarse that the other end should be right within 2 %."""


def uart_divisor(clock_hz: float, baud: int) -> int:
    """Clocks per bit, rounded to an integer.

    Raises
    ------
    SpecError
        If that is fewer than DIVISOR_MIN, or misses the baud rate by more than BAUD_ERROR_MAX.
    """
    if baud <= 0:
        raise SpecError(f"baud = {baud}", "it must be positive", "Write for example 115200")
    divisor = round(clock_hz / baud)
    if divisor < DIVISOR_MIN:
        rule = f"a bit takes at least {DIVISOR_MIN} clocks, and the clock is {clock_hz / 1e6:g} MHz"
        largest = int(clock_hz / DIVISOR_MIN)
        raise SpecError(f"baud = {baud}", rule, f"The largest that fits is {largest}")
    error = abs(clock_hz / divisor / baud - 1)
    if error > BAUD_ERROR_MAX:
        rule = (
            f"{clock_hz / 1e6:g} MHz divided by {divisor} misses it by {error:.1%}, more than 2 %"
        )
        raise SpecError(
            f"baud = {baud}", rule, f"The nearest that fits is {clock_hz / divisor:.0f}"
        )
    return divisor


class UartReceiver(wiring.Component):
    """Line to bytes. A byte whose stop bit is 0 is dropped.

    Parameters
    ----------
    divisor
        Clocks per bit, at least DIVISOR_MIN; see :func:`uart_divisor`.

    Members
    -------
    rx : In(1)
        The line, asynchronous, 1 when idle.
    o : Out(stream.Signature(8))
        Bytes. No new one is begun while one is offered: take it within half a bit.

    A byte is offered in the middle of its stop bit. About 40 cells.
    """

    def __init__(self, divisor: int) -> None:
        self.divisor = divisor
        super().__init__({"rx": In(1, init=1), "o": Out(stream.Signature(8))})

    def elaborate(self, platform):
        m = Module()
        rx = Signal(init=1)
        m.submodules += FFSynchronizer(self.rx, rx, init=1)
        timer = Signal(range(self.divisor))  # since the edge that began the start bit, by bits
        middle = timer == (self.divisor - 1) // 2
        # start, eight data bits and stop pass through; the marker tells when nine have passed
        shift, first = Signal(10), Signal()
        marker = Const(1 << 9, 10)

        m.d.comb += self.o.payload.eq(shift[1:9])
        m.d.sync += timer.eq(timer + 1)
        with m.If(timer == self.divisor - 1):
            m.d.sync += timer.eq(0)
        with m.If(self.o.ready):
            m.d.sync += self.o.valid.eq(0)
        with m.FSM():
            with m.State("IDLE"):
                m.d.sync += [timer.eq(1), first.eq(1)]
                with m.If(~rx & (~self.o.valid | self.o.ready)):
                    m.d.sync += shift.eq(marker)
                    m.next = "BITS"
            with m.State("BITS"), m.If(middle):
                m.d.sync += [shift.eq(Cat(shift[1:], rx)), first.eq(0)]
                with m.If(shift[0]):  # this bit is the stop bit
                    m.d.sync += self.o.valid.eq(rx)
                    m.next = "IDLE"
                    with m.If(~rx):
                        m.next = "BREAK"
                with m.Elif(first & rx):  # no start bit, a glitch
                    m.next = "IDLE"
            with m.State("BREAK"), m.If(rx):
                m.next = "IDLE"
        return m


class UartTransmitter(wiring.Component):
    """Bytes to line.

    Parameters
    ----------
    divisor
        Clocks per bit; see :func:`uart_divisor`.

    Members
    -------
    i : In(stream.Signature(8))
        Bytes; one is taken every ten bit times at most.
    tx : Out(1)
        The line, 1 when idle, driven by a register.

    The start bit begins in the clock after a byte was taken. About 30 cells.
    """

    def __init__(self, divisor: int) -> None:
        self.divisor = divisor
        super().__init__({"i": In(stream.Signature(8)), "tx": Out(1, init=1)})

    def elaborate(self, platform):
        m = Module()
        timer = Signal(range(self.divisor))
        # start bit lowest, stop bit highest; alone at the bottom the stop bit says "all sent"
        shift = Signal(10, init=1)

        m.d.comb += [
            self.tx.eq(shift[0]),
            self.i.ready.eq((timer == 0) & (shift[1:] == 0)),
        ]
        with m.If(timer != 0):
            m.d.sync += timer.eq(timer - 1)
        with m.Elif(shift[1:] != 0):
            m.d.sync += [timer.eq(self.divisor - 1), shift.eq(shift[1:])]
        with m.Elif(self.i.valid):
            m.d.sync += [timer.eq(self.divisor - 1), shift.eq(Cat(Const(0, 1), self.i.payload, 1))]
        return m
