"""A serial port as a transport."""

import contextlib
import os

import serial

from golden_model.spec.errors import SpecError
from golden_model.spec.formats import FormattedNetwork
from golden_model.spec.frames import max_payload

PATIENCE = 2.0
"""Seconds that a chip may take to answer, beyond the time that a frame is on the wire."""


def open_port(name: str, baud: int, formats: FormattedNetwork) -> serial.Serial:
    """The port of that name, with a timeout that suits the network's longest frame.

    Raises
    ------
    SpecError
        If it cannot be opened.
    """
    on_wire = 10 * max_payload(formats.network.inputs) / baud
    try:
        port = serial.Serial(name, baud, timeout=PATIENCE + 2 * on_wire)
    except (OSError, ValueError) as error:
        reason = os.strerror(error.errno) if isinstance(error, OSError) and error.errno else error
        rule = f"it cannot be opened ({reason})"
        remedy = "Name the board's port; python -m serial.tools.list_ports shows all"
        raise SpecError(f"port {name!r}", rule, remedy) from error
    # USB adapters collect bytes for 16 ms unless asked not to; not every system can be asked.
    with contextlib.suppress(OSError, ValueError, NotImplementedError, AttributeError):
        port.set_low_latency_mode(True)
    port.reset_input_buffer()
    return port
