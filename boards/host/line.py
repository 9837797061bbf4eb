"""The line to a chip: a request out, its own reply in, and no wait without an end.

All times of the host come from here. A transport has a `patience`, see :func:`patience`: a read or
a write ends within it, so does the wait for a reply, whatever else comes meanwhile, and a line that
should fall silent has `SETTLING` times as long for it.
"""

from typing import Protocol

from boards.host.protocol import (
    CRC,
    HEADER,
    INFO,
    Frame,
    LinkError,
    NoAnswer,
    encode,
    read_frame,
    reply_payload,
)
from golden_model.spec.formats import FormattedNetwork
from golden_model.spec.frames import TAG_MAX, Opcode, max_payload

WORK = 2.0
"""Seconds that a chip may work on a request; far more than TIMEOUT_MS."""
SETTLING = 5
"""Patiences that a line may take to fall silent."""
READ_WEIGHTS_MAX = 1024
"""Weights asked for at once: a damaged reply costs no more than these."""
OVERHEAD = 1 + HEADER.size + CRC.size
"""Bytes of a frame besides its payload."""


class Transport(Protocol):
    """Bytes both ways, and the time that passes on their way.

    Members
    -------
    patience
        Seconds, as `now` counts them.
    """

    patience: float

    def write(self, content: bytes, /) -> object:
        """Send all of it; :class:`LinkError` if that takes longer than `patience`."""

    def read(self, size: int, /) -> bytes:
        """Up to `size` bytes; fewer, or none, if they do not come within `patience`."""

    def flush(self) -> None:
        """Forget what has come and was not read."""

    def now(self) -> float:
        """Seconds since some start."""


def longest_reply(formats: FormattedNetwork) -> int:
    """Bytes of the longest payload that a network's chip sends."""
    row = max(layer.fan_in for layer in formats.layers)
    return max(INFO.size, 4 * formats.network.classes + 1, 2 * min(row, READ_WEIGHTS_MAX))


def patience(formats: FormattedNetwork, baud: int) -> float:
    """Seconds within which a chip answers: that it may work, and twice those on the wire."""
    on_wire = 2 * OVERHEAD + max_payload(formats.network.inputs) + longest_reply(formats)
    return WORK + 2 * 10 * on_wire / baud


class Line:
    """One request at a time.

    Parameters
    ----------
    transport
        The wire.
    longest
        Bytes of the longest payload that may come back.
    """

    def __init__(self, transport: Transport, longest: int) -> None:
        self._transport, self._longest = transport, longest
        self._tag = 0
        self._heard = 0  # bytes since the request
        self._silent = False  # nothing has come for as long as the patience lasts
        self._end = 0.0  # of the wait for its reply

    def ask(self, opcode: Opcode, payload: bytes = b"") -> bytes:
        """Payload of the reply to a request that is sent once; replies to others are skipped.

        Raises
        ------
        Refused, NoAnswer, BadReply
            See :mod:`boards.host.protocol`.
        """
        self._tag = self._tag % TAG_MAX + 1
        self._transport.flush()
        self._transport.write(encode(Frame(opcode=opcode, tag=self._tag, payload=payload)))
        self._heard, self._silent = 0, False
        self._end = self._transport.now() + self._transport.patience
        while (frame := read_frame(self._read, self._longest)).tag != self._tag:
            pass
        return reply_payload(frame, opcode)

    def settle(self) -> None:
        """Stay silent until the line is: then both ends wait for a new frame."""
        start, heard = self._transport.now(), 0
        while not self._silent:
            content = self._transport.read(256)
            self._silent = not content
            heard += len(content)
            waited = self._transport.now() - start
            if content and waited > SETTLING * self._transport.patience:
                raise LinkError(f"{heard} bytes came in {waited:.0f} s though nothing was asked: "
                                f"{LOOK}")  # fmt: skip

    def _read(self, size: int) -> bytes:
        content = b""
        while len(content) < size:
            if self._transport.now() > self._end:
                seconds = self._transport.patience
                raise NoAnswer(
                    f"{self._heard} bytes came in {seconds:.0f} s, but no answer: {LOOK}"
                )
            more = self._transport.read(size - len(content))
            if not more:
                self._silent = True
                raise NoAnswer(
                    f"the reply broke off after {self._heard} bytes"
                    if self._heard
                    else "no answer: is the board programmed, and are port and baud rate right?"
                )
            self._heard += len(more)
            content += more
        return content


LOOK = "is a chip of Loam at this port, is the baud rate right, does no other program write to it?"
