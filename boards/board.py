"""What a board is: an FPGA, a clock, a serial port, and how its tools are to be called."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from boards.budget import Budget
from boards.clocks import Clock


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """What all boards with one kind of FPGA have in common.

    Members
    -------
    place_and_route, pack
        Tools by the names that Amaranth calls them; synthesis is always ``yosys``.
    bitstream
        Suffix of the file that goes onto the board.
    resources
        Kind of a budget -> the tool's words for it in its report. Several share one place, which
        the first of them counts.
    untimed
        What place and route knows no delay for, one phrase each; reports repeat it.
    untimed_ns
        What a path may owe to that and to other optimism of the tool, at the most that was seen:
        added to the period that it reports. Each family says where its figure is from.
    second_opinion
        Command and options of another tool that times the routed design, whose file is named
        last; empty if there is none. It need not be installed.
    place_options
        More words for place and route.
    script_after_read
        Yosys commands before synthesis.
    overrides
        More settings of Amaranth's platform, for example options of synthesis.
    """

    place_and_route: str
    pack: str
    bitstream: str
    resources: Mapping[str, tuple[str, ...]]
    script_after_read: str
    untimed: tuple[str, ...] = ()
    untimed_ns: float = 0.0
    second_opinion: tuple[str, ...] = ()
    place_options: str = ""
    overrides: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    """A place for a network.

    Members
    -------
    name
        What ``--board`` calls it.
    budget
        What its FPGA has to spend.
    family
        How its FPGA is built for.
    platform
        Makes Amaranth's platform, which knows the pins. A platform is good for one build.
    oscillator_hz
        The clock on the board that `clock` starts from.
    clock
        How the design's clock is made of it.
    slower
        A clock for designs that miss that one, if there is any.
    seed
        Of placement, unless the user names one: with it the board's usual network meets `clock`.
    baud
        Of the UART, in bits per second.
    """

    name: str
    budget: Budget
    family: Family
    platform: Callable[[], Any]
    oscillator_hz: int
    clock: Clock
    baud: int
    slower: Clock | None = None
    seed: int = 1

    @property
    def clock_hz(self) -> int:
        """The clock that the design runs at."""
        return self.clock.output_hz(self.oscillator_hz)
