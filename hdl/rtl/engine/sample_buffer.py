"""Pages of activations: one fills while the newest and the one before it are read."""

from functools import reduce
from itertools import pairwise
from operator import or_

from amaranth import Cat, Module, Mux, Shape, Signal, unsigned
from amaranth.lib import data, memory, stream, wiring
from amaranth.lib.wiring import In, Out

from golden_model.spec.formats import ACTIVATION_BITS
from hdl.rtl.ports import IN_BLOCKS, SAMPLE, memory_depth


class SampleBuffer(wiring.Component):
    """Holds the newest sample for the sum, the one before for its update, and fills a third.

    The pages turn in a ring. `advance` makes the filled page the newest and the newest the
    previous one; `repeat` makes the newest the previous one as well, for a sweep that only applies
    the pending update. The bias, a constant input behind the last, is written by the bitstream.

    Parameters
    ----------
    inputs
        Activations of a sample, one per beat.
    simd
        Activations read at a time, a power of two.
    bias
        The constant input.
    pages
        3, or 2 if nothing is learnt: then there is no previous one.
    signed
        Whether the activations that are read are two's complement, 0 being 0 either way.

    Members
    -------
    i
        Activations; not ready from the last beat of a sample until `advance`.
    full, empty
        A whole sample waits; not even one activation waits.
    label, learn
        Of the sample that waits.
    group_valid, group, group_nonzero
        The last activation of a group is taken: its number, and whether one of it is not 0.
    advance, repeat
        Pulses, see above; `advance` only while `full`.
    address
        Group of `simd` inputs to read.
    newest, previous
        The group one clock later.

    Latency: one clock from `address`. Throughput: one activation in and two groups out per clock.
    Cost: `pages` memories of ceil((inputs + 1) / simd) words; about 4 * 8 * simd + 40 cells.
    """

    def __init__(
        self, *, inputs: int, simd: int, bias: int, pages: int = 3, signed: bool = False
    ) -> None:
        self.inputs, self.simd, self.bias, self.pages = inputs, simd, bias, pages
        self.depth = -(-(inputs + 1) // simd)
        group = data.ArrayLayout(Shape(ACTIVATION_BITS, signed), simd)
        super().__init__(
            {
                "i": In(stream.Signature(SAMPLE)),
                "full": Out(1),
                "empty": Out(1),
                "label": Out(8),
                "learn": Out(1),
                "group_valid": Out(1),
                "group": Out(range(self.depth)),
                "group_nonzero": Out(1),
                "advance": In(1),
                "address": In(range(self.depth)),
                "newest": Out(group),
            }
            | ({"repeat": In(1), "previous": Out(group)} if pages == 3 else {})
        )

    def elaborate(self, platform):
        m = Module()
        roles = [Signal(self.pages, init=1 << n, name=f"page_{n}") for n in range(self.pages)]
        fill, newest = roles[:2]
        word, lane = Signal(range(self.depth)), Signal(self.simd, init=1)
        beat = self.i.valid & self.i.ready
        # A sample is full two clocks behind its last beat: so long its last group is being listed.
        last_word, last_lane = divmod(self.inputs - 1, self.simd)
        final, closing, earlier = (word == last_word) & lane[last_lane], Signal(2), Signal()
        m.d.comb += [
            self.i.ready.eq(~self.full & ~closing.any()),
            self.empty.eq(self.i.ready & (word == 0) & lane[0]),
            self.group.eq(word),
            self.group_valid.eq(beat & (lane[-1] | final)),
            self.group_nonzero.eq(earlier | (self.i.payload.x != 0)),
        ]
        m.d.sync += closing.eq(Cat(beat & final, closing[0]))
        with m.If(beat):
            m.d.sync += earlier.eq(self.group_nonzero & ~self.group_valid)
        with m.If(closing[1]):
            m.d.sync += self.full.eq(1)
        with m.If(beat):
            m.d.sync += [
                lane.eq(lane.rotate_left(1)),
                word.eq(word + lane[-1]),
                self.label.eq(self.i.payload.label),
                self.learn.eq(self.i.payload.learn),
            ]
            with m.If(final):
                m.d.sync += [word.eq(0), lane.eq(1)]
        with m.If(self.advance):
            m.d.sync += [
                self.full.eq(0),
                fill.eq(fill.rotate_left(1)),
                *(later.eq(role) for role, later in pairwise(roles)),
            ]
        shown = [(self.newest, newest)]
        if self.pages == 3:
            shown.append((self.previous, roles[2]))
            with m.If(self.repeat):
                m.d.sync += roles[2].eq(newest)

        contents = []
        for page in range(self.pages):
            m.submodules[f"page{page}"] = ram = memory.Memory(
                shape=unsigned(ACTIVATION_BITS * self.simd),
                depth=memory_depth(self.depth),
                init=self._init(),
                attrs=IN_BLOCKS,
            )
            write, read = ram.write_port(granularity=ACTIVATION_BITS), ram.read_port()
            m.d.comb += [
                write.addr.eq(word),
                write.data.eq(self.i.payload.x.replicate(self.simd)),
                write.en.eq(Mux(beat & fill[page], lane, 0)),
                read.addr.eq(self.address),
                read.en.eq(~fill[page]),
            ]
            contents.append(read.data)
        for port, select in shown:
            gated = (Mux(select[n], contents[n], 0) for n in range(self.pages))
            m.d.comb += port.eq(reduce(or_, gated))
        return m

    def _init(self) -> list[int]:
        """Zeros, but for the bias; padding behind the bias stays zero for ever."""
        word, lane = divmod(self.inputs, self.simd)
        return [0] * word + [self.bias << (ACTIVATION_BITS * lane)]
