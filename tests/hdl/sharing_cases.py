"""Random networks on engines that layers share, and what happens to them."""

import random
from dataclasses import dataclass, replace

import numpy as np

from golden_model.spec.control import Register
from golden_model.spec.errors import SpecError
from golden_model.spec.formats import FormattedNetwork, infer_formats
from golden_model.spec.network import (
    Coding,
    Conv,
    Dense,
    Feedback,
    Learning,
    Loss,
    Network,
    Readout,
)
from hdl.passes.options import all_fully_connected
from hdl.passes.sharing import PLACES, SharedFolding, table
from hdl.passes.stages import ScheduledNetwork
from tests.hdl.test_cycles import random_folding, random_samples

CONVOLUTIONS = (1, 0, 2, 1, 3, 2, 0, 1)
"""Of each network, in turn."""
LARGEST = 200
"""Clocks of a sample, about, of a network that is worth the time."""
BURSTS = (2, 2)
"""Samples that follow each other at once; between them registers change."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Burst:
    """Samples, shape ``[n, inputs]``, their labels, and registers that are set before them."""

    registers: dict[tuple[int, Register], int]
    samples: np.ndarray
    labels: list[int | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One network on its engines, and what it is fed.

    Members
    -------
    source_stall, sink_stall
        Probability of a clock in which no input is offered, or no score taken.
    """

    schedule: ScheduledNetwork
    bursts: tuple[Burst, ...]
    source_stall: float
    sink_stall: float


def random_case(seed: int, *, learns: bool = True) -> Case:
    """Convolutions, or dense layers; then engines of single layers may come first."""
    chance, convolutions = random.Random(seed), CONVOLUTIONS[seed % len(CONVOLUTIONS)]
    while True:
        formats = random_formats(chance, convolutions)
        own = 0 if convolutions else chance.choice([0, *range(len(formats.layers))])
        shared = random_sharing(chance, formats.layers[own:], learns=learns)
        if clocks(formats.layers[own:], shared) <= LARGEST:
            break
    foldings = [random_folding(chance, layer, learns=learns) for layer in formats.layers[:own]]
    schedule = ScheduledNetwork(
        formats=formats, foldings=tuple(foldings), shared=shared, memories=(), layers=(),
        inference=0, training=0,
    )  # fmt: skip
    stalls = chance.choice([(0, 0), (0, 0), (0.6, 0), (0, 0.8), (0.5, 0.5)])
    bursts = tuple(random_burst(chance, formats, number) for number in range(len(BURSTS)))
    return Case(
        schedule=schedule, bursts=bursts, source_stall=stalls[0], sink_stall=stalls[1]
    )  # fmt: skip


def random_formats(chance: random.Random, convolutions: int) -> FormattedNetwork:
    """A network whose constants fit."""
    while True:
        try:
            return infer_formats(random_network(chance, convolutions))
        except SpecError:
            continue


def random_network(chance: random.Random, convolutions: int) -> Network:
    """Sizes that divide nothing, any loss, feedback, coding and weight width."""
    layers: list[Conv | Dense] = []
    inputs: int | tuple[int, ...] = chance.choice([1, 2, 3, 9, 16, 33])
    if convolutions:
        layers, inputs = random_convolutions(chance, convolutions)
    for _ in range(chance.choice([0, 0, 1, 2] if layers else [1, 2, 3])):
        layers.append(Dense(units=chance.randrange(1, 12), **learnt(chance)))
    margin = chance.choice([0, 100])
    readout = Readout(margin=margin, **learnt(chance)) if chance.random() < 0.6 else None
    return Network(
        name="random",
        inputs=inputs,
        classes=chance.choice([2, 3, 5, 10]),
        layers=tuple(layers),
        seed=chance.randrange(2**32),
        readout=readout,
        learning=Learning(
            loss=chance.choice(list(Loss)),
            feedback=chance.choice(list(Feedback)),
            margin=chance.choice([5, 20, 100]),
            rate_shift=chance.randrange(6),
            error_shift=chance.randrange(5),
        ),
        coding=chance.choice([Coding.UNSIGNED, Coding.UNSIGNED, Coding.SIGNED]),
    )


