"""Second pass: every memory gets a home."""

from collections.abc import Iterator

from boards.budget import Budget, MemoryKind
from golden_model.spec.formats import ACTIVATION_BITS, DenseFormat, ReadoutFormat
from golden_model.spec.frames import max_payload
from golden_model.spec.network import Loss
from hdl.passes.errors import DoesNotFit
from hdl.passes.stages import FoldedNetwork, Folding, MappedNetwork, Memory

PAGES = 3


def dual_port_kind(budget: Budget) -> MemoryKind:
    """The kind of block for everything that is read and written at once, or filled by the
    bitstream."""
    return next(kind for kind in budget.memories if not kind.single_port)


def small_memories(layer: DenseFormat, folding: Folding, kind: MemoryKind) -> Iterator[Memory]:
    """All memories of a layer but its weights."""

    def memory(name: str, depth: int, width: int, copies: int = 1) -> Memory:
        blocks = copies * kind.blocks_for(depth, width)
        return Memory(
            name=f"{layer.name}.{name}",
            depth=depth,
            width=width,
            copies=copies,
            kind=kind.name,
            blocks=blocks,
        )

    yield memory("samples", folding.words(layer), ACTIVATION_BITS * folding.simd, PAGES)
    yield memory("errors", layer.classes, layer.error_bits)
    scores = layer.loss is Loss.PAIRWISE_HINGE
    if isinstance(layer, ReadoutFormat):
        if scores:
            yield memory("scores", layer.classes, layer.score_bits)
        return
    yield memory("scores", layer.classes, layer.score_bits, 1 + scores)
    yield memory("active", folding.groups(layer) * folding.pe, 1)
    if folding.classifier_rom:
        yield memory("classifier", layer.units * layer.classes, 3, 2)


def weights_memory(layer: DenseFormat, folding: Folding, kind: MemoryKind) -> Memory:
    """The weights of a layer."""
    depth, width = folding.weight_words(layer), folding.lanes * layer.weight_bits
    return Memory(
        name=f"{layer.name}.weights",
        depth=depth,
        width=width,
        copies=1,
        kind=kind.name,
        blocks=kind.blocks_for(depth, width),
    )


def frame_memory(inputs: int, kind: MemoryKind) -> Memory:
    """The link's buffer of one request."""
    depth = max_payload(inputs)
    blocks = kind.blocks_for(depth, 8)
    return Memory(name="link.frame", depth=depth, width=8, copies=1, kind=kind.name, blocks=blocks)


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
    for layer, folding in zip(folded.formats.layers, folded.foldings, strict=True):
        memories.append(weights_memory(layer, folding, kinds[folding.weight_memory]))
        memories.extend(small_memories(layer, folding, small))
    memories.append(frame_memory(folded.formats.network.inputs, small))
    for kind in budget.memories:
        needed = sum(memory.blocks for memory in memories if memory.kind == kind.name)
        if needed > kind.blocks:
            raise DoesNotFit(kind.name, needed, kind.blocks, "Take fewer units or a larger board")
    return MappedNetwork(formats=folded.formats, foldings=folded.foldings, memories=tuple(memories))
