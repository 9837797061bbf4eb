"""Draws of a random stream, from the generator on the chip or from a ROM of the same bits."""

from functools import reduce
from operator import xor

from amaranth import Cat, Module, Mux, Signal, unsigned
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out

from golden_model.spec.random import XORSHIFT
from hdl.rtl.ports import IN_BLOCKS, memory_depth

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


def leap(steps: int) -> list[int]:
    """Bits of a state `steps` steps on, each as a mask of the bits now whose parity it is."""
    rows, power = [1 << bit for bit in range(STATE_BITS)], _step()
    while steps:
        if steps & 1:
            rows = _after(power, rows)
        power, steps = _after(power, power), steps >> 1
    return rows


def _step() -> list[int]:
    """One step, as :func:`leap` describes it."""
    rows = [1 << bit for bit in range(STATE_BITS)]
    left, right, left_again = XORSHIFT
    for shift in (left, -right, left_again):
        sources = ((n, n - shift) for n in range(STATE_BITS))
        rows = [rows[n] ^ (rows[k] if 0 <= k < STATE_BITS else 0) for n, k in sources]
    return rows


def _after(second: list[int], first: list[int]) -> list[int]:
    """What `second` makes of the bits that `first` gives."""
    taken = ([row for bit, row in enumerate(first) if mask >> bit & 1] for mask in second)
    return [reduce(xor, rows, 0) for rows in taken]


def parities(state, masks):
    """A state by the masks of :func:`leap`, each bit as the parity of some bits of this one."""
    return Cat((state & mask).xor() for mask in masks)


ACCESS = wiring.Signature({"state": Out(STATE_BITS), "write": In(1), "value": In(STATE_BITS)})
"""The state that a stream has come to, and another one for it to go on from."""


class Generator(wiring.Component):
    """Xorshift generator that shows the top bits of the current draws of its stream.

    Parameters
    ----------
    seed
        Where the stream starts, not 0.
    bits
        Top bits shown of each draw.
    at_a_time
        Draws shown, the earliest in the lowest bits.
    access
        Whether there is an `access`.

    Members
    -------
    draw
        The current draws, from draw 0 on after reset.
    next
        Go on to the next draws.
    restart
        With `next`: go back to draw 0.
    access : Out(ACCESS)
        The first of the current draws, all its bits; not written together with `next`.

    Each bit of a later state is a parity of bits of this one, so that one clock leaps any distance.

    Throughput: `at_a_time` draws per clock. Cost: 32 flip-flops, about 45 cells; with several at a
    time about 150, and 5 for each bit shown; with `access` 32 more.
    """

    def __init__(self, *, seed: int, bits: int, at_a_time: int = 1, access: bool = False) -> None:
        self.seed, self.bits, self.at_a_time = seed, bits, at_a_time
        self.accessible = access
        super().__init__(
            {"draw": Out(bits * at_a_time), "next": In(1), "restart": In(1)}
            | ({"access": Out(ACCESS)} if access else {})
        )

    def elaborate(self, platform):
        m = Module()
        first = xorshift_constant(self.seed)
        state = Signal(STATE_BITS, init=first)
        if self.at_a_time == 1:
            later, shown = xorshift(state), state[-self.bits :]
        else:
            later = parities(state, leap(self.at_a_time))
            tops = (leap(number)[-self.bits :] for number in range(self.at_a_time))
            shown = Cat(parities(state, top) for top in tops)
        with m.If(self.next):
            m.d.sync += state.eq(Mux(self.restart, first, later))
        if self.accessible:
            m.d.comb += self.access.state.eq(state)
            with m.If(self.access.write):
                m.d.sync += state.eq(self.access.value)
        m.d.comb += self.draw.eq(shown)
        return m


class Rom(wiring.Component):
    """The first `count` draws of the same stream, read one after another from a ROM.

    Parameters, members and throughput are the generator's, but for `count`, a multiple of
    `at_a_time`, and the draw is valid from the second clock after reset. Cost: `count` x `bits` of
    memory and a counter.
    """

    def __init__(self, *, seed: int, bits: int, count: int, at_a_time: int = 1) -> None:
        self.seed, self.bits, self.at_a_time = seed, bits, at_a_time
        self.depth = count // at_a_time
        super().__init__({"draw": Out(bits * at_a_time), "next": In(1), "restart": In(1)})

    def elaborate(self, platform):
        m = Module()
        m.submodules.rom = rom = memory.Memory(
            shape=unsigned(len(self.draw)),
            depth=memory_depth(self.depth),
            init=self._contents(),
            attrs=IN_BLOCKS,
        )
        read = rom.read_port()
        number, following = Signal(range(self.depth)), Signal(range(self.depth))
        m.d.comb += [
            following.eq(Mux(self.restart, 0, number + 1)),
            read.addr.eq(Mux(self.next, following, number)),
            self.draw.eq(read.data),
        ]
        m.d.sync += number.eq(read.addr)
        return m

    def _contents(self) -> list[int]:
        state, words = self.seed, []
        for _ in range(self.depth):
            word = 0
            for place in range(self.at_a_time):
                state = xorshift_constant(state)
                word |= (state >> (STATE_BITS - self.bits)) << (self.bits * place)
            words.append(word)
        return words
