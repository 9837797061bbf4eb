"""What to make smaller where a network does not fit, tried out."""

from bisect import bisect
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import TypeVar

from golden_model.spec.network import WEIGHT_BITS, Conv, Hidden, Network, Readout

WORTH = 0.25
"""Share of a size that is worth a word before all others have been tried."""

AnyLayer = TypeVar("AnyLayer", bound=Readout)


def remedy(network: Network, fits: Callable[[Network], bool]) -> str:
    """The first size that can be made small enough by itself, and how small.

    One that is hardly left then is named only where no other one helps.

    Parameters
    ----------
    network
        It does not fit.
    fits
        Whether another one does. What is larger than one that does not fit does not fit either.
    """
    small = ""
    for text, sizes, changed in _changes(network):
        if fitting := _fitting(sizes, changed, fits):
            found = f"{text.format(sizes[fitting - 1])}; or take a larger board"
            if fitting >= WORTH * len(sizes):
                return found
            small = small or found
    return small or "Take a larger board"


def _fitting(
    sizes: range, changed: Callable[[int], Network], fits: Callable[[Network], bool]
) -> int:
    """How many of `sizes` fit: they come first."""
    return bisect(sizes, 0, key=lambda size: not fits(changed(size)))


def _changes(network: Network) -> Iterator[tuple[str, range, Callable[[int], Network]]]:
    """Units of the largest layer first: a sentence, smaller sizes, the network of such a size."""
    layers = network.layers
    widths = [network.inputs, *map(_units, layers)]
    for index in sorted(range(len(layers)), key=lambda index: -widths[index] * widths[index + 1]):
        word = "filters" if isinstance(layers[index], Conv) else "units"
        text = f"The largest layer{index} that fits has about {{}} {word}"
        yield text, range(1, _units(layers[index])), partial(_with_units, network, index)
    if not isinstance(layers[0], Conv):
        pair = 1 + network.two_channels
        yield (
            "It fits with about {} inputs",
            range(pair, network.inputs, pair),
            partial(_with_inputs, network),
        )
    yield (
        "It fits with {} layers",
        range(1, len(layers)),
        lambda count: replace(network, layers=layers[:count]),
    )
    bits = max(layer.weight_bits for layer in layers)
    yield (
        "It fits with weights of {} bits",
        range(WEIGHT_BITS.start, bits),
        partial(_with_weights, network),
    )


def _units(layer: Hidden) -> int:
    return layer.filters if isinstance(layer, Conv) else layer.units


def _with_inputs(network: Network, inputs: int) -> Network:
    """Without what the host does to samples of another size."""
    learning = replace(network.learning, mirror=False, jitter=0)
    network = replace(network, learning=learning, on_off=False, scaler=None)
    return replace(network, inputs=inputs, image=None)


def _with_units(network: Network, index: int, units: int) -> Network:
    layers, layer = network.layers, network.layers[index]
    narrower: Hidden
    if isinstance(layer, Conv):
        narrower = replace(layer, filters=units)
    else:
        narrower = replace(layer, units=units)
    return replace(network, layers=(*layers[:index], narrower, *layers[index + 1 :]))


def _with_weights(network: Network, bits: int) -> Network:
    """No layer's weights wider; their fractions and the shifts that go with them are left open."""

    def narrower(layer: AnyLayer) -> AnyLayer:
        if layer.weight_bits <= bits:
            return layer
        return replace(layer, weight_bits=bits, weight_fraction=None, activation_shift=None)

    readout = network.readout and narrower(network.readout)
    return replace(network, layers=tuple(map(narrower, network.layers)), readout=readout)
