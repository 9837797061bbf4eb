"""How many units and inputs work at a time in layers with engines of their own; of folding."""

import functools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial

from boards.budget import Budget, MemoryKind
from golden_model.spec.formats import FormattedNetwork, FullyConnected
from hdl.passes.cycles import interval
from hdl.passes.errors import DoesNotFit
from hdl.passes.estimate import (
    CELL_SHARE,
    check_cells,
    chip_cells,
    forward_multipliers,
    soft_forward_cells,
    soft_update_cells,
    update_multipliers,
)
from hdl.passes.memory_map import dual_port_kind, weights_memory
from hdl.passes.options import Options
from hdl.passes.placement import other_blocks, place_memories
from hdl.passes.stages import Folding

MAX_LANES = 16
"""Weights in a word that are chosen; wider ones fit large boards, but take the tools long to
place."""
LONG_GROUP = 500
"""Words of a group for which a clock more is nothing, even if most of them are skipped."""
GAIN = 0.99
"""Part of the time that is left must be less, for more cells to be worth it."""


Shape = tuple[int, int]
"""PE and SIMD."""


def fold_own(
    formats: FormattedNetwork, budget: Budget, options: Options, *, rom: bool
) -> tuple[Folding, ...]:
    """Spend memory ports, multipliers and cells on whichever layer is slowest.

    Every layer begins with one weight at a time. The slowest is widened again and again, until the
    board has no memory for its wider words, no cells for its lanes, or it gains nothing. Of the
    shapes of one width the best is taken as it is with what it leaves room for: memory and cells
    that are left go into visit maps and into scoring all classes at once, again for the slowest
    layer first.

    Parameters
    ----------
    formats
        Of fully connected layers.
    rom
        Where the random classifiers come from, whatever the options say.

    Raises
    ------
    DoesNotFit
        If not even the narrowest folding that the options allow fits.
    """
    attempt = partial(_assign, formats, budget=budget, options=options, rom=rom)
    widths = [_shapes(layer, options.folding.get(layer.name)) for layer in formats.fully_connected]
    shapes = [choice[0][0] for choice in widths]
    foldings = attempt(shapes)
    while True:
        times = _times(formats, foldings)
        slowest = times.index(max(times))
        pe, simd = shapes[slowest]
        for width in (w for w in widths[slowest] if w[0][0] * w[0][1] > pe * simd):
            attempts = _attempts(attempt, shapes, slowest, width)
            best = min(
                attempts, key=lambda a: _price(formats, a[1], budget), default=(shapes, foldings)
            )
            # Its lanes may take from other layers the room that their visit maps had.
            if _slowest_first(_times(formats, best[1])) < _slowest_first(times):
                shapes, foldings = best
                break
        else:
            return foldings


def narrowest(
    formats: FormattedNetwork, budget: Budget, options: Options, *, rom: bool
) -> tuple[Folding, ...]:
    """One weight at a time, or what the options say, without anything to spare.

    Raises
    ------
    DoesNotFit
        If that does not fit either.
    """
    shapes = [options.folding.get(layer.name, (1, 1)) for layer in formats.layers]
    return tuple(_place(formats, shapes, budget, options, rom)[0])


def _attempts(
    attempt: Callable[[list[Shape]], tuple[Folding, ...]],
    shapes: list[Shape],
    index: int,
    width: list[Shape],
) -> Iterator[tuple[list[Shape], tuple[Folding, ...]]]:
    """Foldings with one layer in each of the shapes of `width`, where they fit."""
    for shape in width:
        tried = [*shapes[:index], shape, *shapes[index + 1 :]]
        try:
            yield tried, attempt(tried)
        except DoesNotFit:
            continue


def _price(
    formats: FormattedNetwork, foldings: Sequence[Folding], budget: Budget
) -> tuple[list[float], int]:
    """Times, slowest first; of equally fast shapes the one with fewer cells."""
    # Sums that multiplier blocks do not hold cost cells: worth it only for a clear gain.
    pairs = zip(_times(formats, foldings), foldings, strict=True)
    times = [time * (1.0 if folding.clear_slot else 1.1) for time, folding in pairs]
    return _slowest_first(times), chip_cells(formats.fully_connected, foldings, budget)


def _slowest_first(times: list[float]) -> list[float]:
    return sorted(times, reverse=True)


def _times(formats: FormattedNetwork, foldings: Sequence[Folding]) -> list[float]:
    return [_time(*pair) for pair in zip(formats.fully_connected, foldings, strict=True)]


@functools.cache
def _time(layer: FullyConnected, folding: Folding) -> float:
    """Clocks per training sample of a layer by itself."""
    return interval([layer], [folding], folding.learns, visited_share(layer, folding))


def visited_share(layer: FullyConnected, folding: Folding) -> float:
    """Share of its words that a sweep is expected to visit.

    A stroke of ink is several pixels wide, so that neighbours are zero together: the union of two
    images of MNIST has 30 % of its pixels not zero, 33, 40, 51 % of its groups of 2, 4, 8. Of a
    layer's activations about half are zero, in no order, and so is half of centred inputs in two
    channels, but one of each pair is not. Signed inputs are hardly ever zero.
    """
    if not folding.skip_zeros or layer.signed_input or 0 < layer.pair_distance < folding.simd:
        return 1.0
    if layer.index == 0 and not layer.pair_distance:
        return float(min(1.0, 0.295 * folding.simd**0.25))
    return float(1 - 0.25**folding.simd)


