"""What a request's header may say."""

from amaranth import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from golden_model.spec.frames import WRITE_WEIGHTS_MAX, FrameError, Opcode

SERVED = tuple(opcode for opcode in Opcode if opcode is not Opcode.ERROR)
OPCODE_BITS = max(SERVED).bit_length()
"""Bits that tell the opcodes of requests without error apart."""


def request_length(opcode: Opcode, inputs: int) -> range:
    """Lengths that the payload of a request may have."""
    fixed = {
        Opcode.INFER: inputs,
        Opcode.TRAIN: 1 + inputs,
        Opcode.READ_WEIGHTS: 7,
        Opcode.READ_REGISTER: 2,
        Opcode.WRITE_REGISTER: 6,
    }
    if opcode is Opcode.WRITE_WEIGHTS:
        return range(5 + 2, 5 + 2 * WRITE_WEIGHTS_MAX + 1, 2)
    length = fixed.get(opcode, 0)
    return range(length, length + 1)


def within(length, allowed: range):
    """``length in allowed``, every second number; compared at the width of the largest."""
    bits = allowed[-1].bit_length()
    low = length[1:bits]
    above = (low >= allowed[0] >> 1) & (low <= allowed[-1] >> 1)
    return above & (length[bits:] == 0) & (length[0] == allowed[0] % 2)


class HeaderCheck(wiring.Component):
    """What is wrong with a request's opcode and length; combinational.

    Parameters
    ----------
    inputs
        Of the network.

    Members
    -------
    opcode : In(8)
    length : In(16)
    error : Out(3)
        0, OPCODE or LENGTH.
    """

    def __init__(self, inputs: int) -> None:
        self.inputs = inputs
        super().__init__({"opcode": In(8), "length": In(16), "error": Out(3)})

    def elaborate(self, platform):
        m = Module()
        exact = Signal(16)
        fits = Signal()
        m.d.comb += [fits.eq(self.length == exact), self.error.eq(Mux(fits, 0, FrameError.LENGTH))]
        with m.Switch(self.opcode):
            for opcode in SERVED:
                allowed = request_length(opcode, self.inputs)
                with m.Case(opcode):
                    if len(allowed) == 1:
                        m.d.comb += exact.eq(allowed[0])
                    else:
                        m.d.comb += fits.eq(within(self.length, allowed))
            with m.Default():
                m.d.comb += self.error.eq(FrameError.OPCODE)
        return m
