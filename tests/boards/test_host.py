"""Frames and driver, against the golden model behind a wire that can be trusted or not."""

import numpy as np
import pytest

from boards.host.driver import TRIES, Board
from boards.host.protocol import (
    BadReply,
    Frame,
    Info,
    LinkError,
    NoAnswer,
    Refused,
    checksum,
    encode,
    read_frame,
)
from golden_model.engine import GoldenEngine
from golden_model.spec.control import Activity, Register
from golden_model.spec.errors import SpecError
from golden_model.spec.formats import infer_formats
from golden_model.spec.frames import REPLY, SYNC, FrameError, Opcode
from golden_model.spec.network import Dense, Network
from tests.boards.wires import (
    FORMATS,
    HARMED_REPLIES,
    HARMED_REQUESTS,
    HarmedWire,
    Wire,
    same_state,
    samples,
)

OTHER = infer_formats(Network(name="other", inputs=70, classes=4, layers=(Dense(units=5),)))


def reader(content):
    """What reads from some bytes."""
    rest = list(content)

    def read(size):
        if size > len(rest):
            raise NoAnswer("no more")
        return bytes(rest.pop(0) for _ in range(size))

    return read


def test_checksum_is_the_catalogue_s():
    assert checksum(b"123456789") == 0x29B1


def test_a_frame_on_the_wire():
    content = encode(Frame(opcode=Opcode.READ_REGISTER, tag=9, payload=b"\x00\x10"))
    assert content[:7] == bytes([SYNC, 5, 9, 2, 0, 0, 0x10])
    assert int.from_bytes(content[7:], "little") == checksum(content[1:7])


@pytest.mark.parametrize("payload", [b"", b"x", bytes(range(256)) * 3])
def test_frames_come_back_from_noise(payload):
    frame = Frame(opcode=0x83, tag=200, payload=payload)
    assert read_frame(reader(b"\x00\xff" + encode(frame) + b"more")) == frame


def test_cut_and_damaged_frames():
    content = encode(Frame(opcode=0x83, tag=1, payload=b"abc"))
    for length in range(len(content)):
        with pytest.raises(NoAnswer):
            read_frame(reader(content[:length]))
    for bit in range(40, 8 * len(content)):  # past the header, where nothing hides the frame
        damaged = bytearray(content)
        damaged[bit // 8] ^= 1 << bit % 8
        with pytest.raises(BadReply):
            read_frame(reader(damaged))


def test_a_board_is_a_learner():
    board, engine = Board(HarmedWire(), FORMATS), GoldenEngine(FORMATS)
    for number, (x, label) in enumerate(samples(40)):
        for learner in (board, engine):
            learner.send(x, label if number % 5 else None)
            if number == 20:
                learner.write_register(1, Register.LEARN, 0)
                learner.write_register(0, Register.MARGIN, 77)
    for found, expected in zip(board.results(), engine.results(), strict=True):
        assert found.predicted == expected.predicted
        assert np.array_equal(found.scores, expected.scores)
    assert board.results() == []
    same_state(board, engine)
    for learner in (board, engine):
        learner.write_weights(0, engine.read_weights(0)[::-1].copy())
    same_state(board, engine)
    board.reset()
    same_state(board, GoldenEngine(FORMATS))
    assert board.retries == 0


@pytest.mark.parametrize("fault", HARMED_REQUESTS + HARMED_REPLIES)
def test_harmless_requests_are_repeated(fault):
    wire = HarmedWire()
    board, engine = Board(wire, FORMATS), GoldenEngine(FORMATS)
    weights = engine.read_weights(0) // 2
    engine.write_weights(0, weights)
    engine.write_register(2, Register.RATE_SHIFT, 3)
    wire.faults = [fault, "", fault]
    board.write_weights(0, weights)
    wire.faults = [fault]
    board.write_register(2, Register.RATE_SHIFT, 3)
    wire.faults = [fault]
    same_state(board, engine)
    assert board.retries == 4
    wire.faults = [fault]
    board.reset()
    same_state(board, GoldenEngine(FORMATS))


def test_a_dead_wire_is_given_up():
    wire = HarmedWire()
    board = Board(wire, FORMATS)
    wire.faults = ["lost"] * TRIES
    with pytest.raises(NoAnswer, match="is the board programmed"):
        board.read_register(0, Register.MARGIN)
    assert wire.requests.count(Opcode.READ_REGISTER) == TRIES


def test_a_refused_value_is_not_repeated():
    wire = HarmedWire()
    board = Board(wire, FORMATS)
    with pytest.raises(Refused, match="WRITE_REGISTER: VALUE") as refusal:
        board.write_register(0, Register.MARGIN, 2**31)
    assert refusal.value.error == FrameError.VALUE
    assert board.retries == 0


@pytest.mark.parametrize("number", Activity)
def test_what_has_no_clocks_counts_none(number):
    """A golden chip refuses the counters that only hardware has, and the driver says so."""
    with pytest.raises(Refused) as refusal:
        Board(HarmedWire(), FORMATS).read_register(0, number)
    assert refusal.value.error == FrameError.VALUE


def test_another_network_is_told_by_its_fingerprint():
    with pytest.raises(LinkError, match=f"{OTHER.network.fingerprint:08x}.*build and load"):
        Board(Wire(OTHER), FORMATS)
    assert Info.decode(Info.expected(OTHER).encode()) == Info.expected(OTHER)


def test_weights_that_do_not_fit_are_not_sent():
    wire = HarmedWire()
    board = Board(wire, FORMATS)
    weights = board.read_weights(0)
    for wrong in (weights[:, 1:], np.full_like(weights, 2048), np.full_like(weights, -2049)):
        with pytest.raises(SpecError):
            board.write_weights(0, wrong)
    with pytest.raises(ValueError, match="sample is uint8"):
        board.send(np.zeros(FORMATS.network.inputs - 1, np.uint8))
    assert Opcode.WRITE_WEIGHTS not in wire.requests


def test_no_flipped_bit_gets_past_the_golden_chip():
    wire, engine = Wire(FORMATS), GoldenEngine(FORMATS)
    whole = encode(Frame(opcode=Opcode.WRITE_REGISTER, tag=7, payload=b"\0\2\0\0\0\0"))
    for bit in range(8, 8 * len(whole)):
        damaged = bytearray(whole)
        damaged[bit // 8] ^= 1 << bit % 8
        wire.write(bytes(damaged))
        refusal = read_frame(wire.read)
        assert (refusal.opcode, refusal.tag) == (Opcode.ERROR, damaged[2])
        assert not wire.read(1)
    same_state(Board(wire, FORMATS), engine)
    wire.write(whole)
    reply = read_frame(wire.read)
    assert (reply.opcode, reply.tag) == (Opcode.WRITE_REGISTER | REPLY, 7)
