"""A line that loses, harms, delays and invents bytes: every sample is learnt exactly once."""

import numpy as np
import pytest

from boards.host.driver import Board
from boards.host.protocol import (
    HEADER,
    BadReply,
    Frame,
    Refused,
    encode,
    read_frame,
    reply_payload,
)
from golden_model.data.dataset import Dataset
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


@pytest.mark.parametrize("length", range(1, 7))
def test_silence_ends_a_frame(length):
    """With what has come of its opcode and tag; then the chip waits for a new one."""
    wire = Wire(FORMATS)
    request = encode(Frame(opcode=Opcode.INFO, tag=9))
    wire.write(request[:length])
    assert wire.incoming == b""
    refusal = read_frame(wire.read)
    came = (0, 0) if length == 1 else (Opcode.INFO, 0) if length == 2 else (Opcode.INFO, 9)
    assert (refusal.opcode, refusal.tag) == (Opcode.ERROR, came[1])
    assert refusal.payload == bytes([FrameError.TIMEOUT, came[0]])
    wire.write(request)
    assert read_frame(wire.read).opcode == Opcode.INFO | REPLY


def test_silence_ends_what_is_skipped():
    wire = Wire(FORMATS)
    request = encode(Frame(opcode=Opcode.INFO, tag=9))
    wire.write(bytes([SYNC]) + HEADER.pack(0x55, 3, 0))
    assert read_frame(wire.read).payload == bytes([FrameError.OPCODE, 0x55])
    wire.write(request)
    assert wire.read(1) == b""
    wire.write(request)
    assert read_frame(wire.read).opcode == Opcode.INFO | REPLY


def test_what_has_come_before_a_request_is_no_reply_to_it():
    wire = HarmedWire()
    board = Board(wire, FORMATS)
    wire.incoming = bytes([SYNC]) * 9
    board.read_register(0, Counter.SAMPLES)
    assert board.retries == 0


@pytest.mark.parametrize("error", FrameError)
def test_a_refusal_of_another_request_is_none(error):
    refusal = Frame(opcode=Opcode.ERROR, tag=1, payload=bytes([error, Opcode.INFER]))
    with pytest.raises(Refused):
        reply_payload(refusal, Opcode.INFER)
    with pytest.raises(BadReply):
        reply_payload(refusal, Opcode.TRAIN)


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


def test_a_reset_counts_anew():
    wire = HarmedWire()
    board = Board(wire, FORMATS)
    for _ in range(2):
        for x, label in samples(3):
            board.send(x, label)
        board.reset()
        wire.faults = ["", "lost"]
    (x, label), *_ = samples(1)
    board.send(x, label)
    assert [board.read_register(layer, Counter.SAMPLES) for layer in LAYERS] == [1, 1, 1]


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
