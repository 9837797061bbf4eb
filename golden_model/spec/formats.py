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

The readout: ``score[c] = acc[c] >> s`` and ``d = e``. A network answers with its readout's scores,
or without one with the last layer's; the class is the highest score, the lowest class on a tie.
Samples are learnt one by one, in order: a sample sees every weight as the one before left it, and
learns with the rate and margin in force when it was sent. A sample whose e is all 0 changes
nothing.

A weight of ``b`` bits has ``b - 3`` fractional bits. Inputs of the network are 1.0 at 255, all
other activations 1.0 at 32, which leaves them head-room; default shifts follow from that, and so
do default rates: equal real steps need a rate shift 3 smaller where 1.0 is 32.
"""

import math
from dataclasses import dataclass

from golden_model.spec.errors import SpecError
from golden_model.spec.network import Dense, Feedback, Loss, Network, Readout
from golden_model.spec.random import MAGNITUDES, Purpose, stream_seed

ACTIVATION_BITS = 8
ACTIVATION_MAX = 255
ACTIVATION_FRACTION = 5
"""Fractional bits of an activation: 1.0 is 32."""
INPUT_FRACTION = 8
"""Fractional bits of a network input: 1.0 is about 255."""
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
    input_fraction
        Fractional bits of what it is fed.
    weight_seed, classifier_seed
        Where its two streams of draws start, see :mod:`golden_model.spec.random`.
    init_bits
        Width of a uniform initial weight; its standard deviation is nearest to 1/sqrt(inputs).
    """

    index: int
    name: str
    inputs: int
    units: int
    classes: int
    input_fraction: int
    weight_bits: int
    activation_shift: int
    loss: Loss
    feedback: Feedback
    rate_shift: int
    margin: int
    error_shift: int
    weight_seed: int
    classifier_seed: int

    @property
    def fan_in(self) -> int:
        """Inputs of a unit, the bias included."""
        return self.inputs + 1

    @property
    def bias_input(self) -> int:
        """The constant input of the bias: 1.0 of what the layer is fed, 255 or 32.

        With 255 everywhere a bias behind activations would learn 64 times as fast as the weights
        beside it; measured, layers above the first then lose tens of points.
        """
        return min(ACTIVATION_MAX, 1 << self.input_fraction)

    @property
    def weight_count(self) -> int:
        """Weights of the layer, biases included."""
        return self.units * self.fan_in

    @property
    def weight_fraction(self) -> int:
        """Fractional bits of a weight."""
        return self.weight_bits - WEIGHT_INTEGER_BITS

    @property
    def init_bits(self) -> int:
        """Uniform over ``b`` bits has standard deviation ``2**(b - 1) / sqrt(3)``."""
        bound = math.sqrt(3 / self.inputs) * 2.0**self.weight_fraction
        return min(max(2, 1 + round(math.log2(bound))), self.weight_bits)

    @property
    def accumulator_bits(self) -> int:
        """Signed: no sum of `fan_in` products can leave it."""
        return self.weight_bits + ACTIVATION_BITS + math.ceil(math.log2(self.fan_in))

    @property
    def score_bits(self) -> int:
        """Signed width of a score."""
        return signed_bits(ACTIVATION_MAX * self.units)

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
    def margin_max(self) -> int:
        """Largest value of the margin register: a score cannot be further from zero."""
        return int(2 ** (self.score_bits - 1)) - 1

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
            rule = f"with the {self.loss} loss it must be 0 to {self.rate_shift_max}"
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


def infer_formats(network: Network) -> FormattedNetwork:
    """Decide every shape and width of `network`.

    Raises
    ------
    SpecError
        If a shift, rate or margin does not fit the formats that follow from the shapes.
    """
    layers: list[LayerFormat] = []
    inputs, fraction = network.inputs, INPUT_FRACTION
    for index, layer in enumerate(network.layers):
        layers.append(_layer_format(network, layer, index, inputs, fraction))
        inputs, fraction = layer.units, ACTIVATION_FRACTION
    if network.readout is not None:
        layers.append(_layer_format(network, network.readout, len(layers), inputs, fraction))
    for item in layers:
        item.check()
        _check_schedule(network, item)
    return FormattedNetwork(network=network, layers=tuple(layers))


def _check_schedule(network: Network, layer: LayerFormat) -> None:
    largest = layer.rate_shift_max - layer.rate_shift
    if max(network.learning.rate_schedule) > largest:
        value = f"learning.rate_schedule = {list(network.learning.rate_schedule)}"
        rule = f"with {layer.name}.rate_shift = {layer.rate_shift} it leaves the rate register"
        raise SpecError(value, rule, f"The largest entry that fits is {largest}")


def _layer_format(
    network: Network, layer: Readout, index: int, inputs: int, fraction: int
) -> LayerFormat:
    hidden = isinstance(layer, Dense)
    kind = DenseFormat if hidden else ReadoutFormat
    learning = network.learning
    shift = layer.activation_shift
    if shift is None:
        shift = layer.weight_bits - WEIGHT_INTEGER_BITS + fraction - ACTIVATION_FRACTION
    rate_shift = layer.rate_shift
    if rate_shift is None:
        rate_shift = max(0, learning.rate_shift + fraction - INPUT_FRACTION)
    return kind(
        index=index,
        name=f"layer{index}" if hidden else "readout",
        inputs=inputs,
        units=layer.units if isinstance(layer, Dense) else network.classes,
        classes=network.classes,
        input_fraction=fraction,
        weight_bits=layer.weight_bits,
        activation_shift=shift,
        loss=learning.loss,
        feedback=learning.feedback,
        rate_shift=rate_shift,
        margin=learning.margin if layer.margin is None else layer.margin,
        error_shift=learning.error_shift,
        weight_seed=stream_seed(network.seed, index, Purpose.WEIGHT),
        classifier_seed=stream_seed(network.seed, index, Purpose.CLASSIFIER),
    )
