"""How an engine that layers share is folded, and what it leaves for the others; of folding."""

from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import product

from boards.budget import Budget, MemoryKind
from golden_model.spec.formats import FormattedNetwork, LayerFormat
from hdl.passes.errors import DoesNotFit
from hdl.passes.estimate import (
    CELL_SHARE,
    NARROWEST_SHARE,
    SMALLER,
    check_cells,
    chip_cells,
    shared_cells,
    shared_multipliers,
)
from hdl.passes.memory_map import dual_port_kind, link_memories
from hdl.passes.options import Options, all_fully_connected, filters_at_a_time
from hdl.passes.placement import LINK, listed
from hdl.passes.sharing import PLACES, EngineTable, Layout, SharedFolding, table
from hdl.passes.sharing_estimate import interval
from hdl.passes.sharing_memories import engine_memories, shared_weights, winners
from hdl.passes.stages import Memory

MAX_SHARED_LANES = 128
"""Sums at a time that are chosen; more take the tools long to place, and their inputs long to
reach all of them."""
HEADS, COPIES, TAPS = (2, 1), (2, 1), (2, 1)
"""What is chosen from: filters at a time in the head, copies of pages, taps that an update visits
at a time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sharing:
    """A way in which the last layers of a network may share an engine.

    Members
    -------
    first
        Number of the first layer that shares.
    folding
        The engine's.
    clocks
        Per sample, as expected.
    cells, multipliers, memories
        What it takes, the cells as of an iCE40.
    """

    first: int
    folding: SharedFolding
    clocks: int
    cells: int
    multipliers: int
    memories: tuple[Memory, ...]

    def blocks(self, budget: Budget) -> dict[str, Counter[str]]:
        """Blocks of each kind, by what takes them."""
        taken = {kind.name: Counter[str]() for kind in budget.memories}
        for memory in self.memories:
            if memory.blocks:
                taken[memory.kind][memory.name.partition(".")[2]] += memory.blocks
        return taken

    def check(self, formats: FormattedNetwork, budget: Budget) -> None:
        """Raise :class:`DoesNotFit` where it takes too much, whatever other layers take."""
        small = dual_port_kind(budget)
        taken = self.blocks(budget)
        taken[small.name][LINK] += sum(memory.blocks for memory in link_memories(formats, small))
        # What lacks most: where that is enough, so is all else.
        kind = max(budget.memories, key=lambda kind: taken[kind.name].total() / kind.blocks)
        needed = taken[kind.name].total()
        if needed > kind.blocks:
            which = f" from {formats.layers[self.first].name} on" if self.first else ""
            detail = f"with one engine for all layers{which}: {listed(taken[kind.name])}"
            raise DoesNotFit(kind.name, needed, kind.blocks, SMALLER, detail)
        share = NARROWEST_SHARE if self.folding.place_by_place else CELL_SHARE
        check_cells(chip_cells([], [], budget, self.cells), budget, share)

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
    for engine, folding in _engines(formats.layers[first:], options):
        fitting = 0
        # Flags of zeros are given up only where nothing fits with them.
        for choice in _choices(engine, folding, budget, options):
            if choice.skip_zeros or not (fitting and options.skip_zeros):
                way = _sharing(first, engine, choice, budget)
                with suppress(DoesNotFit):
                    way.check(formats, budget)
                    fitting += 1
                    yield way


def smallest_sharings(
    formats: FormattedNetwork, first: int, budget: Budget, options: Options
) -> Iterator[Sharing]:
    """Those with nothing to spare.

    Which takes least depends on the shapes of memory blocks, and on whether blocks or cells are
    scarce: classes one by one take fewer cells, but memory.
    """
    for engine, folding in _engines(formats.layers[first:], options):
        for kind, rom, parallel in product(budget.memories, options.roms, (True, False)):
            lone = options.learns and kind.single_port
            choice = replace(
                folding, classifier_rom=rom, parallel_classes=parallel, lone_words=lone
            )
            yield _sharing(first, engine, _in_blocks(choice, kind), budget)


def _engines(
    layers: tuple[LayerFormat, ...], options: Options
) -> Iterator[tuple[EngineTable, SharedFolding]]:
    """Of as many filters at a time as may be, without what a folding could do without."""
    places = 1 if all_fully_connected(layers) else PLACES
    widths = [pe for pe in filters_at_a_time(layers) if pe * places <= MAX_SHARED_LANES]
    if options.shared_pe is not None:
        widths = [options.shared_pe]
    for pe in widths:
        folding = SharedFolding(
            pe=pe,
            places=places,
            weight_memory="",
            page_copies=1,
            skip_zeros=False,
            learns=options.learns,
        )
        yield table(layers, folding), folding


def _choices(
    engine: EngineTable, folding: SharedFolding, budget: Budget, options: Options
) -> Iterator[SharedFolding]:
    """All that may be made of it, what skips zeros first. Copies of pages are for the update."""
    skips = (True, False) if options.skip_zeros else (False,)
    heads = [heads for heads in HEADS if folding.pe % heads == 0]
    copies = COPIES if options.learns else COPIES[-1:]
    common = product(skips, budget.memories, options.roms)
    for skip_zeros, kind, rom in common:
        # Where no memory is slow cells are scarce, and one register for words may be given up.
        lone = (False, True) if options.learns and kind.single_port else (False,)
        for head, copy, parallel, lone_words in product(heads, copies, (True, False), lone):
            choice = replace(
                _in_blocks(folding, kind),
                heads=head,
                lone_words=lone_words,
                page_copies=copy,
                classifier_rom=rom,
                parallel_classes=parallel,
                skip_zeros=skip_zeros,
            )
            ports = (True, False) if kind.shared_width and folding.learns else (False,)
            for taps, port in product(_taps(engine, choice), ports):
                yield replace(choice, taps=taps, update_port=port)


def _taps(engine: EngineTable, folding: SharedFolding) -> tuple[int, ...]:
    """That an update may visit at a time."""
    pixels = any(row.layout is Layout.PIXELS for row in engine.rows)
    both = pixels and folding.learns and folding.heads == 2 and folding.page_copies == 2
    return TAPS if both else TAPS[-1:]


def _in_blocks(folding: SharedFolding, kind: MemoryKind) -> SharedFolding:
    """With its weights in blocks of that kind."""
    return replace(
        folding, weight_memory=kind.name, single_port=kind.single_port, slow_memory=kind.slow
    )


def _sharing(first: int, engine: EngineTable, folding: SharedFolding, budget: Budget) -> Sharing:
    """With hard multipliers if there are enough of them, first for the sweep."""
    block, kinds = budget.multiplier, {kind.name: kind for kind in budget.memories}

    def enough(folding: SharedFolding) -> bool:
        return block.count > 0 and shared_multipliers(engine, folding, block) <= block.count

    hard = enough(folding)
    accumulates = hard and block.accumulator_bits > 0
    folding = replace(folding, hard_forward=hard, clear_slot=accumulates)
    if accumulates and folding.learns:
        folding = replace(folding, hard_update=enough(replace(folding, hard_update=True)))
    large, small = kinds[folding.weight_memory], dual_port_kind(budget)
    if large.single_port and folding.learns:
        in_large, in_small = (winners(engine, folding, kind).blocks for kind in (large, small))
        taken = shared_weights(engine, folding, large).blocks + in_large
        # What is as large as one small block stays there: it waits for nothing.
        fits = in_small > 1 and taken <= large.blocks
        folding = replace(folding, single_port_winners=fits)
    memories = tuple(engine_memories(engine, folding, kinds, budget.shallow))
    return Sharing(
        first=first,
        folding=folding,
        clocks=interval(engine, folding, folding.learns),
        cells=shared_cells(engine, folding, memories),
        multipliers=shared_multipliers(engine, folding, block) if hard else 0,
        memories=memories,
    )
