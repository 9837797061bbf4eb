"""Requests off the line: collected, checked, and only then shown to whoever serves them."""

from contextlib import contextmanager

from amaranth import Cat, Module, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from golden_model.spec.frames import SYNC, FrameError, max_payload
from hdl.rtl.link.frame_crc import CRC_USER
from hdl.rtl.link.header_check import HeaderCheck
from hdl.rtl.link.request_buffer import PAYLOAD, RequestBuffer

REQUEST = data.StructLayout({"opcode": 8, "tag": 8, "error": 3, "length": 16})
"""A request: `error` is a :class:`FrameError`, or 0 if the frame is whole and its check holds.
`opcode` and `tag` are 0 if they never came."""


class SilenceTimer(wiring.Component):
    """Tells when nothing has happened for a while.

    Parameters
    ----------
    clocks
        How long, at least 1.

    Members
    -------
    restart : In(1)
    expired : Out(1)
        1 from `clocks` clocks after the last `restart` until the next.

    Counts up to a power of two, whose bit is `expired`: no comparison.
    """

    def __init__(self, clocks: int) -> None:
        self.clocks = clocks
        super().__init__({"restart": In(1), "expired": Out(1)})

    def elaborate(self, platform):
        m = Module()
        top = 1 << (self.clocks - 1).bit_length()
        start = top - self.clocks + 1
        count = Signal(range(top + 1), init=start)
        m.d.comb += self.expired.eq(count[-1])
        with m.If(self.restart):
            m.d.sync += count.eq(start)
        with m.Elif(~self.expired):
            m.d.sync += count.eq(count + 1)
        return m


