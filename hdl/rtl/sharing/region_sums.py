"""Sums of activations over regions of the map."""

from amaranth import Cat, Module, Mux, Signal, unsigned
from amaranth.lib import data, memory, wiring
from amaranth.lib.wiring import In, Out

from golden_model.spec.layer import ACTIVATION_BITS, ACTIVATION_MAX
from hdl.passes.sharing import EngineTable, SharedFolding
from hdl.rtl.parts.delay import delayed
from hdl.rtl.ports import IN_BLOCKS, memory_depth


def region_bits(table: EngineTable) -> int:
    """Width of the sum of a filter's activations in a region of any layer."""
    sizes = [1]
    for layer in (row.format for row in table.rows if row.scored):
        rows, columns = (-(-size // layer.regions_across) for size in layer.pooled_shape)
        sizes.append(rows * columns)
    return (ACTIVATION_MAX * max(sizes)).bit_length()


class RegionSums(wiring.Component):
    """``z[g, o] = sum of h[q, o]`` over the windows ``q`` of region ``g``, for a group of filters.

    Two buffers take turns by group: one is added to, the other one is read.

    =====  ==================================================================
    0      `add` with `h`; their sums so far are read
    1      they stand, with slow memory a clock later
    2      new sums are written, with slow memory a clock later
    =====  ==================================================================

    So a filter of a region may come again in the fourth clock at the earliest. Reading: 0 address,
    1 the sums stand, with slow memory a clock later.

    Parameters
    ----------
    table, folding
        The engine's layers, and how they are folded.

    Members
    -------
    add, h
        Activations of some filters are to be added; 0 for filters that there are not.
    beat, first, region, region_first
        Filters are here, in order; the first ones; of a region in which no window was before.
    turn
        Pulse: a group is over, the next one goes to the other buffer.
    read_region, lane, fetch, z
        Region and filter of the other buffer, whether to read, and the sum.

    Cost: a memory of ``2 * regions * pe`` sums with a port to write and two to read, about 80
    cells a head.
    """

    def __init__(self, table: EngineTable, folding: SharedFolding) -> None:
        self.table, self.folding, self.bits = table, folding, region_bits(table)
        region = range(max(row.format.regions for row in table.rows))
        super().__init__(
            {
                "beat": In(1),
                "first": In(1),
                "add": In(1),
                "h": In(data.ArrayLayout(ACTIVATION_BITS, folding.heads)),
                "region": In(region),
                "region_first": In(1),
                "turn": In(1),
                "read_region": In(region),
                "lane": In(range(folding.pe)),
                "fetch": In(1),
                "z": Out(self.bits),
            }
        )

    def elaborate(self, platform):
        m = Module()
        heads, slow = self.folding.heads, self.folding.slow_memory
        beats = self.folding.pe // heads
        place, here, buffer = Signal(range(beats)), Signal(range(beats)), Signal()
        m.d.comb += here.eq(Mux(self.first, 0, place))
        with m.If(self.beat):
            m.d.sync += place.eq(here + 1)
        with m.If(self.turn):
            m.d.sync += buffer.eq(~buffer)

        address = Cat(here, self.region, buffer)
        # Fast memories are blocks, and of few words, too; beside slow ones there are shallow ones.
        m.submodules.sums = sums = memory.Memory(
            shape=unsigned(self.bits * heads),
            depth=memory_depth(1 << len(address)),
            init=[],
            attrs={} if slow else IN_BLOCKS,
        )
        write, before, read = sums.write_port(), sums.read_port(), sums.read_port()
        clocks = 2 + slow
        m.d.comb += [
            before.addr.eq(address),
            before.en.eq(self.add),
            write.addr.eq(delayed(m, address, clocks, name="address")[-1]),
            write.en.eq(delayed(m, self.add, clocks, name="add")[-1]),
        ]
        h = delayed(m, self.h.as_value(), 1 + slow, name="h")[-1]
        fresh = delayed(m, self.region_first, 1 + slow, name="fresh")[-1]
        so_far = delayed(m, before.data, slow, name="so_far")[-1]
        for k in range(heads):
            field = slice(k * self.bits, (k + 1) * self.bits)
            added = h[k * ACTIVATION_BITS : (k + 1) * ACTIVATION_BITS]
            m.d.sync += write.data[field].eq(Mux(fresh, 0, so_far[field]) + added)

        head_bits = (heads - 1).bit_length()
        m.d.comb += [
            read.addr.eq(Cat(self.lane[head_bits:], self.read_region, ~buffer)),
            read.en.eq(self.fetch),
        ]
        which = delayed(m, self.lane[:head_bits], 1 + slow, name="which")[-1]
        found = delayed(m, read.data, slow, name="found")[-1]
        m.d.comb += self.z.eq(found.word_select(which, self.bits))
        return m
