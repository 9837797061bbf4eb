"""How an error reaches a block: the one thing in which the methods differ.

A method gives, for each hidden block, the error at its output. The readout behind the last block
is trained by its own error under every method.
"""

from collections.abc import Callable, Sequence
from enum import StrEnum
from math import prod
from typing import Protocol

import numpy as np

from golden_model.reference.blocks import Block, DenseMap, Linear, Passage, uniform
from golden_model.reference.losses import Labels, Real

ErrorOf = Callable[[Real, Labels], tuple[Real, Real]]
"""A loss with its margin: loss and gradient of scores and labels."""


class MethodName(StrEnum):
    """The methods that are compared."""

    LOCAL = "local"
    SIGN_CONCORDANT = "sign-concordant"
    TRAINED_LOCAL = "trained-local"
    FEEDBACK_ALIGNMENT = "feedback-alignment"
    DIRECT_FEEDBACK_ALIGNMENT = "direct-feedback-alignment"
    DRTP = "drtp"
    BACKPROPAGATION = "backpropagation"


class Method(Protocol):
    """Gives errors to blocks."""

    parameters: list[Real]
    """What the method itself learns."""

    def errors(
        self, passages: Sequence[Passage], readout: DenseMap, error: Real, labels: Labels
    ) -> tuple[list[Real], list[Real]]:
        """Errors at the outputs of all blocks, and gradients of `parameters`.

        Parameters
        ----------
        passages
            Of all blocks, the first one first.
        readout, error
            The last map, and the error at its output.
        """

    def scores(self, block: int, output: Real) -> Real | None:
        """A block's own scores; None under methods that know none."""


