"""What a user may decide about the hardware."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from golden_model.spec.errors import SpecError, nearest
from golden_model.spec.formats import FormattedNetwork, FullyConnected, LayerFormat
from golden_model.spec.network import Rounding
from hdl.passes.sharing_memories import NAME

WIDEST = 64
"""PE or SIMD that a user may ask for."""
CLASSIFIERS = ("rom", "generator")


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What a user may decide about the hardware.

    Members
    -------
    classifier
        ``rom`` or ``generator``: where the random classifiers come from; the bits are the same.
        None leaves that to the flow.
    folding
        (PE, SIMD) of the layers named, each on an engine of its own, and of ``shared``, the engine
        on which others take turns, whose SIMD is 1; all else is decided by the pass.
    skip_zeros
        Sweeps leave out words whose inputs are all zero, where memory and cells for a map of them
        are left.
    learns
        False for hardware that only infers.
    """

    classifier: str | None = None
    skip_zeros: bool = True
    learns: bool = True
    folding: Mapping[str, tuple[int, int]] = field(default_factory=dict)

    @property
    def roms(self) -> tuple[bool, ...]:
        """Whether classifiers are in ROM, the best choice first."""
        return (True, False) if self.classifier is None else (self.classifier == "rom",)

    @property
    def shared_pe(self) -> int | None:
        """Filters at a time of the shared engine, if the user has said so."""
        return self.folding[NAME][0] if NAME in self.folding else None


def shares_from(formats: FormattedNetwork, options: Options) -> range:
    """Layers from which on all may share an engine: none of them is asked to have its own."""
    layers = formats.layers
    stochastic = options.learns and layers[0].rounding is Rounding.STOCHASTIC
    if stochastic:
        return range(0)
    if not all_fully_connected(layers):
        return range(1)
    asked = [layer.index for layer in layers if layer.name in options.folding]
    # A layer that shares with no other one would only be slower.
    return range(max(asked, default=-1) + 1, len(layers) - 1)


def all_fully_connected(layers: tuple[LayerFormat, ...]) -> bool:
    """Whether each of them could have an engine of its own."""
    return all(isinstance(layer, FullyConnected) for layer in layers)


def check_options(formats: FormattedNetwork, options: Options) -> None:
    """Raise :class:`SpecError` where the options do not go with the network."""
    if options.classifier not in (None, *CLASSIFIERS):
        rule = f"it must be one of {', '.join(CLASSIFIERS)}"
        remedy = nearest(str(options.classifier), CLASSIFIERS)
        raise SpecError(f"classifier {options.classifier!r}", rule, remedy)
    layers = {layer.name: layer for layer in formats.layers}
    for name, shape in options.folding.items():
        if name == NAME:
            _check_shared(formats, options, *shape)
        elif name not in layers:
            raise SpecError(f"folding of {name!r}", "no such layer", nearest(name, [*layers, NAME]))
        else:
            _check_own(layers[name], shape, all_fully_connected(formats.layers))


def _check_own(layer: LayerFormat, shape: tuple[int, int], may: bool) -> None:
    if not may:
        rule = "convolutions, and layers behind them, share one engine"
        raise SpecError(f"folding of {layer.name}", rule, f"Fold that, for example {NAME}=8")
    sizes = layer.units, layer.fan_in
    for word, value, size in zip(("PE", "SIMD"), shape, sizes, strict=True):
        largest = min(WIDEST, 1 << (size - 1).bit_length())
        if value < 1 or value & (value - 1) or value > largest:
            rule = "it must be a power of two and divide the layer rounded up to one"
            remedy = f"The largest that fits is {largest}"
            raise SpecError(f"{word} = {value} of {layer.name}", rule, remedy)


def _check_shared(formats: FormattedNetwork, options: Options, pe: int, simd: int) -> None:
    shown = f"{NAME}={pe}" + (f"x{simd}" if simd != 1 else "")
    if not shares_from(formats, options):
        raise SpecError(f"folding {shown}", *_why_none_share(formats, options))
    if simd != 1:
        rule = "a shared engine takes one input at a time"
        raise SpecError(f"folding {shown}", rule, f"Write {NAME}={pe}")
    if pe not in filters_at_a_time(formats.layers):
        largest = filters_at_a_time(formats.layers)[-1]
        rule = "the filters at a time of a shared engine are 1, 2, 4 or a multiple of 8"
        raise SpecError(f"folding {shown}", rule, f"The most of this network is {largest}")


def _why_none_share(formats: FormattedNetwork, options: Options) -> tuple[str, str]:
    """A rule and a remedy."""
    if options.learns and formats.layers[0].rounding is Rounding.STOCHASTIC:
        rule = "a shared engine does not round stochastically"
        return rule, 'Leave that folding out, or write rounding = "nearest"'
    if len(formats.layers) == 1:
        return "the network has but one layer", "Fold that one"
    return "no two layers at the end are left to share an engine", "Fold fewer layers by themselves"


def filters_at_a_time(layers: tuple[LayerFormat, ...]) -> list[int]:
    """PE of an engine that they share: no more than the largest layer has use for."""
    units = max(layer.units for layer in layers)
    steps = (1, 2, 4, *range(8, WIDEST + 1, 8))
    return [pe for pe, below in zip(steps, (0, *steps), strict=False) if below < units]
