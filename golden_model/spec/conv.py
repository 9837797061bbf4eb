"""Convolutions, which see the same few inputs at every place of an image."""

from dataclasses import dataclass, field
from typing import ClassVar

from golden_model.spec.layer import LayerFormat
from golden_model.spec.network import CONV_RATE_SHIFTS


@dataclass(frozen=True, slots=True, kw_only=True)
class ConvFormat(LayerFormat):
    """A convolution: `units` filters that each see `inputs` taps.

    Members
    -------
    image
        Height, width and channels of what it is fed.
    kernel, pool, regions_across, bias_shift
        As :class:`~golden_model.spec.network.Conv` describes them.
    """

    saturated_learns: ClassVar[bool] = False

    # Without field(), a dataclass takes the property of that name above it for a default.
    image: tuple[int, int, int] = field()
    kernel: int = field()
    pool: int = field()
    regions_across: int = field()
    bias_shift: int = field()

    @property
    def rate_shift_max(self) -> int:
        """Largest value of the rate register."""
        return CONV_RATE_SHIFTS[-1]
