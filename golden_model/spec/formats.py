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

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from golden_model.spec.errors import SpecError
from golden_model.spec.network import (
    CONV_RATE_SHIFTS,
    WEIGHT_BITS,
    Coding,
    Conv,
    Dense,
    Feedback,
    Loss,
    Network,
    Readout,
    Rounding,
)
from golden_model.spec.random import MAGNITUDES, Purpose, stream_seed

ACTIVATION_BITS = 8
ACTIVATION_MAX = 255
ACTIVATION_FRACTION = 5
"""Fractional bits of an activation: 1.0 is 32."""
INPUT_FRACTION = 8
"""Fractional bits of a network input: 1.0 is about 255."""
SIGNED_INPUT_FRACTION = 6
"""Of a signed one: 1.0, a deviation, is 64."""
WEIGHT_INTEGER_BITS = 3
ERROR_MAX = 127
"""Largest magnitude of a squared-hinge error."""

SCORE_BITS_MAX = 32
"""Signed width in which scores and margins travel between host and chip."""

RATE_SHIFT_MAX = {Loss.HINGE: 10, Loss.PAIRWISE_HINGE: 10, Loss.SQUARED_HINGE: 15}
"""Largest rate shift: errors of +-1 move nothing beyond 10, and hardware scales by it."""


def signed_bits(largest: int) -> int:
    """Bits of a two's complement number that holds ``-largest`` to ``+largest``."""
    return largest.bit_length() + 1


