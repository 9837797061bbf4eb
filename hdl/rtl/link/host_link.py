"""The link to the host: bytes off the line to the core's ports, and back."""

from math import ceil

from amaranth import Module
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from golden_model.spec.formats import FormattedNetwork
from golden_model.spec.frames import TIMEOUT_MS
from hdl.rtl.link.commands import Commands
from hdl.rtl.link.frame_crc import FrameCrc
from hdl.rtl.link.frame_receiver import FrameReceiver
from hdl.rtl.link.frame_replier import FrameReplier
from hdl.rtl.ports import core_signature


def timeout_clocks(clock_hz: float) -> int:
    """Clocks of TIMEOUT_MS, rounded up."""
    return ceil(clock_hz * TIMEOUT_MS / 1000)


class HostLink(wiring.Component):
    """Serves the frames of :mod:`golden_model.spec.frames`, one at a time.

    Parameters
    ----------
    formats
        The network behind it.
    timeout
        Clocks of silence that end an unfinished frame; see :func:`timeout_clocks`.
    learns
        Whether the core can; else TRAIN and a 1 for the register LEARN are refused with VALUE.

    Members
    -------
    i : In(stream.Signature(8))
        Bytes from the line, one at most every second clock.
    o : Out(stream.Signature(8))
        Bytes to the line.
    core : In(core_signature(formats.answer))
        The core's ports, mirrored: ``connect(m, core, link.core)``.
    reset : Out(1)
        1 for a clock: start the core anew.

    One memory of :func:`~golden_model.spec.frames.max_payload` bytes, and a small one of limits. A
    sample goes to the core at one beat every second clock as soon as its frame has been checked.
    About 630 cells of an iCE40 with two layers of 784 and 64 inputs.
    """

    def __init__(self, formats: FormattedNetwork, timeout: int, learns: bool = True) -> None:
        self.formats, self.timeout, self.learns = formats, timeout, learns
        super().__init__(
            {
                "i": In(stream.Signature(8)),
                "o": Out(stream.Signature(8)),
                "core": In(core_signature(formats.answer)),
                "reset": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.crc = crc = FrameCrc()
        m.submodules.receiver = receiver = FrameReceiver(self.formats.network.inputs, self.timeout)
        m.submodules.commands = commands = Commands(self.formats, self.learns)
        m.submodules.replier = replier = FrameReplier()
        wiring.connect(m, receiver.crc, crc.receiver)
        wiring.connect(m, replier.crc, crc.replier)
        wiring.connect(m, receiver.request, commands.request)
        wiring.connect(m, receiver.o, commands.i)
        wiring.connect(m, commands.header, replier.header)
        wiring.connect(m, commands.o, replier.i)
        wiring.connect(m, wiring.flipped(self.i), receiver.i)
        wiring.connect(m, wiring.flipped(self.o), replier.o)
        wiring.connect(m, wiring.flipped(self.core), commands.core)
        m.d.comb += [crc.replying.eq(commands.header.valid), self.reset.eq(commands.reset)]
        return m
