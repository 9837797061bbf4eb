"""What layers of all kinds have in common: number formats, shapes, limits."""

import math
from dataclasses import dataclass
from typing import ClassVar

from golden_model.spec.errors import SpecError
from golden_model.spec.network import WEIGHT_BITS, Feedback, Loss, Rounding
from golden_model.spec.random import MAGNITUDES

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
class LayerFormat:
    """A layer with every width and constant decided; each kind of layer is a subclass.

    It answers as a convolution whatever its kind. What is said here is said of a hidden layer that
    sees all of its inputs at once: one place of an image of one pixel, with a channel for each.

    Members
    -------
    index, name
        Its place among the layers, and ``layer0``, ``layer1``, ... or ``readout``.
    inputs, units, classes
        Of a unit, without the bias; `fan_in` counts it.
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
    reads_out
        Whether it is the trained readout, whose own sums are the scores.
    saturated_learns
        Whether a unit whose activation is the largest, 255, learns.
    """

    reads_out: ClassVar[bool] = False
    saturated_learns: ClassVar[bool] = True

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
    def image(self) -> tuple[int, int, int]:
        """Height, width and channels of what it is fed."""
        return 1, 1, self.inputs

    @property
    def kernel(self) -> int:
        """Rows and columns of the image that a unit sees."""
        return 1

    @property
    def pool(self) -> int:
        """Rows and columns of a window, of which the largest activation goes on."""
        return 1

    @property
    def regions_across(self) -> int:
        """Rows and columns of parts of what goes on, each with a classifier of its own."""
        return 1

    @property
    def bias_shift(self) -> int:
        """Added to the rate shift for the biases."""
        return 0

    @property
    def input_size(self) -> int:
        """Activations of a sample that the layer is fed."""
        return math.prod(self.image)

    @property
    def map_shape(self) -> tuple[int, int]:
        """Rows and columns of places before pooling."""
        return self.image[0] - self.kernel + 1, self.image[1] - self.kernel + 1

    @property
    def places(self) -> int:
        """How many that are."""
        return math.prod(self.map_shape)

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
        """Activations of a sample that go on to the next layer."""
        return self.windows * self.units

    @property
    def regions(self) -> int:
        """How often the classifier sees each unit."""
        return self.regions_across**2

    @property
    def fan_in(self) -> int:
        """Inputs of a unit, the bias included."""
        return self.inputs + 1

    @property
    def input_largest(self) -> int:
        """Largest magnitude of an input, that of the bias included."""
        return 1 << (ACTIVATION_BITS - 1) if self.signed_input else ACTIVATION_MAX

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
    def step_bits(self) -> int:
        """Signed width of a weight's exact step ``sum_p d[p,o] * x[p,k]``: a product a window."""
        return signed_bits(self.gradient_largest * self.input_largest * self.windows)

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