@dataclass(frozen=True, slots=True, kw_only=True)
class DenseFormat:
    """A dense hidden layer with every width and constant decided.

    Members
    -------
    index, name
        Its place among the layers, and ``layer0``, ``layer1``, ... or ``readout``.
    inputs, units, classes
        Without the bias; `fan_in` counts it.
    signed_input
        Whether it is fed two's complement, which only the network's first layer may be.
    pair_distance
        How far apart the two inputs of a pair stand, one of which is 0; 0 where there are no pairs.
    input_fraction, weight_fraction
        Fractional bits of what it is fed, and of its weights.
    weight_seed, classifier_seed, rounding_seed
        Where its streams of draws start, see :mod:`golden_model.spec.random`.
    init_bits
        Width of a uniform initial weight; its standard deviation is nearest to 1/sqrt(inputs).
    """

    index: int
    name: str
    inputs: int
    units: int
    classes: int
    signed_input: bool
    pair_distance: int
    input_fraction: int
    weight_bits: int
    weight_fraction: int
    activation_shift: int
    loss: Loss
    feedback: Feedback
    rate_shift: int
    margin: int
    error_shift: int
    rounding: Rounding
    weight_seed: int
    classifier_seed: int
    rounding_seed: int

    @property
    def input_size(self) -> int:
        """Activations of a sample that the layer is fed."""
        return self.inputs

    @property
    def outputs(self) -> int:
        """Activations of a sample that go on to the next layer."""
        return self.units

    @property
    def regions(self) -> int:
        """How often the classifier sees each unit."""
        return 1

    @property
    def fan_in(self) -> int:
        """Inputs of a unit, the bias included."""
        return self.inputs + 1

    @property
    def bias_input(self) -> int:
        """The constant input of the bias: 1.0 of what the layer is fed, 255, 64 or 32.

        With 255 everywhere a bias behind activations would learn 64 times as fast as the weights
        beside it; measured, layers above the first then lose tens of points.
        """
        return min(ACTIVATION_MAX, 1 << self.input_fraction)

    @property
    def weight_count(self) -> int:
        """Weights of the layer, biases included."""
        return self.units * self.fan_in

    @property
    def init_bits(self) -> int:
        """Uniform over ``b`` bits has standard deviation ``2**(b - 1) / sqrt(3)``.

        Only odd numbers are drawn, so that as many are above 0 as below. With 8-bit weights a mean
        of -0.5 would be half a standard deviation, and all sums of a wide layer negative.
        """
        bound = math.sqrt(3 / self.inputs) * 2.0**self.weight_fraction
        return min(max(2, 1 + round(math.log2(bound))), self.weight_bits)

    @property
    def accumulator_bits(self) -> int:
        """Signed: no sum of `fan_in` products can leave it, even of -128 and the lowest weight."""
        return self.weight_bits + ACTIVATION_BITS + math.ceil(math.log2(self.fan_in))

    @property
    def score_bits(self) -> int:
        """Signed width of a score."""
        return signed_bits(ACTIVATION_MAX * self.outputs)

    @property
    def error_largest(self) -> int:
        """Largest magnitude of an entry of e."""
        by_loss = {
            Loss.HINGE: 1,
            Loss.PAIRWISE_HINGE: self.classes - 1,
            Loss.SQUARED_HINGE: ERROR_MAX,
        }
        return by_loss[self.loss]

    @property
    def error_bits(self) -> int:
        """Signed width of an entry of e."""
        return signed_bits(self.error_largest)

    @property
    def magnitude_largest(self) -> int:
        """Largest magnitude of an entry of K."""
        return max(MAGNITUDES) if self.feedback is Feedback.SIGN_CONCORDANT else 1

    @property
    def gradient_largest(self) -> int:
        """Largest magnitude of an entry of d."""
        by_loss = {
            Loss.HINGE: self.classes,
            Loss.PAIRWISE_HINGE: 2 * (self.classes - 1),
            Loss.SQUARED_HINGE: self.classes * ERROR_MAX,
        }
        return by_loss[self.loss] * self.magnitude_largest

    @property
    def gradient_bits(self) -> int:
        """Signed width of an entry of d."""
        return signed_bits(self.gradient_largest)

    @property
    def rate_shift_max(self) -> int:
        """Largest value of the rate register."""
        return RATE_SHIFT_MAX[self.loss]

    @property
    def rate_offset(self) -> int:
        """What is added to the rate shift before anything is shifted by it."""
        if self.rounding is Rounding.NEAREST:
            return 0
        return max(0, WEIGHT_BITS[-1] - WEIGHT_INTEGER_BITS - self.weight_fraction)

    @property
    def margin_max(self) -> int:
        """Largest value of the margin register: a score cannot be further from zero."""
        return int(2 ** (self.score_bits - 1)) - 1

    @property
    def rounding_max(self) -> int:
        """Largest value of the register that holds the last draw of the ROUNDING stream."""
        return 0 if self.rounding is Rounding.NEAREST else 2**32 - 1

    def check(self) -> None:
        """Raise :class:`SpecError` where a constant does not fit the formats."""
        if self.activation_shift >= self.accumulator_bits:
            value = f"{self.name}.activation_shift = {self.activation_shift}"
            rule = f"nothing of a {self.accumulator_bits}-bit accumulator would be left"
            raise SpecError(value, rule, f"The largest that fits is {self.accumulator_bits - 1}")
        if self.score_bits > SCORE_BITS_MAX:
            value = f"{self.name}.activation_shift = {self.activation_shift}"
            rule = f"scores would have {self.score_bits} bits, more than {SCORE_BITS_MAX}"
            smallest = self.activation_shift + self.score_bits - SCORE_BITS_MAX
            raise SpecError(value, rule, f"The smallest that fits is {smallest}")
        if self.rate_shift > self.rate_shift_max:
            value = f"{self.name}.rate_shift = {self.rate_shift}"
            rule = f"here it must be 0 to {self.rate_shift_max}"
            raise SpecError(value, rule, f"The largest that fits is {self.rate_shift_max}")
        if self.margin > self.margin_max:
            value = f"{self.name}.margin = {self.margin}"
            rule = f"scores of this layer have {self.score_bits} bits and never reach it"
            raise SpecError(value, rule, f"The largest that fits is {self.margin_max}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadoutFormat(DenseFormat):
    """The trained readout: its units are the classes, its scores its own accumulators."""

    @property
    def score_bits(self) -> int:
        """Signed width of ``acc >> s``."""
        return max(2, self.accumulator_bits - self.activation_shift)

    @property
    def gradient_largest(self) -> int:
        """``d = e``."""
        return self.error_largest


@dataclass(frozen=True, slots=True, kw_only=True)
class ConvFormat(DenseFormat):
    """A convolution: `units` filters that each see `inputs` taps.

    Members
    -------
    image
        Height, width and channels of what it is fed.
    kernel, pool, regions_across, bias_shift
        As :class:`~golden_model.spec.network.Conv` describes them.
    """

    image: tuple[int, int, int]
    kernel: int
    pool: int
    regions_across: int
    bias_shift: int

    @property
    def input_size(self) -> int:
        """Activations of a sample that the layer is fed."""
        return math.prod(self.image)

    @property
    def map_shape(self) -> tuple[int, int]:
        """Rows and columns of places before pooling."""
        return self.image[0] - self.kernel + 1, self.image[1] - self.kernel + 1

    @property
    def pooled_shape(self) -> tuple[int, int]:
        """Rows and columns of windows behind it."""
        rows, columns = self.map_shape
        return rows // self.pool, columns // self.pool

    @property
    def windows(self) -> int:
        """How many that are."""
        return math.prod(self.pooled_shape)

    @property
    def outputs(self) -> int:
        """Activations that go on to the next layer."""
        return self.windows * self.units

    @property
    def regions(self) -> int:
        """How often the classifier sees each filter."""
        return self.regions_across**2

    @property
    def rate_shift_max(self) -> int:
        """Largest value of the rate register."""
        return CONV_RATE_SHIFTS[-1]


LayerFormat = DenseFormat
"""Any layer with its formats; other kinds of layer will join."""


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


Made = TypeVar("Made", bound=DenseFormat)


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


def _dense_format(network: Network, layer: Readout, index: int, inputs: int) -> LayerFormat:
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
    """See :class:`DenseFormat`: half of an image's channels, else of the inputs, are of a kind."""
    if not network.two_channels:
        return 0
    return (network.image or (network.inputs,))[-1] // 2
