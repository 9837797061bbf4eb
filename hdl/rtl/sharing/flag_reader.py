"""From the place of a block of inputs to those of them that are not all zero."""

from functools import reduce
from itertools import pairwise
from operator import or_

from amaranth import Cat, Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hdl.passes.sharing import FLAGS, EngineTable, Layout, SharedFolding
from hdl.rtl.sharing.page_ports import flag_port, sides


def flag_block(table: EngineTable, folding: SharedFolding) -> data.StructLayout:
    """A block of inputs: 8 channels of one kernel place, 8 bits of a row (PACKED), 8 of all (FLAT).

    Bank ``(p, q)`` of the flags is looked at, at ``row[p] + column[q]``, if
    ``rows[p] & columns[q]``.

    Members
    -------
    row, column
        Parts of the addresses; row has the base of the flags in it. With PIXELS, kernel place
        ``(ky, kx)`` and window ``(i, j)``: ``row[1] = base + (i + (ky >> 1)) * row_stride / 8``,
        row[0] the same of ``ky + 1``; ``column[1] = (j + (kx >> 1)) * stride / 8 + chunk``,
        column[0] the same of ``kx + 1``. With PACKED, word ``w``: ``column[1] = w >> 1``,
        ``column[0] = (w + 1) >> 1``. FLAT: row[0] the base, column[0] the chunk.
    rows, columns
        A bit each: not outside the map, or beyond the last word; 1 and 1 for FLAT.
    mask
        Inputs that count.
    packed, odd
        PACKED, and the lowest bit of its word's number.
    sure
        All inputs of the mask are visited, and nothing is looked at: for the bias, with mask 1.
    keep
        The block comes out even if it has nothing to visit.
    """
    side, address = sides(folding), range(table.flag_depth)
    return data.StructLayout(
        {
            "row": data.ArrayLayout(address, side),
            "column": data.ArrayLayout(address, side),
            "rows": side,
            "columns": side,
            "mask": FLAGS,
            "packed": 1,
            "odd": 1,
            "sure": 1,
            "keep": 1,
        }
    )


