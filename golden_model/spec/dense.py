"""Fully connected layers, whose units see every input: dense hidden ones, and the readout."""

from dataclasses import dataclass
from typing import ClassVar

from golden_model.spec.layer import LayerFormat


@dataclass(frozen=True, slots=True, kw_only=True)
class DenseFormat(LayerFormat):
    """A dense hidden layer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadoutFormat(LayerFormat):
    """The trained readout: its units are the classes, its scores its own accumulators."""

    reads_out: ClassVar[bool] = True

    @property
    def outputs(self) -> int:
        """No layer comes after it."""
        return 0

    @property
    def score_bits(self) -> int:
        """Signed width of ``acc >> s``."""
        return max(2, self.accumulator_bits - self.activation_shift)

    @property
    def gradient_largest(self) -> int:
        """``d = e``."""
        return self.error_largest


FullyConnected = DenseFormat | ReadoutFormat
"""What the same engine computes: only what becomes of the sums differs."""
