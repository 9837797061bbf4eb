"""Scores of a layer leave, and become its errors."""

from dataclasses import dataclass

from amaranth import Module, Signal, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from golden_model.spec.network import Loss
from hdl.passes.sharing import EngineTable, SharedFolding
from hdl.rtl.head.error import local_error
from hdl.rtl.head.score_walk import ScoreWalk
from hdl.rtl.ports import tag_layout
from hdl.rtl.sharing.window_head import score_bits

SCORE_TO_JUDGED = 3
"""Clocks from the last score's leaving to `judged`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """What is asked of a layer's format by those who judge it; of all layers the largest."""

    classes: int
    loss: Loss
    score_bits: int
    error_bits: int
    error_largest: int
    error_shift: int

    @classmethod
    def of(cls, table: EngineTable) -> "Judged":
        """Of an engine."""
        layer = table.rows[0].format
        return cls(
            classes=layer.classes,
            loss=layer.loss,
            score_bits=score_bits(table),
            error_bits=layer.error_bits,
            error_largest=layer.error_largest,
            error_shift=layer.error_shift,
        )


def error_members(table: EngineTable, folding: SharedFolding) -> dict:
    """How a judge gives errors away: all at once, or one of a layer's at a time."""
    layer = table.rows[0].format
    error = signed(layer.error_bits)
    if folding.parallel_classes:
        return {"errors": Out(data.ArrayLayout(error, layer.classes))}
    return {
        "error_address": In(range(layer.classes)),
        "error_layer": In(range(len(table.rows))),
        "error_fetch": In(1),
        "error": Out(error),
    }


class Judge(wiring.Component):
    """Walks over the scores of a layer in order of class, and forms ``e``.

    =====  =============================================================================
    0      `start`
    3      the first score leaves; with the pairwise hinge a clock later
    2 + C  the last of C classes; later, if it answers and `o_score` was not ready
    5 + C  `judged`: errors stand until the next layer's first score leaves
    =====  =============================================================================

    Parameters
    ----------
    table, folding
        The engine's layers, and how they are folded.

    Members
    -------
    start, layer, tag
        Pulse: scores can be read from the next clock on; whose they are.
    reading
        From the clock behind `start` to `judged`.
    address, fetch, score
        To where scores are kept: class, whether to read it, its score one clock later.
    margins
        Of all layers; only if the engine learns.
    o_score
        Scores of the last layer.
    judged, judged_layer, any
        Pulse: the layer has been judged; whether it has something to learn, without learning 0.
    errors
        With parallel classes: e.
    error_address, error_layer, error_fetch, error
        Else: entry of a layer's e, whether to read it, and the entry one clock later. A layer's
        stay until it is judged again.

    Cost: about 4 * score_bits + 60 cells, and `classes * error_bits` with parallel classes; else a
    memory of errors.
    """

    def __init__(self, table: EngineTable, folding: SharedFolding) -> None:
        self.table, self.folding, self.judged_format = table, folding, Judged.of(table)
        format = self.judged_format
        layers, tag = range(len(table.rows)), tag_layout(table.rows[0].format)
        margins = data.ArrayLayout(format.score_bits - 1, len(table.rows))
        self.serial = not folding.parallel_classes
        super().__init__(
            {
                "start": In(1),
                "layer": In(layers),
                "tag": In(tag),
                "reading": Out(1),
                "address": Out(range(format.classes)),
                "fetch": Out(1),
                "score": In(signed(format.score_bits)),
                "o_score": Out(stream.Signature(signed(table.rows[-1].format.score_bits))),
                "judged": Out(1),
                "judged_layer": Out(layers),
                "any": Out(1),
            }
            | ({"margins": In(margins)} | error_members(table, folding) if folding.learns else {})
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.walk = walk = ScoreWalk(self.judged_format)
        tag, answers = Signal.like(self.tag), Signal()
        with m.If(self.start):
            m.d.sync += [tag.eq(self.tag), self.judged_layer.eq(self.layer), self.reading.eq(1)]
        with m.If(self.judged):
            m.d.sync += self.reading.eq(0)
        left = Signal()
        m.d.comb += [
            walk.start.eq(self.start),
            walk.label.eq(tag.label),
            self.address.eq(walk.address),
            self.fetch.eq(walk.fetch),
            walk.score.eq(self.score),
            answers.eq(self.judged_layer == len(self.table.rows) - 1),
            self.o_score.payload.eq(walk.o.payload),
            self.o_score.valid.eq(walk.o.valid & answers),
            walk.o.ready.eq(self.o_score.ready | ~answers),
            left.eq(walk.o.valid & walk.o.ready),
        ]
        done, any_ = Signal(), 0
        if self.folding.learns:
            any_ = self._judge(m, walk, tag, left, done)
        else:
            last = Signal()
            m.d.sync += [
                last.eq(left & (walk.class_ == self.judged_format.classes - 1)),
                done.eq(last),
            ]
        m.d.sync += [self.judged.eq(done), self.any.eq(any_)]
        return m

    def _judge(self, m, walk, tag, left, done):
        """Errors of the scores that leave; says whether one of them is to be learnt from."""
        layers = len(self.table.rows)
        m.submodules.error = error = local_error(
            self.judged_format, parallel=not self.serial, rows=layers if self.serial else 1
        )
        margins = self.margins
        margin = Signal(len(error.margin))
        m.d.comb += margin.eq(margins[self.judged_layer])
        m.d.comb += [
            error.score_valid.eq(left),
            error.score.eq(walk.o.payload),
            error.class_.eq(walk.class_),
            error.label.eq(tag.label),
            error.label_score.eq(walk.label_score),
            error.margin.eq(margin),
            error.learn.eq(1),
            done.eq(error.done),
        ]
        if self.serial:
            m.d.comb += [
                error.address.eq(self.error_address),
                error.fetch.eq(self.error_fetch),
                self.error.eq(error.e),
            ]
            if layers > 1:
                m.d.comb += [error.row.eq(self.judged_layer), error.row_read.eq(self.error_layer)]
        else:
            m.d.comb += self.errors.eq(error.errors)
        return error.any & tag.learn & done
