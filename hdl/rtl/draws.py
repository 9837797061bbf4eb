"""Draws of a random stream, from the generator on the chip or from a ROM of the same bits."""

from amaranth import Module, Mux, Signal, unsigned
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out

from golden_model.spec.random import XORSHIFT
from hdl.rtl.ports import IN_BLOCKS

STATE_BITS = 32


def xorshift(state):
    """State of the generator one step on; :mod:`golden_model.spec.random` declares it."""
    left, right, left_again = XORSHIFT
    state = state ^ (state << left)[:STATE_BITS]
    state = state ^ (state >> right)
    return state ^ (state << left_again)[:STATE_BITS]


def xorshift_constant(state: int) -> int:
    """The same step on a constant, for seeds and ROMs."""
    mask = (1 << STATE_BITS) - 1
    left, right, left_again = XORSHIFT
    state ^= (state << left) & mask
    state ^= state >> right
    return state ^ (state << left_again) & mask


class Generator(wiring.Component):
    """Xorshift generator that shows the top bits of the current draw of its stream.

    Parameters
    ----------
    seed
        Where the stream starts, not 0.
    bits
        Top bits shown.

    Members
    -------
    draw
        The current draw, draw 0 after reset.
    next
        Go on to the next draw.
    restart
        With `next`: go back to draw 0.

    Throughput: one draw per clock. Cost: 32 flip-flops, about 45 cells.
    """

    def __init__(self, *, seed: int, bits: int) -> None:
        self.seed, self.bits = seed, bits
        super().__init__({"draw": Out(bits), "next": In(1), "restart": In(1)})

    def elaborate(self, platform):
        m = Module()
        first = xorshift_constant(self.seed)
        state = Signal(STATE_BITS, init=first)
        with m.If(self.next):
            m.d.sync += state.eq(Mux(self.restart, first, xorshift(state)))
        m.d.comb += self.draw.eq(state[-self.bits :])
        return m


class Rom(wiring.Component):
    """The first `count` draws of the same stream, read one after another from a ROM.

    Parameters, members and throughput are the generator's, but for `count`, and the draw is valid
    from the second clock after reset. Cost: `count` x `bits` of memory and a counter.
    """

    def __init__(self, *, seed: int, bits: int, count: int) -> None:
        self.seed, self.bits, self.count = seed, bits, count
        super().__init__({"draw": Out(bits), "next": In(1), "restart": In(1)})

    def elaborate(self, platform):
        m = Module()
        m.submodules.rom = rom = memory.Memory(
            shape=unsigned(self.bits), depth=self.count, init=self._contents(), attrs=IN_BLOCKS
        )
        read = rom.read_port()
        number, following = Signal(range(self.count)), Signal(range(self.count))
        m.d.comb += [
            following.eq(Mux(self.restart, 0, number + 1)),
            read.addr.eq(Mux(self.next, following, number)),
            self.draw.eq(read.data),
        ]
        m.d.sync += number.eq(read.addr)
        return m

    def _contents(self) -> list[int]:
        state, draws = self.seed, []
        for _ in range(self.count):
            state = xorshift_constant(state)
            draws.append(state >> (STATE_BITS - self.bits))
        return draws
