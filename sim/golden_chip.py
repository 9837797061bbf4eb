"""A chip that speaks the frames with the golden engine behind it: a transport without hardware."""

from collections.abc import Callable

import numpy as np

from boards.host.protocol import (
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
from golden_model.spec.frames import REPLY, SYNC, WRITE_WEIGHTS_MAX, FrameError, Opcode

OVERHEAD = 6
"""Bytes of a frame besides its payload."""


class _Refusal(Exception):
    def __init__(self, error: FrameError) -> None:
        self.error = error


class GoldenChip:
    """Answers frames as :mod:`golden_model.spec.frames` says; silence never ends a frame here.

    It has no clocks: `Activity` is not among its counters.

    Parameters
    ----------
    formats
        The network.
    """

    def __init__(self, formats: FormattedNetwork) -> None:
        self.formats = formats
        self.engine = GoldenEngine(formats)
        self._request = b""
        self._reply = b""

    def write(self, content: bytes) -> int:
        """Take bytes from the host."""
        self._request += content
        while frame := self._next_frame():
            self._reply += frame
        return len(content)

    def read(self, size: int) -> bytes:
        """Up to `size` bytes of what has been answered."""
        content, self._reply = self._reply[:size], self._reply[size:]
        return content

    def poll(self) -> bytes:
        """All that has been answered."""
        return self.read(len(self._reply))

    def _next_frame(self) -> bytes:
        """Reply to the first frame received, empty if there is no whole one."""
        start = self._request.find(SYNC)
        self._request = self._request[start:] if start >= 0 else b""
        if len(self._request) < 4:
            return b""
        opcode, length = self._request[1], int.from_bytes(self._request[2:4], "little")
        try:
            self._check_header(opcode, length)
            frame = self._request[: OVERHEAD + length]
            if len(frame) < OVERHEAD + length:
                return b""
            self._request = self._request[OVERHEAD + length :]
            if checksum(frame[1:-2]) != int.from_bytes(frame[-2:], "little"):
                raise _Refusal(FrameError.CRC)
            payload = self._serve(Opcode(opcode), frame[4:-2])
            return encode(Frame(opcode=opcode | REPLY, payload=payload))
        except _Refusal as refusal:
            return encode(Frame(opcode=Opcode.ERROR, payload=bytes([refusal.error, opcode])))

    def _check_header(self, opcode: int, length: int) -> None:
        """After a bad header all that has come is dropped."""
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
            self._request = b""
            raise _Refusal(FrameError.OPCODE)
        if length not in lengths.get(Opcode(opcode), range(1)):
            self._request = b""
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
        self.engine.send(np.frombuffer(sample, np.uint8), label)
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
