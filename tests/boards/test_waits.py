"""Every wait for a chip has an end, and a chip of another version is told from a dead one."""

import pytest

from boards.host.driver import Board
from boards.host.line import SETTLING
from boards.host.protocol import HEADER, Frame, LinkError, checksum, encode
from golden_model.spec.frames import REPLY, SYNC, VERSION, FrameError, Opcode
from tests.boards.wires import FORMATS, Wire, same_state


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


@pytest.mark.parametrize("info", [b"", bytes([VERSION]), bytes([VERSION]) + bytes(11)])
def test_an_info_of_another_size_is_damage(info):
    wire = Wire(FORMATS)
    wire.chip._serve = lambda opcode, payload: info
    with pytest.raises(LinkError, match=f"INFO takes 10 bytes, {len(info)} came"):
        Board(wire, FORMATS)


def test_an_older_program_is_refused_at_once():
    """It hears an error that is cut, to its ears, and goes no further."""
    wire = Wire(FORMATS)
    wire.write(old_frame(Opcode.INFO))
    assert wire.incoming[1 : 1 + HEADER.size] == HEADER.pack(Opcode.ERROR, 0, 2)
    same_state(Board(Wire(FORMATS), FORMATS), wire.chip.engine)
