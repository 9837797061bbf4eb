"""Which networks are measured on which boards."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial

from bench.figures import Found, Skipped
from boards.board import Board
from boards.registry import BOARDS
from golden_model.data.dataset import natural_data
from golden_model.spec.errors import SpecError
from golden_model.spec.formats import FormattedNetwork, infer_formats
from golden_model.spec.network import Dense, Network
from golden_model.spec.toml import load_network
from hdl.passes import pipeline
from hdl.passes.errors import DoesNotFit
from hdl.passes.options import Options
from hdl.passes.stages import ScheduledNetwork

OPTIONS = Options()
"""Of the bitstreams that are measured."""
DENSE = replace(OPTIONS, skip_zeros=False)
CLOCK_GOALS = {"iCE40UP5K": 36.0, "iCE40HX8K": 60.0, "LFE5U": 100.0, "GW1NR-9": 100.0}
"""MHz, by the beginning of the FPGA's name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One network on one board."""

    board: Board
    network: Network

    @property
    def name(self) -> str:
        """For people."""
        return f"{self.network.name} on {self.board.name}"

    @property
    def data(self) -> str:
        """The data set that goes with the network."""
        return natural_data(self.network)

    @property
    def formats(self) -> FormattedNetwork:
        """The network with its formats."""
        return infer_formats(self.network)

    @property
    def clock_goal(self) -> float | None:
        """MHz that the board's family should reach."""
        device = self.board.budget.device
        return next((mhz for name, mhz in CLOCK_GOALS.items() if device.startswith(name)), None)

    def schedule(self, options: Options = OPTIONS) -> ScheduledNetwork:
        """What `hdl.build` makes RTL of; may raise :class:`DoesNotFit`."""
        return pipeline.run(self.formats, self.board.budget, options)


def wide() -> Network:
    """784-128 and readout, for the comparison with a processor."""
    return replace(load_network("mnist"), name="mnist-128", layers=(Dense(units=128),))


CONVOLUTIONS = ("mnist-conv", "fashion-conv", "cifar10-conv")
NETWORKS: dict[str, Callable[[], Network]] = {
    "mnist": lambda: load_network("mnist"),
    "mnist-128": wide,
    "digits": lambda: load_network("digits"),
    **{name: partial(load_network, name) for name in CONVOLUTIONS},
}
Pairs = tuple[tuple[str, str], ...]
"""Names of boards and networks."""
MNIST = (("icebreaker", "mnist"), ("ulx3s-85f", "mnist"))
WIDE = (("ulx3s-85f", "mnist-128"),)
SHARING = tuple(("ulx3s-85f", name) for name in CONVOLUTIONS)
DIGITS = (("hx8k-b-evn", "digits"), ("ulx3s-25f", "digits"), ("tang-nano-9k", "digits"))


def find(pairs: Pairs, only: str = "") -> list[Case]:
    """Cases of those boards that there are, and with that text in their name."""
    cases = (
        Case(board=BOARDS[board], network=NETWORKS[network]())
        for board, network in pairs
        if board in BOARDS
    )
    return [case for case in cases if only in case.name]


def measured(cases: list[Case], measure: Callable[[Case], Iterator[Found]]) -> Iterator[Found]:
    """What `measure` finds of each case; one that is refused is left out, and says why."""
    for case in cases:
        try:
            yield from measure(case)
        except (DoesNotFit, SpecError) as error:
            yield Skipped(case=case.name, why=str(error))
