"""The check of a frame, shared by its two ends: one frame is on its way at a time."""

from amaranth import Module, Mux, ResetInserter
from amaranth.lib import crc, wiring
from amaranth.lib.wiring import In, Out

from golden_model.spec.frames import CRC_INITIAL, CRC_POLYNOMIAL

CRC16 = crc.Algorithm(
    crc_width=16,
    polynomial=CRC_POLYNOMIAL,
    initial_crc=CRC_INITIAL,
    reflect_input=False,
    reflect_output=False,
    xor_output=0,
)

CRC_USER = wiring.Signature({"start": Out(1), "valid": Out(1), "data": Out(8), "crc": In(16)})
"""What an end needs: `start` empties the check, `valid` takes `data` into it, `crc` is there in the
next clock."""


class FrameCrc(wiring.Component):
    """One check for the receiver and the replier of frames.

    Members
    -------
    receiver, replier : In(CRC_USER)
        `valid` of at most one of them is 1 at a time, and both see the same `crc`.

    One byte per clock, latency 1. About 55 cells.
    """

    receiver: In(CRC_USER)
    replier: In(CRC_USER)

    def elaborate(self, platform):
        m = Module()
        processor = crc.Processor(CRC16(data_width=8))
        # The processor's own `start` can take a byte in the same clock, at 16 multiplexers' cost.
        start = self.receiver.start | self.replier.start
        m.submodules.processor = ResetInserter(start)(processor)
        m.d.comb += [
            processor.valid.eq(self.receiver.valid | self.replier.valid),
            processor.data.eq(Mux(self.receiver.valid, self.receiver.data, self.replier.data)),
            self.receiver.crc.eq(processor.crc),
            self.replier.crc.eq(processor.crc),
        ]
        return m
