"""Budgets of the FPGAs on the boards, from the vendors' data sheets. No Amaranth."""

from boards.budget import Budget, MemoryKind, MultiplierKind

CELLS = "cells"
"""What reports call logic cells; the other kinds of a budget carry their own names."""

# An EBR holds 4096 bits whatever its shape; the bitstream can fill it.
_EBR_SHAPES = ((256, 16), (512, 8), (1024, 4), (2048, 2))
# True dual-port to 18 bits; 36 bits wide only with one port that writes and one that reads.
_18K_SHAPES = ((512, 36), (1024, 18), (2048, 9), (4096, 4), (8192, 2), (16384, 1))


def _ebr(blocks: int) -> MemoryKind:
    return MemoryKind(
        name="EBR",
        blocks=blocks,
        bits=4096,
        shapes=_EBR_SHAPES,
        single_port=False,
        initialised=True,
    )


def _ecp5(device: str, cells: int, blocks: int, multipliers: int) -> Budget:
    return Budget(
        device=device,
        cells=cells,
        # The ALU54B that could accumulate is not inferred.
        multiplier=MultiplierKind(
            name="MULT18X18D", count=multipliers, bits=18, accumulator_bits=0
        ),
        memories=(
            MemoryKind(
                name="DP16KD",
                blocks=blocks,
                bits=18432,
                shapes=_18K_SHAPES,
                single_port=False,
                initialised=True,
                slow=True,
                shared_width=18,
            ),
        ),
        shallow=32,
    )


ICE40UP5K = Budget(
    device="iCE40UP5K",
    cells=5280,
    multiplier=MultiplierKind(name="MAC16", count=8, bits=16, accumulator_bits=32),
    memories=(
        MemoryKind(
            name="SPRAM",
            blocks=4,
            bits=262144,
            shapes=((16384, 16),),
            single_port=True,
            initialised=False,
        ),
        _ebr(30),
    ),
)

ICE40HX8K = Budget(
    device="iCE40HX8K",
    cells=7680,
    multiplier=MultiplierKind(name="multipliers", count=0, bits=0, accumulator_bits=0),
    memories=(_ebr(32),),
)

LFE5U_25F = _ecp5("LFE5U-25F", cells=24288, blocks=56, multipliers=28)
LFE5U_85F = _ecp5("LFE5U-85F", cells=83640, blocks=208, multipliers=156)

# Two multipliers of 18 x 18 bits in each of ten DSP blocks.
GW1NR_9C = Budget(
    device="GW1NR-9C",
    cells=8640,
    cell_factor=1.26,
    multiplier=MultiplierKind(name="MULT18X18", count=20, bits=18, accumulator_bits=0),
    memories=(
        MemoryKind(
            name="BSRAM",
            blocks=26,
            bits=18432,
            shapes=_18K_SHAPES,
            single_port=False,
            initialised=True,
            slow=True,
        ),
    ),
)
