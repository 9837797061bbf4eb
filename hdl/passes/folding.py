"""First pass: which layers have engines of their own, which share one, and how all are folded."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from functools import partial

from boards.budget import Budget
from golden_model.spec.errors import SpecError
from golden_model.spec.formats import FormattedNetwork, infer_formats
from golden_model.spec.network import Network, Rounding
from hdl.passes import cycles
from hdl.passes.errors import DoesNotFit
from hdl.passes.options import CLASSIFIERS, Options, all_fully_connected, check_options, shares_from
from hdl.passes.own_engines import fold_own, narrowest, visited_share
from hdl.passes.remedy import remedy
from hdl.passes.sharing_folding import Sharing, first_layers, sharings, smallest_sharings
from hdl.passes.stages import FoldedNetwork, Folding


def fold(formats: FormattedNetwork, budget: Budget, options: Options) -> FoldedNetwork:
    """An engine for each layer if they fit, else one that the last layers, or all, share.

    Convolutions stand on a shared engine, and so does all that comes behind them. Where the user
    leaves open where random classifiers come from, each layer has its own engine if that fits with
    either source, with ROM if possible; of networks that share an engine the fastest is taken.

    Raises
    ------
    DoesNotFit
        If nothing that the options allow fits.
    SpecError
        If the options name an unknown layer, or a PE or SIMD that it cannot have.
    """
    check_options(formats, options)
    refusals: list[DoesNotFit] = []
    for rom in options.roms if _may_be_own(formats, options) else ():
        try:
            foldings = fold_own(formats, budget, options, rom=rom)
            return FoldedNetwork(formats=formats, foldings=foldings)
        except DoesNotFit as refusal:
            refusals.append(refusal)
    if (found := _fastest(formats, budget, options)) is not None:
        return found
    refusals += _refused(formats, budget, options)
    raise _told(min(refusals, key=_lacking), _advice(formats, budget, options))


def _may_be_own(formats: FormattedNetwork, options: Options) -> bool:
    """Whether each layer may have an engine of its own."""
    return all_fully_connected(formats.layers) and options.shared_pe is None


def _fastest(formats: FormattedNetwork, budget: Budget, options: Options) -> FoldedNetwork | None:
    """Of all ways to share an engine the fastest; see `_order` for a tie."""
    ways = [
        way
        for first in shares_from(formats, options)
        for way in sharings(formats, first, budget, options)
    ]
    best: tuple[float, FoldedNetwork] | None = None
    for way in sorted(ways, key=_order):
        if best is not None and way.clocks >= best[0]:
            break
        try:
            own = _before(formats, way, budget, options)
        except DoesNotFit:
            continue
        folded = FoldedNetwork(formats=formats, foldings=own, shared=way.folding)
        clocks = max(way.clocks, *(_clocks(folded)))
        if best is None or clocks < best[0]:
            best = clocks, folded
    return best[1] if best is not None else None


def _order(way: Sharing) -> tuple[int, bool, bool, int]:
    """Faster ones first; then ROM, all classes at once, which spares what is not expected to
    matter, and fewer cells."""
    folding = way.folding
    return way.clocks, not folding.classifier_rom, not folding.parallel_classes, way.cells


def _before(
    formats: FormattedNetwork, way: Sharing, budget: Budget, options: Options
) -> tuple[Folding, ...]:
    """The layers before those that share, with what is left for them."""
    if way.first == 0:
        return ()
    left, before = way.left(formats, budget), first_layers(formats, way.first)
    return fold_own(before, left, options, rom=way.folding.classifier_rom)


def _clocks(folded: FoldedNetwork) -> Iterator[float]:
    """Per training sample, of each layer with an engine of its own."""
    yield 0.0
    for layer, folding in folded.own:
        share = visited_share(layer, folding)
        yield cycles.interval([layer], [folding], folding.learns, share)


def _refused(formats: FormattedNetwork, budget: Budget, options: Options) -> Iterator[DoesNotFit]:
    """Why not even an engine that as many layers as may share does not fit."""
    for way in _smallest(formats, budget, options):
        try:
            _squeeze(formats, way, budget, options)
        except DoesNotFit as refusal:
            yield refusal


def _smallest(formats: FormattedNetwork, budget: Budget, options: Options) -> Iterator[Sharing]:
    """What takes least if the first layer that may share does; none if no layer may."""
    for first in shares_from(formats, options)[:1]:
        yield from smallest_sharings(formats, first, budget, options)


def _squeeze(formats: FormattedNetwork, way: Sharing, budget: Budget, options: Options) -> None:
    """Raise :class:`DoesNotFit` if it does not, with nothing to spare."""
    way.check(formats, budget)
    if way.first > 0:
        left, before = way.left(formats, budget), first_layers(formats, way.first)
        narrowest(before, left, options, rom=way.folding.classifier_rom)


def _fits(network: Network, budget: Budget, options: Options) -> bool:
    """Whether anything that the options allow does."""
    try:
        formats = infer_formats(network)
    except SpecError:
        return False
    for rom in options.roms if _may_be_own(formats, options) else ():
        with suppress(DoesNotFit):
            narrowest(formats, budget, options, rom=rom)
            return True
    for way in _smallest(formats, budget, options):
        with suppress(DoesNotFit):
            _squeeze(formats, way, budget, options)
            return True
    return False


def _advice(formats: FormattedNetwork, budget: Budget, options: Options) -> str:
    """What to do where nothing that the options allow fits, tried out."""
    network = formats.network
    if options.folding and _fits(network, budget, replace(options, folding={})):
        return f"Fold {' and '.join(options.folding)} less, or leave that to the flow"
    if options.classifier and _fits(network, budget, replace(options, classifier=None)):
        other = next(name for name in CLASSIFIERS if name != options.classifier)
        return f"It fits with --classifier {other}"
    if options.learns and network.learning.rounding is Rounding.STOCHASTIC:
        learning = replace(network.learning, rounding=Rounding.NEAREST)
        if _fits(replace(network, learning=learning), budget, options):
            return 'It fits with rounding = "nearest": then layers can share an engine'
    return remedy(network, partial(_fits, budget=budget, options=options))


def _lacking(refusal: DoesNotFit) -> float:
    """How many times too much is needed."""
    return refusal.needed / max(refusal.available, 0.5)


def _told(refusal: DoesNotFit, advice: str) -> DoesNotFit:
    """The same with better advice."""
    needed, available = refusal.needed, refusal.available
    return DoesNotFit(refusal.resource, needed, available, advice, refusal.detail)
