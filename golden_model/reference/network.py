"""A float network that learns by one of the methods."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from golden_model.reference.activations import Activation
from golden_model.reference.blocks import Block, ConvMap, DenseMap, Linear, Shape
from golden_model.reference.losses import LOSSES, FloatLoss, Labels, Real
from golden_model.reference.methods import Chained, Direct, Local, Method, MethodName
from golden_model.spec.errors import SpecError
from golden_model.spec.learner import Samples

INPUT_ONE = 255.0
"""A pixel's 1.0."""
EVALUATED = 100
"""Samples that are answered at a time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hidden:
    """One hidden block.

    Members
    -------
    units
        Units, or filters.
    kernel
        Width of a convolution's window; 0 for a dense block.
    pool
        2 x 2 max-pooling behind it.
    regions
        Of its local classifier, behind a convolution; see `Local`.
    """

    units: int
    kernel: int = 0
    pool: bool = False
    regions: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything that decides what a reference learns, but the data.

    Members
    -------
    inputs, classes, hidden
        The network: shape of a sample, ``(784,)`` or ``(28, 28, 1)``; its blocks; a dense readout
        follows.
    method, loss, margin
        How it learns, in the words of the enumerations.
    activation
        Of all hidden blocks.
    rate
        Step of Adam (Kingma and Ba, 2015).
    dropout
        Share of activations dropped behind each block while learning.
    classifier_scale
        Of local classifiers and their feedback, see `Local`.
    seed
        Of all draws.
    """

    inputs: Shape
    classes: int = 10
    hidden: tuple[Hidden, ...] = ()
    method: MethodName = MethodName.LOCAL
    loss: FloatLoss = FloatLoss.CROSS_ENTROPY
    margin: float = 1.0
    activation: Activation = Activation.RELU
    rate: float = 1e-3
    dropout: float = 0.0
    classifier_scale: float = 1.0
    seed: int = 1


@dataclass(slots=True)
class Adam:
    """The optimiser: first and second moments of each parameter's gradient."""

    rate: float
    decays: tuple[float, float] = (0.9, 0.999)
    moments: dict[int, tuple[Real, Real, int]] = field(default_factory=dict)

    def step(self, number: int, parameter: Real, gradient: Real) -> None:
        """Change `parameter`, whose number must stay its own, in place."""
        if number not in self.moments:
            self.moments[number] = np.zeros_like(parameter), np.zeros_like(parameter), 0
        first, second, count = self.moments[number]
        count += 1
        self.moments[number] = first, second, count
        # In place: with large layers new arrays take longer than the arithmetic.
        scratch = (1 - self.decays[0]) * gradient
        first *= self.decays[0]
        first += scratch
        np.multiply(gradient, gradient, out=scratch)
        scratch *= 1 - self.decays[1]
        second *= self.decays[1]
        second += scratch
        np.divide(second, 1 - self.decays[1] ** count, out=scratch)
        np.sqrt(scratch, out=scratch)
        scratch += 1e-8
        np.divide(first, scratch, out=scratch)
        scratch *= self.rate / (1 - self.decays[0] ** count)
        parameter -= scratch


