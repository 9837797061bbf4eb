"""A line that loses, harms, delays, invents: each sample is learnt once, each wait has an end."""

import numpy as np
import pytest

from boards.host.driver import Board
from boards.host.line import SETTLING
from boards.host.protocol import HEADER, Frame, LinkError, checksum, encode
from golden_model.data import Dataset
from golden_model.engine import GoldenEngine
from golden_model.spec.control import COUNTER_MASK, Counter
from golden_model.spec.frames import REPLY, SYNC, FrameError, Opcode
from golden_model.spec.learner import UNKNOWN, Miscounted
from golden_model.training import train
from tests.boards.wires import (
    FORMATS,
    HARMED_REPLIES,
    HARMED_REQUESTS,
    SILENCE,
    HarmedWire,
    NoisyWire,
    Wire,
    same_state,
    samples,
)

LAYERS = range(len(FORMATS.layers))


def unasked(wire):
    """Noise like SYNC, then silence: the chip speaks though it was not asked."""
    wire.chip.write(bytes([SYNC]))
    wire.time += SILENCE


def test_an_unasked_error_is_no_refusal():
    """It comes behind the request, when nothing can be flushed any more."""
    wire = HarmedWire()
    board, engine = Board(wire, FORMATS), GoldenEngine(FORMATS)
    for x, label in samples(3):
        board.send(x, label)
        engine.send(x, label)
        unasked(wire)
    assert [result.predicted for result in board.results()] == [
        result.predicted for result in engine.results()
    ]
    assert board.retries == 0
    same_state(board, engine)


def test_a_late_row_is_not_taken_for_the_next_one():
    wire = HarmedWire()
    board = Board(wire, FORMATS)
    wire.faults = ["", "late"]
    assert np.array_equal(board.read_weights(0), GoldenEngine(FORMATS).read_weights(0))
    assert board.retries == 1


@pytest.mark.parametrize("fault", HARMED_REQUESTS + HARMED_REPLIES)
@pytest.mark.parametrize("count", [0, 7, COUNTER_MASK])
def test_a_sample_of_unknown_fate_is_learnt_once(fault, count):
    wire = HarmedWire()
    for engine in (wire.chip.engine, other := GoldenEngine(FORMATS)):
        engine._layers[0]._registers[Counter.SAMPLES] = count
    board = Board(wire, FORMATS)
    for x, label in samples(4):
        wire.faults = ["", fault] if not wire.requests.count(Opcode.TRAIN) else [fault]
        board.send(x, label)
        other.send(x, label)
    same_state(board, other)
    lost = fault in HARMED_REPLIES
    for found, expected in zip(board.results(), other.results(), strict=True):
        assert found.predicted == (UNKNOWN if lost else expected.predicted)
    assert wire.requests.count(Opcode.TRAIN) == (4 if lost else 8)


@pytest.mark.parametrize("fault", HARMED_REQUESTS + HARMED_REPLIES)
def test_a_sample_to_be_answered_is_sent_until_it_is(fault):
    """The chip counts it as often as it takes it, and the next one's fate is known still."""
    wire = HarmedWire()
    board, engine = Board(wire, FORMATS), GoldenEngine(FORMATS)
    for label in (None, 1, None, 2):
        x, _ = samples(1)[0]
        wire.faults = ["", fault] if board.retries == 0 else [fault]
        board.send(x, label)
        engine.send(x, label)
    for layer in LAYERS:
        assert np.array_equal(board.read_weights(layer), engine.read_weights(layer))
    answers = [result.predicted for result in board.results()]
    assert answers[::2] == [result.predicted for result in engine.results()][::2]


def test_a_wrong_count_is_one_error():
    wire = HarmedWire()
    board = Board(wire, FORMATS)
    (x, label), (other, _) = samples(2)
    board.send(x, label)
    wire.chip.engine.send(other, 0)  # as another program would
    wire.chip.engine.results()
    wire.faults = ["lost"]
    with pytest.raises(
        Miscounted, match=r"layer0 has counted 3 samples where 2 is right: .*\. Sta"
    ):
        board.send(x, label)


@pytest.mark.parametrize("seed", range(12))
def test_no_fault_changes_a_weight(seed):
    wire, engine = NoisyWire(FORMATS, seed, share=0.01), GoldenEngine(FORMATS)
    board = Board(wire, FORMATS)
    for x, label in samples(150):
        board.send(x, label)
        engine.send(x, label)
    wire.calm = True
    same_state(board, engine)
    pairs = list(zip(board.results(), engine.results(), strict=True))
    known = [(a, b) for a, b in pairs if a.predicted != UNKNOWN]
    assert len(known) < len(pairs), "no answer was lost"
    assert board.retries > 0
    for found, expected in known:
        assert np.array_equal(found.scores, expected.scores)


