"""Replies onto the line: header, payload and check around a stream of bytes."""

from contextlib import contextmanager

from amaranth import Cat, Const, Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from golden_model.spec.frames import REPLY, SYNC, Opcode
from hdl.rtl.link.frame_crc import CRC_USER

HEADER = data.StructLayout({"opcode": 8, "tag": 8, "refused": 1, "length": 16, "empty": 1})
"""What a reply starts with: the request's opcode and tag, whether it is answered by an error, and
the payload's length, `empty` if that is 0."""

CONTENT = wiring.Signature(
    {
        "valid": Out(1),
        "bit": Out(1),
        "last": Out(1),
        "position": In(3),
        "shift": In(1),
        "taken": In(1),
    }
)
"""Bytes, bit by bit, the lowest first. While `valid` is 1, `bit` is the one at the `position` of a
clock ago; `shift` takes it, `taken` with it the last one of a byte, and `last` tells that no other
byte follows."""


class FrameReplier(wiring.Component):
    """Frames replies.

    Members
    -------
    header : In(stream.Signature(HEADER))
        Stays until it is taken, when the last byte of the reply is on its way.
    i : In(CONTENT)
        As many bytes as `length` says; not looked at if it is empty.
    o : Out(stream.Signature(8))
        To the line.
    crc : Out(CRC_USER)

    A byte is collected in sixteen clocks. Choosing one bit at a time takes an eighth of the
    multiplexers, and the choice has two clocks: in one each field chooses its bit, 0 out of its
    turn, in the next all are joined. The line is slower still. About 75 cells.
    """

    header: In(stream.Signature(HEADER))
    i: In(CONTENT)
    o: Out(stream.Signature(8))
    crc: Out(CRC_USER)

    def elaborate(self, platform):
        m = Module()
        position, bit, valid = Signal(3), Signal(), Signal(init=1)
        bits = []  # of each state; 0 but in that one
        shift, whole = Signal(), Signal()
        m.d.sync += [shift.eq(valid & ~self.o.valid & ~shift), whole.eq(position == 7)]
        sent = self.o.valid & self.o.ready
        with m.If(sent):
            m.d.sync += self.o.valid.eq(0)
        with m.If(shift):
            m.d.sync += [
                self.o.payload.eq(Cat(self.o.payload[1:], bit)),
                self.o.valid.eq(whole),
                position.eq(position + 1),
            ]
        m.d.comb += [self.crc.data.eq(self.o.payload), self.i.position.eq(position)]

        @contextmanager
        def byte(state, value):
            """A state that collects a byte once the one before is sent, and where it leads."""
            bits.append(own := Signal(name=f"bit_{len(bits)}"))
            m.d.sync += own.eq(0)
            with m.State(state):
                m.d.sync += own.eq(value.bit_select(position, 1))
                with m.If(shift & whole):
                    yield

        fsm = self._states(m, byte)
        with m.If(fsm.ongoing("PAYLOAD")):
            m.d.comb += [bit.eq(self.i.bit), valid.eq(self.i.valid)]
        with m.Else():
            m.d.comb += bit.eq(Cat(bits).any())
        m.d.comb += [
            # The check takes a byte as it is sent, which is in the state of the byte after it.
            self.crc.start.eq(fsm.ongoing("OPCODE")),
            self.crc.valid.eq(sent & ~fsm.ongoing("SYNC") & ~fsm.ongoing("CRC-HIGH")),
            self.i.shift.eq(fsm.ongoing("PAYLOAD") & shift),
            self.i.taken.eq(self.i.shift & whole),
        ]
        # A clock late, while the last byte still holds back another reply.
        m.d.sync += self.header.ready.eq(fsm.ongoing("CRC-HIGH") & shift & whole)
        with m.If(fsm.ongoing("SYNC")):
            m.d.comb += valid.eq(self.header.valid)
        return m

    def _states(self, m, byte):
        header = self.header.payload
        with m.FSM() as fsm:
            with byte("SYNC", Const(SYNC, 8)):
                m.next = "OPCODE"
            with byte("OPCODE", Mux(header.refused, Opcode.ERROR, header.opcode | REPLY)):
                m.next = "TAG"
            with byte("TAG", header.tag):
                m.next = "LENGTH-LOW"
            with byte("LENGTH-LOW", header.length[:8]):
                m.next = "LENGTH-HIGH"
            with byte("LENGTH-HIGH", header.length[8:]):
                m.next = "PAYLOAD"
                with m.If(header.empty):
                    m.next = "CRC-LOW"
            with m.State("PAYLOAD"), m.If(self.i.taken & self.i.last):
                m.next = "CRC-LOW"
            with byte("CRC-LOW", self.crc.crc[:8]):
                m.next = "CRC-HIGH"
            with byte("CRC-HIGH", self.crc.crc[8:]):
                m.next = "SYNC"
        return fsm
