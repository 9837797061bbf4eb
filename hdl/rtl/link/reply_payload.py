"""What a reply says: the core's answers as bytes."""

from amaranth import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from golden_model.spec.formats import FormattedNetwork
from golden_model.spec.frames import VERSION, Opcode
from hdl.rtl.link.frame_replier import CONTENT
from hdl.rtl.link.header_check import OPCODE_BITS
from hdl.rtl.ports import score_layout

WORD_BYTES = 4
"""Of a score or a register."""
WEIGHT_BYTES = 2

REFUSED = Opcode.TRAIN
"""Kind of a reply that says why not; TRAIN leaves the number free, since it answers like INFER."""


def info_bytes(formats: FormattedNetwork) -> bytes:
    """Payload of the reply to INFO."""
    network = formats.network
    fields = ((VERSION, 1), (len(formats.layers), 1), (network.classes, 2), (network.inputs, 2),
              (network.fingerprint, 4))  # fmt: skip
    return b"".join(value.to_bytes(size, "little") for value, size in fields)


class ReplyPayload(wiring.Component):
    """Chooses and cuts into bits what a reply carries.

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
        Weights to be sent.
    final : In(1)
        Of them, this is the last.
    active : In(1)
        Held while the reply is sent, 0 for a clock at least between replies.
    i_score, i_weight, i_register
        As they come from the core; a beat is taken with its last byte.
    length : Out(16)
        Bytes of the reply.
    empty : Out(1)
        1 if these are none.
    o : Out(CONTENT)

    `opcode` and `error` stand a clock before anything is looked at. A bit in two clocks, latency 1.
    About 140 cells.
    """

    def __init__(self, formats: FormattedNetwork) -> None:
        self.formats = formats
        super().__init__(
            {
                "opcode": In(8),
                "error": In(3),
                "count": In(16),
                "final": In(1),
                "active": In(1),
                "i_score": In(stream.Signature(score_layout(formats.answer))),
                "i_weight": In(stream.Signature(16)),
                "i_register": In(stream.Signature(32)),
                "length": Out(16),
                "empty": Out(1),
                "o": Out(CONTENT),
            }
        )

    def elaborate(self, platform):
        m = Module()
        kind = Signal(OPCODE_BITS)
        index = Signal(4)  # of the byte within its word
        loaded, word_end = Signal(), Signal()
        # Known a clock after a byte begins, which is soon enough.
        ends, last = Signal(), Signal()
        m.d.sync += [word_end.eq(ends), self.o.last.eq(last)]
        m.d.sync += kind.eq(self.opcode)
        with m.If(self.error != 0):
            m.d.sync += kind.eq(REFUSED)
        with m.Elif(self.opcode[:OPCODE_BITS] == Opcode.TRAIN):
            m.d.sync += kind.eq(Opcode.INFER)
        word = self._shift_register(m, kind, loaded, word_end)
        # Every kind chooses its bit, 0 if it is not asked for; a clock later they are joined.
        bits = Signal(data.StructLayout({"word": 1, "best": 1, "refusal": 1, "info": 1}))
        m.d.sync += bits.eq(0)
        m.d.comb += self.o.bit.eq(bits.as_value().any())
        with m.Switch(kind):
            with m.Case(REFUSED):
                self._refusal(m, index, bits, last)
            with m.Case(Opcode.INFO):
                self._info(m, index, bits, last)
            with m.Case(Opcode.INFER):
                self._scores(m, index, word, loaded, bits, ends, last)
            with m.Case(Opcode.READ_WEIGHTS):
                m.d.sync += bits.word.eq(word)
                m.d.comb += [
                    self.length.eq(self.count * WEIGHT_BYTES),
                    self.o.valid.eq(loaded),
                    ends.eq(index[0]),
                    last.eq(ends & self.final),
                ]
            with m.Case(Opcode.READ_REGISTER):
                m.d.sync += bits.word.eq(word)
                m.d.comb += [
                    self.length.eq(WORD_BYTES),
                    self.o.valid.eq(loaded),
                    ends.eq(index[:2] == WORD_BYTES - 1),
                    last.eq(ends),
                ]
            with m.Default():
                m.d.comb += self.empty.eq(1)
        with m.If(~self.active):
            m.d.sync += index.eq(0)
        with m.Elif(self.o.taken):
            m.d.sync += index.eq(Mux(word_end, 0, index + 1))
        return m

    def _shift_register(self, m, kind, loaded, word_end):
        """The lowest bit of what is left of a beat; the beat is taken with its last bit."""
        word, score = Signal(8 * WORD_BYTES), self.i_score.payload.score
        after = Signal.like(word)
        sign = len(score) - 1
        m.d.comb += [
            after.eq(word[1:]),
            after[sign].eq(Mux(kind == Opcode.INFER, word[sign], word[sign + 1])),
        ]
        # Between beats it is 0, so that one is loaded by an OR: cheaper than by a multiplexer.
        for source, value, opcode in (
            (self.i_score, score, Opcode.INFER),
            (self.i_weight, self.i_weight.payload, Opcode.READ_WEIGHTS),
            (self.i_register, self.i_register.payload, Opcode.READ_REGISTER),
        ):
            mine, load = kind == opcode, Signal()
            m.d.sync += load.eq(mine & source.valid & ~loaded & ~load)
            after = after | (Value.cast(value).as_unsigned() & load.replicate(len(value)))
            m.d.comb += source.ready.eq(mine & self.o.taken & word_end)
            with m.If(load):
                m.d.sync += loaded.eq(1)
        with m.If(self.o.shift | ~loaded):
            m.d.sync += word.eq(after)
        with m.If(~self.active | (self.o.taken & word_end)):
            m.d.sync += [word.eq(0), loaded.eq(0)]
        return word[0]

    def _refusal(self, m, index, bits, last) -> None:
        """The error, then the opcode."""
        content = Mux(index[0], self.opcode, self.error).bit_select(self.o.position, 1)
        m.d.sync += bits.refusal.eq(content)
        m.d.comb += [self.length.eq(2), self.o.valid.eq(1), last.eq(index[0])]

    def _info(self, m, index, bits, last) -> None:
        """Bytes that are always the same."""
        content = info_bytes(self.formats)
        table = Const(int.from_bytes(content, "little"), 8 * len(content))
        m.d.sync += bits.info.eq(table.bit_select(Cat(self.o.position, index), 1))
        m.d.comb += [
            self.length.eq(len(content)),
            self.o.valid.eq(1),
            last.eq(index == len(content) - 1),
        ]

    def _scores(self, m, index, word, loaded, bits, ends, last) -> None:
        """Scores as 32 bits with their sign; one more byte, the class, ends the last one."""
        score = self.i_score.payload
        best = score.best.bit_select(self.o.position, 1)
        m.d.sync += [bits.word.eq(word & ~index[2]), bits.best.eq(best & index[2])]
        m.d.comb += [
            self.length.eq(WORD_BYTES * self.formats.network.classes + 1),
            self.o.valid.eq(loaded),
            last.eq(index[2]),
            ends.eq(Mux(score.last, index[2], index[:2] == WORD_BYTES - 1)),
        ]
