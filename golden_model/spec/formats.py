"""Shape and precision inference: from a description to the number format of every value.

The rule of a dense layer with inputs ``x``, weights ``W`` and labels, in integers (Mostafa, Ramesh
and Cauwenberghs, "Deep supervised learning using local errors", 2018, made exact):

===========  ======================================================================================
accumulate   ``acc[j] = sum_i W[j,i] * x[i]``; exact; one more input, the bias, is always 1.0
activate     ``h[j] = clip((acc[j] + half(s)) >> s, 0, 255)``; ``half(s) = (1 << s) >> 1``
score        ``score[c] = sum_j M[c,j] * h[j]``; exact; M is +1 or -1
error        hinge: ``e[label] = -1 if score[label] < margin``, ``e[c] = +1 if score[c] > -margin``
             pairwise hinge: ``e[c] = 1 if score[label] - score[c] < margin`` for ``c != label``;
             ``e[label] = -(the number of those)``
             squared hinge: ``e[label] = -min((margin - score[label]) >> q, 127)`` and
             ``e[c] = min((score[c] + margin) >> q, 127)`` under the hinge's conditions
             and 0 in every other case
gradient     ``d[j] = sum_c K[c,j] * e[c] if h[j] > 0 else 0``; ``K = M``, or, sign-concordant,
             the sign of M times a magnitude of 1 to 3
update       ``W[j,i] = saturate(W[j,i] - ((d[j] * x[i] + half(r)) >> r))``
===========  ======================================================================================

With stochastic rounding an update is ``(d[j] * x[i] + (u >> (32 - t))) >> t`` of 32 random bits
``u`` that are named by layer, update and weight, see :mod:`golden_model.spec.random`: right on
average, and exact where ``d * x`` is a multiple of ``2**t``, 0 above all. There ``t = r + 13 - f``
for weights of ``f`` fractional bits, so that ``r`` is the same real rate for all of them.

The readout: ``score[c] = acc[c] >> s`` and ``d = e``. A network answers with its readout's scores,
or without one with the last layer's; the class is the highest score, the lowest class on a tie.
Samples are learnt one by one, in order: a sample sees every weight as the one before left it, and
learns with the rate and margin in force when it was sent. A sample whose e is all 0 changes
nothing.

A convolution applies one set of weights ``W[o,k]`` to the taps ``x[p,k]`` of the window at every
place ``p`` of an image, and learns once a sample:

===========  ======================================================================================
accumulate   ``acc[p,o] = sum_k W[o,k] * x[p,k]``, and a bias; taps by row, column, channel
activate     ``a[p,o] = clip((acc[p,o] + half(s)) >> s, 0, 255)``
pool         ``h[q,o]``: largest ``a`` of 2 x 2 window ``q``, on a tie the first by row and column
score        ``score[c] = sum_g,o M[g,o,c] * z[g,o]``; ``z[g,o] = sum of h[q,o]`` over region ``g``;
             of a map of ``n`` rows or columns, ``i`` belongs to part ``i * regions // n``
error        as above
gradient     ``D[g,o] = sum_c K[g,o,c] * e[c]``; ``d[p,o] = D[region of q, o]`` where ``q`` was won,
             if ``0 < h[q,o] < 255``, else 0
update       ``W[o,k] = saturate(W[o,k] - ((sum_p d[p,o] * x[p,k] + half(r)) >> r))``; the bias with
             ``r + bias_shift`` for ``r``
===========  ======================================================================================

What goes on to the next layer is ``h``, by row, column and filter.

The network's own inputs are ``x`` of 0 to 255 or, if its coding is signed, of -128 to 127; that is
all that differs. Activations are never below 0.

A weight of ``b`` bits has ``b - 3`` fractional bits unless the description says otherwise. 1.0 of
what a layer is fed, and the input of its bias, is

===================  =============================================================================
255                  of unsigned inputs of the network
64                   of signed ones, where it is a deviation from the mean
32                   of activations, which leaves them head-room
===================  =============================================================================

and default shifts follow from that, and so do default rates: equal real steps need a rate shift 2
smaller where 1.0 is 64, 3 smaller where it is 32.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from golden_model.spec.conv import ConvFormat
from golden_model.spec.dense import DenseFormat, FullyConnected, ReadoutFormat
from golden_model.spec.errors import SpecError
from golden_model.spec.layer import (
    ACTIVATION_BITS,
    ACTIVATION_FRACTION,
    ACTIVATION_MAX,
    ERROR_MAX,
    INPUT_FRACTION,
    SIGNED_INPUT_FRACTION,
    WEIGHT_INTEGER_BITS,
    LayerFormat,
    signed_bits,
)
from golden_model.spec.network import Coding, Conv, Dense, Network, Readout, Rounding
from golden_model.spec.random import Purpose, stream_seed

__all__ = [
    "ACTIVATION_BITS",
    "ACTIVATION_FRACTION",
    "ACTIVATION_MAX",
    "ERROR_MAX",
    "ConvFormat",
    "DenseFormat",
    "FormattedNetwork",
    "FullyConnected",
    "LayerFormat",
    "ReadoutFormat",
    "infer_formats",
    "signed_bits",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class FormattedNetwork:
    """A network with every shape and width decided: all that the golden model needs to know.

    Members
    -------
    network
        The description it was inferred from.
    layers
        Hidden layers in order, then the readout if there is one; the last one answers.
    """

    network: Network
    layers: tuple[LayerFormat, ...]

    @property
    def answer(self) -> LayerFormat:
        """The layer whose scores are the network's."""
        return self.layers[-1]

    @property
    def fully_connected(self) -> tuple[FullyConnected, ...]:
        """Its layers, where all of them are; raises :class:`ValueError` if one is not."""
        found = tuple(layer for layer in self.layers if isinstance(layer, FullyConnected))
        if len(found) < len(self.layers):
            raise ValueError(f"{self.network.name} has a layer that is not fully connected")
        return found