def learnt(chance: random.Random) -> dict[str, int | None]:
    """Few bits and small shifts, so that things clip."""
    bits = chance.choice([4, 6, 8, 12, 16, 16])
    return {"weight_bits": bits, "activation_shift": chance.choice([None, None, 2, 4, 6])}


def random_convolutions(
    chance: random.Random, count: int
) -> tuple[list[Conv | Dense], tuple[int, int, int]]:
    """Layers, and the image below them: made from the last one's few windows down."""
    while True:
        size = [chance.choice([1, 1, 2, 3, 4, 5]) for _ in range(2)]
        layers: list[Conv | Dense] = []
        places = 0
        for _ in range(count):
            kernel, pool = chance.choice([1, 2, 2, 3, 3, 4, 5, 5]), chance.choice([1, 2])
            regions = chance.choice([1, min(3, *size), min(4, *size)])
            size = [n * pool + (chance.randrange(2) if pool == 2 else 0) for n in size]
            places += kernel**2 * size[0] * size[1]
            size = [n + kernel - 1 for n in size]
            layers.insert(
                0,
                Conv(
                    filters=chance.choice([1, 2, 3, 5, 9]),
                    kernel=kernel,
                    pool=pool,
                    regions=regions,
                    bias_shift=chance.choice([0, 3, 8]),
                    rate_shift=chance.choice([None, 0, 2, 7, 24]),
                    margin=chance.choice([None, 0, 40, 600]),
                    **learnt(chance),
                ),
            )
        if places <= LARGEST:
            return layers, (size[0], size[1], chance.choice([1, 1, 2, 3, 4, 5, 6]))


def random_sharing(chance: random.Random, layers, *, learns: bool) -> SharedFolding:
    """Any that a board could want; also wider than the layers, so that lanes have nothing to do."""
    pe = chance.choice([1, 2, 2, 2, 2, 4, 4, 4, 8, 8, 16, 24])
    places = 1 if all_fully_connected(layers) else PLACES
    heads = chance.choice([1, 2]) if pe > 1 else 1
    single_port, slow_memory = chance.random() < 0.5, chance.random() < 0.3
    folding = SharedFolding(
        pe=pe,
        places=places,
        heads=heads,
        weight_memory="any",
        single_port=single_port,
        slow_memory=slow_memory,
        # These are not drawn, so that all else stays as it is.
        clear_slot=single_port,
        single_port_winners=single_port and not slow_memory,
        lone_words=single_port and not slow_memory and pe < 8,
        page_copies=chance.choice([1, 2]),
        hard_forward=chance.random() < 0.5,
        hard_update=chance.random() < 0.5,
        classifier_rom=chance.random() < 0.5,
        parallel_classes=chance.random() < 0.5,
        skip_zeros=chance.random() < 0.8,
        learns=learns,
    )
    if folding.heads == folding.page_copies == 2:
        folding = replace(folding, taps=chance.choice([1, 2, 2]))
    port = chance.random() < 0.4 * folding.taps
    return replace(folding, update_port=port and not folding.single_port)


def clocks(layers, folding: SharedFolding) -> int:
    """Of a sample that has no zeros, about: what the sweep takes, and what the update does."""
    rows = table(layers, folding).rows
    return sum(
        row.groups * row.windows * max(row.words, folding.head_clocks * row.outputs_per_window)
        for row in rows
    )


def random_burst(chance: random.Random, formats: FormattedNetwork, number: int) -> Burst:
    """The first with registers as described; then some layers learn otherwise, or not at all."""
    registers = {}
    for layer in formats.layers if number else ():
        if chance.random() < 0.5:
            registers[layer.index, Register.RATE_SHIFT] = chance.randrange(layer.rate_shift_max + 1)
            margin = min(layer.margin_max, chance.choice([0, 30, 500]))
            registers[layer.index, Register.MARGIN] = margin
            registers[layer.index, Register.LEARN] = int(chance.random() < 0.7)
    samples, labels = random_samples(chance, formats, BURSTS[number])
    return Burst(registers=registers, samples=samples, labels=labels)
