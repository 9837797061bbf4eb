"""Before synthesis: logic cells, as each part of the RTL was measured to take, and multipliers."""

from collections.abc import Sequence

from boards.budget import Budget, MultiplierKind
from golden_model.spec.formats import ACTIVATION_BITS, FullyConnected
from hdl.passes.stages import Folding

CHIP_CELLS = 1100
"""Host link, UART, registers and counters, the answer and reset."""


def soft_forward_cells(layer: FullyConnected) -> int:
    """Cells of ``W * x`` without a multiplier block."""
    return 5 * ACTIVATION_BITS * layer.weight_bits // 2


def soft_update_cells(layer: FullyConnected) -> int:
    """Cells of ``d * x`` without a multiplier block, the scaling of x included."""
    return 2 * layer.gradient_bits * ACTIVATION_BITS + 8 * (ACTIVATION_BITS + layer.rate_shift_max)


def chip_cells(
    layers: Sequence[FullyConnected], foldings: Sequence[Folding], budget: Budget
) -> int:
    """Logic cells of everything."""
    return round(budget.cell_factor * (CHIP_CELLS + sum(map(layer_cells, layers, foldings))))


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
