"""A host in a bench: speaks the frames byte by byte and judges answers by the golden engine."""

import random

import numpy as np

from boards.host.protocol import (
    HEADER,
    INFO,
    REGISTER,
    VALUE,
    WEIGHTS,
    Frame,
    decode_weights,
    encode,
    encode_result,
    encode_weights,
)
from golden_model.engine import GoldenEngine
from golden_model.spec.control import Counter, Register
from golden_model.spec.formats import FormattedNetwork
from golden_model.spec.frames import (
    REPLY,
    SYNC,
    TAG_MAX,
    VERSION,
    WRITE_WEIGHTS_MAX,
    FrameError,
    Opcode,
)
from golden_model.spec.learner import sample_type


class FrameHost:
    """Asks one request at a time.

    Parameters
    ----------
    formats
        The network; `golden` is what the chip should be.
    """

    def __init__(self, formats: FormattedNetwork) -> None:
        self.formats = formats
        self.golden = GoldenEngine(formats)
        self.chance = random.Random(5)
        self.tag = 0

    def send(self, content: bytes) -> None:
        """Have bytes sent; returns at once."""
        raise NotImplementedError

    async def receive(self, count: int) -> bytes:
        """Exactly `count` bytes."""
        raise NotImplementedError

    async def frame(self) -> Frame:
        """The next frame from the chip, which must be whole and start with SYNC."""
        header = await self.receive(1 + HEADER.size)
        assert header[0] == SYNC
        opcode, tag, length = HEADER.unpack(header[1:])
        rest = await self.receive(length + 2)
        frame = Frame(opcode=opcode, tag=tag, payload=rest[:-2])
        assert header + rest == encode(frame)
        return frame

    def request(self, opcode, payload=b"") -> bytes:
        """A request as it goes over the wire, with a tag that the last ones did not have."""
        # Any two that follow differ in many bits, and all come round.
        self.tag = (self.tag + 0x59) % (TAG_MAX + 1)
        return encode(Frame(opcode=opcode, tag=self.tag, payload=payload))

    async def ask(self, opcode, payload=b"") -> bytes:
        """Payload of the reply to a request, which must be served."""
        self.send(self.request(opcode, payload))
        reply = await self.frame()
        assert (reply.opcode, reply.tag) == (opcode | REPLY, self.tag), reply
        return reply.payload

    async def refusal(self, error: FrameError, opcode: int, tag: int) -> None:
        """The next frame must be this one."""
        expected = Frame(opcode=Opcode.ERROR, tag=tag, payload=bytes([error, opcode]))
        assert await self.frame() == expected

    async def sample(self, *, train: bool) -> None:
        """A random sample, whose answer must be the golden engine's."""
        network = self.formats.network
        x = np.array([self.chance.randrange(256) for _ in range(network.inputs)], np.uint8)
        x = x.view(sample_type(network))
        label = self.chance.randrange(network.classes)
        self.golden.send(x, label if train else None)
        (result,) = self.golden.results()
        prefix, opcode = (bytes([label]), Opcode.TRAIN) if train else (b"", Opcode.INFER)
        assert await self.ask(opcode, prefix + x.tobytes()) == encode_result(result)

    async def weights(self, layer: int, unit: int, first: int, count: int) -> None:
        """Some weights, which must be the golden engine's."""
        place = WEIGHTS.pack(layer, unit, first) + count.to_bytes(2, "little")
        payload = await self.ask(Opcode.READ_WEIGHTS, place)
        row = self.golden.read_weights(layer)[unit]
        assert np.array_equal(decode_weights(payload), row[first : first + count])

    async def all_weights(self) -> None:
        """Every weight, which must be the golden engine's."""
        for layer in self.formats.layers:
            for unit in range(layer.units):
                await self.weights(layer.index, unit, 0, layer.fan_in)

    async def conversation(self) -> None:
        """All requests, one right after the other; a reset at the end."""
        layers, network = self.formats.layers, self.formats.network
        info = INFO.pack(VERSION, len(layers), network.classes, network.inputs, network.fingerprint)
        assert await self.ask(Opcode.INFO) == info
        for train in (True, False, True, True):
            await self.sample(train=train)
        for layer in layers:
            await self.weights(layer.index, layer.units - 1, 0, layer.fan_in)
            await self.weights(layer.index, 0, layer.inputs, 1)
            await self.write_weights(layer)
            await self.registers(layer)
        await self.sample(train=True)
        await self.weights(0, 0, 0, layers[0].fan_in)
        assert await self.ask(Opcode.RESET) == b""
        self.golden.reset()
        await self.weights(0, 0, 0, layers[0].fan_in)

    async def write_weights(self, layer) -> None:
        """The longest part of a row that a frame holds, at its end."""
        count = min(layer.fan_in, WRITE_WEIGHTS_MAX)
        first, limit = layer.fan_in - count, 1 << (layer.weight_bits - 1)
        row = [self.chance.randrange(-limit, limit) for _ in range(count)]
        weights = self.golden.read_weights(layer.index)
        weights[layer.units - 1, first:] = row
        self.golden.write_weights(layer.index, weights)
        place = WEIGHTS.pack(layer.index, layer.units - 1, first)
        assert await self.ask(Opcode.WRITE_WEIGHTS, place + encode_weights(row)) == b""
        await self.weights(layer.index, layer.units - 1, first, count)

    async def registers(self, layer) -> None:
        """Every register at both ends of its range, every counter."""
        limits = {
            Register.RATE_SHIFT: layer.rate_shift_max,
            Register.MARGIN: layer.margin_max,
            Register.LEARN: 1,
            Register.ROUNDING: layer.rounding_max,
        }
        for register, limit in limits.items():
            before = self.golden.read_register(layer.index, register)
            for value in (0, limit, before):
                place = REGISTER.pack(layer.index, register)
                assert await self.ask(Opcode.WRITE_REGISTER, place + VALUE.pack(value)) == b""
                assert await self.ask(Opcode.READ_REGISTER, place) == VALUE.pack(value)
        for counter in Counter:
            count = self.golden.read_register(layer.index, counter)
            payload = await self.ask(Opcode.READ_REGISTER, REGISTER.pack(layer.index, counter))
            assert payload == VALUE.pack(count)
