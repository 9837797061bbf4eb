"""The memories of an engine that layers share: one function for each kind of them."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from boards.budget import MemoryKind
from golden_model.spec.formats import ACTIVATION_BITS, ACTIVATION_MAX, LayerFormat
from golden_model.spec.network import Feedback
from hdl.passes.sharing import FLAGS, EngineTable, Row, SharedFolding, weight_depth
from hdl.passes.stages import Memory

NAME = "shared"
"""What the engine is called, in memories' names and among foldings."""
CELLS = "cells"
"""Kind of a memory so shallow that cells hold it."""
BUFFERS = 2
"""What one of the two machines fills, or the engine's next group, while the other is read."""
PLACE_BITS, LEARNS_BITS = 2, 1
"""Of each filter in an entry of winners."""


def shared_weights(table: EngineTable, folding: SharedFolding, kind: MemoryKind) -> Memory:
    """A word holds one tap of PE filters of any layer."""
    bits = weight_bits(table)
    memory = _memory("weights", weight_depth(table, folding), folding.pe * bits, kind)
    if not folding.update_port:
        return memory
    return replace(memory, blocks=kind.shared_blocks_for(memory.depth, folding.pe, bits))


def engine_memories(
    table: EngineTable, folding: SharedFolding, kinds: Mapping[str, MemoryKind], shallow: int
) -> Iterator[Memory]:
    """All memories of an engine.

    Parameters
    ----------
    kinds
        Of blocks, by name: those of the weights, and one with a port that reads and one that
        writes.
    shallow
        Words of a memory that cells hold, if they can at all.
    """
    large = kinds[folding.weight_memory]
    kind = next(kind for kind in kinds.values() if not kind.single_port)
    yield shared_weights(table, folding, large)
    yield pages(table, folding, kind)
    if folding.skip_zeros:
        yield flags(table, folding, kind)
    scored = [row for row in table.rows if row.scored]
    if scored:
        yield region_sums(scored, folding, kind, shallow)
        yield from classifier(table, scored, folding, kind)
    if not folding.parallel_classes:
        yield scores(table, folding, kind)
    if folding.learns:
        if not folding.parallel_classes:
            yield errors(table, kind)
        yield winners(table, folding, large if folding.single_port_winners else kind)
        yield winner_counts(table, kind)
        yield gradients(table, folding, kind, shallow)
        yield steps(table, folding, kind, shallow)


def pages(table: EngineTable, folding: SharedFolding, kind: MemoryKind) -> Memory:
    """Inputs of all layers, two samples of each: words as wide as the head writes them."""
    depth = -(-table.page_depth // folding.heads)
    copies = folding.places * folding.page_copies
    return _memory("pages", depth, ACTIVATION_BITS * folding.heads, kind, copies)


def flags(table: EngineTable, folding: SharedFolding, kind: MemoryKind) -> Memory:
    """Which of them are not zero."""
    return _memory("flags", table.flag_depth, FLAGS, kind, folding.places * folding.page_copies)


def winners(table: EngineTable, folding: SharedFolding, kind: MemoryKind) -> Memory:
    """Windows with something to learn, group by group."""
    rows, columns = (max(sizes) for sizes in zip(*map(_window_shape, table.rows), strict=True))
    where = _bits(rows) + _bits(columns) + _bits(max(row.format.regions for row in table.rows))
    filters = folding.pe * (PLACE_BITS + LEARNS_BITS)
    return _memory("winners", table.winners, where + filters, kind)


def winner_counts(table: EngineTable, kind: MemoryKind) -> Memory:
    """How many they are in each group."""
    most = max(row.winners for row in table.rows)
    return _memory("winner_counts", table.groups, most.bit_length(), kind)


def region_sums(
    scored: Sequence[Row], folding: SharedFolding, kind: MemoryKind, shallow: int
) -> Memory:
    """What a group's filters come to in each region, before they are scored.

    There are two, written alike: one is added to, from the other one scores are made.
    """
    largest = ACTIVATION_MAX * max(_region_windows(row.format) for row in scored)
    beats = 1 << _bits(folding.pe // folding.heads)
    depth, width = BUFFERS * _regions(scored) * beats, folding.heads * largest.bit_length()
    return _memory("sums", depth, width, kind, BUFFERS, shallow)


def classifier(
    table: EngineTable, scored: Sequence[Row], folding: SharedFolding, kind: MemoryKind
) -> Iterator[Memory]:
    """The random classifiers of all layers, for scores and for gradients, if kept in ROM."""
    if not folding.classifier_rom:
        return
    classes = scored[0].format.classes
    at_once = classes if folding.parallel_classes else 1
    depth = table.draws * (classes // at_once)
    yield _memory("classifier.scores", depth, at_once, kind)
    if folding.learns:
        draw = 3 if scored[0].format.feedback is Feedback.SIGN_CONCORDANT else 1
        yield _memory("classifier.gradients", depth, at_once * draw, kind)


def scores(table: EngineTable, folding: SharedFolding, kind: MemoryKind) -> Memory:
    """Of the layer in hand, class by class; one for each filter that the head takes in a clock."""
    formats = [row.format for row in table.rows]
    depth = -(-formats[0].classes // folding.heads)
    return _memory("scores", depth, max(f.score_bits for f in formats), kind, folding.heads)


def errors(table: EngineTable, kind: MemoryKind) -> Memory:
    """Of all layers, class by class."""
    layer = table.rows[0].format
    return _memory("errors", len(table.rows) << _bits(layer.classes), layer.error_bits, kind)


def gradients(table: EngineTable, folding: SharedFolding, kind: MemoryKind, shallow: int) -> Memory:
    """D of a group's filters in each region, and of the next group's."""
    width = folding.pe * max(row.format.gradient_bits for row in table.rows)
    return _memory("gradients", BUFFERS * _regions(table.rows), width, kind, shallow=shallow)


def steps(table: EngineTable, folding: SharedFolding, kind: MemoryKind, shallow: int) -> Memory:
    """Of a block of taps, while those of the block before are rounded."""
    width = folding.taps * folding.pe * max(row.format.step_bits for row in table.rows)
    return _memory("steps", BUFFERS * FLAGS, width, kind, shallow=shallow)


def weight_bits(table: EngineTable) -> int:
    """Of the layer with the widest weights."""
    return max(row.format.weight_bits for row in table.rows)


def _regions(rows: Sequence[Row]) -> int:
    """Of the layer with most, as a power of two: a region's number is a part of an address."""
    return 1 << _bits(max(row.format.regions for row in rows))


def _region_windows(layer: LayerFormat) -> int:
    """Of the largest region."""
    return math.prod(-(-size // layer.regions_across) for size in layer.pooled_shape)


def _window_shape(row: Row) -> tuple[int, int]:
    return row.window_rows, row.window_columns


def _bits(values: int) -> int:
    """Of a number that has so many values."""
    return (values - 1).bit_length()


def _memory(
    name: str, depth: int, width: int, kind: MemoryKind, copies: int = 1, shallow: int = 0
) -> Memory:
    depth = max(depth, 2)  # no memory has an address without bits
    in_cells = depth <= shallow
    return Memory(
        name=f"{NAME}.{name}",
        depth=depth,
        width=width,
        copies=copies,
        kind=CELLS if in_cells else kind.name,
        blocks=0 if in_cells else copies * kind.blocks_for(depth, width),
    )
