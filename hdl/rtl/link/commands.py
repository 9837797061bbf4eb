"""Serves requests: reads their fields, has them checked, drives the core and starts the reply."""

from amaranth import Cat, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from golden_model.spec.formats import FormattedNetwork
from golden_model.spec.frames import FrameError, Opcode
from hdl.rtl.link.frame_receiver import REQUEST
from hdl.rtl.link.frame_replier import CONTENT, HEADER
from hdl.rtl.link.header_check import OPCODE_BITS
from hdl.rtl.link.reply_payload import ReplyPayload
from hdl.rtl.link.request_buffer import PAYLOAD
from hdl.rtl.link.request_check import FIELDS, INDEX_BITS, RequestCheck
from hdl.rtl.parts.stage import Stage
from hdl.rtl.ports import core_signature

FIELD_BYTES = {
    Opcode.TRAIN: 1,
    Opcode.READ_WEIGHTS: 7,
    Opcode.WRITE_WEIGHTS: 7,  # the first weight is among them
    Opcode.READ_REGISTER: 2,
    Opcode.WRITE_REGISTER: 6,
}
"""Bytes at the start of a payload that are fields; the others have none."""
REGISTER_VALUE = 2
"""Where the value of WRITE_REGISTER starts. Its first byte is kept with a weight's last: its own
place, the high byte of a unit, is one that small networks have no registers for."""
FIRST_WEIGHT = 5
"""Where the first weight of WRITE_WEIGHTS stands in the payload."""

SAMPLES = (Opcode.INFER, Opcode.TRAIN)
READS = (Opcode.READ_WEIGHTS, Opcode.READ_REGISTER)
WRITES = (Opcode.WRITE_WEIGHTS, Opcode.WRITE_REGISTER)