class FlagReader(wiring.Component):
    """Blocks in, those with something to visit out.

    Clocks are counted from the one in which a block goes in:

    =====  ============================================================================
    1      addresses, sums of their parts, are registered at the memories
    2      words of flags; with slow memory they pass through a register, a clock later
    3      what is to be visited stands at `o`, a register; blocks without vanish there
    =====  ============================================================================

    If zeros are not skipped there are no flags, and the mask stands at `o` in clock 1 with slow
    memory, else at once.

    Parameters
    ----------
    table, folding
        The engine's.
    token
        Shape of what goes with a block.

    Members
    -------
    i
        Blocks, and what goes with them.
    o
        Their inputs to be visited, bit p for the p-th.
    flags
        To :class:`~hdl.rtl.sharing.pages.Pages`; only if zeros are skipped.

    A block that is not taken, or a read that is not granted, stops all behind it.

    Throughput: one block a clock. Latency: `lookup_clocks` of the folding.
    """

    def __init__(self, table: EngineTable, folding: SharedFolding, *, token) -> None:
        self.table, self.folding, self.token = table, folding, token
        into = data.StructLayout({"block": flag_block(table, folding), "token": token})
        out = data.StructLayout({"visits": FLAGS, "token": token})
        members = {"i": In(stream.Signature(into)), "o": Out(stream.Signature(out))}
        if folding.skip_zeros:
            members["flags"] = Out(flag_port(table, folding))
        super().__init__(members)

    def elaborate(self, platform):
        m = Module()
        block, out = self.i.payload.block, self.o.payload
        if not self.folding.lookup_clocks:
            # Of each block the mask has something, since it begins with a pixel's first channel.
            m.d.comb += [
                self.o.valid.eq(self.i.valid),
                self.i.ready.eq(self.o.ready),
                out.visits.eq(block.mask),
                out.token.eq(self.i.payload.token),
            ]
            return m
        moves, shown = Signal(), Signal()
        m.d.comb += [self.i.ready.eq(moves), self.o.valid.eq(shown)]
        free = ~shown | self.o.ready
        if self.folding.skip_zeros:
            valid, keeps, visits, token = self._look(m, moves, free)
        else:
            valid, keeps, visits, token = self.i.valid, block.keep, block.mask, self.i.payload.token
            m.d.comb += moves.eq(free)
        with m.If(moves):
            m.d.sync += [
                shown.eq(valid & (visits.any() | keeps)),
                out.visits.eq(visits),
                out.token.eq(token),
            ]
        with m.Elif(self.o.ready):
            m.d.sync += shown.eq(0)
        return m

    def _look(self, m, moves, free):
        """What goes to `o` next: whether there is a block, `keep`, visits and token."""
        flags, block, places = self.flags, self.i.payload.block, self.folding.places
        side, slow = sides(self.folding), self.folding.slow_memory
        known = data.StructLayout(
            {
                "valid": 1,
                "banks": places,
                "mask": FLAGS,
                "packed": 1,
                "odd": 1,
                "sure": 1,
                "keep": 1,
                "token": self.token,
            }
        )
        stages = [Signal(known, name=f"stage{n}") for n in range(1, 3 + slow)]
        banks = Cat(block.rows[b // side] & block.columns[b % side] for b in range(places))
        named = ("mask", "packed", "odd", "sure", "keep")
        with m.If(moves):
            m.d.sync += [
                stages[0].valid.eq(self.i.valid),
                stages[0].banks.eq(Mux(block.sure, 0, banks)),
                stages[0].token.eq(self.i.payload.token),
                *(stages[0][name].eq(block[name]) for name in named),
                *(
                    flags.address[b].eq(block.row[b // side] + block.column[b % side])
                    for b in range(places)
                ),
                *(later.eq(stage) for stage, later in pairwise(stages)),
            ]
        reads = Mux(stages[0].valid, stages[0].banks, 0)
        m.d.comb += [
            moves.eq(free & (flags.grant | ~reads.any())),
            flags.read.eq(Mux(free, reads, 0)),
        ]
        words, final = flags.words.as_value(), stages[-1]
        if slow:
            # The register stops with all others, so a word must not be lost before it.
            arrived = self._kept(m, words, moves)
            words = Signal.like(flags.words.as_value(), name="words")
            with m.If(moves):
                m.d.sync += words.eq(arrived)
        visits = self._visits(m, words, final)
        return (
            final.valid,
            final.keep,
            visits if slow else self._kept(m, visits, moves),
            final.token,
        )

    def _kept(self, m, value, moves):
        """`value`, which the memories may give for one clock only, until all moves."""
        if self.folding.page_copies == 2 or not self.folding.learns:
            return value
        saved, stopped = Signal(len(value)), Signal()
        lasting = Mux(stopped, saved, value)
        m.d.sync += [saved.eq(lasting), stopped.eq(~moves)]
        return lasting

    def _visits(self, m, words, known):
        """Inputs of a block of which one place at least is not 0."""
        side = sides(self.folding)
        gated = [
            Mux(known.banks[b], words[FLAGS * b :][:FLAGS], 0) for b in range(self.folding.places)
        ]
        columns = [reduce(or_, gated[column::side]) for column in range(side)]
        found = Signal(FLAGS, name="found")
        m.d.comb += found.eq(reduce(or_, columns))
        first = self.table.rows[0]
        if first.layout is Layout.PACKED:
            # The place to the right of each is `stride` bits on, the last one's in the next word.
            own = Mux(known.odd, columns[1], columns[0])
            beyond = Mux(known.odd, columns[0], columns[1])
            with m.If(known.packed):
                m.d.comb += found.eq(own | (Cat(own, beyond) >> first.stride)[:FLAGS])
        return Mux(known.sure, known.mask, found & known.mask)
