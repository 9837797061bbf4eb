"""From the stream of samples to the pages of the first layer."""

from amaranth import Cat, Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hdl.passes.sharing import FLAGS, EngineTable, Layout, SharedFolding
from hdl.rtl.parts.delay import delayed
from hdl.rtl.ports import SAMPLE, tag_layout
from hdl.rtl.sharing.page_ports import host_write

FILL = 3
"""Clocks from the last input of a sample to `full`."""


class PageFiller(wiring.Component):
    """Writes samples to the first layer's pages, in turn to the one of even and of odd number.

    Clocks are counted from the one in which an input is taken, the last one of its sample:

    =====  ===============================================
    1      it and its flags are written to the memories
    2      they can be read
    3      `full`
    =====  ===============================================

    Parameters
    ----------
    table, folding
        The engine's.

    Members
    -------
    i
        Inputs of samples, in order; not ready while two samples stand here, waiting or in use.
    o
        To :class:`~hdl.rtl.sharing.pages.Pages`, in the same clock.
    full, tag
        A whole sample waits, and its label.
    standing
        Some input of a sample stands here, waiting or in use.
    take
        Pulse: it is in use from now on; only while `full`.
    release
        Pulse: the sample that was taken first is not needed any more.

    Throughput: one input a clock. Cost: about 5 cells for each bit of an address, and 40.
    """

    def __init__(self, table: EngineTable, folding: SharedFolding) -> None:
        self.table, self.folding = table, folding
        self.row = table.rows[0]
        super().__init__(
            {
                "i": In(stream.Signature(SAMPLE)),
                "o": Out(stream.Signature(host_write(table, folding))),
                "full": Out(1),
                "standing": Out(1),
                "tag": Out(tag_layout(self.row.format)),
                "take": In(1),
                "release": In(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        parity, beat, final = Signal(), Signal(), Signal()
        ready = self._samples(m, parity, beat & final)
        m.d.comb += [
            self.o.valid.eq(self.i.valid & ready),
            self.i.ready.eq(self.o.ready & ready),
            beat.eq(self.i.valid & self.i.ready),
            self.o.payload.data.eq(self.i.payload.x),
        ]
        if self.row.layout is Layout.FLAT:
            bit = self._flat(m, parity, beat, final)
        else:
            bit = self._image(m, parity, beat, final)
        before, flags = Signal(FLAGS), self.o.payload.flags
        own = (self.i.payload.x != 0) << bit
        m.d.comb += flags.eq(Mux(bit == 0, 0, before) | own)
        with m.If(beat):
            m.d.sync += before.eq(flags)
        return m

    def _samples(self, m, parity, filled):
        """Counts those that stand and those that wait; whether there is room for one."""
        standing, waiting, ready = Signal(range(3)), Signal(range(3)), Signal(init=1)
        tags, oldest = Signal(data.ArrayLayout(self.tag.shape(), 2)), Signal()
        complete = delayed(m, filled, FILL - 1, name="filled")[-1]
        after = standing + filled - self.release
        m.d.sync += [
            standing.eq(after),
            ready.eq(after != 2),
            waiting.eq(waiting + complete - self.take),
            oldest.eq(oldest ^ self.take),
            parity.eq(parity ^ filled),
        ]
        with m.If(filled):
            for number in range(2):
                with m.If(parity == number):
                    m.d.sync += [
                        tags[number].label.eq(self.i.payload.label),
                        tags[number].learn.eq(self.i.payload.learn),
                    ]
        begun = Signal()  # the next one has begun to come in
        with m.If(self.i.valid & self.i.ready):
            m.d.sync += begun.eq(~filled)
        m.d.comb += [
            self.full.eq(waiting != 0),
            self.standing.eq(begun | standing.any()),
            self.tag.eq(Mux(oldest, tags[1], tags[0])),
        ]
        return ready

    def _flat(self, m, parity, beat, final):
        """Inputs one after another; gives the place of the flag in its word."""
        row, write = self.row, self.o.payload
        number = Signal(range(row.taps))
        m.d.comb += final.eq(number == row.taps - 1)
        with m.If(beat):
            m.d.sync += number.eq(Mux(final, 0, number + 1))
        page = Mux(parity, row.page_bases[1], row.page_bases[0])
        flags = Mux(parity, row.flag_bases[1], row.flag_bases[0])
        several = row.banks > 1
        m.d.comb += [
            write.address.eq(page + (number >> 2 if several else number)),
            write.bank.eq(number[:2] if several else 0),
            write.flag_bank.eq(0),
            write.flag_address.eq(flags + (number >> 3)),
        ]
        return number[:3]

    def _image(self, m, parity, beat, final):
        """Pixels in raster order; gives the place of the flag in its word."""
        row, write = self.row, self.o.payload
        packed, channels = row.layout is Layout.PACKED, row.channels
        channel, x, y = (
            Signal(range(max(n, 2)), name=f"at{n}") for n in (channels, row.width, row.height)
        )
        # Bytes of the pixels before this one in its row and bank, and of the rows before.
        across = Signal(range(max(row.row_stride, 2)))
        down = Signal(range(-(-self.table.page_depth // FLAGS)))
        last_channel, last_x = channel == channels - 1, x == row.width - 1
        page = [base // FLAGS for base in row.page_bases]
        m.d.comb += final.eq(last_channel & last_x & (y == row.height - 1))
        with m.If(beat):
            m.d.sync += channel.eq(channel + 1)
            with m.If(last_channel):
                m.d.sync += [
                    channel.eq(0),
                    x.eq(x + 1),
                    across.eq(across + Mux(x[0], row.stride, 0)),
                ]
            with m.If(last_channel & last_x):
                m.d.sync += [x.eq(0), across.eq(0), y.eq(y + 1)]
                with m.If(y[0]):
                    m.d.sync += down.eq(down + row.row_stride // FLAGS)
        with m.If(beat & final):
            m.d.sync += [y.eq(0), down.eq(0)]
        bank = Cat(x[0], y[0])
        byte = Signal(range(max(row.row_stride, 2)), name="byte")
        m.d.comb += [
            byte.eq(across + channel),
            write.address.eq(Cat(byte[:3], (byte >> 3) + down + Mux(parity, page[1], page[0]))),
            write.bank.eq(bank),
        ]
        flag_rows = down + Mux(parity, row.flag_bases[1], row.flag_bases[0])
        if not packed:
            m.d.comb += [
                write.flag_bank.eq(bank),
                write.flag_address.eq(flag_rows + (byte >> 3)),
            ]
            return byte[:3]
        bit = Signal(range(max(row.width * row.stride, 2 * FLAGS)), name="bit")
        m.d.comb += [
            bit.eq((x << (row.stride.bit_length() - 1)) | channel),
            write.flag_bank.eq(Cat(bit[3], y[0])),
            write.flag_address.eq(flag_rows + (bit >> 4)),
        ]
        return bit[:3]
