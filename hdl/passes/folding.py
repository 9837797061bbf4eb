"""First pass: how many units and inputs of each layer work at a time, and on what."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from boards.budget import Budget, MemoryKind
from golden_model.spec.errors import SpecError, nearest
from golden_model.spec.formats import DenseFormat, FormattedNetwork
from hdl.passes.cycles import interval
from hdl.passes.errors import DoesNotFit
from hdl.passes.estimate import CHIP_CELLS, layer_cells, soft_forward_cells, soft_update_cells
from hdl.passes.memory_map import dual_port_kind, frame_memory, small_memories, weights_memory
from hdl.passes.stages import FoldedNetwork, Folding

MAX_LANES = 16
"""Weights in a word. Wider ones would fit large boards, but take the tools an hour to place."""
CLASSIFIERS = ("rom", "generator")
CELL_SHARE = 0.85
"""Share of a board's cells that folding spends; routing needs the rest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What a user may decide about the hardware.

    Members
    -------
    classifier
        ``rom`` or ``generator``: where the random classifier comes from; the bits are the same.
    folding
        (PE, SIMD) of the layers named; the others are folded by the pass.
    """

    classifier: str = "rom"
    folding: Mapping[str, tuple[int, int]] = field(default_factory=dict)


Shape = tuple[int, int]
"""PE and SIMD."""


def fold(formats: FormattedNetwork, budget: Budget, options: Options) -> FoldedNetwork:
    """Spend memory ports, multipliers and cells on whichever layer is slowest.

    Every layer begins with one weight at a time. The slowest is widened again and again, until the
    board has no memory for its wider words, no cells for its lanes, or it gains nothing.

    Raises
    ------
    DoesNotFit
        If not even the narrowest folding fits.
    SpecError
        If the options name an unknown layer, or a PE or SIMD that is no power of two or larger
        than the layer.
    """
    _check(formats, options)
    choices = [_shapes(layer, options.folding.get(layer.name), budget) for layer in formats.layers]
    shapes = [choice[0] for choice in choices]
    foldings = _assign(formats, shapes, budget, options)
    while True:
        times = [
            interval([layer], [folding], True)
            for layer, folding in zip(formats.layers, foldings, strict=True)
        ]
        slowest = times.index(max(times))
        for wider in choices[slowest][choices[slowest].index(shapes[slowest]) + 1 :]:
            tried = [*shapes[:slowest], wider, *shapes[slowest + 1 :]]
            try:
                attempt = _assign(formats, tried, budget, options)
            except DoesNotFit:
                continue
            if interval([formats.layers[slowest]], [attempt[slowest]], True) < times[slowest]:
                shapes, foldings = tried, attempt
                break
        else:
            return FoldedNetwork(formats=formats, foldings=foldings)


def _check(formats: FormattedNetwork, options: Options) -> None:
    if options.classifier not in CLASSIFIERS:
        rule = f"it must be one of {', '.join(CLASSIFIERS)}"
        remedy = nearest(options.classifier, CLASSIFIERS)
        raise SpecError(f"classifier {options.classifier!r}", rule, remedy)
    layers = {layer.name: layer for layer in formats.layers}
    for name, shape in options.folding.items():
        if name not in layers:
            raise SpecError(f"folding of {name!r}", "no such layer", nearest(name, layers))
        sizes = layers[name].units, layers[name].fan_in
        for word, value, size in zip(("PE", "SIMD"), shape, sizes, strict=True):
            largest = min(MAX_LANES, 1 << (size - 1).bit_length())
            if value < 1 or value & (value - 1) or value > largest:
                rule = "it must be a power of two and divide the layer rounded up to one"
                remedy = f"The largest that fits is {largest}"
                raise SpecError(f"{word} = {value} of {name}", rule, remedy)


def _shapes(layer: DenseFormat, wanted: Shape | None, budget: Budget) -> list[Shape]:
    """The best shape for each number of lanes, narrowest first, or just the one wanted.

    Best is what multiplier blocks can accumulate by themselves, then what is fastest.
    """
    if wanted is not None:
        return [wanted]
    shapes = []
    for lanes in (1 << n for n in range(MAX_LANES.bit_length())):
        splits = [(1 << n, lanes >> n) for n in range(lanes.bit_length())]
        fitting = [s for s in splits if s[0] < 2 * layer.units and s[1] < 2 * layer.fan_in]
        if fitting:
            shapes.append(min(fitting, key=lambda s: _rank(layer, s, budget)))
    return shapes


def _rank(layer: DenseFormat, shape: Shape, budget: Budget) -> tuple[bool, int, int]:
    folding = Folding(pe=shape[0], simd=shape[1], weight_memory="", single_port=False)
    time = interval([layer], [folding], True)
    return not _accumulates(layer, folding, budget), time, folding.pe


def _accumulates(layer: DenseFormat, folding: Folding, budget: Budget) -> bool:
    """Whether a lane's sum fits the accumulator inside a multiplier block."""
    return folding.lane_accumulator_bits(layer) <= budget.multiplier.accumulator_bits


