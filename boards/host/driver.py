"""A board on a wire as a Learner."""

import numpy as np

from boards.host.line import READ_WEIGHTS_MAX, Line, Transport, longest_reply
from boards.host.protocol import (
    INFO,
    REGISTER,
    VALUE,
    WEIGHTS,
    BadReply,
    Damaged,
    Info,
    LinkError,
    NoAnswer,
    decode_result,
    decode_weights,
    encode_weights,
    other_version,
)
from golden_model.spec.control import COUNTER_MASK, Activity, Counter, Register
from golden_model.spec.formats import FormattedNetwork
from golden_model.spec.frames import VERSION, WRITE_WEIGHTS_MAX, Opcode
from golden_model.spec.learner import (
    UNKNOWN,
    Miscounted,
    Result,
    Sample,
    Weights,
    check_sample,
    check_weights,
)

TRIES = 5


class Board:
    """A :class:`~golden_model.spec.learner.Learner` at the far end of a transport.

    A request that was damaged, or whose reply was, is sent again: reads change nothing, and writes
    and RESET leave the same state when they are served twice. A sample must not be learnt twice;
    what the chip has counted tells whether it was. It is learnt exactly once, then, though its
    answer may be lost on the way.

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
    Miscounted
        From :meth:`send`, if the chip has counted other samples than it was sent.
    """

    def __init__(self, transport: Transport, formats: FormattedNetwork) -> None:
        self.formats = formats
        self._line = Line(transport, longest_reply(formats))
        self._results: list[Result] = []
        self._count: int | None = None  # of samples, by the chip; not known before it is asked
        self.retries = 0
        """Requests sent again so far."""
        self.check_network()

    def info(self) -> Info:
        """What the chip says of itself."""
        payload = self._request(Opcode.INFO)
        if payload and payload[0] != VERSION:
            raise LinkError(other_version(payload[0]))
        if len(payload) != INFO.size:
            raise BadReply(f"INFO takes {INFO.size} bytes, {len(payload)} came")
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
            f"while {name!r} has {wanted.inputs}, {wanted.layers}, {wanted.classes}, "
            f"{wanted.fingerprint:08x}. "
            "Name the network that was built, or build and load this one"
        )

    def send(self, sample: Sample, label: int | None = None) -> None:
        """Have a sample of shape ``[inputs]`` answered and, with a label, learnt exactly once.

        Where the answer to a labelled sample is lost on the way, the result is `UNKNOWN`.
        """
        network = self.formats.network
        check_sample(network, sample)
        if label is None:
            payload = self._sample(Opcode.INFER, sample.tobytes())
        else:
            payload = self._sample(Opcode.TRAIN, bytes([label]) + sample.tobytes())
        if payload is None:
            lost = np.zeros(network.classes, np.int64)
            self._results.append(Result(predicted=UNKNOWN, scores=lost))
        else:
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
        check_weights(format, weights)
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
        self._count = None

    def _request(self, opcode: Opcode, payload: bytes = b"") -> bytes:
        """Payload of the reply; a request that may be served twice is sent until one comes."""
        for left in reversed(range(TRIES)):
            try:
                return self._line.ask(opcode, payload)
            except (Damaged, NoAnswer, BadReply):
                if not left:
                    raise
            self.retries += 1
            self._line.settle()
        raise AssertionError("the last try returns or raises")

    def _sample(self, opcode: Opcode, payload: bytes) -> bytes | None:
        """Payload of the reply to a sample, None if it was learnt while the reply was lost."""
        if self._count is None:
            self._count = self._counted()
        for left in reversed(range(TRIES)):
            before, after = self._count, (self._count + 1) & COUNTER_MASK
            try:
                reply = self._line.ask(opcode, payload)
            except (Damaged, NoAnswer, BadReply):
                self._count = None  # until the chip says it, should asking fail
                self._line.settle()
                self._count = self._counted()
                if self._count not in (before, after):
                    raise Miscounted(self.formats.layers[0].name, self._count, after) from None
                if self._count == after and opcode is Opcode.TRAIN:
                    return None
                if not left:
                    raise
            else:
                self._count = after
                return reply
            self.retries += 1
        raise AssertionError("the last try returns or raises")

    def _counted(self) -> int:
        return self.read_register(0, Counter.SAMPLES)
