"""What a request's header may say."""

from amaranth import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from golden_model.spec.frames import WRITE_WEIGHTS_MAX, Opcode

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


class HeaderCheck(wiring.Component):
    """Whether a request's opcode is known and its length one that the opcode has, byte by byte;
    combinational.

    Parameters
    ----------
    inputs
        Of the network.

    Members
    -------
    opcode : In(8)
    high : In(1), byte : In(8)
        The low or the high byte of the length.
    known : Out(1)
        `opcode` is one of a request.
    fits : Out(1)
        If so, `byte` is right.

    About 15 cells.
    """

    def __init__(self, inputs: int) -> None:
        self.inputs = inputs
        super().__init__(
            {"opcode": In(8), "high": In(1), "byte": In(8), "known": Out(1), "fits": Out(1)}
        )

    def elaborate(self, platform):
        m = Module()
        exact = Signal(8)
        m.d.comb += [self.known.eq(self.opcode.matches(*SERVED)), self.fits.eq(self.byte == exact)]
        with m.Switch(self.opcode[:OPCODE_BITS]):
            for opcode in SERVED:
                allowed = request_length(opcode, self.inputs)
                with m.Case(opcode):
                    m.d.comb += exact.eq(Mux(self.high, allowed[-1] >> 8, allowed[0] & 0xFF))
                    if len(allowed) > 1:  # every second number, below 256
                        odd, above = allowed[0] % 2, self.byte[1:] >= allowed[0] >> 1
                        below = self.byte[1:] <= allowed[-1] >> 1
                        with m.If(~self.high):
                            m.d.comb += self.fits.eq((self.byte[0] == odd) & above & below)
        return m
