"""A board on a wire as a Learner."""

from typing import Protocol

import numpy as np

from boards.host.protocol import (
    REGISTER,
    VALUE,
    WEIGHTS,
    BadReply,
    Frame,
    Info,
    LinkError,
    NoAnswer,
    Refused,
    decode_result,
    decode_weights,
    encode,
    encode_weights,
    read_reply,
)
from golden_model.spec.control import Activity, Counter, Register
from golden_model.spec.errors import SpecError
from golden_model.spec.formats import FormattedNetwork
from golden_model.spec.frames import WRITE_WEIGHTS_MAX, FrameError, Opcode
from golden_model.spec.learner import Result, Sample, Weights

TRIES = 3
READ_WEIGHTS_MAX = 1024
"""Weights asked for at once: a damaged reply costs no more than these."""

REPEATABLE = frozenset(Opcode) - {Opcode.TRAIN}
"""What may be sent again when nobody knows whether it was served. Reads change nothing; writes and
RESET leave the same state when served twice; INFER changes no weight (the counter of samples counts
it again). TRAIN would learn a sample twice."""

DAMAGED = (FrameError.CRC, FrameError.OPCODE, FrameError.LENGTH, FrameError.TIMEOUT)
"""Refusals that tell of a damaged request. It was not served: to send it again is always safe."""


class Transport(Protocol):
    """Bytes both ways; ``serial.Serial`` with a timeout is one."""

    def write(self, content: bytes, /) -> object:
        """Send all of it."""

    def read(self, size: int, /) -> bytes:
        """Up to `size` bytes; fewer, or none, if they do not come in time. The time allowed must
        exceed TIMEOUT_MS and the longest that the chip works on a request."""


class Board:
    """A :class:`~golden_model.spec.learner.Learner` at the far end of a transport.

    Parameters
    ----------
    transport
        The wire.
    formats
        The network that the chip must have been built for.

    Raises
    ------
    LinkError
        Here and from every method, if there is no usable answer, or another network answers.
    """

    def __init__(self, transport: Transport, formats: FormattedNetwork) -> None:
        self.formats = formats
        self._transport = transport
        self._results: list[Result] = []
        self.retries = 0
        """Requests sent again so far."""
        self.check_network()

    def info(self) -> Info:
        """What the chip says of itself."""
        payload = self._request(Opcode.INFO)
        if len(payload) != len(Info.expected(self.formats).encode()):
            raise BadReply(f"INFO has {len(payload)} bytes: the chip is of another version")
        return Info.decode(payload)

    def check_network(self) -> None:
        """Raise :class:`LinkError` unless the chip holds this very network."""
        found, wanted = self.info(), Info.expected(self.formats)
        if found == wanted:
            return
        name = self.formats.network.name
        raise LinkError(
            f"the chip does not hold the network {name!r}: it has {found.inputs} inputs, "
            f"{found.layers} layers, {found.classes} classes, fingerprint {found.fingerprint:08x}, "
            f"frames of version {found.version}; {name!r} has {wanted.inputs}, {wanted.layers}, "
            f"{wanted.classes}, {wanted.fingerprint:08x}, version {wanted.version}. "
            "Name the network that was built, or build and load this one"
        )

    def send(self, sample: Sample, label: int | None = None) -> None:
        """Have a sample of shape ``[inputs]`` answered and, with a label, learnt."""
        network = self.formats.network
        if sample.shape != (network.inputs,) or sample.dtype != np.uint8:
            found = f"{sample.dtype} of shape {sample.shape}"
            raise ValueError(f"a sample is uint8 of shape ({network.inputs},), not {found}")
        if label is None:
            payload = self._request(Opcode.INFER, sample.tobytes())
        else:
            payload = self._request(Opcode.TRAIN, bytes([label]) + sample.tobytes())
        self._results.append(decode_result(payload, network.classes))

    def results(self) -> list[Result]:
        """Results of all samples sent since the last call, in order."""
        results, self._results = self._results, []
        return results

    def read_weights(self, layer: int) -> Weights:
        """Weights of a layer, shape ``[units, inputs + 1]``."""
        format = self.formats.layers[layer]
        weights = np.empty((format.units, format.fan_in), np.int32)
        for unit, row in enumerate(weights):
            for first in range(0, format.fan_in, READ_WEIGHTS_MAX):
                part = row[first : first + READ_WEIGHTS_MAX]
                place = WEIGHTS.pack(layer, unit, first) + len(part).to_bytes(2, "little")
                content = self._request(Opcode.READ_WEIGHTS, place)
                if len(content) != 2 * len(part):
                    raise BadReply(f"{len(part)} weights take {2 * len(part)} bytes, "
                                   f"{len(content)} came")  # fmt: skip
                part[:] = decode_weights(content)
        return weights

    def write_weights(self, layer: int, weights: Weights) -> None:
        """Replace a layer's weights; :class:`SpecError` for a wrong shape or range."""
        format = self.formats.layers[layer]
        if weights.shape != (format.units, format.fan_in):
            rule = f"{format.name} has weights of shape {(format.units, format.fan_in)}"
            raise SpecError(f"weights of shape {weights.shape}", rule, "Write weights of this net")
        limit = 1 << (format.weight_bits - 1)
        if weights.min() < -limit or weights.max() >= limit:
            value = f"weights from {weights.min()} to {weights.max()}"
            rule = f"{format.name} has {format.weight_bits} bits"
            raise SpecError(value, rule, f"Keep them within {-limit} to {limit - 1}")
        for unit, row in enumerate(weights):
            for first in range(0, format.fan_in, WRITE_WEIGHTS_MAX):
                part = row[first : first + WRITE_WEIGHTS_MAX]
                place = WEIGHTS.pack(layer, unit, first)
                self._request(Opcode.WRITE_WEIGHTS, place + encode_weights(part))

    def write_register(self, layer: int, register: Register, value: int) -> None:
        """Set a register for the samples to come."""
        self._request(Opcode.WRITE_REGISTER, REGISTER.pack(layer, register) + VALUE.pack(value))

    def read_register(self, layer: int, number: Register | Counter | Activity) -> int:
        """Value of a register or counter; :class:`Refused` if the chip does not have it."""
        payload = self._request(Opcode.READ_REGISTER, REGISTER.pack(layer, number))
        if len(payload) != VALUE.size:
            raise BadReply(f"a register takes {VALUE.size} bytes, {len(payload)} came")
        return int(VALUE.unpack(payload)[0])

    def reset(self) -> None:
        """Back to the initial weights, the described registers and counters of zero."""
        self._request(Opcode.RESET)

    def _request(self, opcode: Opcode, payload: bytes = b"") -> bytes:
        """Payload of the reply; damaged requests and, where harmless, lost replies are repeated."""
        frame = encode(Frame(opcode=opcode, payload=payload))
        for left in reversed(range(TRIES)):
            self._transport.write(frame)
            try:
                return read_reply(self._transport.read, opcode)
            except Refused as error:
                if error.error not in DAMAGED or not left:
                    raise
            except (NoAnswer, BadReply) as error:
                if opcode not in REPEATABLE:
                    text = f"{error}. Whether the sample was learnt is not known: reset the chip"
                    raise type(error)(text) from error
                if not left:
                    raise
            self.retries += 1
            self._settle()
        raise AssertionError("the last try returns or raises")

    def _settle(self) -> None:
        """Stay silent until the line is: then both ends wait for a new frame."""
        while self._transport.read(256):
            pass
