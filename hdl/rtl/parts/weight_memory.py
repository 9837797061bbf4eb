"""Weights of a layer, one word of PE x SIMD of them at a time."""

from amaranth import Module, Mux, unsigned
from amaranth.lib import data, memory, wiring
from amaranth.lib.wiring import In, Out

from hdl.rtl.parts.delay import delayed, registered
from hdl.rtl.ports import IN_BLOCKS, IN_LARGE_BLOCKS, WRITES_OR_READS, memory_depth


class WeightMemory(wiring.Component):
    """One read and one write per clock, or, single-port, one of the two.

    No clock may read the address that it writes; the memory's answer would be undefined.

    Parameters
    ----------
    depth, lanes, weight_bits
        Words, weights in a word, bits of a weight.
    single_port
        Reads and writes share one address (SPRAM): `read_enable` must be 0 while any
        `write_enable` is 1.
    update_port
        Whoever writes can also read, at the same port, in other clocks. For wide words in many
        blocks: the port's inputs come out of registers, so both take place a clock later, and the
        port reads in every clock, since an enable would have to reach all blocks in time.
    slice_bits
        Cut each weight into memories of so many bits; None keeps words whole.

    Members
    -------
    read_address, read_enable, read_data
        Latency of one clock.
    write_address, write_enable, write_data
        One enable for each weight of the word.

    update_address, update_enable, update_data
        Only with `update_port`: `update_enable` must be 0 while any `write_enable` is 1. Latency of
        two clocks, for one clock.

    Cost: the memory, and at one port for both an address multiplexer.
    """

    def __init__(
        self,
        *,
        depth: int,
        lanes: int,
        weight_bits: int,
        single_port: bool,
        update_port: bool = False,
        slice_bits: int | None = None,
    ) -> None:
        self.depth, self.lanes, self.weight_bits = depth, lanes, weight_bits
        self.single_port, self.slice_bits = single_port, slice_bits
        self.update_port = update_port
        word = data.ArrayLayout(weight_bits, lanes)
        members = {}
        if update_port:
            members = {"update_address": In(range(depth)), "update_enable": In(1)}
            members["update_data"] = Out(word)
        super().__init__(
            members
            | {
                "read_address": In(range(depth)),
                "read_enable": In(1),
                "read_data": Out(word),
                "write_address": In(range(depth)),
                "write_enable": In(lanes),
                "write_data": In(word),
            }
        )

    def elaborate(self, platform):
        m = Module()
        writing = self.write_enable.any()
        address = Mux(writing, self.write_address, self.read_address)
        written, read_data = self.write_data.as_value(), self.read_data.as_value()
        write_address, write_enable = self.write_address, self.write_enable
        if self.update_port:
            either = Mux(self.update_enable, self.update_address, self.write_address)
            write_address = registered(m, either, name="port_address")
            written = registered(m, written, name="port_data")
            write_enable = delayed(m, self.write_enable, 1, name="port_write")[-1]
        width = self.slice_bits or len(written)
        granularity = self.slice_bits or self.weight_bits
        # Tools are told by this name which memory powers up undefined and goes into SPRAM.
        name = "spram" if self.single_port else "weights"
        attributes = IN_LARGE_BLOCKS if self.single_port else IN_BLOCKS
        if self.update_port:
            attributes = attributes | {WRITES_OR_READS: "1"}
        for start in range(0, len(written), width):
            ram = memory.Memory(
                shape=unsigned(width),
                depth=memory_depth(self.depth),
                init=[],
                attrs=attributes,
            )
            m.submodules[name if width == len(written) else f"{name}{start}"] = ram
            write, read = ram.write_port(granularity=granularity), ram.read_port()
            lane = start // self.weight_bits
            m.d.comb += [
                write.addr.eq(write_address),
                write.en.eq(write_enable[lane] if self.slice_bits else write_enable),
                write.data.eq(written[start : start + width]),
                read.addr.eq(self.read_address),
                read.en.eq(self.read_enable),
                read_data[start : start + width].eq(read.data),
            ]
            if self.update_port:
                update, found = ram.read_port(), self.update_data.as_value()
                m.d.comb += [
                    update.addr.eq(write_address),
                    update.en.eq(1),
                    found[start : start + width].eq(update.data),
                ]
            if self.single_port:
                m.d.comb += [write.addr.eq(address), read.addr.eq(address), read.en.eq(~writing)]
        return m