def test_the_seeds_try_every_fault():
    wires = [NoisyWire(FORMATS, seed, share=0.01) for seed in range(3)]
    for wire in wires:
        board = Board(wire, FORMATS)
        for x, label in samples(150):
            board.send(x, label)
    assert all(sum(wire.faults[fault] for wire in wires) for fault in wires[0].faults)


def small_set():
    x, y = zip(*samples(30), strict=True)
    x, y = np.stack(x), np.array(y)
    return Dataset(name="small", x_train=x, y_train=y, x_test=x, y_test=y)


@pytest.mark.parametrize("count", [0, COUNTER_MASK - 10])
def test_an_epoch_counts_its_samples(count):
    """Of any learner, across the counters' end."""
    engine = GoldenEngine(FORMATS)
    for layer in engine._layers:
        layer._registers[Counter.SAMPLES] = count
    reports = list(train(engine, small_set(), epochs=2))
    assert len(reports) == 2


@pytest.mark.parametrize("layer", LAYERS)
def test_an_epoch_in_which_others_sent_samples_ends_in_one_error(layer):
    engine = GoldenEngine(FORMATS)

    def meddle(_):
        engine._layers[layer]._registers[Counter.SAMPLES] += 1

    name = FORMATS.layers[layer].name
    with pytest.raises(Miscounted, match=f"{name} has counted 31 samples where 30 is right"):
        list(train(engine, small_set(), epochs=1, advance=meddle))


class Talker:
    """A port behind which somebody talks without end, whatever he is told."""

    patience = 2.0

    def __init__(self, says):
        self.says, self.time = says, 0.0

    def now(self):
        return self.time

    def flush(self):
        pass

    def write(self, content):
        pass

    def read(self, size):
        self.time += 0.001 * size
        assert self.time < 1000, "it waits for ever"
        return bytes(next(self.says) for _ in range(size))


def endless(content):
    while True:
        yield from content


TALK = {
    "zeros": b"\0",
    "syncs": bytes([SYNC]),
    "text": b"login: ",
    "replies to others": encode(Frame(opcode=Opcode.INFO | REPLY, tag=200)),
    "errors": encode(Frame(opcode=Opcode.ERROR, tag=0, payload=bytes([FrameError.TIMEOUT, 0]))),
}


@pytest.mark.parametrize("content", TALK.values(), ids=TALK)
def test_who_talks_without_end_is_left(content):
    talker = Talker(endless(content))
    with pytest.raises(LinkError, match=r"bytes came in 10 s though nothing was asked: is a chip"):
        Board(talker, FORMATS)
    assert talker.time < (2 + SETTLING) * talker.patience


def test_slow_talk_has_an_end_too():
    """A byte now and then, each just in time for the next read."""
    talker = Talker(endless(b"\0"))
    talker.read = lambda size: (setattr(talker, "time", talker.time + 1.5), b"\0")[1]
    with pytest.raises(LinkError, match="is a chip of Loam at this port"):
        Board(talker, FORMATS)
    assert talker.time < (3 + SETTLING) * talker.patience


def old_frame(opcode, payload=b""):
    """A frame of version 1."""
    content = bytes([opcode]) + len(payload).to_bytes(2, "little") + payload
    return bytes([SYNC]) + content + checksum(content).to_bytes(2, "little")


class OldWire(Wire):
    """A wire to a chip of version 1, which finds a tag where it expects a length."""

    def write(self, content):
        assert content[1] == Opcode.INFO
        assert content[2], "a length of 0"
        self.incoming += old_frame(Opcode.ERROR, bytes([FrameError.LENGTH, Opcode.INFO]))


def test_an_older_chip_is_told():
    with pytest.raises(
        LinkError, match=r"frames of version 1, this program version 2: build and l"
    ):
        Board(OldWire(FORMATS), FORMATS)


@pytest.mark.parametrize("info", [b"\3", b"\3" + bytes(30), b"\3" + bytes(9)])
def test_a_newer_chip_is_told(info):
    wire = Wire(FORMATS)
    wire.chip._serve = lambda opcode, payload: info[: 10 + len(info)]
    with pytest.raises(LinkError, match="frames of version 3, this program version 2"):
        Board(wire, FORMATS)


def test_an_older_program_is_refused_at_once():
    """It hears an error that is cut, to its ears, and goes no further."""
    wire = Wire(FORMATS)
    wire.write(old_frame(Opcode.INFO))
    assert wire.incoming[1 : 1 + HEADER.size] == HEADER.pack(Opcode.ERROR, 0, 2)
    same_state(Board(Wire(FORMATS), FORMATS), wire.chip.engine)
