"""Where a request's payload waits until its check has held."""

from amaranth import Module, Signal
from amaranth.lib import data, memory, stream, wiring
from amaranth.lib.wiring import In, Out

PAYLOAD = data.StructLayout({"data": 8, "last": 1})
"""One byte of a frame's payload."""


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
        One byte every second clock; the first is there in the clock after `read` rose.

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
            read.en.eq(self.read & ~self.full & ~loaded),
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