def _shapes(layer: FullyConnected, wanted: Shape | None) -> list[list[Shape]]:
    """All shapes, those with the fewest lanes first, or just the one wanted."""
    if wanted is not None:
        return [[wanted]]
    widths = []
    for lanes in (1 << n for n in range(MAX_LANES.bit_length())):
        splits = [(1 << n, lanes >> n) for n in range(lanes.bit_length())]
        fitting = [s for s in splits if s[0] < 2 * layer.units and s[1] < 2 * layer.fan_in]
        widths += [fitting] if fitting else []
    return widths


def _accumulates(layer: FullyConnected, folding: Folding, budget: Budget) -> bool:
    """Whether a lane's sum fits the accumulator inside a multiplier block."""
    return folding.lane_accumulator_bits(layer) <= budget.multiplier.accumulator_bits


def _assign(
    formats: FormattedNetwork,
    shapes: Sequence[Shape],
    *,
    budget: Budget,
    options: Options,
    rom: bool,
) -> tuple[Folding, ...]:
    """`_place`, and spend the blocks and cells that are left."""
    foldings, blocks = _place(formats, shapes, budget, options, rom)
    for improve in (_skip_zeros,) * options.skip_zeros + (_score_at_once,):
        foldings, blocks = _spend_rest(formats, foldings, budget, blocks, improve)
    return tuple(_slice_weights(formats, foldings, dual_port_kind(budget), blocks))


def _place(
    formats: FormattedNetwork,
    shapes: Sequence[Shape],
    budget: Budget,
    options: Options,
    rom: bool,
) -> tuple[list[Folding], int]:
    """Memories and multipliers for these shapes; raises :class:`DoesNotFit`.

    Returns the foldings, and how many dual-port blocks are left.
    """
    foldings = [
        Folding(
            pe=pe,
            simd=simd,
            weight_memory="",
            single_port=False,
            classifier_rom=rom,
            learns=options.learns,
        )
        for pe, simd in shapes
    ]
    foldings, blocks = place_memories(formats, foldings, budget)
    foldings = _assign_multipliers(formats, foldings, budget)
    check_cells(chip_cells(formats.fully_connected, foldings, budget), budget)
    return foldings, blocks


def _slice_weights(
    formats: FormattedNetwork, foldings: list[Folding], kind: MemoryKind, blocks: int
) -> list[Folding]:
    """Where reading is slow, spare it the choice between blocks if there are blocks to do so."""
    sliced = list(foldings)
    for layer, folding in zip(formats.fully_connected, foldings, strict=True):
        bits = kind.slice_bits(folding.weight_words(layer), layer.weight_bits)
        if bits is None or not folding.slow_memory:
            continue
        better = replace(folding, slice_bits=bits)
        needed = [weights_memory(layer, choice, kind).blocks for choice in (folding, better)]
        if needed[1] - needed[0] <= blocks:
            blocks -= needed[1] - needed[0]
            sliced[layer.index] = better
    return sliced


def _skip_zeros(layer: FullyConnected, folding: Folding) -> Folding:
    return replace(folding, skip_zeros=folding.words(layer) > 1)


def _score_at_once(layer: FullyConnected, folding: Folding) -> Folding:
    return replace(folding, parallel_classes=not layer.reads_out)


def _spend_rest(
    formats: FormattedNetwork,
    foldings: list[Folding],
    budget: Budget,
    blocks: int,
    improve: Callable[[FullyConnected, Folding], Folding],
) -> tuple[list[Folding], int]:
    """`improve` the slowest layer, as long as it saves time and blocks and cells are left for it.

    Returns the foldings, and how many dual-port blocks are left.
    """
    kind = dual_port_kind(budget)
    while True:
        times = _times(formats, foldings)
        layer = formats.fully_connected[times.index(max(times))]
        index = layer.index
        better = [*foldings[:index], improve(layer, foldings[index]), *foldings[index + 1 :]]
        before, after = (other_blocks(layer, pair[index], kind) for pair in (foldings, better))
        needed = after - before
        fits = chip_cells(formats.fully_connected, better, budget) <= CELL_SHARE * budget.cells
        if not (fits and needed <= blocks and _time(layer, better[index]) < GAIN * times[index]):
            return foldings, blocks
        foldings, blocks = better, blocks - needed


def _assign_multipliers(
    formats: FormattedNetwork, foldings: list[Folding], budget: Budget
) -> list[Folding]:
    """Multiplier blocks where they save most cells: the best of all subsets of product kinds."""
    block = budget.multiplier
    best = [(0, frozenset[tuple[int, str]]())] * (block.count + 1)
    for layer, folding in zip(formats.fully_connected, foldings, strict=True):
        if block.count == 0:
            continue
        products = {
            "hard_forward": (forward_multipliers, soft_forward_cells(layer)),
            "hard_update": (update_multipliers, soft_update_cells(layer)),
        }
        if not folding.learns:
            del products["hard_update"]
        for name, (multipliers, cells) in products.items():
            cost = multipliers(layer, folding, block)
            saved = folding.lanes * cells
            for spent in range(block.count, cost - 1, -1):
                with_it = best[spent - cost]
                gain = (with_it[0] + saved, with_it[1] | {(layer.index, name)})
                best[spent] = max(best[spent], gain, key=lambda choice: choice[0])
    _, chosen = best[-1]
    assigned = []
    for layer, folding in zip(formats.fully_connected, foldings, strict=True):
        forward, update = (
            (layer.index, name) in chosen for name in ("hard_forward", "hard_update")
        )
        # Where blocks accumulate, cells have no gate before their adder: a sum that begins anew
        # without a free clock would take a cell more for each bit. A long group can lose a clock.
        in_cells = block.accumulator_bits > 0 and folding.words(layer) >= LONG_GROUP
        clear_slot = _accumulates(layer, folding, budget) or in_cells
        assigned.append(
            replace(folding, hard_forward=forward, hard_update=update, clear_slot=clear_slot)
        )
    return assigned
