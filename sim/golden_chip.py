"""A chip that speaks the frames with the golden engine behind it: a transport without hardware."""

import time
from collections.abc import Callable

import numpy as np

from boards.host.line import OVERHEAD, WORK
from boards.host.protocol import (
    HEADER,
    REGISTER,
    VALUE,
    WEIGHTS,
    Frame,
    Info,
    checksum,
    decode_weights,
    encode,
    encode_result,
    encode_weights,
)
from golden_model.engine import GoldenEngine
from golden_model.spec.control import Counter, Register
from golden_model.spec.errors import SpecError
from golden_model.spec.formats import FormattedNetwork
from golden_model.spec.frames import (
    REPLY,
    SYNC,
    TIMEOUT_MS,
    WRITE_WEIGHTS_MAX,
    FrameError,
    Opcode,
)
from golden_model.spec.learner import sample_type

POLL = 0.001
"""Seconds of a poll, far fewer than TIMEOUT_MS, and enough for QUIET_POLLS to exceed it."""


class _Refusal(Exception):
    def __init__(self, error: FrameError) -> None:
        self.error = error


def _refusal(error: FrameError, opcode: int, tag: int) -> bytes:
    return encode(Frame(opcode=Opcode.ERROR, tag=tag, payload=bytes([error, opcode])))


