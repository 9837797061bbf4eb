"""Logic cells before synthesis: what each part of the RTL was measured to take."""

from collections.abc import Sequence

from golden_model.spec.formats import ACTIVATION_BITS, DenseFormat
from hdl.passes.stages import Folding

CHIP_CELLS = 800
"""Host link, UART and reset."""


def soft_forward_cells(layer: DenseFormat) -> int:
    """Cells of ``W * x`` without a multiplier block."""
    return 2 * ACTIVATION_BITS * layer.weight_bits


def soft_update_cells(layer: DenseFormat) -> int:
    """Cells of ``d * x`` without a multiplier block, the scaling of x included."""
    return 2 * layer.gradient_bits * ACTIVATION_BITS + 4 * (ACTIVATION_BITS + layer.rate_shift_max)


def chip_cells(layers: Sequence[DenseFormat], foldings: Sequence[Folding]) -> int:
    """Logic cells of everything."""
    return CHIP_CELLS + sum(map(layer_cells, layers, foldings))


def layer_cells(layer: DenseFormat, folding: Folding) -> int:
    """Logic cells of a layer."""
    cells = 850 + 3 * layer.accumulator_bits * folding.pe + 40 * folding.simd
    cells += 180 * folding.skip_zeros
    cells += folding.pe * 2 * folding.gradient_operand_bits(layer)
    per_lane = 6 * layer.weight_bits
    if not folding.clear_slot:
        # Neither operands nor sums disappear into a multiplier block.
        per_lane += 2 * layer.weight_bits + folding.lane_accumulator_bits(layer)
    if not folding.hard_forward:
        per_lane += soft_forward_cells(layer)
    if not folding.hard_update:
        per_lane += soft_update_cells(layer)
    return cells + folding.lanes * per_lane + (folding.lanes - folding.pe) * layer.accumulator_bits
