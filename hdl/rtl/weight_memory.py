"""Weights of a layer, one word of PE x SIMD of them at a time."""

from amaranth import Module, Mux, unsigned
from amaranth.lib import data, memory, wiring
from amaranth.lib.wiring import In, Out

from hdl.rtl.ports import IN_BLOCKS, IN_LARGE_BLOCKS


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

    Members
    -------
    read_address, read_enable, read_data
        Latency of one clock.
    write_address, write_enable, write_data
        One enable for each weight of the word.

    Cost: the memory, and single-port an address multiplexer.
    """

    def __init__(self, *, depth: int, lanes: int, weight_bits: int, single_port: bool) -> None:
        self.depth, self.lanes, self.weight_bits = depth, lanes, weight_bits
        self.single_port = single_port
        word = data.ArrayLayout(weight_bits, lanes)
        super().__init__(
            {
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
        ram = memory.Memory(
            shape=unsigned(self.weight_bits * self.lanes),
            depth=self.depth,
            init=[],
            attrs=IN_LARGE_BLOCKS if self.single_port else IN_BLOCKS,
        )
        # Tools are told by this name which memory powers up undefined and goes into SPRAM.
        m.submodules["spram" if self.single_port else "weights"] = ram
        write, read = ram.write_port(granularity=self.weight_bits), ram.read_port()
        m.d.comb += [
            write.addr.eq(self.write_address),
            write.en.eq(self.write_enable),
            write.data.eq(self.write_data),
            read.addr.eq(self.read_address),
            read.en.eq(self.read_enable),
            self.read_data.eq(read.data),
        ]
        if self.single_port:
            writing = self.write_enable.any()
            address = Mux(writing, self.write_address, self.read_address)
            m.d.comb += [write.addr.eq(address), read.addr.eq(address), read.en.eq(~writing)]
        return m
