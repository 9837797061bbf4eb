"""What a reply says: the core's answers as bytes."""

from amaranth import Cat, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from golden_model.spec.formats import FormattedNetwork
from golden_model.spec.frames import VERSION, Opcode
from hdl.rtl.header_check import OPCODE_BITS
from hdl.rtl.ports import score_layout
from hdl.rtl.request_buffer import PAYLOAD

SCORE_BYTES = 4
REGISTER_BYTES = 4
WEIGHT_BYTES = 2
ERROR_BYTES = 2


def info_bytes(formats: FormattedNetwork) -> bytes:
    """Payload of the reply to INFO."""
    network = formats.network
    fields = ((VERSION, 1), (len(formats.layers), 1), (network.classes, 2), (network.inputs, 2),
              (network.fingerprint, 4))  # fmt: skip
    return b"".join(value.to_bytes(size, "little") for value, size in fields)


class ReplyPayload(wiring.Component):
    """Chooses and cuts into bytes what a reply carries.

    Parameters
    ----------
    formats
        The network: its answers are described by its last layer, INFO by all of it.

    Members
    -------
    opcode : In(8)
        Of the request.
    error : In(3)
        Of the request; if it is not 0 the reply says so instead of anything else.
    count : In(16)
        Weights still to be sent.
    active : In(1)
        Held while the reply is sent, 0 for a clock at least between replies.
    i_score, i_weight, i_register
        As they come from the core; a beat is taken with its last byte.
    length : Out(16)
        Bytes that the reply will have, while `count` still counts all weights.
    o : Out(stream.Signature(PAYLOAD))

    One byte per clock, latency 0. About 150 cells.
    """

    def __init__(self, formats: FormattedNetwork) -> None:
        self.formats = formats
        super().__init__(
            {
                "opcode": In(8),
                "error": In(3),
                "count": In(16),
                "active": In(1),
                "i_score": In(stream.Signature(score_layout(formats.answer))),
                "i_weight": In(stream.Signature(16)),
                "i_register": In(stream.Signature(32)),
                "length": Out(16),
                "o": Out(stream.Signature(PAYLOAD)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        index = Signal(4)  # of the byte within its word
        word_end = Signal()
        with m.If(self.error != 0):
            m.d.comb += [
                self.length.eq(ERROR_BYTES),
                self.o.valid.eq(1),
                self.o.payload.data.eq(Mux(index[0], self.opcode, self.error)),
                self.o.payload.last.eq(index[0]),
            ]
        with m.Else(), m.Switch(self.opcode[:OPCODE_BITS]):
            with m.Case(Opcode.INFO):
                self._info(m, index)
            with m.Case(Opcode.INFER, Opcode.TRAIN):
                self._scores(m, index, word_end)
            with m.Case(Opcode.READ_WEIGHTS):
                m.d.comb += self.length.eq(self.count * WEIGHT_BYTES)
                self._word(m, index, self.i_weight, WEIGHT_BYTES, word_end)
                m.d.comb += self.o.payload.last.eq(word_end & (self.count == 1))
            with m.Case(Opcode.READ_REGISTER):
                m.d.comb += self.length.eq(REGISTER_BYTES)
                self._word(m, index, self.i_register, REGISTER_BYTES, word_end)
                m.d.comb += self.o.payload.last.eq(word_end)
        with m.If(~self.active):
            m.d.sync += index.eq(0)
        with m.Elif(self.o.valid & self.o.ready):
            m.d.sync += index.eq(Mux(word_end, 0, index + 1))
        return m

    def _info(self, m, index) -> None:
        content = info_bytes(self.formats)
        m.d.comb += [
            self.length.eq(len(content)),
            self.o.valid.eq(1),
            self.o.payload.last.eq(index == len(content) - 1),
        ]
        with m.Switch(index):
            for position, value in enumerate(content):
                with m.Case(position):
                    m.d.comb += self.o.payload.data.eq(value)

    def _word(self, m, index, source, size, word_end) -> None:
        """A beat of `source`, lowest byte first."""
        position = index[: (size - 1).bit_length()]
        m.d.comb += [
            self.o.valid.eq(source.valid),
            self.o.payload.data.eq(source.payload.word_select(position, 8)),
            word_end.eq(position == size - 1),
            source.ready.eq(self.o.ready & word_end),
        ]

    def _scores(self, m, index, word_end) -> None:
        """Scores as 32 bits with their sign; one more byte, the class, ends the last one."""
        score = self.i_score.payload
        sign = score.score[-1]
        extended = Cat(score.score, sign.replicate(8 * SCORE_BYTES - len(score.score)))
        with m.If(index[2]):
            m.d.comb += self.o.payload.data.eq(score.best)
        with m.Else():
            m.d.comb += self.o.payload.data.eq(extended.word_select(index[:2], 8))
        m.d.comb += [
            self.length.eq(SCORE_BYTES * self.formats.network.classes + 1),
            self.o.valid.eq(self.i_score.valid),
            word_end.eq(Mux(score.last, index[2], index[:2] == SCORE_BYTES - 1)),
            self.i_score.ready.eq(self.o.ready & word_end),
            self.o.payload.last.eq(index[2]),
        ]
