"""A serial port as a transport."""

import contextlib
import errno
import os
import time
from collections.abc import Iterator

import serial

from boards.host.line import patience
from boards.host.protocol import LinkError
from golden_model.spec.errors import SpecError
from golden_model.spec.formats import FormattedNetwork

FAILURES: tuple[type[Exception], ...] = (OSError, ValueError, OverflowError)
"""What pyserial raises; its own error is an OSError."""
with contextlib.suppress(ImportError):  # where there is no termios, pyserial does without it
    import termios

    FAILURES += (termios.error,)

HELD = (errno.EAGAIN, errno.EBUSY, errno.EWOULDBLOCK)
LIST = "python -m serial.tools.list_ports shows all ports"


class SerialPort:
    """A :class:`~boards.host.line.Transport`: a port that this program has for itself.

    No other program that locks its ports, as this one does, can open it meanwhile.

    Parameters
    ----------
    name
        Of the port, as the system calls it.
    baud
        Bits per second.
    patience
        Seconds that a read or a write may take.

    Raises
    ------
    SpecError
        If it cannot be opened.
    LinkError
        From every method, if the port fails.
    """

    def __init__(self, name: str, baud: int, patience: float) -> None:
        self.name, self.patience = name, patience
        try:
            self._port = serial.Serial(
                name, baud, timeout=patience, write_timeout=patience, exclusive=True
            )
        except FAILURES as error:
            raise _cannot_open(name, baud, error) from error
        # USB adapters collect bytes for 16 ms unless asked not to; not every system can be asked.
        with contextlib.suppress(*FAILURES, NotImplementedError, AttributeError):
            self._port.set_low_latency_mode(True)

    def close(self) -> None:
        """Give the port back to the system."""
        with contextlib.suppress(*FAILURES):
            self._port.close()

    def write(self, content: bytes) -> None:
        """Send all of it."""
        with self._failures():
            self._port.write(content)

    def read(self, size: int) -> bytes:
        """Up to `size` bytes; fewer if they do not come within `patience`."""
        with self._failures():
            return bytes(self._port.read(size))

    def flush(self) -> None:
        """Forget what has come and was not read."""
        with self._failures():
            self._port.reset_input_buffer()

    def now(self) -> float:
        """Seconds since some start."""
        return time.monotonic()

    @contextlib.contextmanager
    def _failures(self) -> Iterator[None]:
        try:
            yield
        except serial.SerialTimeoutException as error:
            raise LinkError(
                f"port {self.name!r} has taken no bytes for {self.patience:.0f} s: is it the "
                "board's, and does nothing hold its line up?"
            ) from error
        except FAILURES as error:
            raise LinkError(
                f"port {self.name!r} has failed: has the board been unplugged, or does another "
                "program read from it?"
            ) from error


def open_port(name: str, baud: int, formats: FormattedNetwork) -> SerialPort:
    """The port of that name, with the patience that the network's longest frames need.

    Raises
    ------
    SpecError
        If it cannot be opened.
    """
    return SerialPort(name, baud, patience(formats, baud))


def _cannot_open(name: str, baud: int, error: Exception) -> SpecError:
    number = error.errno if isinstance(error, OSError) else None
    if number in HELD:
        rule = "another program holds it"
        remedy = (
            "Wait for it or end it: another boards.host, a terminal program, or the system's modem "
            f"manager; fuser {name} shows which"
        )
    elif number is not None:
        rule = f"it cannot be opened ({os.strerror(number)})"
        remedy = f"Name the board's port, and be allowed to use it; {LIST}"
    else:
        rule = f"it cannot be opened as a serial port of {baud} baud"
        remedy = f"Name the board's port and the bitstream's baud rate; {LIST}"
    return SpecError(f"port {name!r}", rule, remedy)
