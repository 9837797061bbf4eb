"""Before synthesis: logic cells, as each part of the RTL was measured to take, and multipliers."""

from collections.abc import Iterable, Sequence

from boards.budget import Budget, MultiplierKind
from golden_model.spec.formats import ACTIVATION_BITS, FullyConnected, LayerFormat
from hdl.passes.errors import DoesNotFit
from hdl.passes.sharing import EngineTable, SharedFolding
from hdl.passes.sharing_memories import CELLS, weight_bits
from hdl.passes.stages import Folding, Memory

CHIP_CELLS = 1100
"""Host link, UART, registers and counters, the answer and reset."""
CELL_SHARE = 0.88
"""Share of a board's cells that folding spends; routing needs the rest."""
NARROWEST_SHARE = 0.93
"""The same where an engine for convolutions cannot be narrower, as it was placed and routed."""
SMALLER = "Take a smaller network or a larger board"
"""What a refusal advises before anything has been tried out."""


def check_cells(cells: int, budget: Budget, share: float = CELL_SHARE) -> None:
    """Raise :class:`DoesNotFit` where so many are more than that share of the board's."""
    available = int(share * budget.cells)
    if cells > available:
        why = f"{100 * share:.0f} % of {budget.cells}, routing needs the rest"
        raise DoesNotFit(CELLS, cells, available, SMALLER, why)


def soft_forward_cells(layer: LayerFormat) -> int:
    """Cells of ``W * x`` without a multiplier block."""
    return 5 * ACTIVATION_BITS * layer.weight_bits // 2


def soft_update_cells(layer: FullyConnected) -> int:
    """Cells of ``d * x`` without a multiplier block, the scaling of x included."""
    return 2 * layer.gradient_bits * ACTIVATION_BITS + 8 * (ACTIVATION_BITS + layer.rate_shift_max)


def chip_cells(
    layers: Sequence[FullyConnected],
    foldings: Sequence[Folding],
    budget: Budget,
    shared: int = 0,
) -> int:
    """Logic cells of everything; `shared` ones of an iCE40 are those of a shared engine."""
    own = sum(map(layer_cells, layers, foldings))
    return round(budget.cell_factor * (CHIP_CELLS + own + shared))


def layer_cells(layer: FullyConnected, folding: Folding) -> int:
    """Logic cells of a layer in an iCE40."""
    # Sweep, access and buffer; the sums of a group, in the making and on their way out.
    cells = 370 + 40 * folding.simd + 200 * folding.skip_zeros
    cells += 2 * layer.accumulator_bits * folding.pe
    if not layer.reads_out:
        cells += 150  # activation and classifier
    if folding.parallel_classes:
        cells += layer.classes * 2 * layer.score_bits
    if folding.learns:
        queues = 1 + folding.takes_turns
        cells += 520 + queues * folding.pe * folding.gradient_operand_bits(layer)
        if folding.parallel_classes:
            cells += layer.classes * 3 * layer.error_bits
    return cells + folding.lanes * _lane_cells(layer, folding) + _tree_cells(layer, folding)


def _lane_cells(layer: FullyConnected, folding: Folding) -> int:
    cells = 0 if folding.clear_slot else folding.lane_accumulator_bits(layer)
    if not folding.hard_forward:
        cells += soft_forward_cells(layer)
    if folding.learns:
        cells += 4 * layer.weight_bits + folding.slow_memory * layer.weight_bits
        if not folding.hard_update:
            cells += soft_update_cells(layer)
    return cells


def _tree_cells(layer: FullyConnected, folding: Folding) -> int:
    """Adds what the lanes of a unit have summed."""
    return (folding.lanes - folding.pe) * layer.accumulator_bits


def layer_multipliers(layer: FullyConnected, folding: Folding, block: MultiplierKind) -> int:
    """Hard multipliers of a layer."""
    forward = forward_multipliers(layer, folding, block)
    update = update_multipliers(layer, folding, block)
    return folding.hard_forward * forward + folding.hard_update * update


