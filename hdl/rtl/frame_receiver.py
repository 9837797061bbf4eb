"""Requests off the line: collected, checked, and only then shown to whoever serves them."""

from contextlib import contextmanager

from amaranth import Cat, Module, Mux, Signal
from amaranth.lib import data, memory, stream, wiring
from amaranth.lib.wiring import In, Out

from golden_model.spec.frames import SYNC, WRITE_WEIGHTS_MAX, FrameError, Opcode, max_payload
from hdl.rtl.frame_crc import CRC_USER

REQUEST = data.StructLayout({"opcode": 8, "error": 3, "length": 16})
"""A request: `error` is a :class:`FrameError`, or 0 if the frame is whole and its check holds."""

PAYLOAD = data.StructLayout({"data": 8, "last": 1})
"""One byte of a frame's payload."""


def request_length(opcode: Opcode, inputs: int) -> range:
    """Lengths that the payload of a request may have."""
    fixed = {
        Opcode.INFER: inputs,
        Opcode.TRAIN: 1 + inputs,
        Opcode.READ_WEIGHTS: 7,
        Opcode.READ_REGISTER: 2,
        Opcode.WRITE_REGISTER: 6,
    }
    if opcode is Opcode.WRITE_WEIGHTS:
        return range(5 + 2, 5 + 2 * WRITE_WEIGHTS_MAX + 1, 2)
    length = fixed.get(opcode, 0)
    return range(length, length + 1)


def within(length, allowed: range):
    """``length in allowed``, every second number; compared at the width of the largest."""
    bits = allowed[-1].bit_length()
    low = length[1:bits]
    above = (low >= allowed[0] >> 1) & (low <= allowed[-1] >> 1)
    return above & (length[bits:] == 0) & (length[0] == allowed[0] % 2)


class HeaderCheck(wiring.Component):
    """What is wrong with a request's opcode and length; combinational.

    Parameters
    ----------
    inputs
        Of the network.

    Members
    -------
    opcode : In(8)
    length : In(16)
    error : Out(3)
        0, OPCODE or LENGTH.
    """

    def __init__(self, inputs: int) -> None:
        self.inputs = inputs
        super().__init__({"opcode": In(8), "length": In(16), "error": Out(3)})

    def elaborate(self, platform):
        m = Module()
        exact = Signal(16)
        fits = Signal()
        m.d.comb += [fits.eq(self.length == exact), self.error.eq(Mux(fits, 0, FrameError.LENGTH))]
        with m.Switch(self.opcode):
            for opcode in Opcode:
                if opcode is Opcode.ERROR:
                    continue
                allowed = request_length(opcode, self.inputs)
                with m.Case(opcode):
                    if len(allowed) == 1:
                        m.d.comb += exact.eq(allowed[0])
                    else:
                        m.d.comb += fits.eq(within(self.length, allowed))
            with m.Default():
                m.d.comb += self.error.eq(FrameError.OPCODE)
        return m


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


