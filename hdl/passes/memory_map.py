"""Second pass: every memory gets a home."""

from collections.abc import Iterator

from boards.budget import Budget, MemoryKind
from golden_model.spec.formats import ACTIVATION_BITS, DenseFormat, ReadoutFormat
from golden_model.spec.frames import max_payload
from golden_model.spec.network import Feedback, Loss
from hdl.passes.errors import DoesNotFit
from hdl.passes.stages import FoldedNetwork, Folding, MappedNetwork, Memory

PAGES = 3


def dual_port_kind(budget: Budget) -> MemoryKind:
    """The kind of block for everything that is read and written at once, or filled by the
    bitstream."""
    return next(kind for kind in budget.memories if not kind.single_port)


def small_memories(layer: DenseFormat, folding: Folding, kind: MemoryKind) -> Iterator[Memory]:
    """All memories of a layer but its weights and visit lists."""

    def memory(name: str, depth: int, width: int, copies: int = 1) -> Memory:
        return _memory(f"{layer.name}.{name}", depth, width, kind, copies)

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
        draw = 3 if layer.feedback is Feedback.SIGN_CONCORDANT else 1
        yield memory("classifier", layer.units * layer.classes, draw, 2)


def visit_memories(layer: DenseFormat, folding: Folding, kind: MemoryKind) -> Iterator[Memory]:
    """What a layer needs to skip zeros."""
    words = folding.words(layer)
    index = (words - 1).bit_length()
    yield _memory(f"{layer.name}.visits.flags", words, 1, kind)
    yield _memory(f"{layer.name}.visits.own", 2 << index, index, kind)
    yield _memory(f"{layer.name}.visits.union", 2 << index, index + 1, kind)


def weights_memory(layer: DenseFormat, folding: Folding, kind: MemoryKind) -> Memory:
    """The weights of a layer."""
    width = folding.lanes * layer.weight_bits
    return _memory(f"{layer.name}.weights", folding.weight_words(layer), width, kind)


def frame_memory(inputs: int, kind: MemoryKind) -> Memory:
    """The link's buffer of one request."""
    return _memory("link.frame", max_payload(inputs), 8, kind)


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
    for layer, folding in zip(folded.formats.layers, folded.foldings, strict=True):
        memories.append(weights_memory(layer, folding, kinds[folding.weight_memory]))
        memories.extend(small_memories(layer, folding, small))
        if folding.skip_zeros:
            memories.extend(visit_memories(layer, folding, small))
    memories.append(frame_memory(folded.formats.network.inputs, small))
    for kind in budget.memories:
        needed = sum(memory.blocks for memory in memories if memory.kind == kind.name)
        if needed > kind.blocks:
            raise DoesNotFit(kind.name, needed, kind.blocks, "Take fewer units or a larger board")
    return MappedNetwork(formats=folded.formats, foldings=folded.foldings, memories=tuple(memories))
