"""The stages of the flow, one type each; a pass takes one and gives the next."""

from dataclasses import dataclass

from golden_model.spec.formats import (
    ACTIVATION_MAX,
    DenseFormat,
    FormattedNetwork,
    signed_bits,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Folding:
    """How a layer is folded onto hardware.

    Members
    -------
    pe, simd
        Units and inputs at a time, powers of two; a weight word holds pe x simd weights.
    weight_memory
        Kind of memory block that holds the weights.
    single_port
        That memory makes one access per clock.
    hard_forward, hard_update
        Whether the products ``W * x`` and ``d * x`` use hard multipliers.
    classifier_rom
        The random classifier is read from a ROM; else it is generated again and again.
    clear_slot
        Accumulators live in the multiplier blocks, which need a clock to be cleared.
    """

    pe: int
    simd: int
    weight_memory: str
    single_port: bool
    hard_forward: bool = True
    hard_update: bool = True
    classifier_rom: bool = True
    clear_slot: bool = False

    @property
    def lanes(self) -> int:
        """Weights of a word."""
        return self.pe * self.simd

    def groups(self, layer: DenseFormat) -> int:
        """Groups of PE units, the last one padded."""
        return -(-layer.units // self.pe)

    def words(self, layer: DenseFormat) -> int:
        """Words of SIMD inputs in a group, the last one padded."""
        return -(-layer.fan_in // self.simd)

    def weight_words(self, layer: DenseFormat) -> int:
        """Words of the weight memory."""
        return self.groups(layer) * self.words(layer)

    def lane_accumulator_bits(self, layer: DenseFormat) -> int:
        """Signed width of the sum that one lane forms of its share of the inputs."""
        largest_weight = 1 << (layer.weight_bits - 1)
        return signed_bits(largest_weight * ACTIVATION_MAX * self.words(layer))

    def step_bits(self, layer: DenseFormat) -> int:
        """Signed width of a gradient scaled by the largest rate, one operand of the update."""
        return layer.gradient_bits + layer.rate_shift_max


@dataclass(frozen=True, slots=True, kw_only=True)
class FoldedNetwork:
    """A network with the folding of each layer.

    Members
    -------
    formats
        The network with its formats.
    foldings
        One for each layer.
    """

    formats: FormattedNetwork
    foldings: tuple[Folding, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduledNetwork:
    """x"""
    formats: FormattedNetwork
    foldings: tuple[Folding, ...]
