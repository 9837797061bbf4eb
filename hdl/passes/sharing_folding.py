"""How an engine that layers share is folded, and what it leaves for the others; of folding."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product

from boards.budget import Budget, MemoryKind
from golden_model.spec.formats import FormattedNetwork, LayerFormat
from hdl.passes.errors import DoesNotFit
from hdl.passes.estimate import (
    CELL_SHARE,
    SMALLER,
    check_cells,
    chip_cells,
    shared_cells,
    shared_multipliers,
)
from hdl.passes.memory_map import dual_port_kind, link_memories
from hdl.passes.options import Options, all_fully_connected, filters_at_a_time
from hdl.passes.placement import LINK, listed
from hdl.passes.sharing import PLACES, EngineTable, SharedFolding, table
from hdl.passes.sharing_estimate import interval
from hdl.passes.sharing_memories import engine_memories, shared_weights

MAX_SHARED_LANES = 128
"""Sums at a time that are chosen; more take the tools long to place, and their inputs long to
reach all of them."""
HEADS, COPIES = (2, 1), (2, 1)
"""What is chosen from: filters at a time in the head, copies of pages."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sharing:
    """A way in which the last layers of a network may share an engine.

    Members
    -------
    first
        Number of the first layer that shares.
    folding, table
        The engine.
    clocks
        Per sample, as expected.
    cells, multipliers
        What it takes, the cells as of an iCE40.
    """

    first: int
    folding: SharedFolding
    table: EngineTable
    clocks: int
    cells: int
    multipliers: int

    def blocks(self, budget: Budget) -> dict[str, Counter[str]]:
        """Blocks of each kind, by what takes them."""
        kinds = {kind.name: kind for kind in budget.memories}
        taken = {name: Counter[str]() for name in kinds}
        weights = shared_weights(self.table, self.folding, kinds[self.folding.weight_memory])
        small = dual_port_kind(budget)
        rest = engine_memories(self.table, self.folding, small, budget.shallow)
        for memory in (weights, *rest):
            if memory.blocks:
                taken[memory.kind][memory.name.partition(".")[2]] += memory.blocks
        return taken

    def check(self, formats: FormattedNetwork, budget: Budget) -> None:
        """Raise :class:`DoesNotFit` where it takes too much, whatever other layers take."""
        small = dual_port_kind(budget)
        taken = self.blocks(budget)
        taken[small.name][LINK] += sum(memory.blocks for memory in link_memories(formats, small))
        for kind in budget.memories:
            needed = taken[kind.name].total()
            if needed > kind.blocks:
                which = f" from {formats.layers[self.first].name} on" if self.first else ""
                detail = f"with one engine for all layers{which}: {listed(taken[kind.name])}"
                raise DoesNotFit(kind.name, needed, kind.blocks, SMALLER, detail)
        check_cells(chip_cells([], [], budget, self.cells), budget)

    def left(self, formats: FormattedNetwork, budget: Budget) -> Budget:
        """What layers before the first one that shares may spend.

        They are folded as a network of their own, so that what its link would take is not counted
        twice.
        """
        taken, small = self.blocks(budget), dual_port_kind(budget)
        before = first_layers(formats, self.first)
        link, counted = (
            sum(memory.blocks for memory in link_memories(network, small))
            for network in (formats, before)
        )
        taken[small.name][LINK] = link - counted
        multiplier, cells = budget.multiplier, budget.cell_factor * self.cells / CELL_SHARE
        return replace(
            budget,
            cells=int(budget.cells - cells),
            multiplier=replace(multiplier, count=multiplier.count - self.multipliers),
            memories=tuple(_less(kind, taken[kind.name].total()) for kind in budget.memories),
        )


def _less(kind: MemoryKind, blocks: int) -> MemoryKind:
    return replace(kind, blocks=kind.blocks - blocks)


def first_layers(formats: FormattedNetwork, count: int) -> FormattedNetwork:
    """A network of the first `count` layers."""
    return replace(formats, layers=formats.layers[:count])


def sharings(
    formats: FormattedNetwork, first: int, budget: Budget, options: Options
) -> Iterator[Sharing]:
    """Ways in which the layers from `first` on may share an engine, if they fit by themselves."""
    for way in _ways(formats, first, budget, options):
        try:
            way.check(formats, budget)
        except DoesNotFit:
            continue
        yield way


def smallest_sharings(
    formats: FormattedNetwork, first: int, budget: Budget, options: Options
) -> Iterator[Sharing]:
    """Those that take least, one for each place of the weights and source of the classifiers."""
    pe = options.shared_pe or 1
    places = _places(formats.layers[first:])
    for kind, rom in product(budget.memories, options.roms):
        folding = SharedFolding(
            pe=pe,
            places=places,
            weight_memory=kind.name,
            single_port=kind.single_port,
            slow_memory=kind.slow,
            page_copies=1,
            classifier_rom=rom,
            parallel_classes=False,
            skip_zeros=False,
            learns=options.learns,
        )
        yield _sharing(formats, first, folding, budget)


def _ways(
    formats: FormattedNetwork, first: int, budget: Budget, options: Options
) -> Iterator[Sharing]:
    places = _places(formats.layers[first:])
    widths = filters_at_a_time(formats.layers[first:])
    widths = [pe for pe in widths if pe * places <= MAX_SHARED_LANES]
    if options.shared_pe is not None:
        widths = [options.shared_pe]
    for pe, kind, rom in product(widths, budget.memories, options.roms):
        for heads, copies, parallel in product(HEADS, COPIES, (True, False)):
            if pe % heads or (copies > 1 and not options.learns):
                continue
            folding = SharedFolding(
                pe=pe,
                places=places,
                heads=heads,
                weight_memory=kind.name,
                single_port=kind.single_port,
                slow_memory=kind.slow,
                page_copies=copies,
                classifier_rom=rom,
                parallel_classes=parallel,
                skip_zeros=options.skip_zeros,
                learns=options.learns,
            )
            yield _sharing(formats, first, folding, budget)


def _sharing(
    formats: FormattedNetwork, first: int, folding: SharedFolding, budget: Budget
) -> Sharing:
    """With hard multipliers if there are enough of them."""
    engine, block = table(formats.layers[first:], folding), budget.multiplier
    hard = block.count > 0 and shared_multipliers(engine, folding, block) <= block.count
    folding = replace(folding, hard_forward=hard)
    return Sharing(
        first=first,
        folding=folding,
        table=engine,
        clocks=interval(engine, folding, folding.learns),
        cells=shared_cells(engine, folding, budget),
        multipliers=shared_multipliers(engine, folding, block) if hard else 0,
    )


def _places(layers: tuple[LayerFormat, ...]) -> int:
    """Places at a time: one, where none is a convolution."""
    return 1 if all_fully_connected(layers) else PLACES
