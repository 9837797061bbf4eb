"""Serial ports: one program at a time, an end to every wait, plain words when one fails."""

import os
import time
from contextlib import closing, contextmanager

import pytest

from boards.host.line import WORK, patience
from boards.host.protocol import LinkError
from boards.host.serial_port import SerialPort, open_port
from golden_model.spec.errors import SpecError
from sim.virtual_board import PseudoTerminal
from tests.boards.wires import FORMATS

BAUD = 1_000_000
SHORT = 0.05
"""Seconds."""


@contextmanager
def terminal():
    """A pseudo-terminal that answers nothing and takes nothing."""
    with closing(PseudoTerminal()) as end:
        yield end


def test_bytes_both_ways():
    with terminal() as end, closing(open_port(end.path, BAUD, FORMATS)) as port:
        port.write(b"there")
        assert os.read(end.end, 100) == b"there"
        os.write(end.end, b"and back")
        assert port.read(3) == b"and"
        assert port.read(5) == b" back"


def test_what_came_is_forgotten():
    with terminal() as end, closing(SerialPort(end.path, BAUD, SHORT)) as port:
        os.write(end.end, b"old")
        assert port.read(1) == b"o"
        port.flush()
        assert port.read(10) == b""


def test_a_port_is_one_program_s():
    with terminal() as end:
        with (
            closing(open_port(end.path, BAUD, FORMATS)),
            pytest.raises(
                SpecError,
                match=r"another program holds it\. .*another boards\.host, .*"
                rf"fuser {end.path} shows which",
            ),  # fmt: skip
        ):
            open_port(end.path, BAUD, FORMATS)
        open_port(end.path, BAUD, FORMATS).close()


def test_a_port_that_takes_nothing_is_left():
    with terminal() as end, closing(SerialPort(end.path, BAUD, SHORT)) as port:
        start = time.monotonic()
        with pytest.raises(LinkError, match="has taken no bytes for 0 s: is it the board's"):
            port.write(bytes(1 << 20))
        assert time.monotonic() - start < 10


def test_a_port_that_says_nothing_is_left():
    with terminal() as end, closing(SerialPort(end.path, BAUD, SHORT)) as port:
        assert port.read(5) == b""
        os.write(end.end, b"abc")
        assert port.read(5) == b"abc"


def test_patience_grows_with_the_time_on_the_wire():
    fast, slow = (patience(FORMATS, baud) for baud in (10_000_000, 300))
    longest = 20 * 71 / 300  # of a sample alone, both ways
    assert fast < WORK + 0.01
    assert slow > WORK + longest


@pytest.mark.parametrize("use", [lambda port: port.read(1), lambda port: port.write(b"x"),
                                 lambda port: port.flush()])  # fmt: skip
def test_a_port_that_goes_away(use):
    with terminal() as end:
        port = SerialPort(end.path, BAUD, SHORT)
    with pytest.raises(LinkError, match=r"has failed: has the board been unplugged") as failure:
        use(port)
    port.close()
    assert_plain(str(failure.value))


@pytest.mark.parametrize(
    ("name", "baud", "rule"),
    [
        ("/dev/nowhere", BAUD, "cannot be opened (No such file or directory)"),
        ("/dev/null", BAUD, "cannot be opened as a serial port of 1000000 baud"),
        (__file__, BAUD, "cannot be opened as a serial port of 1000000 baud"),
        ("/", BAUD, "cannot be opened (Is a directory)"),
        ("a\0b", BAUD, "cannot be opened as a serial port"),
        (None, 1 << 31, "cannot be opened as a serial port of 2147483648 baud"),
        (None, 10**30, "cannot be opened as a serial port of 1000"),
    ],
)
def test_what_is_no_port(name, baud, rule):
    with terminal() as end, pytest.raises(SpecError) as refusal:
        open_port(name or end.path, baud, FORMATS)
    assert rule in str(refusal.value)
    assert "serial.tools.list_ports" in str(refusal.value)
    assert_plain(str(refusal.value))


def assert_plain(text):
    """No errno tuples and none of pyserial's own words."""
    for word in ("Errno", "(5,", "(25,", "could not", "Could not", "ioctl", "multiple access"):
        assert word not in text
