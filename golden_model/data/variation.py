"""Training images that differ from epoch to epoch. The host does that, hardware never knows."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from golden_model.spec.learner import Samples
from golden_model.spec.network import Network

Images = Samples
"""Shape ``[n, inputs]``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Variation:
    """What is done to each sample of an epoch, in the order in which it is sent.

    Members
    -------
    image
        Height, width and channels.
    mirrored
        Whether it is mirrored, shape ``[n]``.
    moves
        By how many pixels it is then moved up and to the left, shape ``[n, 2]``.
    """

    image: tuple[int, int, int]
    mirrored: NDArray[np.bool_]
    moves: NDArray[np.int64]

    @classmethod
    def of_epoch(cls, network: Network, samples: int, epoch: int) -> Self | None:
        """Drawn from seed and epoch like the order of the samples; None where nothing varies."""
        learning = network.learning
        if network.image is None or not (learning.mirror or learning.jitter):
            return None
        mirroring, moving = (
            np.random.RandomState([network.seed, epoch, purpose]) for purpose in (1, 2)
        )
        mirrored = mirroring.randint(0, 2, samples).astype(np.bool_)
        return cls(
            image=network.image,
            mirrored=mirrored & learning.mirror,
            moves=moving.randint(-learning.jitter, learning.jitter + 1, (samples, 2)),
        )

    def applied(self, samples: Images, part: slice) -> Images:
        """The samples sent as number ``part.start`` and so on, varied; a copy."""
        images = mirrored_images(samples, self.mirrored[part], self.image)
        return moved_images(images, self.moves[part], self.image) if self.moves.any() else images


def mirrored_images(samples: Images, which: NDArray[np.bool_], image: tuple[int, ...]) -> Images:
    """A copy in which some images are mirrored; `which` has shape ``[n]``."""
    images = samples.reshape(-1, *image).copy()
    images[which] = images[which, :, ::-1]
    return images.reshape(samples.shape)


def moved_images(samples: Images, moves: NDArray[np.int64], image: tuple[int, ...]) -> Images:
    """A copy in which images are moved up and to the left, shape ``[n, 2]``; edges are repeated."""
    most = int(np.abs(moves).max(initial=0))
    around = ((0, 0), (most, most), (most, most), (0, 0))
    padded = np.pad(samples.reshape(-1, *image), around, mode="edge")
    images = [
        whole[row : row + image[0], column : column + image[1]]
        for whole, (row, column) in zip(padded, (moves + most).tolist(), strict=True)
    ]
    return np.stack(images).reshape(samples.shape)
