"""A board for those who have none: ``python -m sim.virtual_board --network digits``.

It opens a pseudo-terminal and answers the host's frames there, from the simulated RTL of the whole
chip, serial line included: ``python -m boards.host train --port <the path it prints> ...`` works as
with a board on the desk.
"""

import os
import select
import sys
import tty
from typing import Protocol

import click

from boards.registry import BOARDS, find_board
from golden_model.spec.command import SETTINGS
from golden_model.spec.errors import SpecError
from golden_model.spec.formats import infer_formats
from golden_model.spec.toml import load_network
from hdl.passes.errors import DoesNotFit
from hdl.passes.pipeline import run
from hdl.toolchain import ToolError
from sim.golden_chip import GoldenChip
from sim.wired_chip import WiredChip

QUIET_POLLS = 1000
"""Polls without a byte in either direction after which time stands still until one comes. They
are long enough for the chip's timeout to pass."""


class Wire(Protocol):
    """What a pseudo-terminal can be put in front of."""

    def write(self, content: bytes) -> int:
        """Send bytes to the chip."""

    def poll(self) -> bytes:
        """Let some time pass; what the chip has sent."""


class PseudoTerminal:
    """A serial port that a program on this machine can open.

    Members
    -------
    path
        What to open.
    """

    def __init__(self) -> None:
        self.end, self._other = os.openpty()
        tty.setraw(self._other)
        self.path = os.ttyname(self._other)

    def close(self) -> None:
        """Give it back to the system."""
        os.close(self.end)
        os.close(self._other)

    def serve(self, wire: Wire) -> None:
        """Carry bytes both ways, for ever."""
        quiet = QUIET_POLLS
        while True:
            wait = None if quiet >= QUIET_POLLS else 0
            if select.select([self.end], [], [], wait)[0]:
                wire.write(os.read(self.end, 1 << 16))
                quiet = 0
            content = wire.poll()
            quiet = 0 if content else quiet + 1
            while content:
                content = content[os.write(self.end, content) :]


@click.command(context_settings=SETTINGS)
@click.option("--network", required=True, help="A known network or a .toml file.")
@click.option(
    "--board", default="icebreaker", show_default=True, help=f"One of {', '.join(BOARDS)}."
)
@click.option(
    "--engine",
    default="rtl",
    show_default=True,
    type=click.Choice(["rtl", "golden"]),
    help="What answers: the chip's RTL as built for the board, or the golden model.",
)
def main(network: str, board: str, engine: str) -> None:
    """Open a serial port behind which a simulated board answers."""
    try:
        formats = infer_formats(load_network(network))
        if engine == "golden":
            wire: Wire = GoldenChip(formats)
        else:
            wire = WiredChip(run(formats, find_board(board).budget))
    except SpecError as error:
        click.echo(f"Error: {error}", err=True)
        sys.exit(2)
    except (DoesNotFit, ToolError) as error:
        click.echo(f"Error: {error}", err=True)
        sys.exit(1)
    terminal = PseudoTerminal()
    name = formats.network.name
    click.echo(f"{name}, simulated ({engine}), answers at {terminal.path}")
    click.echo(f"Try: python -m boards.host info --network {network} --port {terminal.path}")
    try:
        terminal.serve(wire)
    except KeyboardInterrupt:
        terminal.close()


if __name__ == "__main__":
    main()
