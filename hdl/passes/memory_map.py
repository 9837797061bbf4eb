"""Second pass: every memory gets a home."""

from collections.abc import Iterator

from boards.budget import Budget, MemoryKind
from golden_model.spec.formats import (
    ACTIVATION_BITS,
    FormattedNetwork,
    FullyConnected,
)
from golden_model.spec.frames import max_payload
from golden_model.spec.network import Feedback
from hdl.passes.errors import DoesNotFit
from hdl.passes.sharing_memories import engine_memories
from hdl.passes.stages import CHUNK, FoldedNetwork, Folding, MappedNetwork, Memory, chunks_of

REGISTER_SLOTS, REGISTER_BITS = 16, 32
LIMITS, LIMIT_BITS = 64, 9
"""Words of a layer in the memories of registers and of what the link accepts, and their widths."""


def dual_port_kind(budget: Budget) -> MemoryKind:
    """The kind of block for everything that is read and written at once, or filled by the
    bitstream."""
    return next(kind for kind in budget.memories if not kind.single_port)


def small_memories(layer: FullyConnected, folding: Folding, kind: MemoryKind) -> Iterator[Memory]:
    """All memories of a layer but its weights and its visit map."""

    def memory(name: str, depth: int, width: int, copies: int = 1) -> Memory:
        return _memory(f"{layer.name}.{name}", depth, width, kind, copies)

    readout, learns = layer.reads_out, folding.learns
    # All classes at once are kept in flip-flops.
    serial = readout or not folding.parallel_classes
    yield memory("samples", folding.words(layer), ACTIVATION_BITS * folding.simd, 2 + learns)
    if serial:
        yield memory("scores", layer.classes, layer.score_bits)
        if learns:
            yield memory("errors", layer.classes, layer.error_bits)
    if readout:
        return
    if learns:
        yield memory("active", folding.groups(layer) * folding.pe, 1)
    if folding.classifier_rom:
        classes, depth = (
            (1, layer.units * layer.classes) if serial else (layer.classes, layer.units)
        )
        yield memory("classifier.scores", depth, classes)
        if learns:
            draw = 3 if layer.feedback is Feedback.SIGN_CONCORDANT else 1
            yield memory("classifier.gradients", depth, classes * draw)


def visit_memories(layer: FullyConnected, folding: Folding, kind: MemoryKind) -> Iterator[Memory]:
    """What a layer needs to skip zeros."""
    chunks = chunks_of(folding.words(layer))
    index, number = chunks.bit_length(), (chunks - 1).bit_length()
    yield _memory(f"{layer.name}.visits.flags", max(2, chunks), CHUNK, kind)
    yield _memory(f"{layer.name}.visits.entries", 2 << index, 2 * CHUNK + number, kind)


def weights_memory(layer: FullyConnected, folding: Folding, kind: MemoryKind) -> Memory:
    """The weights of a layer: slices of words, halves that take turns, or one memory."""
    copies = folding.weight_memories(layer)
    width = folding.lanes * layer.weight_bits // copies
    return _memory(f"{layer.name}.weights", folding.weight_words(layer), width, kind, copies)


def link_memories(formats: FormattedNetwork, kind: MemoryKind) -> Iterator[Memory]:
    """The link's memories, registers and counters, whatever the engines."""
    layers = 1 << (len(formats.layers) - 1).bit_length()
    yield _memory("link.frame", max_payload(formats.network.inputs), 8, kind)
    yield _memory("link.limits", LIMITS * layers, LIMIT_BITS, kind)
    yield _memory("registers", REGISTER_SLOTS * len(formats.layers), REGISTER_BITS, kind)


def _memory(name: str, depth: int, width: int, kind: MemoryKind, copies: int = 1) -> Memory:
    return Memory(
        name=name,
        depth=depth,
        width=width,
        copies=copies,
        kind=kind.name,
        blocks=copies * kind.blocks_for(depth, width),
    )


def map_memories(folded: FoldedNetwork, budget: Budget) -> MappedNetwork:
    """Give every memory of `folded` its blocks.

    Raises
    ------
    DoesNotFit
        If a kind of block runs out.
    """
    kinds = {kind.name: kind for kind in budget.memories}
    small = dual_port_kind(budget)
    memories: list[Memory] = []
    for layer, folding in folded.own:
        memories.append(weights_memory(layer, folding, kinds[folding.weight_memory]))
        memories.extend(small_memories(layer, folding, small))
        if folding.skip_zeros:
            memories.extend(visit_memories(layer, folding, small))
    if folded.engine is not None:
        table, shared = folded.engine
        memories.extend(engine_memories(table, shared, kinds, budget.shallow))
    memories.extend(link_memories(folded.formats, small))
    for kind in budget.memories:
        needed = sum(memory.blocks for memory in memories if memory.kind == kind.name)
        if needed > kind.blocks:
            raise DoesNotFit(kind.name, needed, kind.blocks, "Take a larger board")
    return MappedNetwork(
        formats=folded.formats,
        foldings=folded.foldings,
        shared=folded.shared,
        memories=tuple(memories),
    )
