"""The stages of the flow, one type each; a pass takes one and gives the next."""

from dataclasses import dataclass

from golden_model.spec.formats import (
    ACTIVATION_BITS,
    ACTIVATION_MAX,
    FormattedNetwork,
    FullyConnected,
    LayerFormat,
    signed_bits,
)
from golden_model.spec.network import Rounding
from hdl.passes.sharing import EngineTable, SharedFolding, table

CHUNK = 8
"""Words that are looked at together where zeros are skipped."""


def chunks_of(words: int) -> int:
    """Chunks of a group of so many words, that of the bias among them."""
    return -(-words // CHUNK)


@dataclass(frozen=True, slots=True, kw_only=True)
class Folding:
    """How a layer is folded onto hardware.

    Members
    -------
    pe, simd
        Units and inputs at a time, powers of two; a weight word holds pe x simd weights.
    weight_memory
        Kind of memory block that holds the weights.
    single_port, slow_memory
        That memory makes one access per clock; what is read from it passes through a register.
    slice_bits
        Each weight is cut into memories of so many bits, each one block deep enough for all words;
        None where a word is one memory, whose blocks tools may have to choose between.
    hard_forward, hard_update
        Whether the products ``W * x`` and ``d * x`` use hard multipliers.
    classifier_rom
        The random classifier is read from a ROM; else it is generated again and again.
    skip_zeros
        The sweep visits only words with an input that is not zero; there must be two at least.
    clear_slot
        Accumulators live in the multiplier blocks, which need a clock to be cleared.
    parallel_classes
        All classes are scored, and all errors summed, at once; else one after the other.
    learns
        False for a layer that only infers: nothing of what learning takes is built.
    """

    pe: int
    simd: int
    weight_memory: str
    single_port: bool
    slow_memory: bool = False
    slice_bits: int | None = None
    hard_forward: bool = True
    hard_update: bool = True
    classifier_rom: bool = True
    skip_zeros: bool = False
    clear_slot: bool = False
    parallel_classes: bool = False
    learns: bool = True

    @property
    def lanes(self) -> int:
        """Weights of a word."""
        return self.pe * self.simd

    @property
    def takes_turns(self) -> bool:
        """Whether the second half of the units works a clock behind the first one.

        Where a written word takes two clocks of its port anyway, one half reads while the other
        writes, and a lane of each share the multiplier of the update.
        """
        in_time = self.single_port and not self.slow_memory
        return in_time and self.learns and self.hard_update and self.pe > 1

    def dithers(self, layer: FullyConnected) -> bool:
        """Whether updates are rounded by draws that the chip makes."""
        return self.learns and layer.rounding is Rounding.STOCHASTIC

    @property
    def pauses(self) -> bool:
        """Whether a group is followed by a clock without a word."""
        return self.clear_slot or self.takes_turns

    def groups(self, layer: FullyConnected) -> int:
        """Groups of PE units, the last one padded."""
        return -(-layer.units // self.pe)

    def words(self, layer: FullyConnected) -> int:
        """Words of SIMD inputs in a group, the last one padded."""
        return -(-layer.fan_in // self.simd)

    def weight_words(self, layer: FullyConnected) -> int:
        """Words of the weight memory."""
        return self.groups(layer) * self.words(layer)

    def weight_memories(self, layer: FullyConnected) -> int:
        """Equal memories that a weight word is cut into: slices, halves that take turns, or one."""
        if self.slice_bits:
            return self.lanes * layer.weight_bits // self.slice_bits
        return 1 + self.takes_turns

    def lane_accumulator_bits(self, layer: FullyConnected) -> int:
        """Signed width of the sum that one lane forms of its share of the inputs."""
        largest_weight = 1 << (layer.weight_bits - 1)
        return signed_bits(largest_weight * ACTIVATION_MAX * self.words(layer))

    def gradient_operand_bits(self, layer: FullyConnected) -> int:
        """Signed width of d as an operand of the update's product.

        One operand is scaled by ``2**(rate_shift_max - r)``, so that one constant shift ends every
        update: a multiplier block has room for it in d, logic cells are spared with it in x.
        """
        return layer.gradient_bits + (layer.rate_shift_max if self.hard_update else 0)

    def previous_operand_bits(self, layer: FullyConnected) -> int:
        """Signed width of x as the other operand."""
        return ACTIVATION_BITS + 1 + (0 if self.hard_update else layer.rate_shift_max)

    def change_bits(self, layer: FullyConnected) -> int:
        """Signed width of their product."""
        return self.gradient_operand_bits(layer) + self.previous_operand_bits(layer)


@dataclass(frozen=True, slots=True, kw_only=True)
class Engines:
    """What computes each layer of a network: an engine of its own, or one that several share.

    Members
    -------
    formats
        The network with its formats.
    foldings
        Of the first layers, fully connected ones: each has an engine of its own.
    shared
        Of the engine on which all other layers take turns; None if there are none.
    """

    formats: FormattedNetwork
    foldings: tuple[Folding, ...]
    shared: SharedFolding | None = None

    def __post_init__(self) -> None:
        if (self.shared is None) != (len(self.foldings) == len(self.formats.layers)):
            raise ValueError("each layer has either an engine of its own, or shares one")

    @property
    def own(self) -> tuple[tuple[FullyConnected, Folding], ...]:
        """Layers with an engine of their own, each with its folding."""
        pairs = zip(self.formats.layers, self.foldings, strict=False)
        return tuple((as_fully_connected(layer), folding) for layer, folding in pairs)

    @property
    def sharing(self) -> tuple[LayerFormat, ...]:
        """Layers that take turns on one engine: all behind those with their own."""
        return self.formats.layers[len(self.foldings) :]

    @property
    def table(self) -> EngineTable | None:
        """Where each of those layers stands on it; None without a shared engine."""
        return None if self.shared is None else table(self.sharing, self.shared)

    @property
    def engine(self) -> tuple[EngineTable, SharedFolding] | None:
        """That engine, if there is one."""
        return None if self.shared is None else (table(self.sharing, self.shared), self.shared)

    @property
    def only_engine(self) -> tuple[EngineTable, SharedFolding] | None:
        """The same, if all layers share it."""
        return None if self.own else self.engine

    @property
    def all_foldings(self) -> tuple[Folding | SharedFolding, ...]:
        """Of every engine, the shared one last."""
        return (*self.foldings, *(() if self.shared is None else (self.shared,)))

    def folding_of(self, layer: int) -> Folding | SharedFolding:
        """Of the engine that computes the layer of that number."""
        return self.all_foldings[min(layer, len(self.all_foldings) - 1)]

    def word_weights(self, layer: int) -> int:
        """Weights in a word of that layer's memory."""
        folding = self.folding_of(layer)
        return folding.lanes if isinstance(folding, Folding) else folding.pe

    @property
    def learns(self) -> bool:
        """Whether the network learns: all of it does, or none."""
        return all(folding.learns for folding in self.all_foldings)

    @property
    def skips_zeros(self) -> bool:
        """Whether some engine leaves out zeros."""
        return any(folding.skip_zeros for folding in self.all_foldings)

    @property
    def slow_memory(self) -> bool:
        """Whether what some engine reads of its weights passes through a register."""
        return any(folding.slow_memory for folding in self.all_foldings)

    @property
    def classifier(self) -> str:
        """Where the random classifiers come from: all from ``rom``, or all from a ``generator``."""
        return "rom" if self.all_foldings[0].classifier_rom else "generator"


def as_fully_connected(layer: LayerFormat) -> FullyConnected:
    """The layer, which must be one; raises :class:`ValueError` for a convolution."""
    if not isinstance(layer, FullyConnected):
        raise ValueError(f"{layer.name} is not fully connected: it has no engine of its own")
    return layer


@dataclass(frozen=True, slots=True, kw_only=True)
class FoldedNetwork(Engines):
    """A network with the folding of each engine."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """One memory and its home.

    Members
    -------
    name
        ``layer0.weights``, ``layer0.samples``, ...
    depth, width
        Words, and bits of a word.
    copies
        How many equal ones there are.
    kind, blocks
        Kind of memory block, and how many blocks all copies take together.
    """

    name: str
    depth: int
    width: int
    copies: int
    kind: str
    blocks: int

    @property
    def bits(self) -> int:
        """Bits that are used, of all copies."""
        return self.depth * self.width * self.copies


@dataclass(frozen=True, slots=True, kw_only=True)
class MappedNetwork(Engines):
    """A folded network whose memories have homes.

    Members
    -------
    memories
        All memories, engine by engine, then the link's.
    """

    memories: tuple[Memory, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineCycles:
    """Clocks from one sample's start to the next one's, for one engine that never waits.

    Members
    -------
    inference
        No update is pending.
    training
        Each sample applies the update of the one before; in an engine that only infers the same.
    words
        Weight words of a sweep through all its layers, each group once: of a layer with an engine
        of its own the least that one word per clock could take.

    An engine that skips zeros takes so many clocks for a sample that has none.
    """

    inference: int
    training: int
    words: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduledNetwork(Engines):
    """The last stage: every event has its clock; RTL is made of it.

    Members
    -------
    memories
        As before.
    layers
        Cycles of each engine by itself: of each layer that has its own, then of the shared one.
    inference, training
        Clocks per sample of the whole pipeline in its steady state.
    """

    memories: tuple[Memory, ...]
    layers: tuple[EngineCycles, ...]
    inference: int
    training: int
