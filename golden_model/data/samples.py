"""Checks of samples against the network that they are meant for."""

import math

import numpy as np
from numpy.typing import NDArray

from golden_model.spec.errors import SpecError
from golden_model.spec.learner import sample_type
from golden_model.spec.network import Coding, Network

Values = NDArray[np.generic]
"""Features as they were recorded, shape ``[n, features]``."""

LARGEST = 1e100
"""Beyond it, squares might not be finite."""
FINITE = "a feature is a finite number"


def are_inputs(x: NDArray[np.generic], network: Network) -> bool:
    """Whether samples are a network's inputs as they stand, and not to be centred by its scaler."""
    if (
        network.on_off
        or x.dtype != sample_type(network)
        or math.prod(x.shape[1:]) != network.inputs
    ):
        return False
    return network.features < network.inputs or network.scaler is None


def checked(place: str, x: NDArray[np.generic], network: Network) -> Values:
    """Samples of any shape that fits the network, flat.

    Raises
    ------
    SpecError
        Naming `place`, if they are not that many numbers, or of a type that the network, whose
        inputs are not centred, does not take.
    """
    _check_type(place, x, network)
    size = network.inputs if are_inputs(x, network) else network.features
    if x.ndim < 2 or not len(x) or math.prod(x.shape[1:]) != size:
        rule = f"it must be at least one sample of {network.features} inputs, the samples first"
        remedy = (
            f"Give an array of shape (samples, {network.features}), or a network with other inputs"
        )
        raise SpecError(f"{place} has shape {x.shape}", rule, remedy)
    if network.image and x.ndim > 2:
        _check_image(place, x.shape, network, size * network.image[2] // network.inputs)
    return np.ascontiguousarray(x.reshape(len(x), size))


def _check_type(place: str, x: NDArray[np.generic], network: Network) -> None:
    if x.dtype.kind == "f" and not (finite := np.abs(x) <= np.float64(LARGEST)).all():
        where = tuple(np.argwhere(~finite)[0].tolist())
        rule = f"{FINITE}, of {LARGEST:g} at most"
        remedy = "Leave out what was not measured, or write what is usual there"
        raise SpecError(f"{place}[{', '.join(map(str, where))}] is {x[where]}", rule, remedy)
    if network.coding is Coding.UNSIGNED and x.dtype != np.uint8:
        rule = "samples are unsigned 8-bit integers (uint8), 0 to 255"
        raise SpecError(f"{place} is {x.dtype}", rule, _way_out(network))
    if x.dtype.kind not in "biuf":
        raise SpecError(f"{place} is {x.dtype}", FINITE, "Convert it: x.astype(numpy.float32)")


def _way_out(network: Network) -> str:
    if network.on_off:
        return "Scale and convert them before saving"
    *size, last = network.image or (network.inputs,)
    inputs = [*size, 2 * last] if size else 2 * last
    return (
        "Say python -m golden_model.new --data FILE, which describes a network for them, or "
        f'write coding = "two-channels" and inputs = {inputs}'
    )


def _check_image(place: str, shape: tuple[int, ...], network: Network, channels: int) -> None:
    """Raise :class:`SpecError` if images have the right size, and their axes another order."""
    assert network.image
    height, width, _ = network.image
    # Images of one channel go without its axis too.
    if shape[1:] in ((height, width, channels), (height, width, channels)[: 2 + (channels > 1)]):
        return
    rule = f"images of this network are {height} x {width} x {channels}, or flat in that order"
    remedy = f"Give an array of shape (samples, {height}, {width}, {channels})"
    if shape[1:] == (channels, height, width):
        remedy = "Put the channels last: x.transpose(0, 2, 3, 1)"
    raise SpecError(f"{place} has shape {shape}", rule, remedy)