class RequestBuffer(wiring.Component):
    """One payload, written byte by byte, then read as a stream, as often as wanted.

    Parameters
    ----------
    depth
        Bytes of the longest payload.

    Members
    -------
    length : In(16)
        Bytes of this payload, stable until the last of them is read.
    clear : In(1)
        Held before writing and again, for a clock at least, before reading: back to the first byte.
    write : In(1), data : In(8)
        Append a byte.
    full : Out(1)
        `length` bytes were written, or are on their way out.
    read : In(1)
        Held while `o` may be read; never together with `write`.
    o : Out(stream.Signature(PAYLOAD))
        One byte per clock; the first is there in the clock after `read` rose.

    One memory of `depth` bytes; about 35 cells.
    """

    def __init__(self, depth: int) -> None:
        self.depth = depth
        super().__init__(
            {
                "length": In(16),
                "clear": In(1),
                "write": In(1),
                "data": In(8),
                "full": Out(1),
                "read": In(1),
                "o": Out(stream.Signature(PAYLOAD)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.bytes = storage = memory.Memory(shape=8, depth=self.depth, init=[])
        write, read = storage.write_port(), storage.read_port()
        address = Signal(range(self.depth + 1))  # of the next byte
        loaded = Signal()  # the read port holds a byte

        m.d.comb += [
            self.full.eq(address == self.length[: len(address)]),
            write.addr.eq(address),
            write.data.eq(self.data),
            write.en.eq(self.write),
            read.addr.eq(address),
            read.en.eq(self.read & ~self.full & (~loaded | self.o.ready)),
            self.o.valid.eq(loaded),
            self.o.payload.data.eq(read.data),
            self.o.payload.last.eq(self.full),
        ]
        with m.If(self.clear):
            m.d.sync += [address.eq(0), loaded.eq(0)]
        with m.Else():
            m.d.sync += address.eq(address + (write.en | read.en))
            with m.If(read.en):
                m.d.sync += loaded.eq(1)
            with m.Elif(self.o.ready):
                m.d.sync += loaded.eq(0)
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
        From the line. Bytes that come while a request waits or is served are dropped.
    request : Out(stream.Signature(REQUEST))
        Stays until it is taken, which says that it has been served.
    o : Out(stream.Signature(PAYLOAD))
        Payload of a request without error, while the request is offered.
    crc : Out(CRC_USER)

    A request is offered within four clocks of its last byte. After an error in the header, where a
    frame ends is not known: all bytes are dropped until the line has been silent.
    """

    def __init__(self, inputs: int, timeout: int) -> None:
        self.inputs, self.timeout = inputs, timeout
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
        take = self.i.valid & self.i.ready
        m.d.comb += [
            self.i.ready.eq(1),
            timer.restart.eq(take),
            header.opcode.eq(request.opcode),
            header.length.eq(request.length),
            buffer.data.eq(self.i.payload),
            buffer.length.eq(request.length),
            self.crc.data.eq(self.i.payload),
            self.request.payload.eq(request),
        ]
        with m.FSM():
            with m.State("HUNT"):
                m.d.comb += [buffer.clear.eq(1), self.crc.start.eq(1)]
                m.d.sync += [request.opcode.eq(0), request.error.eq(0)]
                with m.If(take & (self.i.payload == SYNC)):
                    m.next = "OPCODE"
            self._header_states(m, request, timer, header)
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
            with m.Elif(timer.expired):
                m.d.sync += request.error.eq(FrameError.TIMEOUT)
                m.next = "OFFER"

    def _header_states(self, m, request, timer, header) -> None:
        with self._byte(m, "OPCODE", request, timer):
            m.d.comb += self.crc.valid.eq(1)
            m.d.sync += request.opcode.eq(self.i.payload)
            m.next = "LENGTH-LOW"
        for state, following in ("LENGTH-LOW", "LENGTH-HIGH"), ("LENGTH-HIGH", "HEADER"):
            with self._byte(m, state, request, timer):
                m.d.comb += self.crc.valid.eq(1)
                m.d.sync += request.length.eq(Cat(request.length[8:], self.i.payload))
                m.next = following
        with m.State("HEADER"):
            m.d.comb += self.i.ready.eq(0)
            m.d.sync += request.error.eq(header.error)
            m.next = "PAYLOAD"
            with m.If(header.error != 0):
                m.next = "OFFER"

    def _payload_states(self, m, request, timer, buffer) -> None:
        with m.State("PAYLOAD"):
            take = self.i.valid & self.i.ready
            m.d.comb += [self.i.ready.eq(~buffer.full), buffer.write.eq(take)]
            m.d.comb += self.crc.valid.eq(take)
            with m.If(buffer.full):
                m.next = "CRC-LOW"
            with m.Elif(timer.expired & ~take):
                m.d.sync += request.error.eq(FrameError.TIMEOUT)
                m.next = "OFFER"
        with self._byte(m, "CRC-LOW", request, timer):
            with m.If(self.i.payload != self.crc.crc[:8]):
                m.d.sync += request.error.eq(FrameError.CRC)
            m.next = "CRC-HIGH"
        with self._byte(m, "CRC-HIGH", request, timer):
            m.d.comb += buffer.clear.eq(1)
            with m.If(self.i.payload != self.crc.crc[8:]):
                m.d.sync += request.error.eq(FrameError.CRC)
            m.next = "OFFER"