def _assign(
    formats: FormattedNetwork, shapes: Sequence[Shape], budget: Budget, options: Options
) -> tuple[Folding, ...]:
    """Memories and multipliers for these shapes; raises :class:`DoesNotFit`."""
    foldings = [
        Folding(
            pe=pe,
            simd=simd,
            weight_memory="",
            single_port=False,
            classifier_rom=options.classifier == "rom",
        )
        for pe, simd in shapes
    ]
    foldings = _assign_memories(formats, foldings, budget)
    foldings = _assign_multipliers(formats, foldings, budget)
    pairs = zip(formats.layers, foldings, strict=True)
    cells = CHIP_CELLS + sum(layer_cells(layer, folding) for layer, folding in pairs)
    if cells > CELL_SHARE * budget.cells:
        available = int(CELL_SHARE * budget.cells)
        raise DoesNotFit("cells", cells, available, "Take fewer units or a larger board")
    return tuple(foldings)


def _assign_memories(
    formats: FormattedNetwork, foldings: list[Folding], budget: Budget
) -> list[Folding]:
    """Weights of the largest layer first, into dual-port blocks where these suffice."""
    left = {kind.name: kind.blocks for kind in budget.memories}
    dual = dual_port_kind(budget)
    left[dual.name] -= frame_memory(formats.network.inputs, dual).blocks
    for layer, folding in zip(formats.layers, foldings, strict=True):
        left[dual.name] -= sum(m.blocks for m in small_memories(layer, folding, dual))
    assigned = list(foldings)
    kinds = sorted(budget.memories, key=lambda kind: kind.single_port)
    for layer in sorted(formats.layers, key=lambda layer: -layer.weight_count):
        needs = [weights_memory(layer, foldings[layer.index], kind).blocks for kind in kinds]
        for kind, needed in zip(kinds, needs, strict=True):
            if needed <= left[kind.name]:
                left[kind.name] -= needed
                assigned[layer.index] = replace(
                    foldings[layer.index], weight_memory=kind.name, single_port=kind.single_port
                )
                break
        else:
            raise _no_memory(layer, foldings[layer.index], kinds[-1], max(0, left[kinds[-1].name]))
    if left[dual.name] < 0:
        needed, remedy = dual.blocks - left[dual.name], "Take fewer units or a larger board"
        raise DoesNotFit(dual.name, needed, dual.blocks, remedy)
    return assigned


def _no_memory(
    layer: DenseFormat, folding: Folding, kind: MemoryKind, available: int
) -> DoesNotFit:
    needed = weights_memory(layer, folding, kind).blocks
    words = available * kind.bits // (layer.weight_bits * folding.lanes)
    units = max(0, words // folding.words(layer) * folding.pe)
    remedy = f"The largest {layer.name} that fits has about {units} units; or take a larger board"
    return DoesNotFit(kind.name, needed, available, remedy)


def _assign_multipliers(
    formats: FormattedNetwork, foldings: list[Folding], budget: Budget
) -> list[Folding]:
    """Multiplier blocks where they save most cells: the best of all subsets of product kinds."""
    block = budget.multiplier
    best = [(0, frozenset[tuple[int, str]]())] * (block.count + 1)
    for layer, folding in zip(formats.layers, foldings, strict=True):
        operands = folding.gradient_operand_bits(layer)
        products = {
            "hard_forward": (layer.weight_bits, soft_forward_cells(layer)),
            "hard_update": (operands, soft_update_cells(layer)),
        }
        for name, (bits, cells) in products.items():
            if block.count == 0:
                continue
            cost = folding.lanes * -(-bits // block.bits)
            saved = folding.lanes * cells
            for spent in range(block.count, cost - 1, -1):
                with_it = best[spent - cost]
                gain = (with_it[0] + saved, with_it[1] | {(layer.index, name)})
                best[spent] = max(best[spent], gain, key=lambda choice: choice[0])
    _, chosen = best[-1]
    assigned = []
    for layer, folding in zip(formats.layers, foldings, strict=True):
        forward, update = (
            (layer.index, name) in chosen for name in ("hard_forward", "hard_update")
        )
        clear_slot = forward and _accumulates(layer, folding, budget)
        assigned.append(
            replace(folding, hard_forward=forward, hard_update=update, clear_slot=clear_slot)
        )
    return assigned