Made = TypeVar("Made", bound=LayerFormat)


def infer_formats(network: Network) -> FormattedNetwork:
    """Decide every shape and width of `network`.

    Raises
    ------
    SpecError
        If a shift, rate or margin does not fit the formats that follow from the shapes.
    """
    layers: list[LayerFormat] = []
    inputs, image = network.inputs, network.image
    for index, layer in enumerate(network.layers):
        if isinstance(layer, Conv):
            made = _conv_format(network, layer, index, image)
            image = (*made.pooled_shape, made.units)
            layers.append(made)
        else:
            layers.append(_dense_format(network, layer, index, inputs))
            image = None
        inputs = layers[-1].outputs
    if network.readout is not None:
        layers.append(_dense_format(network, network.readout, len(layers), inputs))
    for item in layers:
        item.check()
        _check_schedule(network, item)
    return FormattedNetwork(network=network, layers=tuple(layers))


def _check_schedule(network: Network, layer: LayerFormat) -> None:
    learning, largest = network.learning, layer.rate_shift_max - layer.rate_shift
    if learning.rate_step_max <= largest:
        return
    rule = f"with {layer.name}.rate_shift = {layer.rate_shift} it leaves the rate register"
    if not learning.by_shares:
        value = f"learning.rate_schedule = {list(learning.rate_schedule)}"
        raise SpecError(value, rule, f"The largest entry that fits is {largest}")
    value, remedy = f"learning.warm_up = {learning.warm_up}", "Leave it out"
    if len(learning.rate_steps) > largest:
        value = f"learning.rate_steps = {list(learning.rate_steps)}"
        remedy = f"The most entries that fit are {largest}"
    raise SpecError(value, rule, remedy)


def _dense_format(network: Network, layer: Readout, index: int, inputs: int) -> FullyConnected:
    if isinstance(layer, Dense):
        return _format(DenseFormat, network, layer, index, inputs, units=layer.units)
    return _format(ReadoutFormat, network, layer, index, inputs, units=network.classes)


def _conv_format(
    network: Network,
    layer: Conv,
    index: int,
    image: tuple[int, int, int] | None,
) -> ConvFormat:
    place = f"layers[{index}]"
    if image is None:
        rule = "a convolution sees an image, and what comes here is none"
        remedy = "Write inputs = [height, width, channels], and no dense layer before it"
        raise SpecError(f'{place}.type = "conv"', rule, remedy)
    least = layer.kernel + layer.pool * layer.regions - 1
    if min(image[:2]) < least:
        value = f"{place}: kernel {layer.kernel}, pool {layer.pool}, regions {layer.regions}"
        rule = f"they need {least} rows and columns, and {image[0]} x {image[1]} come here"
        raise SpecError(value, rule, "Take a smaller kernel, fewer regions or fewer layers")
    if network.learning.rounding is Rounding.STOCHASTIC:
        rule = "a convolution, whose updates are sums, rounds to the nearest"
        raise SpecError('learning.rounding = "stochastic"', rule, 'Write rounding = "nearest"')
    taps = layer.kernel**2 * image[2]
    return _format(
        ConvFormat,
        network,
        layer,
        index,
        taps,
        units=layer.filters,
        image=image,
        kernel=layer.kernel,
        pool=layer.pool,
        regions_across=layer.regions,
        bias_shift=layer.bias_shift,
    )


def _format(
    kind: Callable[..., Made],
    network: Network,
    layer: Readout,
    index: int,
    inputs: int,
    **own: Any,
) -> Made:
    """A format of that `kind`: what all kinds have in common, and its `own`."""
    learning = network.learning
    fraction = ACTIVATION_FRACTION if index else _input_fraction(network)
    shift, weight_fraction = layer.activation_shift, layer.weight_fraction
    if weight_fraction is None:
        weight_fraction = layer.weight_bits - WEIGHT_INTEGER_BITS
    if shift is None:
        shift = max(0, weight_fraction + fraction - ACTIVATION_FRACTION)
    rate_shift = layer.rate_shift
    if rate_shift is None:
        rate_shift = max(0, learning.rate_shift + fraction - INPUT_FRACTION)
    return kind(
        index=index,
        name=f"layer{index}" if index < len(network.layers) else "readout",
        inputs=inputs,
        classes=network.classes,
        signed_input=index == 0 and network.coding is Coding.SIGNED,
        pair_distance=0 if index else _pair_distance(network),
        input_fraction=fraction,
        weight_bits=layer.weight_bits,
        weight_fraction=weight_fraction,
        activation_shift=shift,
        loss=learning.loss,
        feedback=learning.feedback,
        rate_shift=rate_shift,
        margin=learning.margin if layer.margin is None else layer.margin,
        error_shift=learning.error_shift,
        rounding=learning.rounding,
        weight_seed=stream_seed(network.seed, index, Purpose.WEIGHT),
        classifier_seed=stream_seed(network.seed, index, Purpose.CLASSIFIER),
        rounding_seed=stream_seed(network.seed, index, Purpose.ROUNDING),
        **own,
    )


def _input_fraction(network: Network) -> int:
    return SIGNED_INPUT_FRACTION if network.coding is Coding.SIGNED else INPUT_FRACTION


def _pair_distance(network: Network) -> int:
    """See :class:`LayerFormat`: half of an image's channels, else of the inputs, are of a kind."""
    if not network.two_channels:
        return 0
    return (network.image or (network.inputs,))[-1] // 2
