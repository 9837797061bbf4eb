"""Frames between host and chip as bytes; :mod:`golden_model.spec.frames` declares them."""

import binascii
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from golden_model.spec.formats import FormattedNetwork
from golden_model.spec.frames import CRC_INITIAL, REPLY, SYNC, VERSION, FrameError, Opcode
from golden_model.spec.learner import Result

HEADER = struct.Struct("<BBH")
"""Opcode, tag and length, what follows SYNC."""
CRC = struct.Struct("<H")
INFO = struct.Struct("<BBHHI")
WEIGHTS = struct.Struct("<BHH")
"""Layer, unit and first input."""
REGISTER = struct.Struct("<BB")
VALUE = struct.Struct("<I")

ERROR_BYTES = 2
"""Payload of an ERROR: why, and the request's opcode."""
OLD_REFUSAL = (Opcode.ERROR, ERROR_BYTES, FrameError.LENGTH << 8)
"""Header, read as one of today, of the refusal with which a chip of version 1 answers INFO."""

Read = Callable[[int], bytes]
"""Reads that many bytes, or raises :class:`LinkError`."""


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
        Why, a :class:`FrameError`.
    """

    def __init__(self, error: int, opcode: Opcode) -> None:
        self.error = error
        names = {int(item): item.name for item in FrameError}
        super().__init__(f"the chip refused {opcode.name}: {names.get(error, f'error {error}')}")


class Damaged(Refused):
    """The request arrived damaged, so it was not served."""


DAMAGES = (FrameError.CRC, FrameError.OPCODE, FrameError.LENGTH, FrameError.TIMEOUT)
"""Refusals that only damage can cause."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """A frame in either direction; `opcode` as it goes over the wire."""

    opcode: int
    tag: int
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
    """CRC-16/IBM-3740 of opcode, tag, length and payload."""
    return binascii.crc_hqx(content, CRC_INITIAL)


def encode(frame: Frame) -> bytes:
    """A frame as it goes over the wire."""
    content = HEADER.pack(frame.opcode, frame.tag, len(frame.payload)) + frame.payload
    return bytes([SYNC]) + content + CRC.pack(checksum(content))


def read_frame(read: Read, longest: int = 0xFFFF) -> Frame:
    """The next frame; bytes before its SYNC are skipped.

    Parameters
    ----------
    longest
        Bytes of the longest payload: what announces more is no frame.

    Raises
    ------
    BadReply
        If it is no frame, or its check does not hold.
    LinkError
        As `read` does.
    """
    while read(1)[0] != SYNC:
        pass
    header = read(HEADER.size)
    opcode, tag, length = fields = HEADER.unpack(header)
    if fields == OLD_REFUSAL:
        raise BadReply(other_version(1))
    if length > longest:
        raise BadReply(f"a reply arrived damaged: it announces {length} bytes")
    payload = read(length)
    (crc,) = CRC.unpack(read(CRC.size))
    if crc != checksum(header + payload):
        raise BadReply("a reply arrived damaged: its CRC does not hold; is the baud rate right?")
    return Frame(opcode=opcode, tag=tag, payload=payload)


def reply_payload(frame: Frame, opcode: Opcode) -> bytes:
    """What a reply to a request carries.

    Raises
    ------
    Refused, Damaged
        If the chip refuses that very request.
    BadReply
        If the reply is to another one.
    """
    if frame.opcode == Opcode.ERROR and frame.payload[1:] == bytes([opcode]):
        error = frame.payload[0]
        raise (Damaged if error in DAMAGES else Refused)(error, opcode)
    if frame.opcode != opcode | REPLY:
        raise BadReply(f"a reply to {opcode.name} came with opcode {frame.opcode:#04x}")
    return frame.payload


def other_version(version: int) -> str:
    """What to say of a chip whose frames are of another version."""
    return (
        f"the chip speaks frames of version {version}, this program version {VERSION}: "
        "build and load the bitstream again, or use the program that it was built with"
    )


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
