"""The pins of a board's serial line."""

from typing import Any

from amaranth import Module
from amaranth.lib import io


def serial_line(m: Module, platform: Any) -> tuple[Any, Any]:
    """Add the buffers of the board's UART to `m`.

    Returns
    -------
    The line from the host, asynchronous to every clock, and the line to the host. Handshake lines
    stay unused.
    """
    port = platform.request("uart", dir="-")
    m.submodules.rx_buffer = rx = io.Buffer("i", port.rx)
    m.submodules.tx_buffer = tx = io.Buffer("o", port.tx)
    return rx.i, tx.o
