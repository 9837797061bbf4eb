"""Which words of a sweep have something to add: zero-skipping."""

from amaranth import Cat, Module, Signal
from amaranth.lib import data, memory, wiring
from amaranth.lib.wiring import In, Out

from hdl.passes.stages import CHUNK, chunks_of
from hdl.rtl.ports import IN_BLOCKS, memory_depth


def chunk_entry(chunks: int) -> data.StructLayout:
    """One chunk of words: its number, and for each word whether it has an input that is not 0.

    ``own`` is of the newest sample, ``before`` of the one before it.
    """
    return data.StructLayout({"own": CHUNK, "before": CHUNK, "chunk": range(chunks)})


class VisitMap(wiring.Component):
    """Maps, while a sample comes in, the words that its sweep must visit.

    Words are taken `CHUNK` at a time. A chunk in which this sample or the one before it is not all
    zero is listed with the flags of both. The word of the bias is visited always and never listed.

    Parameters
    ----------
    words
        Words of a group, at least 2.

    Members
    -------
    group_valid, group, group_nonzero
        A word's inputs of the sample that comes in are complete; one of them is not 0.
    advance
        Pulse: the sample is complete and becomes the newest. Not before the third clock after its
        last word.
    index, next
        Entry of the newest sample's list to read, and whether to read it.
    entry
        The entry one clock later.
    count
        Entries of the list.

    Throughput: one word in and one entry out per clock. Cost: two memories, of 2 * chunks entries
    and of chunks flags; about 60 cells.
    """

    def __init__(self, *, words: int) -> None:
        self.words, self.chunks = words, chunks_of(words)
        super().__init__(
            {
                "group_valid": In(1),
                "group": In(range(words)),
                "group_nonzero": In(1),
                "advance": In(1),
                "index": In(range(self.chunks + 1)),
                "next": In(1),
                "entry": Out(chunk_entry(self.chunks)),
                "count": Out(range(self.chunks + 1)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        # First stage: flags of the chunk that is filling.
        place, number = self.group[: CHUNK.bit_length() - 1], self.group[CHUNK.bit_length() - 1 :]
        own, complete, chunk = Signal(CHUNK), Signal(), Signal(range(self.chunks))
        listed = self.group_valid & (self.group != self.words - 1)
        final = (place == CHUNK - 1) | (self.group == self.words - 2)
        m.d.sync += complete.eq(listed & final)
        with m.If(listed):
            m.d.sync += [
                own.eq((own & (place != 0).replicate(CHUNK)) | (self.group_nonzero << place)),
                chunk.eq(number),
            ]

        # Second stage: the same chunk of the sample before; its flags give way to this sample's.
        m.submodules.flags = flags = memory.Memory(
            shape=CHUNK, depth=memory_depth(self.chunks), init=[], attrs=IN_BLOCKS
        )
        write_flags, read_flags = flags.write_port(), flags.read_port()
        m.d.comb += [
            read_flags.addr.eq(number),
            read_flags.en.eq(listed & final),
            write_flags.addr.eq(chunk),
            write_flags.data.eq(own),
            write_flags.en.eq(complete),
        ]

        # Third stage: far from the memory.
        known, entry = Signal(), Signal(self.entry.shape())
        m.d.sync += [
            known.eq(complete),
            entry.own.eq(own),
            entry.before.eq(read_flags.data),
            entry.chunk.eq(chunk),
        ]
        self._list(m, known & (entry.own.any() | entry.before.any()), entry)
        return m

    def _list(self, m, wanted, entry):
        """Two lists in one memory: one fills while the other is read."""
        page, filled = Signal(), Signal.like(self.count)
        m.submodules.entries = entries = memory.Memory(
            shape=self.entry.shape(), depth=2 << len(self.index), init=[], attrs=IN_BLOCKS
        )
        write, read = entries.write_port(), entries.read_port()
        m.d.comb += [
            write.addr.eq(Cat(filled, page)),
            write.data.eq(entry),
            write.en.eq(wanted),
            read.addr.eq(Cat(self.index, ~page)),
            read.en.eq(self.next),
            self.entry.eq(read.data),
        ]
        with m.If(self.advance):
            m.d.sync += [page.eq(~page), self.count.eq(filled), filled.eq(0)]
        with m.Elif(wanted):
            m.d.sync += filled.eq(filled + 1)