class Local:
    """Each block has a classifier of its own; its error goes no further down.

    The classifier's weights are fixed and random, as in "Deep supervised learning using local
    errors" (Mostafa, Ramesh, Cauwenberghs, 2018). Signs of the feedback are always the
    classifier's; with `concordant` its magnitudes are others. With `trained` the classifier learns
    too.

    Parameters
    ----------
    blocks, classes
        The network.
    error_of
        The loss.
    random
        Draws the classifiers.
    concordant, trained
        See above.
    regions
        Of each block: behind a convolution its classifier sees means over regions x regions parts
        of the map; 0 for every position by itself.
    scale
        Weights of classifiers and feedback are drawn so many times larger than those of other maps.
        Means over regions are small, and so would be the scores.
    """

    def __init__(
        self,
        blocks: Sequence[Block],
        classes: int,
        error_of: ErrorOf,
        random: np.random.Generator,
        *,
        concordant: bool = False,
        trained: bool = False,
        regions: Sequence[int],
        scale: float = 1.0,
    ) -> None:
        self.error_of, self.trained, self.regions = error_of, trained, regions
        self.shapes = [block.output_shape for block in blocks]
        sizes = [prod(self._seen(number)) for number in range(len(blocks))]
        self.classifiers = [scale * uniform(random, (size, classes)) for size in sizes]
        self.feedback = self.classifiers
        if concordant:
            others = (np.abs(scale * uniform(random, (size, classes))) for size in sizes)
            self.feedback = [
                np.sign(own) * other for own, other in zip(self.classifiers, others, strict=True)
            ]
        self.parameters = self.classifiers if trained else []

    def errors(
        self, passages: Sequence[Passage], readout: DenseMap, error: Real, labels: Labels
    ) -> tuple[list[Real], list[Real]]:
        """See `Method`."""
        errors: list[Real] = []
        gradients: list[Real] = []
        for number, passage in enumerate(passages):
            seen = self._look(number, passage.output)
            _, own = self.error_of(seen @ self.classifiers[number], labels)
            errors.append(self._spread(number, own @ self.feedback[number].T))
            if self.trained:
                gradients.append(seen.T @ own)
        return errors, gradients

    def scores(self, block: int, output: Real) -> Real | None:
        """See `Method`."""
        scores: Real = self._look(block, output) @ self.classifiers[block]
        return scores

    def _seen(self, block: int) -> tuple[int, ...]:
        shape, regions = self.shapes[block], self.regions[block]
        return (regions, regions, shape[-1]) if regions and len(shape) > 1 else shape

    def _look(self, block: int, output: Real) -> Real:
        """What the classifier sees, flat."""
        if self._seen(block) != self.shapes[block]:
            edges = self._edges(block)
            rows = np.add.reduceat(output, edges[0][:-1], axis=1)
            sums = np.add.reduceat(rows, edges[1][:-1], axis=2)
            output = sums / self._sizes(edges, output.dtype)
        return output.reshape(len(output), -1)

    def _spread(self, block: int, error: Real) -> Real:
        """The error of what the classifier sees at every output."""
        shape = self.shapes[block]
        seen = self._seen(block)
        error = error.reshape(len(error), *seen)
        if seen != shape:
            edges = self._edges(block)
            error = error / self._sizes(edges, error.dtype)
            error = np.repeat(error, np.diff(edges[0]), axis=1)
            error = np.repeat(error, np.diff(edges[1]), axis=2)
        return error

    def _edges(self, block: int) -> list[Labels]:
        """Where the regions of rows and of columns begin and end."""
        regions = self.regions[block]
        return [np.arange(regions + 1) * size // regions for size in self.shapes[block][:2]]

    def _sizes(self, edges: list[Labels], dtype: np.dtype[np.floating]) -> Real:
        """Positions in each region, shape ``[regions, regions, 1]``."""
        return np.outer(*(np.diff(edge) for edge in edges))[..., None].astype(dtype)


class Chained:
    """The readout's error goes down from block to block.

    Backpropagation carries it by the weights themselves, feedback alignment (Lillicrap et al.,
    2016) by fixed random ones.

    Parameters
    ----------
    blocks, readout
        The network.
    random
        Draws fixed weights; None for the weights themselves.
    """

    def __init__(
        self, blocks: Sequence[Block], readout: DenseMap, random: np.random.Generator | None
    ) -> None:
        self.blocks = blocks
        self.parameters: list[Real] = []
        maps = [*(block.linear for block in blocks[1:]), readout]
        self.carriers: list[Real | None] = [None] * len(maps)
        if random is not None:
            self.carriers = [uniform(random, linear.weights.shape) for linear in maps]

    def errors(
        self, passages: Sequence[Passage], readout: DenseMap, error: Real, labels: Labels
    ) -> tuple[list[Real], list[Real]]:
        """See `Method`."""
        errors: list[Real] = []
        above: Linear = readout
        for number in reversed(range(len(self.blocks))):
            carrier = self.carriers[number]
            error = above.back(error, above.weights if carrier is None else carrier)
            errors.insert(0, error)
            block = self.blocks[number]
            error, above = block.error_of_sums(passages[number], error), block.linear
        return errors, []

    def scores(self, block: int, output: Real) -> Real | None:
        """See `Method`."""
        return None


class Direct:
    """Each block gets the answer's error, or just its target, through fixed random weights.

    Direct feedback alignment (Nokland, 2016) sends the readout's error, direct random target
    projection (Frenkel et al., 2021) the label, as -1 at its class.

    Parameters
    ----------
    blocks, classes
        The network.
    random
        Draws the weights.
    targets
        Send the label.
    """

    def __init__(
        self,
        blocks: Sequence[Block],
        classes: int,
        random: np.random.Generator,
        *,
        targets: bool = False,
    ) -> None:
        self.targets, self.classes = targets, classes
        self.parameters: list[Real] = []
        self.shapes = [block.output_shape for block in blocks]
        self.carriers = [uniform(random, (prod(shape), classes)) for shape in self.shapes]

    def errors(
        self, passages: Sequence[Passage], readout: DenseMap, error: Real, labels: Labels
    ) -> tuple[list[Real], list[Real]]:
        """See `Method`."""
        if self.targets:
            error = -np.eye(self.classes, dtype=error.dtype)[labels]
        pairs = zip(self.carriers, self.shapes, strict=True)
        return [(error @ carrier.T).reshape(-1, *shape) for carrier, shape in pairs], []

    def scores(self, block: int, output: Real) -> Real | None:
        """See `Method`."""
        return None
