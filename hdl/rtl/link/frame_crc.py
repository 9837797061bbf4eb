"""The check of a frame, shared by its two ends: one frame is on its way at a time."""

from functools import reduce
from operator import xor

from amaranth import Cat, Const, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from golden_model.spec.frames import CRC_INITIAL, CRC_POLYNOMIAL

CRC_BITS = 16
TAPS = [bit for bit in range(CRC_BITS) if CRC_POLYNOMIAL >> bit & 1]

CRC_USER = wiring.Signature({"start": Out(1), "valid": Out(1), "data": Out(8), "crc": In(CRC_BITS)})
"""What an end needs: `start` empties the check, `valid` takes `data` into it, `crc` is there in the
next clock."""


def divide(crc, byte) -> Cat:
    """The check after one more byte: the remainder of both by the polynomial.

    Bit j of the quotient is bit j of byte + upper half, plus what the quotient's bits above it have
    fed back into it; it is then added at every tap.
    """
    top = crc[8:] ^ byte
    quotient = [Const(0)] * 8
    for j in reversed(range(8)):
        fed_back = [quotient[j + 16 - tap] for tap in TAPS if j + 16 - tap < 8]
        quotient[j] = reduce(xor, fed_back, top[j])
    shifted = Cat(Const(0, 8), crc[:8])
    return Cat(
        reduce(xor, [quotient[i - tap] for tap in TAPS if 0 <= i - tap < 8], shifted[i])
        for i in range(CRC_BITS)
    )


class FrameCrc(wiring.Component):
    """One check for the receiver and the replier of frames.

    Members
    -------
    receiver, replier : In(CRC_USER)
        `valid` of at most one of them is 1 at a time, and both see the same `crc`.
    replying : In(1)
        Whose data counts.

    One byte per clock, latency 1. About 40 cells.
    """

    receiver: In(CRC_USER)
    replier: In(CRC_USER)
    replying: In(1)

    def elaborate(self, platform):
        m = Module()
        crc, byte = Signal(CRC_BITS, init=CRC_INITIAL), Signal(8)
        m.d.comb += byte.eq(Mux(self.replying, self.replier.data, self.receiver.data))
        with m.If(self.receiver.valid | self.replier.valid):
            m.d.sync += crc.eq(divide(crc, byte))
        with m.If(self.receiver.start | self.replier.start):
            m.d.sync += crc.eq(CRC_INITIAL)
        m.d.comb += [self.receiver.crc.eq(crc), self.replier.crc.eq(crc)]
        return m
