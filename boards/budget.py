"""What an FPGA has to spend, as plain numbers; the passes of the flow read it. No Amaranth."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryKind:
    """One kind of memory block.

    Members
    -------
    name
        The vendor's word for it: ``EBR``, ``SPRAM``, ``DP16KD``.
    blocks
        How many there are.
    bits
        Bits of one block.
    shapes
        Depth x width configurations of one block, widest first, as (depth, width).
    single_port
        One access per clock, read or write; else one read and one write.
    initialised
        Whether the bitstream can fill it.
    slow
        What is read comes so late that it wants a register before anything is done with it.
    shared_width
        Widest word of a block with two ports of which one only reads, and the other reads or writes
        as asked in each clock; 0 where tools do not make one.
    """

    name: str
    blocks: int
    bits: int
    shapes: tuple[tuple[int, int], ...]
    single_port: bool
    initialised: bool
    slow: bool = False
    shared_width: int = 0

    def blocks_for(self, depth: int, width: int) -> int:
        """Blocks that a memory of `depth` words of `width` bits takes, in its best shape."""
        return min(-(-depth // d) * -(-width // w) for d, w in self.shapes)

    def shared_blocks_for(self, depth: int, lanes: int, bits: int) -> int:
        """The same with two such ports, for words of so many lanes, which do not share a block."""
        fitting = [(d, w) for d, w in self.shapes if w <= self.shared_width]
        return lanes * min(-(-depth // d) * -(-bits // w) for d, w in fitting)

    def slice_bits(self, depth: int, width: int) -> int | None:
        """Bits of equal slices of `width` bits that are each one block, `depth` words deep.

        None where no block is so deep, or the widest one is: then there is no choice to make.
        """
        fitting = [w for d, w in self.shapes if d >= depth]
        if not fitting or depth <= self.shapes[0][0]:
            return None
        return max(bits for bits in range(1, fitting[0] + 1) if width % bits == 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class MultiplierKind:
    """Hard multipliers.

    Members
    -------
    name
        ``MAC16``, ``MULT18X18D``.
    count
        How many there are.
    bits
        Signed operand width, both operands.
    accumulator_bits
        Width of the accumulator inside the block, 0 if it has none that tools infer.
    """

    name: str
    count: int
    bits: int
    accumulator_bits: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """Everything of one FPGA.

    Members
    -------
    device
        For example ``iCE40UP5K``.
    cells
        Logic cells: one LUT4 and one flip-flop each.
    cell_factor
        Cells that a design takes for one that it takes of an iCE40, as measured: where a cell
        adds, tools may find no room for other logic or a flip-flop in it.
    shallow
        Words of a memory that cells hold themselves, with a port that reads and one that writes;
        0 where they cannot.
    """

    device: str
    cells: int
    multiplier: MultiplierKind
    memories: tuple[MemoryKind, ...]
    cell_factor: float = 1.0
    shallow: int = 0