class GoldenChip:
    """A transport that answers frames as :mod:`golden_model.spec.frames` says.

    It has no clocks: `Activity` is not among its counters.

    Parameters
    ----------
    formats
        The network.
    now
        Seconds since some start: whoever writes or reads finds that so much time has passed.
    """

    patience = WORK

    def __init__(
        self, formats: FormattedNetwork, now: Callable[[], float] = time.monotonic
    ) -> None:
        self.formats = formats
        self.engine = GoldenEngine(formats)
        self.now = now
        self._heard = now()
        self._skipping = False  # until the line is silent
        self._request = b""
        self._reply = b""

    def write(self, content: bytes) -> int:
        """Take bytes from the host."""
        self._pass_time()
        self._heard = self.now()
        if not self._skipping:
            self._request += content
            while frame := self._next_frame():
                self._reply += frame
        return len(content)

    def read(self, size: int) -> bytes:
        """Up to `size` bytes of what has been answered."""
        self._pass_time()
        content, self._reply = self._reply[:size], self._reply[size:]
        return content

    def flush(self) -> None:
        """Forget what has been answered and was not read."""
        self._reply = b""

    def poll(self) -> bytes:
        """All that has been answered; time passes where nothing but silence can help."""
        if self._request or self._skipping:
            time.sleep(POLL)
        self._pass_time()
        return self.read(len(self._reply))

    def _pass_time(self) -> None:
        """What a silence has ended since the last byte."""
        if self.now() - self._heard < TIMEOUT_MS / 1000:
            return
        if self._request:
            opcode, tag = self._request[1:3].ljust(2, b"\0")
            self._reply += _refusal(FrameError.TIMEOUT, opcode, tag)
        self._request, self._skipping = b"", False

    def _next_frame(self) -> bytes:
        """Reply to the first frame received, empty if there is no whole one."""
        start = self._request.find(SYNC)
        self._request = self._request[start:] if start >= 0 else b""
        if len(self._request) < 1 + HEADER.size:
            return b""
        opcode, tag, length = HEADER.unpack_from(self._request, 1)
        try:
            self._check_header(opcode, length)
            frame = self._request[: OVERHEAD + length]
            if len(frame) < OVERHEAD + length:
                return b""
            self._request = self._request[OVERHEAD + length :]
            if checksum(frame[1:-2]) != int.from_bytes(frame[-2:], "little"):
                raise _Refusal(FrameError.CRC)
            payload = self._serve(Opcode(opcode), frame[1 + HEADER.size : -2])
            return encode(Frame(opcode=opcode | REPLY, tag=tag, payload=payload))
        except _Refusal as refusal:
            return _refusal(refusal.error, opcode, tag)

    def _check_header(self, opcode: int, length: int) -> None:
        """After a bad header all that comes is dropped, until nothing does."""
        inputs = self.formats.network.inputs
        lengths = {
            Opcode.INFER: range(inputs, inputs + 1),
            Opcode.TRAIN: range(inputs + 1, inputs + 2),
            Opcode.READ_WEIGHTS: range(7, 8),
            Opcode.WRITE_WEIGHTS: range(7, 6 + 2 * WRITE_WEIGHTS_MAX, 2),
            Opcode.READ_REGISTER: range(2, 3),
            Opcode.WRITE_REGISTER: range(6, 7),
        }
        if opcode not in {*Opcode} - {Opcode.ERROR}:
            self._request, self._skipping = b"", True
            raise _Refusal(FrameError.OPCODE)
        if length not in lengths.get(Opcode(opcode), range(1)):
            self._request, self._skipping = b"", True
            raise _Refusal(FrameError.LENGTH)

    def _serve(self, opcode: Opcode, payload: bytes) -> bytes:
        serve: dict[Opcode, Callable[[bytes], bytes]] = {
            Opcode.INFO: lambda _: Info.expected(self.formats).encode(),
            Opcode.INFER: lambda sample: self._sample(sample, None),
            Opcode.TRAIN: lambda sample: self._sample(sample[1:], sample[0]),
            Opcode.READ_WEIGHTS: self._read_weights,
            Opcode.WRITE_WEIGHTS: self._write_weights,
            Opcode.READ_REGISTER: self._read_register,
            Opcode.WRITE_REGISTER: self._write_register,
            Opcode.RESET: self._reset,
        }
        return serve[opcode](payload)

    def _sample(self, sample: bytes, label: int | None) -> bytes:
        if label is not None and label >= self.formats.network.classes:
            raise _Refusal(FrameError.VALUE)
        self.engine.send(np.frombuffer(sample, sample_type(self.formats.network)), label)
        (result,) = self.engine.results()
        return encode_result(result)

    def _row(self, place: bytes, count: int) -> tuple[int, int, slice]:
        layer, unit, first = WEIGHTS.unpack(place)
        if layer >= len(self.formats.layers):
            raise _Refusal(FrameError.VALUE)
        format = self.formats.layers[layer]
        if unit >= format.units or count < 1 or first + count > format.fan_in:
            raise _Refusal(FrameError.VALUE)
        return layer, unit, slice(first, first + count)

    def _read_weights(self, payload: bytes) -> bytes:
        count = int.from_bytes(payload[5:], "little")
        layer, unit, inputs = self._row(payload[:5], count)
        return encode_weights(self.engine.read_weights(layer)[unit, inputs])

    def _write_weights(self, payload: bytes) -> bytes:
        layer, unit, inputs = self._row(payload[:5], (len(payload) - 5) // 2)
        spare = 32 - self.formats.layers[layer].weight_bits
        weights = self.engine.read_weights(layer)
        weights[unit, inputs] = decode_weights(payload[5:]) << spare >> spare
        self.engine.write_weights(layer, weights)
        return b""

    def _read_register(self, payload: bytes) -> bytes:
        layer, number = REGISTER.unpack(payload)
        if layer >= len(self.formats.layers) or number not in {*Register, *Counter}:
            raise _Refusal(FrameError.VALUE)
        known = Register(number) if number in iter(Register) else Counter(number)
        return VALUE.pack(self.engine.read_register(layer, known))

    def _write_register(self, payload: bytes) -> bytes:
        layer, number = REGISTER.unpack(payload[:2])
        if layer >= len(self.formats.layers) or number not in iter(Register):
            raise _Refusal(FrameError.VALUE)
        try:
            self.engine.write_register(layer, Register(number), *VALUE.unpack(payload[2:]))
        except SpecError as error:
            raise _Refusal(FrameError.VALUE) from error
        return b""

    def _reset(self, payload: bytes) -> bytes:
        self.engine.reset()
        return b""
