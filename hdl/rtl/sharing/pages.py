"""Pages of inputs of all layers, and flags that say which of them are 0."""

from amaranth import Cat, Const, Module, Mux, Signal, unsigned
from amaranth.lib import memory, stream, wiring
from amaranth.lib.wiring import In, Out

from golden_model.spec.formats import ACTIVATION_BITS
from hdl.passes.sharing import FLAGS, EngineTable, Layout, SharedFolding
from hdl.rtl.parts.delay import registered
from hdl.rtl.ports import IN_BLOCKS, memory_depth
from hdl.rtl.sharing.lookup import lookup
from hdl.rtl.sharing.page_ports import (
    flag_port,
    head_write,
    host_write,
    operands,
    page_read,
    sides,
)
from hdl.rtl.sharing.page_reader import PageReader

__all__ = ["Pages", "flag_port", "head_write", "host_write", "page_read", "sides"]


class Pages(wiring.Component):
    """Keeps the inputs of all layers, two samples of each, in banks that are read at once.

    F (the sweep) and U (the update) read alike. Clocks are counted from the one with `read`:

    =====  ==========================================================================
    1      addresses, sums of their parts, are registered at the memories
    2      data; with slow memory they pass through a register and come a clock later
    3      a byte for each place stands at `x`, an operand register; or the bias input
    =====  ==========================================================================

    and what is written in clock 0 is written to the memories in clock 1, and read from 2 on.

    Parameters
    ----------
    table, folding
        The engine's.

    Members
    -------
    f_read, f, f_layer
        Bytes to be read in this clock; the layer stays until they have come.
    f_x
        3 + slow_memory clocks later, for one clock; of a signed first layer with their sign.
    u_read, u, u_layer, u_x
        The same for U, if the engine learns; behind x, where an update visits two taps at once, the
        second bytes of the words that were read.
    u_page_grant
        `u_read` is answered; else F reads, and it has to be repeated. With two copies always 1.
        Depends on `f_read` of the same clock. With one copy ``u_x`` and ``f_x`` are the same.
    f_flags, u_flags
        Flags; only if zeros are skipped.
    write_valid, write
        Of the head, always taken.
    host
        Of the network's inputs; waits for the head.

    Throughput: one read of each bank for each copy, one write a clock.
    """

    def __init__(self, table: EngineTable, folding: SharedFolding) -> None:
        self.table, self.folding = table, folding
        members = {
            "write_valid": In(1),
            "write": In(head_write(table, folding)),
            "host": In(stream.Signature(host_write(table, folding))),
        }
        for name in "fu" if folding.learns else "f":
            members |= {
                f"{name}_read": In(1),
                f"{name}": In(page_read(table, folding)),
                f"{name}_layer": In(range(len(table.rows))),
                f"{name}_x": Out(operands(folding, taps=folding.taps if name == "u" else 1)),
            }
            if folding.skip_zeros:
                members[f"{name}_flags"] = In(flag_port(table, folding))
        if folding.learns:
            members["u_page_grant"] = Out(1)
        super().__init__(members)

    @property
    def copies(self) -> int:
        """Of everything that is kept."""
        return self.folding.page_copies if self.folding.learns else 1

    def elaborate(self, platform):
        m = Module()
        m.d.comb += self.host.ready.eq(~self.write_valid)
        reads = [(self.f_read, self.f, self.f_layer, self.f_x)]
        if self.folding.learns:
            reads.append((self.u_read, self.u, self.u_layer, self.u_x))
            m.d.comb += self.u_page_grant.eq(Const(1) if self.copies == 2 else ~self.f_read)
        self._bytes(m, reads)
        if self.folding.skip_zeros:
            self._flags(m)
        return m

    def _memories(self, m, name, *, width, depth, granularity):
        """One for each bank and copy; all are written alike."""
        made = []
        for copy in range(self.copies):
            for bank in range(self.folding.places):
                ram = memory.Memory(
                    shape=unsigned(width), depth=memory_depth(depth), init=[], attrs=IN_BLOCKS
                )
                m.submodules[f"{name}{bank}_{'fu'[copy]}"] = ram
                made.append((bank, ram.write_port(granularity=granularity), ram.read_port()))
        return made

    def _bytes(self, m, reads):
        """Memories of bytes, and a reader for each copy."""
        heads, places = self.folding.heads, self.folding.places
        made = self._memories(
            m,
            "page",
            width=ACTIVATION_BITS * heads,
            depth=-(-self.table.page_depth // heads),
            granularity=ACTIVATION_BITS,
        )
        for copy in range(self.copies):
            name = "fu"[copy]
            reader = PageReader(self.table, self.folding, taps=self.folding.taps if copy else 1)
            m.submodules[f"reader_{name}"] = reader
            read, place, layer, _ = reads[copy]
            m.d.comb += [reader.read.eq(read), reader.place.eq(place), reader.layer.eq(layer)]
            for bank, _, port in made[copy * places : (copy + 1) * places]:
                m.d.comb += [
                    port.addr.eq(reader.address[bank] >> (heads - 1)),
                    port.en.eq(reader.enable[bank]),
                    reader.words[bank].eq(port.data),
                ]
            for *_, x in reads[copy:] if copy == self.copies - 1 else reads[copy : copy + 1]:
                m.d.comb += x.eq(reader.x)
            if copy < self.copies - 1 or len(reads) == self.copies:
                continue
            with m.If(~self.f_read):
                _, place, layer, _ = reads[1]
                m.d.comb += [
                    reader.read.eq(self.u_read),
                    reader.place.eq(place),
                    reader.layer.eq(layer),
                ]
        self._write_bytes(m, [(bank, port) for bank, port, _ in made])

    def _write_bytes(self, m, ports):
        """Of the head, or one of the host."""
        heads, places = self.folding.heads, self.folding.places
        write, host, valid = self.write, self.host.payload, self.write_valid
        flat = self._constant(m, [int(r.layout is Layout.FLAT) for r in self.table.rows], "spread")
        spread = flat & (places > 1)
        address = registered(m, Mux(valid, write.address, host.address), name="write_address")
        for bank in range(places):
            for lane in range(heads):
                mine, filters = self._lane(bank, lane, spread)
                enable = Signal(name=f"enable{bank}_{lane}")
                byte = Signal(ACTIVATION_BITS, name=f"byte{bank}_{lane}")
                low = host.address[0] == lane if heads == 2 else 1
                from_host = self.host.valid & (host.bank == bank) & low
                m.d.sync += enable.eq(Mux(valid, mine, from_host))
                m.d.sync += byte.eq(Mux(valid, filters, host.data))
                for number, port in ports:
                    if number == bank:
                        m.d.comb += [
                            port.addr.eq(address >> (heads - 1)),
                            port.en[lane].eq(enable),
                            port.data[ACTIVATION_BITS * lane :][:ACTIVATION_BITS].eq(byte),
                        ]

    def _lane(self, bank, lane, spread):
        """Whether the head writes this byte of a word, and which of its filters' it is."""
        write = self.write
        here = write.bank == bank
        if self.folding.heads == 1:
            return write.enable[0] & here, write.data[0]
        # Spread over banks 2k and 2k + 1 at one address, or over both bytes of a word.
        filter_ = bank & 1
        pair = (write.bank >> 1) == bank >> 1
        spread_here = pair & (write.address[0] == lane) & write.enable[filter_]
        mine = Mux(spread, spread_here, here & write.enable[lane])
        return mine, Mux(spread, write.data[filter_], write.data[lane])

    def _flags(self, m):
        """Memories of flags; a word is written as far as it has come, so nothing is ever cleared.

        With whole words of filters, in ascending order, the head writes words; with fewer at a
        time it writes the bits.
        """
        by_bit = self.folding.pe % FLAGS != 0
        made = self._memories(
            m,
            "flags",
            width=FLAGS,
            depth=self.table.flag_depth,
            granularity=1 if by_bit else FLAGS,
        )
        places, host, valid = self.folding.places, self.host.payload, self.write_valid
        bank, address, bit = self._flag_place(m)
        new = Cat(byte.any() for byte in self.write.data) & self.write.enable
        word = Signal(FLAGS)
        if by_bit:
            m.d.comb += word.eq(new << bit)
            enable = Mux(valid, self.write.enable << bit, (1 << FLAGS) - 1)[:FLAGS]
        else:
            before = Signal(FLAGS)
            m.d.comb += word.eq(Mux(bit == 0, 0, before) | (new << bit))
            with m.If(valid):
                m.d.sync += before.eq(word)
            enable = Const(1)
        address = registered(m, Mux(valid, address, host.flag_address), name="flag_address")
        word = registered(m, Mux(valid, word, host.flags), name="flag_word")
        enable = registered(m, enable, name="bits")
        chosen = Mux(valid, bank, host.flag_bank)
        wanted = Mux(valid, self.write.enable.any(), self.host.valid)
        here = [Signal(name=f"flags_of{n}") for n in range(places)]
        m.d.sync += [signal.eq(wanted & (chosen == n)) for n, signal in enumerate(here)]
        for number, write, _ in made:
            m.d.comb += [
                write.addr.eq(address),
                write.data.eq(word),
                write.en.eq(Mux(here[number], enable, 0)),
            ]
        self._read_flags(m, [port for *_, port in made])

    def _flag_place(self, m):
        """Bank, address and bit of the head's first flag."""
        write, rows = self.write, self.table.rows
        flat = [int(r.layout is Layout.FLAT and self.folding.places > 1) for r in rows]
        is_flat = self._constant(m, flat, "flat")
        offsets = [
            [
                flag - (page >> (1 if f else 3))
                for flag, page in zip(r.flag_bases, r.page_bases, strict=True)
            ]
            for r, f in zip(rows, flat, strict=True)
        ]
        offset = [self._constant(m, [o[n] for o in offsets], f"flag_offset{n}") for n in (0, 1)]
        address = Signal(range(self.table.flag_depth), name="head_flag_address")
        bank, bit = Signal.like(write.bank, name="head_flag_bank"), Signal(3, name="head_flag_bit")
        word = Mux(is_flat, write.address >> 1, write.address >> 3)
        m.d.comb += [
            address.eq(word + Mux(write.parity, offset[1], offset[0])),
            bank.eq(Mux(is_flat, 0, write.bank)),
            bit.eq(Mux(is_flat, Cat(write.bank, write.address[0]), write.address[:3])),
        ]
        return bank, address, bit

    def _read_flags(self, m, ports):
        """F's and U's, each from a copy or both from one."""
        places, learns = self.folding.places, self.folding.learns
        m.d.comb += self.f_flags.grant.eq(1)
        if learns:
            shared = self.copies == 1
            m.d.comb += self.u_flags.grant.eq(~self.f_flags.read.any() if shared else 1)
        for number, port in enumerate(ports):
            copy, bank = divmod(number, places)
            flags = self.u_flags if copy else self.f_flags
            address, read = flags.address[bank], flags.read[bank]
            m.d.comb += flags.words[bank].eq(port.data)
            if learns and self.copies == 1:
                use = self.u_flags.grant
                address = Mux(use, self.u_flags.address[bank], address)
                read = Mux(use, self.u_flags.read[bank], read)
                m.d.comb += self.u_flags.words[bank].eq(port.data)
            m.d.comb += [port.addr.eq(address), port.en.eq(read)]

    def _constant(self, m, values, name):
        """Of the layer that the head feeds."""
        return lookup(m, self.write.layer, values, name=name)
