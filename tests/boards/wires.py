"""Wires to a golden chip whose clock is their own, sound ones and such as harm what they carry."""

import random

import numpy as np

from golden_model.spec.control import Counter, Register
from golden_model.spec.formats import infer_formats
from golden_model.spec.frames import SYNC, TIMEOUT_MS, Opcode
from golden_model.spec.network import Dense, Learning, Network, Readout
from sim.golden_chip import GoldenChip

HARMED_REQUESTS = ["request", "cut request", "opcode", "tag"]
HARMED_REPLIES = ["reply", "cut", "late", "lost"]
FORMATS = infer_formats(
    Network(
        name="small",
        inputs=70,
        classes=4,
        layers=(Dense(units=5, weight_bits=12), Dense(units=3)),
        readout=Readout(),
        learning=Learning(margin=20, rate_shift=2),
    )
)
ALL = 1 << 20
"""Bytes, more than a chip ever has to say."""
SILENCE = 2 * TIMEOUT_MS / 1000


class Wire:
    """A sound wire; time passes only while somebody waits for bytes that do not come."""

    patience = 2.0

    def __init__(self, formats):
        self.time = 0.0
        self.chip = GoldenChip(formats, self.now)
        self.incoming = b""

    def now(self):
        return self.time

    def flush(self):
        self.incoming = b""

    def write(self, content):
        self.chip.write(content)
        self.incoming += self.chip.read(ALL)

    def read(self, size):
        for pause in (SILENCE, self.patience - SILENCE):
            if not self.incoming:
                self.time += pause
                self.incoming += self.chip.read(ALL)
        content, self.incoming = self.incoming[:size], self.incoming[size:]
        return content


class HarmedWire(Wire):
    """A wire on which the next frames can be harmed, one fault for each."""

    def __init__(self, formats=FORMATS):
        super().__init__(formats)
        self.faults = []
        self.requests = []
        self._late = b""

    def write(self, content):
        self.requests.append(Opcode(content[1]))
        fault = self.faults.pop(0) if self.faults else ""
        harmed = {
            "request": content[:-1] + bytes([content[-1] ^ 0x10]),
            "cut request": content[:-1],
            "opcode": content[:1] + b"\x7e" + content[2:],
            "tag": content[:2] + bytes([content[2] ^ 0x80]) + content[3:],
        }
        self.incoming += self._late
        self._late = b""
        super().write(harmed.get(fault, content))
        if fault == "reply":
            self.incoming = self.incoming[:-1] + bytes([self.incoming[-1] ^ 1])
        if fault == "cut":
            self.incoming = self.incoming[:-1]
        if fault == "late":
            self._late = self.incoming
        if fault in ("late", "lost"):
            self.incoming = b""


class NoisyWire(Wire):
    """A wire that harms some of the frames in both directions, as a seed has it.

    `faults` counts them by kind. Once `calm`, it is sound.
    """

    def __init__(self, formats, seed, share):
        super().__init__(formats)
        self.chance, self.share = random.Random(seed), share
        self.calm = False
        self.faults = {"noise": 0, "late": 0, "drop": 0, "flip": 0, "insert": 0}
        self._late = b""

    def _happens(self, fault):
        happens = not self.calm and self.chance.random() < self.share
        self.faults[fault] += happens
        return happens

    def write(self, content):
        if self._happens("noise"):  # a pause, a byte like SYNC, a pause: the chip speaks unasked
            self.chip.write(bytes([SYNC]))
            self.time += SILENCE
        self.chip.write(self._harmed(content))
        said = self._harmed(self.chip.read(ALL))
        self.incoming += self._late
        self._late = b""
        if self._happens("late"):
            self._late = said
        else:
            self.incoming += said

    def _harmed(self, content):
        if content and self._happens("drop"):
            place = self.chance.randrange(len(content))
            content = content[:place] + content[place + 1 :]
        if content and self._happens("flip"):
            flipped = bytearray(content)
            flipped[self.chance.randrange(len(content))] ^= 1 << self.chance.randrange(8)
            content = bytes(flipped)
        if content and self._happens("insert"):
            place = self.chance.randrange(len(content) + 1)
            byte = self.chance.choice((SYNC, self.chance.randrange(256)))
            content = content[:place] + bytes([byte]) + content[place:]
        return content


def same_state(board, engine):
    for layer in FORMATS.layers:
        assert np.array_equal(board.read_weights(layer.index), engine.read_weights(layer.index))
        for number in (*Register, *Counter):
            found = board.read_register(layer.index, number)
            assert found == engine.read_register(layer.index, number)


def samples(count):
    chance = np.random.default_rng(3)
    x = chance.integers(0, 256, (count, FORMATS.network.inputs)).astype(np.uint8)
    return list(zip(x, chance.integers(0, 4, count).tolist(), strict=True))
