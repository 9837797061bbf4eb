"""Declaration of the frames between host and chip.

A frame in either direction, integers little-endian::

    SYNC  opcode u8  tag u8  length u16  payload[length]  crc u16

The CRC is CRC-16/IBM-3740 (polynomial 0x1021, initial value 0xFFFF, most significant bit first, no
final inversion), over opcode, tag, length and payload. The host sends one request and waits for its
reply; what it sends while one is served is dropped. A reply carries the request's opcode with bit 7
set; a request that cannot be served is answered by opcode ERROR, bit 7 clear, with two bytes of
payload, the :class:`FrameError` and the request's opcode, and changes nothing.

A reply, ERROR too, carries the tag of the request that it answers. The host numbers its requests,
1 to TAG_MAX in turn, those that it sends again too: so it knows a reply that comes late from the
one that it waits for. Tag 0 is that of an ERROR for a request whose tag never came.

Between frames the chip skips bytes until SYNC. A request whose bytes stop coming for TIMEOUT_MS is
answered with FrameError.TIMEOUT (and opcode 0 if the opcode is what did not come): one byte of
noise that looks like SYNC is enough for an ERROR that nobody asked for. An unknown opcode, or a
length that the opcode does not have, is answered at once; where that frame ends is anybody's guess,
so the chip then skips all bytes until none has come for TIMEOUT_MS. A host that gets an error or no
reply therefore stays silent that long before it tries again.

================  =========================================  ==================================
opcode            request payload                            reply payload
================  =========================================  ==================================
INFO              --                                         version u8, layers u8, classes u16,
                                                             inputs u16, fingerprint u32
INFER             sample [inputs]                            scores i32[classes], class u8
TRAIN             label u8, sample [inputs]                  the same, from before the update
READ_WEIGHTS      layer u8, unit u16, input u16, count u16   weights i16[count]
WRITE_WEIGHTS     layer u8, unit u16, input u16,             --
                  weights i16[1 .. WRITE_WEIGHTS_MAX]
READ_REGISTER     layer u8, number u8                        value u32
WRITE_REGISTER    layer u8, number u8, value u32             --
RESET             --                                         --, once weights are drawn again
================  =========================================  ==================================

A sample is a byte for each input: u8, or i8 in two's complement if the network's inputs are signed.

Weights are addressed as one row of a unit: ``input`` up to ``input + count - 1`` must lie within
0 .. inputs, where index ``inputs`` is the bias; count is at least 1. Of a weight narrower than 16
bits the low bits are taken. ``number`` is a :class:`~golden_model.spec.control.Register` or
:class:`~golden_model.spec.control.Counter`. Weights are read, and weights and registers written,
only after the pending update has been applied.

Version 1 had no tag. Its chips refuse version 2's INFO with LENGTH, since the tag is where they
expect a length of 0. From version 2 on, INFO keeps its frame and the first byte of its reply, so
that two that differ can say so.
"""

from enum import IntEnum

SYNC = 0x4C
REPLY = 0x80
VERSION = 2
TAG_MAX = 0xFF
TIMEOUT_MS = 50
WRITE_WEIGHTS_MAX = 64
CRC_POLYNOMIAL = 0x1021
CRC_INITIAL = 0xFFFF


class Opcode(IntEnum):
    """What a frame asks for."""

    INFO = 0x00
    INFER = 0x01
    TRAIN = 0x02
    READ_WEIGHTS = 0x03
    WRITE_WEIGHTS = 0x04
    READ_REGISTER = 0x05
    WRITE_REGISTER = 0x06
    RESET = 0x07
    ERROR = 0x7F


class FrameError(IntEnum):
    """Why a request was refused."""

    CRC = 1
    OPCODE = 2
    LENGTH = 3
    VALUE = 4
    """A layer, unit, input, count, register number, register value or label out of range."""
    TIMEOUT = 5


def max_payload(inputs: int) -> int:
    """Bytes of the longest request payload for a network of `inputs` inputs."""
    return max(1 + inputs, 5 + 2 * WRITE_WEIGHTS_MAX)
