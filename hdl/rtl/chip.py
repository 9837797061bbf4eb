"""Everything inside the FPGA: the network, its link and the serial line."""

from amaranth import Module, ResetInserter
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hdl.rtl.core import Core
from hdl.rtl.link.host_link import HostLink, timeout_clocks
from hdl.rtl.link.uart import UartReceiver, UartTransmitter, uart_divisor


class Chip(wiring.Component):
    """A network that a host talks to over two pins.

    Parameters
    ----------
    schedule
        Last stage of the flow.
    clock_hz
        Of the clock that it runs at.
    baud
        Of the serial line; a :class:`SpecError` tells if the clock cannot make it.

    Members
    -------
    rx : In(1)
        From the host, asynchronous.
    tx : Out(1)
        To the host.
    """

    rx: In(1, init=1)
    tx: Out(1, init=1)

    def __init__(self, schedule, clock_hz: float, baud: int) -> None:
        self.schedule = schedule
        self.divisor = uart_divisor(clock_hz, baud)
        self.timeout = timeout_clocks(clock_hz)
        super().__init__()

    def elaborate(self, platform):
        m = Module()
        core = Core(self.schedule)
        schedule = self.schedule
        m.submodules.link = link = HostLink(schedule.formats, self.timeout, schedule.learns)
        m.submodules.core = ResetInserter(link.reset)(core)
        m.submodules.receiver = receiver = UartReceiver(self.divisor)
        m.submodules.transmitter = transmitter = UartTransmitter(self.divisor)
        wiring.connect(m, core, link.core)
        wiring.connect(m, receiver.o, link.i)
        wiring.connect(m, link.o, transmitter.i)
        m.d.comb += [receiver.rx.eq(self.rx), self.tx.eq(transmitter.tx)]
        return m
