"""Frames between host and chip as bytes; :mod:`golden_model.spec.frames` declares them."""

import binascii
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from golden_model.spec.formats import FormattedNetwork
from golden_model.spec.frames import CRC_INITIAL, REPLY, SYNC, VERSION, FrameError, Opcode
from golden_model.spec.learner import Result

HEADER = struct.Struct("<BH")
"""Opcode and length, what follows SYNC."""
CRC = struct.Struct("<H")
INFO = struct.Struct("<BBHHI")
WEIGHTS = struct.Struct("<BHH")
"""Layer, unit and first input."""
REGISTER = struct.Struct("<BB")
VALUE = struct.Struct("<I")

Read = Callable[[int], bytes]
"""Reads up to that many bytes; fewer when they stop coming."""


class LinkError(Exception):
    """The far end did not answer as the frames say; the message says what to look at."""


class NoAnswer(LinkError):
    """Nothing came back, or a reply broke off."""


class BadReply(LinkError):
    """A reply's check does not hold, or it answers something else."""


class Refused(LinkError):
    """The chip refused a request, which has changed nothing.

    Members
    -------
    error
        Why.
    opcode
        Of the request, as the chip received it.
    """

    def __init__(self, error: int, opcode: int) -> None:
        self.error, self.opcode = error, opcode
        names = {int(item): item.name for item in FrameError}
        asked = {int(item): item.name for item in Opcode}
        super().__init__(
            f"the chip refused {asked.get(opcode, f'opcode {opcode:#04x}')}: "
            f"{names.get(error, f'error {error}')}"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """A frame in either direction; `opcode` as it goes over the wire."""

    opcode: int
    payload: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class Info:
    """What a chip says of itself."""

    version: int
    layers: int
    classes: int
    inputs: int
    fingerprint: int

    @classmethod
    def expected(cls, formats: FormattedNetwork) -> "Info":
        """What a chip built for `formats` says."""
        network = formats.network
        return cls(
            version=VERSION,
            layers=len(formats.layers),
            classes=network.classes,
            inputs=network.inputs,
            fingerprint=network.fingerprint,
        )

    @classmethod
    def decode(cls, payload: bytes) -> "Info":
        """From the payload of a reply to INFO."""
        version, layers, classes, inputs, fingerprint = INFO.unpack(payload)
        return cls(version=version, layers=layers, classes=classes, inputs=inputs,
                   fingerprint=fingerprint)  # fmt: skip

    def encode(self) -> bytes:
        """The payload of a reply to INFO."""
        return INFO.pack(self.version, self.layers, self.classes, self.inputs, self.fingerprint)


def checksum(content: bytes) -> int:
    """CRC-16/IBM-3740 of opcode, length and payload."""
    return binascii.crc_hqx(content, CRC_INITIAL)


def encode(frame: Frame) -> bytes:
    """A frame as it goes over the wire."""
    content = HEADER.pack(frame.opcode, len(frame.payload)) + frame.payload
    return bytes([SYNC]) + content + CRC.pack(checksum(content))


def read_frame(read: Read) -> Frame:
    """The next frame; bytes before its SYNC are skipped.

    Raises
    ------
    NoAnswer
        If bytes stop coming.
    BadReply
        If the check does not hold.
    """
    while _exactly(read, 1)[0] != SYNC:
        pass
    header = _exactly(read, HEADER.size)
    opcode, length = HEADER.unpack(header)
    payload = _exactly(read, length)
    (crc,) = CRC.unpack(_exactly(read, CRC.size))
    if crc != checksum(header + payload):
        raise BadReply("a reply arrived damaged: its CRC does not hold; is the baud rate right?")
    return Frame(opcode=opcode, payload=payload)


def read_reply(read: Read, opcode: Opcode) -> bytes:
    """Payload of the reply to a request.

    Raises
    ------
    Refused
        If the chip answers ERROR.
    NoAnswer, BadReply
        As :func:`read_frame`, or if the reply is to another request.
    """
    frame = read_frame(read)
    if frame.opcode == Opcode.ERROR and len(frame.payload) == 2:
        raise Refused(*frame.payload)
    if frame.opcode != opcode | REPLY:
        raise BadReply(f"a reply to {opcode.name} came with opcode {frame.opcode:#04x}")
    return frame.payload


def decode_result(payload: bytes, classes: int) -> Result:
    """From the payload of a reply to INFER or TRAIN; :class:`BadReply` for a wrong length."""
    if len(payload) != 4 * classes + 1:
        raise BadReply(f"{classes} scores and a class take {4 * classes + 1} bytes, "
                       f"{len(payload)} came")  # fmt: skip
    scores = np.frombuffer(payload[:-1], "<i4").astype(np.int64)
    return Result(predicted=payload[-1], scores=scores)


def encode_result(result: Result) -> bytes:
    """The payload of a reply to INFER or TRAIN."""
    return result.scores.astype("<i4").tobytes() + bytes([result.predicted])


def encode_weights(weights: Sequence[int] | np.ndarray[tuple[int], np.dtype[np.int32]]) -> bytes:
    """Weights of one row."""
    return np.asarray(weights).astype("<i2").tobytes()


def decode_weights(payload: bytes) -> np.ndarray[tuple[int], np.dtype[np.int32]]:
    """Weights of one row, shape ``[count]``."""
    return np.frombuffer(payload, "<i2").astype(np.int32)


def _exactly(read: Read, count: int) -> bytes:
    content = b""
    while len(content) < count:
        more = read(count - len(content))
        if not more:
            raise NoAnswer(
                f"the reply broke off after {len(content)} of {count} bytes"
                if content
                else "no answer: is the board programmed, and are port and baud rate right?"
            )
        content += more
    return content