class FrameReceiver(wiring.Component):
    """Bytes to checked requests.

    Parameters
    ----------
    inputs
        Of the network.
    timeout
        Clocks of silence that end an unfinished frame.

    Members
    -------
    i : In(stream.Signature(8))
        From the line, one at most every second clock. Bytes that come while a request waits or is
        served are dropped.
    request : Out(stream.Signature(REQUEST))
        Stays until it is taken, which says that it has been served.
    o : Out(stream.Signature(PAYLOAD))
        Payload of a request without error, while the request is offered.
    crc : Out(CRC_USER)

    A request is offered within four clocks of its last byte. After an error in the header, where a
    frame ends is not known: all bytes are dropped until the line has been silent. About 220 cells.
    """

    def __init__(self, inputs: int, timeout: int) -> None:
        self.inputs, self.timeout = inputs, timeout
        self._known, self._fits, self._crc_differs = Signal(), Signal(), Signal(2)
        super().__init__(
            {
                "i": In(stream.Signature(8)),
                "request": Out(stream.Signature(REQUEST)),
                "o": Out(stream.Signature(PAYLOAD)),
                "crc": Out(CRC_USER),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.header = header = HeaderCheck(self.inputs)
        m.submodules.timer = timer = SilenceTimer(self.timeout)
        m.submodules.buffer = buffer = RequestBuffer(max_payload(self.inputs))
        wiring.connect(m, wiring.flipped(self.o), buffer.o)
        request = Signal(REQUEST)
        take, compared = self.i.valid & self.i.ready, Signal()
        is_sync = Signal()
        # A byte is taken in its second clock, when it has been compared.
        m.d.sync += [
            compared.eq(self.i.valid & ~compared),
            is_sync.eq(self.i.payload == SYNC),
            self._known.eq(header.known),
            self._fits.eq(header.fits),
            self._crc_differs.eq(
                Cat(self.i.payload != byte for byte in (self.crc.crc[:8], self.crc.crc[8:]))
            ),
        ]
        m.d.comb += [
            self.i.ready.eq(compared),
            timer.restart.eq(self.i.valid),
            header.opcode.eq(request.opcode),
            header.byte.eq(self.i.payload),
            buffer.data.eq(self.i.payload),
            buffer.length.eq(request.length),
            self.crc.data.eq(self.i.payload),
            self.request.payload.eq(request),
        ]
        with m.FSM() as fsm:
            m.d.comb += header.high.eq(fsm.ongoing("LENGTH-HIGH"))
            with m.State("HUNT"):
                m.d.comb += [buffer.clear.eq(1), self.crc.start.eq(1)]
                m.d.sync += [request.opcode.eq(0), request.tag.eq(0), request.error.eq(0)]
                with m.If(take & is_sync):
                    m.next = "OPCODE"
            self._header_states(m, request, timer, buffer)
            self._payload_states(m, request, timer, buffer)
            with m.State("OFFER"):
                m.d.comb += [self.request.valid.eq(1), buffer.read.eq(1)]
                with m.If(self.request.ready):
                    m.next = "HUNT"
                    with m.If(request.error.matches(FrameError.OPCODE, FrameError.LENGTH)):
                        m.next = "SKIP"
            with m.State("SKIP"), m.If(timer.expired):
                m.next = "HUNT"
        return m

    @contextmanager
    def _byte(self, m, state, request, timer):
        """A state that waits for a byte, but not for ever, and what it does with it."""
        with m.State(state):
            with m.If(self.i.valid & self.i.ready):
                yield
            with m.Elif(timer.expired & ~self.i.valid):
                m.d.sync += request.error.eq(FrameError.TIMEOUT)
                m.next = "OFFER"

    def _header_states(self, m, request, timer, buffer) -> None:
        with self._byte(m, "OPCODE", request, timer):
            m.d.comb += self.crc.valid.eq(1)
            m.d.sync += request.opcode.eq(self.i.payload)
            m.next = "TAG"
        with self._byte(m, "TAG", request, timer):
            m.d.comb += self.crc.valid.eq(1)
            m.d.sync += request.tag.eq(self.i.payload)
            m.next = "LENGTH-LOW"
        with self._byte(m, "LENGTH-LOW", request, timer):
            m.d.comb += self.crc.valid.eq(1)
            m.d.sync += request.length[:8].eq(self.i.payload)
            with m.If(~self._known):
                m.d.sync += request.error.eq(FrameError.OPCODE)
            with m.Elif(~self._fits):
                m.d.sync += request.error.eq(FrameError.LENGTH)
            m.next = "LENGTH-HIGH"
        with self._byte(m, "LENGTH-HIGH", request, timer):
            m.d.comb += self.crc.valid.eq(1)
            m.d.sync += request.length[8:].eq(self.i.payload)
            with m.If(self._known & ~self._fits):
                m.d.sync += request.error.eq(FrameError.LENGTH)
            m.next = "HEADER"
        with m.State("HEADER"):  # in the clock after a byte, when none is taken
            m.next = "PAYLOAD"
            with m.If(request.error != 0):
                m.next = "OFFER"
            with m.Elif(buffer.full):
                m.next = "CRC-LOW"

    def _payload_states(self, m, request, timer, buffer) -> None:
        with m.State("PAYLOAD"):
            take = self.i.valid & self.i.ready
            m.d.comb += [buffer.write.eq(take), self.crc.valid.eq(take)]
            with m.If(buffer.full):  # in the clock after a byte, when none is taken
                m.next = "CRC-LOW"
            with m.Elif(timer.expired & ~self.i.valid):
                m.d.sync += request.error.eq(FrameError.TIMEOUT)
                m.next = "OFFER"
        with self._byte(m, "CRC-LOW", request, timer):
            with m.If(self._crc_differs[0]):
                m.d.sync += request.error.eq(FrameError.CRC)
            m.next = "CRC-HIGH"
        with self._byte(m, "CRC-HIGH", request, timer):
            m.d.comb += buffer.clear.eq(1)
            with m.If(self._crc_differs[1]):
                m.d.sync += request.error.eq(FrameError.CRC)
            m.next = "OFFER"
