"""What to make smaller where a network does not fit, tried out."""

from bisect import bisect
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any

from golden_model.spec.network import Network


def remedy(network: Network, fits: Callable[[Network], bool]) -> str:
    """The first size that can be made small enough by itself, and how small.

    Parameters
    ----------
    network
        Of dense layers; it does not fit.
    fits
        Whether another one does. What is larger than one that does not fit does not fit either.
    """
    for text, sizes, changed in _changes(network):
        if fitting := _fitting(sizes, changed, fits):
            return f"{text.format(sizes[fitting - 1])}; or take a larger board"
    return "Take a larger board"


def _fitting(
    sizes: range, changed: Callable[[int], Network], fits: Callable[[Network], bool]
) -> int:
    """How many of `sizes` fit: they come first."""
    return bisect(sizes, 0, key=lambda size: not fits(changed(size)))


def _changes(network: Network) -> Iterator[tuple[str, range, Callable[[int], Network]]]:
    """Units of the largest layer first: a sentence, smaller sizes, the network of such a size."""
    layers: tuple[Any, ...] = network.layers
    widths = [network.inputs, *(layer.units for layer in layers)]
    for index in sorted(range(len(layers)), key=lambda index: -widths[index] * widths[index + 1]):
        text = f"The largest layer{index} that fits has about {{}} units"
        yield text, range(1, layers[index].units), partial(_with_units, network, index)
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


def _with_inputs(network: Network, inputs: int) -> Network:
    """Without what the host does to samples of another size."""
    learning = replace(network.learning, mirror=False, jitter=0)
    network = replace(network, learning=learning, on_off=False, scaler=None)
    return replace(network, inputs=inputs, image=None)


def _with_units(network: Network, index: int, units: int) -> Network:
    layers: tuple[Any, ...] = network.layers
    narrower = replace(layers[index], units=units)
    return replace(network, layers=(*layers[:index], narrower, *layers[index + 1 :]))
