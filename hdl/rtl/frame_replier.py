"""Replies onto the line: header, payload and check around a stream of bytes."""

from contextlib import contextmanager

from amaranth import Module
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from golden_model.spec.frames import SYNC
from hdl.rtl.frame_crc import CRC_USER
from hdl.rtl.request_buffer import PAYLOAD

HEADER = data.StructLayout({"opcode": 8, "length": 16})
"""What a reply starts with; `opcode` as it goes over the wire."""


class FrameReplier(wiring.Component):
    """Frames replies.

    Members
    -------
    header : In(stream.Signature(HEADER))
        Stays until it is taken, with the last byte of the reply.
    i : In(stream.Signature(PAYLOAD))
        As many bytes as `length` says, the last one marked; not looked at where that is 0.
    o : Out(stream.Signature(8))
        To the line.
    crc : Out(CRC_USER)

    Adds no clock to a byte of payload. About 65 cells.
    """

    header: In(stream.Signature(HEADER))
    i: In(stream.Signature(PAYLOAD))
    o: Out(stream.Signature(8))
    crc: Out(CRC_USER)

    def elaborate(self, platform):
        m = Module()
        header = self.header.payload
        taken = self.o.valid & self.o.ready
        m.d.comb += self.crc.data.eq(self.o.payload)

        @contextmanager
        def byte(state, value, valid=1):
            """A state that sends a byte, and what follows when it is taken."""
            with m.State(state):
                m.d.comb += [self.o.valid.eq(valid), self.o.payload.eq(value)]
                with m.If(taken):
                    yield

        with m.FSM():
            with byte("SYNC", SYNC, valid=self.header.valid):
                m.d.comb += self.crc.start.eq(1)
                m.next = "OPCODE"
            with byte("OPCODE", header.opcode):
                m.d.comb += self.crc.valid.eq(1)
                m.next = "LENGTH-LOW"
            with byte("LENGTH-LOW", header.length[:8]):
                m.d.comb += self.crc.valid.eq(1)
                m.next = "LENGTH-HIGH"
            with byte("LENGTH-HIGH", header.length[8:]):
                m.d.comb += self.crc.valid.eq(1)
                m.next = "PAYLOAD"
                with m.If(header.length == 0):
                    m.next = "CRC-LOW"
            with byte("PAYLOAD", self.i.payload.data, valid=self.i.valid):
                m.d.comb += [self.crc.valid.eq(1), self.i.ready.eq(1)]
                with m.If(self.i.payload.last):
                    m.next = "CRC-LOW"
            with byte("CRC-LOW", self.crc.crc[:8]):
                m.next = "CRC-HIGH"
            with byte("CRC-HIGH", self.crc.crc[8:]):
                m.d.comb += self.header.ready.eq(1)
                m.next = "SYNC"
        return m