class ReferenceNetwork:
    """Learns batches of samples and answers many at once, as the integer engine does one by one.

    Parameters
    ----------
    settings
        The network and how it learns.

    Raises
    ------
    SpecError
        If a convolution does not fit what it is fed.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        random = np.random.default_rng([settings.seed, 0])
        self.blocks = _blocks(settings, random)
        shape = self.blocks[-1].output_shape if self.blocks else settings.inputs
        self.readout = DenseMap(shape, settings.classes, random)
        self.method = self._method(np.random.default_rng([settings.seed, 1]))
        self.learning: Sequence[int] = range(len(self.blocks) + 1)
        """Blocks that learn, the readout's number behind the last one's."""
        self._dropping = np.random.default_rng([settings.seed, 2])
        self._optimiser = Adam(settings.rate)

    def _method(self, random: np.random.Generator) -> Method:
        settings, name = self.settings, MethodName(self.settings.method)
        classes = settings.classes
        if name in (MethodName.BACKPROPAGATION, MethodName.FEEDBACK_ALIGNMENT):
            fixed = random if name is MethodName.FEEDBACK_ALIGNMENT else None
            return Chained(self.blocks, self.readout, fixed)
        if name in (MethodName.DIRECT_FEEDBACK_ALIGNMENT, MethodName.DRTP):
            return Direct(self.blocks, classes, random, targets=name is MethodName.DRTP)
        return Local(
            self.blocks,
            classes,
            self._loss,
            random,
            concordant=name is MethodName.SIGN_CONCORDANT,
            trained=name is MethodName.TRAINED_LOCAL,
            regions=[hidden.regions for hidden in settings.hidden],
            scale=settings.classifier_scale,
        )

    def _loss(self, scores: Real, labels: Labels) -> tuple[Real, Real]:
        return LOSSES[self.settings.loss](scores, labels, self.settings.margin)

    def set_rate(self, rate: float) -> None:
        """Another step from now on."""
        self._optimiser.rate = rate

    def learn(self, samples: Samples, labels: Labels) -> None:
        """Learn a batch: samples of shape ``[n, inputs]``, flat, labels of shape ``[n]``."""
        x = self._real(samples)
        gradients = self.gradients(x, labels, self._dropping)
        for number, (parameter, gradient) in gradients.items():
            self._optimiser.step(number, parameter, gradient / len(x))

    def gradients(
        self, x: Real, labels: Labels, random: np.random.Generator | None = None
    ) -> dict[int, tuple[Real, Real]]:
        """What the method takes for gradients of the summed loss, by number of parameter.

        Parameters
        ----------
        x
            Real inputs, shape ``[n, *inputs]``.
        random
            Drops activations; None keeps all.

        Returns
        -------
        Parameters that learn, each with its gradient: weights and bias of each block, those of the
        readout, then what the method itself learns.
        """
        passages = []
        for block in self.blocks:
            passages.append(block.forward(x, random))
            x = passages[-1].output
        seen = self.readout.look(x)
        _, error = self._loss(self.readout.sums(seen), labels)
        errors, own = self.method.errors(passages, self.readout, error, labels)
        found: dict[int, tuple[Real, Real]] = {}
        for number, block in enumerate(self.blocks):
            if number in self.learning:
                sums = block.error_of_sums(passages[number], errors[number])
                weights, bias = block.linear.gradients(passages[number].seen, sums)
                found[2 * number] = block.linear.weights, weights
                found[2 * number + 1] = block.linear.bias, bias
        last = len(self.blocks)
        if last in self.learning:
            weights, bias = self.readout.gradients(seen, error)
            found[2 * last] = self.readout.weights, weights
            found[2 * last + 1] = self.readout.bias, bias
        for number, (parameter, gradient) in enumerate(
            zip(self.method.parameters, own, strict=True)
        ):
            if number in self.learning:
                found[2 * last + 2 + number] = parameter, gradient
        return found

    def scores(self, samples: Samples) -> list[Real | None]:
        """Scores of many samples: each block's own, where it has them, and last the readout's."""
        parts = [
            self._scores(self._real(samples[start : start + EVALUATED]))
            for start in range(0, len(samples), EVALUATED)
        ]
        return [
            None if column[0] is None else np.concatenate(column)
            for column in zip(*parts, strict=True)
        ]

    def first_outputs(self, samples: Samples) -> Real:
        """What the first block's units answer, of filters the mean, shape ``[n, units]``."""
        block = self.blocks[0]
        parts = [
            block.forward(self._real(samples[start : start + EVALUATED])).output
            for start in range(0, len(samples), EVALUATED)
        ]
        means = [part.reshape(len(part), -1, part.shape[-1]).mean(axis=1) for part in parts]
        return np.concatenate(means)

    def _scores(self, x: Real) -> list[Real | None]:
        scores: list[Real | None] = []
        for number, block in enumerate(self.blocks):
            x = block.forward(x).output
            scores.append(self.method.scores(number, x))
        return [*scores, self.readout.sums(self.readout.look(x))]

    def _real(self, samples: Samples) -> Real:
        return (samples / np.float32(INPUT_ONE)).reshape(len(samples), *self.settings.inputs)


def _blocks(settings: Settings, random: np.random.Generator) -> list[Block]:
    blocks: list[Block] = []
    shape = settings.inputs
    for hidden in settings.hidden:
        if hidden.kernel and (len(shape) != 3 or hidden.kernel > min(shape[:2])):
            rule = f"its inputs have shape {shape}"
            remedy = "Take a smaller kernel, pool less, or put dense blocks last"
            raise SpecError(f"kernel = {hidden.kernel}", rule, remedy)
        linear: Linear = (
            ConvMap(shape, hidden.units, hidden.kernel, random)
            if hidden.kernel
            else DenseMap(shape, hidden.units, random)
        )
        blocks.append(
            Block(
                linear,
                activation=settings.activation,
                pool=hidden.pool,
                dropout=settings.dropout,
            )
        )
        shape = blocks[-1].output_shape
    return blocks
