"""Which words of a sweep have something to add: zero-skipping."""

from amaranth import Cat, Module, Mux, Signal, unsigned
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out

from hdl.rtl.ports import IN_BLOCKS


class VisitList(wiring.Component):
    """Lists, while a sample comes in, the groups of inputs that its sweep must visit.

    Two lists are kept for the sample that comes in and for the newest: groups that are not all
    zero in it, for its sums, and groups that are not all zero in it or in the sample before, for a
    sweep that applies that sample's update too. The group of the bias is always the last one and
    never listed.

    Parameters
    ----------
    words
        Groups of a sample, at least 2.

    Members
    -------
    group_valid, group, group_nonzero
        A group of the sample that comes in is complete; it has an input that is not 0.
    advance
        Pulse: the sample is complete and becomes the newest. Not before the second clock after
        its last group.
    union
        Read the list of this sample and the one before it; else that of this sample alone.
    index, next
        Entry of the newest sample's list to read, and whether to read it.
    word, before
        The entry one clock later: its group, and whether the sample before was not all zero there.
    count
        Entries of the list.

    Throughput: one entry in and one out per clock. Cost: 4 * words entries of memory, `words` bits
    for the sample before, about 70 cells.
    """

    def __init__(self, *, words: int) -> None:
        self.words = words
        super().__init__(
            {
                "group_valid": In(1),
                "group": In(range(words)),
                "group_nonzero": In(1),
                "advance": In(1),
                "union": In(1),
                "index": In(range(words)),
                "next": In(1),
                "word": Out(range(words)),
                "before": Out(1),
                "count": Out(range(words)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        page, listed = Signal(), self.group_valid & (self.group != self.words - 1)

        # Was the sample before all zero here? Its flag gives way to this sample's a clock later.
        m.submodules.flags = flags = memory.Memory(
            shape=1, depth=self.words, init=[], attrs=IN_BLOCKS
        )
        write_flag, read_flag = flags.write_port(), flags.read_port()
        valid, group, nonzero = Signal(), Signal.like(self.group), Signal()
        m.d.comb += [
            read_flag.addr.eq(self.group),
            read_flag.en.eq(listed),
            write_flag.addr.eq(group),
            write_flag.data.eq(nonzero),
            write_flag.en.eq(valid),
        ]
        m.d.sync += [valid.eq(listed), group.eq(self.group), nonzero.eq(self.group_nonzero)]
        with m.If(self.advance):
            m.d.sync += page.eq(~page)

        chosen, page_size = [], 1 << len(self.index)
        before = read_flag.data
        kinds = (("own", nonzero, group), ("union", nonzero | before, Cat(group, before)))
        for name, wanted, entry in kinds:
            m.submodules[name] = entries = memory.Memory(
                shape=unsigned(len(entry)), depth=2 * page_size, init=[], attrs=IN_BLOCKS
            )
            write, read = entries.write_port(), entries.read_port()
            filled = Signal(range(self.words), name=f"{name}_filled")
            count = Signal(range(self.words), name=f"{name}_count")
            m.d.comb += [
                write.addr.eq(Cat(filled, page)),
                write.data.eq(entry),
                write.en.eq(valid & wanted),
                read.addr.eq(Cat(self.index, ~page)),
                read.en.eq(self.next),
            ]
            with m.If(self.advance):
                m.d.sync += [count.eq(filled), filled.eq(0)]
            with m.Elif(write.en):
                m.d.sync += filled.eq(filled + 1)
            chosen.append((read.data, count))
        (own, own_count), (union, union_count) = chosen
        m.d.comb += [
            self.word.eq(Mux(self.union, union, own)),
            self.before.eq(union[-1]),
            self.count.eq(Mux(self.union, union_count, own_count)),
        ]
        return m