def forward_multipliers(layer: FullyConnected, folding: Folding, block: MultiplierKind) -> int:
    """Blocks that ``W * x`` takes, if it takes any."""
    return folding.lanes * -(-layer.weight_bits // block.bits)


def update_multipliers(layer: FullyConnected, folding: Folding, block: MultiplierKind) -> int:
    """Blocks that ``d * x`` takes, if it takes any; lanes that take turns share one."""
    products = folding.lanes // (1 + folding.takes_turns)
    return products * -(-folding.gradient_operand_bits(layer) // block.bits)


def shared_cells(table: EngineTable, folding: SharedFolding, memories: Iterable[Memory]) -> int:
    """Logic cells of an engine that layers share in an iCE40.

    Measured there of networks of 3 to 9 layers, with convolutions and without. Of `memories` those
    that are in cells count; others may be among them.
    """
    formats = [row.format for row in table.rows]
    layers, convolutions = len(formats), folding.places > 1
    score_bits = max(f.score_bits for f in formats)
    accumulator_bits = max(f.accumulator_bits for f in formats)
    # Both machines' addresses, and pages; each layer's constants and counters; windows' walks.
    address_bits = table.weight_words.bit_length() + table.page_depth.bit_length()
    cells = 50 * address_bits + 170 * layers + 150 * folding.pe + 750 * convolutions
    if folding.skip_zeros:
        cells += 690 if convolutions else 170
    elif folding.lookup_clocks == 0 and convolutions:
        cells -= 150  # registers on the way of blocks
    # Sums in the making, unless multiplier blocks add them up, and on their way out; and what the
    # head makes of those of a block.
    if folding.place_by_place:
        making = 0 if folding.clear_slot else 1.5 * folding.lanes
        cells += 300 + int((1 + making) * accumulator_bits)
    else:
        in_cells = 1 if folding.clear_slot else 2.5
        cells += int(in_cells * accumulator_bits * folding.lanes)
        cells += (100 + 2 * accumulator_bits) * folding.heads * folding.places
    if not folding.hard_forward:
        cells += folding.lanes * max(map(soft_forward_cells, formats))
    if folding.parallel_classes:
        cells += formats[0].classes * 4 * score_bits
    if not folding.classifier_rom:
        cells += 350 + 20 * formats[0].classes if folding.parallel_classes else 100
    if folding.learns:
        cells += 500 + folding.pe * _update_cells(table, folding)
        if folding.parallel_classes:
            # The judge's, those of each layer, and the gradients that are made of them.
            cells += formats[0].classes * (9 + layers) * max(f.error_bits for f in formats)
    return cells + sum(_memory_cells(memory) for memory in memories if memory.kind == CELLS)


def _update_cells(table: EngineTable, folding: SharedFolding) -> int:
    """Of one filter: its inputs, ``d * x``, the steps' sums, a step's shift, and the weight."""
    formats = [row.format for row in table.rows]
    gradient_bits = max(f.gradient_bits for f in formats)
    step_bits = max(f.step_bits for f in formats)
    rates = max(f.rate_shift_max for f in formats)
    product = 0 if folding.hard_update else 2 * gradient_bits * ACTIVATION_BITS
    choice = ACTIVATION_BITS * (folding.places // 2)
    shift = step_bits * rates.bit_length()
    registers = (2 if folding.lone_words else 5) * step_bits + 6 * weight_bits(table)
    return folding.taps * (choice + product + 2 * step_bits) + shift + registers


def _memory_cells(memory: Memory) -> int:
    """16 words of 4 bits take four cells, and two for the port that writes."""
    return 6 * memory.copies * -(-memory.depth // 16) * -(-memory.width // 4)


def shared_multipliers(table: EngineTable, folding: SharedFolding, block: MultiplierKind) -> int:
    """Hard multipliers of an engine that layers share."""
    formats = [row.format for row in table.rows]
    forward = folding.lanes * -(-weight_bits(table) // block.bits)
    products = folding.taps * folding.pe
    update = products * -(-max(f.gradient_bits for f in formats) // block.bits)
    return folding.hard_forward * forward + folding.hard_update * update