class Commands(wiring.Component):
    """From a checked frame to the core's answer.

    Parameters
    ----------
    formats
        Ranges, number of classes, and what INFO says.
    learns
        Whether the core can; else TRAIN and the register that turns learning on are refused.

    Members
    -------
    request : In(stream.Signature(REQUEST))
        Taken when its reply has been sent.
    i : In(stream.Signature(PAYLOAD))
        The payload of `request`.
    header : Out(stream.Signature(HEADER)), o : Out(CONTENT)
        The reply; the header is taken when its last byte is on its way.
    core : In(core_signature(formats.answer))
        The core's ports, mirrored.
    reset : Out(1)
        1 for a clock: start the core anew.

    A beat of a sample every second clock; weights as fast as the line takes them. About 290 cells,
    the check and the reply's payload among them.
    """

    def __init__(self, formats: FormattedNetwork, learns: bool = True) -> None:
        self.formats, self.learns = formats, learns
        # Reads that REPLY is to make; a register, so that whatever was refused never asks.
        self._asking = Signal()
        super().__init__(
            {
                "request": In(stream.Signature(REQUEST)),
                "i": In(stream.Signature(PAYLOAD)),
                "header": Out(stream.Signature(HEADER)),
                "o": Out(CONTENT),
                "core": In(core_signature(formats.answer)),
                "reset": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        opcode = self._opcode
        refused = Signal()
        error = Mux(refused, FrameError.VALUE, self.request.payload.error)
        fields = Signal(FIELDS)
        index = Signal(INDEX_BITS)  # of the field's next byte
        used_up = Signal()  # the payload's last byte is among the fields
        complete, known = self._complete(m, index), Signal()  # in FIELDS: `complete` is up to date

        m.submodules.check = check = RequestCheck(self.formats, self.learns)
        m.submodules.reply = reply = ReplyPayload(self.formats)
        wiring.connect(m, wiring.flipped(self.o), reply.o)
        m.d.comb += [
            check.opcode.eq(opcode),
            check.length.eq(self.request.payload.length),
            check.valid.eq(self.i.valid & known & ~complete),
            check.index.eq(index),
            check.data.eq(self.i.payload.data),
            check.fields.eq(fields),
            reply.opcode.eq(self.request.payload.opcode),
            reply.error.eq(error),
            self.header.payload.opcode.eq(self.request.payload.opcode),
            self.header.payload.tag.eq(self.request.payload.tag),
            self.header.payload.refused.eq(error != 0),
            self.header.payload.length.eq(reply.length),
            self.header.payload.empty.eq(reply.empty),
        ]
        sample = self._core_ports(m, reply, fields)
        moved = self._row(m, fields, reply)
        with m.FSM():
            with m.State("IDLE"):
                m.d.comb += check.clear.eq(1)
                m.d.sync += [index.eq(0), refused.eq(0), self.core.drain.eq(0)]
                with m.If(self.request.valid):
                    m.next = "FIELDS"
                    with m.If(self.request.payload.error != 0):
                        m.next = "REPLY"
            self._fields_state(m, fields, index, known, complete, used_up)
            with m.State("CHECK"):
                self._dispatch(m)
                # A register, because it goes everywhere.
                m.d.sync += self.reset.eq((opcode == Opcode.RESET) & check.ok)
                with m.If(~check.ok):
                    m.d.sync += refused.eq(1)
                    m.next = "REPLY"
            with m.State("SAMPLE"):
                m.d.comb += [sample.valid.eq(self.i.valid), self.i.ready.eq(sample.ready)]
                with m.If(self.i.valid & self.i.ready & self.i.payload.last):
                    m.next = "REPLY"
            with m.State("RESET"):
                m.d.sync += self.reset.eq(0)
                m.next = "DRAIN"
            with m.State("DRAIN"), m.If(self.core.idle):
                m.d.sync += self._asking.eq(opcode.matches(*READS))
                m.next = "REPLY"
                with m.If(opcode.matches(*WRITES)):
                    m.next = "WRITE"
            self._write_state(m, moved, used_up)
            self._reply_state(m, reply)
        return m

    def _complete(self, m, index):
        """Whether all bytes that are fields have come; known two clocks behind each of them."""
        needed, complete = Signal(INDEX_BITS), Signal()
        m.d.sync += complete.eq(index == needed)
        m.d.sync += needed.eq(0)
        with m.Switch(self._opcode):
            for opcode, count in FIELD_BYTES.items():
                with m.Case(opcode):
                    m.d.sync += needed.eq(count)
        return complete

    def _fields_state(self, m, fields, index, known, complete, used_up) -> None:
        """Take the fields off the payload; once they are checked, the next weight to write."""
        m.d.sync += known.eq(0)
        with m.State("FIELDS"):
            m.d.sync += known.eq(~(self.i.valid & self.i.ready))
            with m.If(known & complete):
                m.d.sync += [known.eq(0), index.eq(FIRST_WEIGHT)]
                m.next = "CHECK"
                with m.If(self.core.drain):
                    m.next = "WRITE"
            with m.Else():
                m.d.comb += self.i.ready.eq(known)
                with m.If(self.i.valid & known):
                    m.d.sync += fields.as_value().word_select(index, 8).eq(self.i.payload.data)
                    with m.If(index == REGISTER_VALUE):
                        m.d.sync += fields.weights.value[8:].eq(self.i.payload.data)
                    m.d.sync += [index.eq(index + 1), used_up.eq(self.i.payload.last)]

    def _dispatch(self, m) -> None:
        """Where a good request goes; only samples let updates stay pending."""
        with m.Switch(self._opcode):
            with m.Case(Opcode.INFO):
                m.next = "REPLY"
            with m.Case(*SAMPLES):
                m.next = "SAMPLE"
            with m.Case(Opcode.RESET):
                m.d.sync += self.core.drain.eq(1)
                m.next = "RESET"
            with m.Default():
                m.d.sync += self.core.drain.eq(1)
                m.next = "DRAIN"

    def _write_state(self, m, moved, used_up) -> None:
        """One register, or weight after weight until the payload ends."""
        i_weight, i_register = self.core.i_weight, self.core.i_register
        is_weight = self._opcode == Opcode.WRITE_WEIGHTS
        with m.State("WRITE"):
            m.d.comb += [i_weight.valid.eq(is_weight & ~moved), i_register.valid.eq(~is_weight)]
            with m.If(i_register.valid & i_register.ready):
                m.next = "REPLY"
            with m.If(moved):
                m.next = "FIELDS"
                with m.If(used_up):
                    m.next = "REPLY"

    def _reply_state(self, m, reply) -> None:
        """The reply is sent; reads are made as it needs them, one at a time."""
        asking, sent = self._asking, Signal()
        m.d.sync += sent.eq(self.core.o_weight.valid & self.core.o_weight.ready)
        with m.State("REPLY"):
            m.d.comb += [reply.active.eq(1), self.header.valid.eq(1)]
            ports = self.core.i_weight, self.core.i_register
            for opcode, port in zip(READS, ports, strict=True):
                with m.If(asking & (self._opcode == opcode)):
                    m.d.comb += port.valid.eq(1)
                    m.d.sync += asking.eq(~port.ready)
            with m.If(sent):
                m.d.sync += asking.eq(~reply.final)
            with m.If(self.header.ready):
                m.d.sync += asking.eq(0)
                m.next = "DONE"
        with m.State("DONE"):
            m.d.comb += self.request.ready.eq(1)
            m.next = "IDLE"

    @property
    def _opcode(self):
        """Of a request without error."""
        return self.request.payload.opcode[:OPCODE_BITS]

    def _row(self, m, fields, reply):
        """Walk along the row from the first input; after the last read, all are counted.

        Gives a pulse for each weight, in the clock behind it.
        """
        bits = max(layer.fan_in for layer in self.formats.layers).bit_length()
        first, count = fields.weights.input[:bits], fields.weights.value[:bits]
        done = Signal(bits)
        port, final, moved = self.core.i_weight, Signal(), Signal()
        place = Signal.like(port.payload.input)
        # A clock late, since the core's `ready` comes a long way.
        m.d.sync += moved.eq(port.valid & port.ready)
        with m.If(moved):
            m.d.sync += done.eq(done + 1)
        with m.If(self.request.ready):
            m.d.sync += done.eq(0)
        # Both are wanted only long after the count.
        m.d.sync += [final.eq(done == count), place.eq(first + done)]
        m.d.comb += [
            port.payload.input.eq(place),
            reply.count.eq(count),
            reply.final.eq(final),
        ]
        return moved

    def _core_ports(self, m, reply, fields):
        """Everything on the core's side that needs no state; gives the stream of a sample."""
        opcode = self._opcode
        # The core's `ready` and what comes out of the buffer each come a long way.
        m.submodules.sample = sample = Stage(8)
        m.d.comb += [
            sample.i.payload.eq(self.i.payload.data),
            self.core.i.valid.eq(sample.o.valid),
            self.core.i.payload.x.eq(sample.o.payload),
            self.core.i.payload.label.eq(fields.label),
            self.core.i.payload.learn.eq(opcode == Opcode.TRAIN),
            sample.o.ready.eq(self.core.i.ready),
            self.core.i_weight.payload.layer.eq(fields.weights.layer),
            self.core.i_weight.payload.unit.eq(fields.weights.unit),
            self.core.i_weight.payload.value.eq(fields.weights.value),
            self.core.i_weight.payload.write.eq(opcode == Opcode.WRITE_WEIGHTS),
            self.core.i_register.payload.layer.eq(fields.register.layer),
            self.core.i_register.payload.number.eq(fields.register.number),
            self.core.i_register.payload.value.eq(
                Cat(fields.weights.value[8:], fields.register.value[8:])
            ),
            self.core.i_register.payload.write.eq(opcode == Opcode.WRITE_REGISTER),
        ]
        m.submodules.score = score = Stage(self.core.o.payload.shape())
        wiring.connect(m, score.o, reply.i_score)
        for source, sink in (
            (self.core.o, score.i),
            (self.core.o_weight, reply.i_weight),
            (self.core.o_register, reply.i_register),
        ):
            m.d.comb += [
                sink.payload.eq(source.payload),
                sink.valid.eq(source.valid),
                source.ready.eq(sink.ready),
            ]
        return sample.i
