"""Which kind of block holds each layer's weights; part of the first pass."""

from collections import Counter
from dataclasses import replace

from boards.budget import Budget, MemoryKind
from golden_model.spec.formats import FormattedNetwork, FullyConnected, LayerFormat
from hdl.passes.errors import DoesNotFit
from hdl.passes.estimate import SMALLER
from hdl.passes.memory_map import (
    dual_port_kind,
    link_memories,
    small_memories,
    visit_memories,
    weights_memory,
)
from hdl.passes.stages import Folding

LINK = "link and registers"
"""What its memories are called where blocks are counted."""
MOST = 3
"""So many are named of those that take blocks."""


def other_blocks(layer: FullyConnected, folding: Folding, kind: MemoryKind) -> int:
    """Blocks of a layer's memories but its weights."""
    memories = [*small_memories(layer, folding, kind)]
    if folding.skip_zeros:
        memories += visit_memories(layer, folding, kind)
    return sum(memory.blocks for memory in memories)


def place_memories(
    formats: FormattedNetwork, foldings: list[Folding], budget: Budget
) -> tuple[list[Folding], int]:
    """Weights of the largest layer first, into dual-port blocks where these suffice.

    Returns the foldings, and how many dual-port blocks are left.
    """
    taken = _taken(formats, foldings, budget)
    dual = dual_port_kind(budget)
    assigned = list(foldings)
    kinds = sorted(budget.memories, key=lambda kind: kind.single_port)
    for layer in sorted(formats.fully_connected, key=lambda layer: -layer.weight_count):
        needs = [weights_memory(layer, foldings[layer.index], kind).blocks for kind in kinds]
        for kind, needed in zip(kinds, needs, strict=True):
            if needed <= kind.blocks - taken[kind.name].total():
                taken[kind.name][layer.name] += needed
                assigned[layer.index] = replace(
                    foldings[layer.index],
                    weight_memory=kind.name,
                    single_port=kind.single_port,
                    slow_memory=kind.slow,
                )
                break
        else:
            _check_room(kinds[-1], taken[kinds[-1].name])
            raise _no_room(layer, needs[-1], kinds[-1], taken[kinds[-1].name])
    _check_room(dual, taken[dual.name])
    return assigned, dual.blocks - taken[dual.name].total()


def _taken(
    formats: FormattedNetwork, foldings: list[Folding], budget: Budget
) -> dict[str, Counter[str]]:
    """Blocks of each kind that are taken before weights are placed, by who takes them."""
    dual = dual_port_kind(budget)
    taken = {kind.name: Counter[str]() for kind in budget.memories}
    taken[dual.name][LINK] = sum(memory.blocks for memory in link_memories(formats, dual))
    for layer, folding in zip(formats.fully_connected, foldings, strict=True):
        taken[dual.name][layer.name] = other_blocks(layer, folding, dual)
    return taken


def _check_room(kind: MemoryKind, taken: Counter[str]) -> None:
    """Where too much is taken, no weights have been placed there."""
    if (needed := taken.total()) > kind.blocks:
        detail = f"without weights: {listed(taken)}"
        raise DoesNotFit(kind.name, needed, kind.blocks, SMALLER, detail)


def _no_room(layer: LayerFormat, needed: int, kind: MemoryKind, taken: Counter[str]) -> DoesNotFit:
    others = taken.total()
    rest = f"; the other {others} of {kind.blocks}: {listed(taken)}" if others else ""
    detail = f"weights of {layer.name}{rest}"
    return DoesNotFit(kind.name, needed, kind.blocks - others, SMALLER, detail)


def listed(taken: Counter[str]) -> str:
    """Who takes most, and what all others take."""
    most = taken.most_common(MOST)
    others = taken.total() - sum(count for _, count in most)
    ends = [f"others {others}"] if others else []
    return ", ".join([*(f"{name} {count}" for name, count in most), *ends])
