"""Rivals of local errors, with their authors' units and loss, and rates chosen on images held out.

DRTP above all needs units whose slope fades where they saturate, since what it sends down never
fades: with local errors' ReLU, softmax and rate it reaches much less than its authors say.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from golden_model.reference.activations import Activation
from golden_model.reference.losses import FloatLoss
from golden_model.reference.methods import MethodName
from golden_model.reference.network import Settings


@dataclass(frozen=True, slots=True)
class Tried:
    """A method, units and loss that go together, and the rates that are tried."""

    method: MethodName
    activation: Activation
    loss: FloatLoss
    rates: tuple[float, ...]

    def candidates(self, network: Settings) -> dict[str, Settings]:
        """By name, what is tried on a network."""
        return {
            f"{self.method}, {self.activation}, rate {rate}": replace(
                network,
                method=self.method,
                activation=self.activation,
                loss=self.loss,
                rate=rate,
            )
            for rate in self.rates
        }


_RELU = (Activation.RELU, FloatLoss.CROSS_ENTROPY)
_TANH = (Activation.TANH, FloatLoss.BINARY_CROSS_ENTROPY)
_SIGMOID = (Activation.SIGMOID, FloatLoss.SQUARED_ERROR)
TRIED = (
    # Lillicrap, Cownden, Tweed and Akerman (2016) have sigmoids; the later papers tanh for all.
    Tried(MethodName.FEEDBACK_ALIGNMENT, *_SIGMOID, rates=(0.003, 0.01)),
    Tried(MethodName.FEEDBACK_ALIGNMENT, *_TANH, rates=(0.001, 0.003)),
    Tried(MethodName.FEEDBACK_ALIGNMENT, *_RELU, rates=(0.001, 0.003, 0.01)),
    # Nokland (2016)
    Tried(MethodName.DIRECT_FEEDBACK_ALIGNMENT, *_TANH, rates=(0.001, 0.003, 0.01)),
    Tried(MethodName.DIRECT_FEEDBACK_ALIGNMENT, *_RELU, rates=(0.001, 0.003, 0.01)),
    # Frenkel, Lefebvre and Bol (2021)
    Tried(MethodName.DRTP, *_TANH, rates=(0.001, 0.003, 0.01, 0.03)),
    Tried(MethodName.LOCAL, *_RELU, rates=(0.001, 0.003, 0.01, 0.03)),
    Tried(MethodName.BACKPROPAGATION, *_RELU, rates=(0.001, 0.003, 0.01)),
)
FEWER = (
    Tried(MethodName.FEEDBACK_ALIGNMENT, *_SIGMOID, rates=(0.003,)),
    Tried(MethodName.FEEDBACK_ALIGNMENT, *_TANH, rates=(0.001,)),
    Tried(MethodName.FEEDBACK_ALIGNMENT, *_RELU, rates=(0.001, 0.003)),
    Tried(MethodName.DIRECT_FEEDBACK_ALIGNMENT, *_TANH, rates=(0.001, 0.003)),
    Tried(MethodName.DIRECT_FEEDBACK_ALIGNMENT, *_RELU, rates=(0.001,)),
    Tried(MethodName.DRTP, *_TANH, rates=(0.01,)),
    Tried(MethodName.LOCAL, *_RELU, rates=(0.01,)),
    Tried(MethodName.BACKPROPAGATION, *_RELU, rates=(0.003,)),
)
"""Those of a larger network, near what was best in a smaller one."""


def candidates(network: Settings, tried: Sequence[Tried]) -> dict[str, Settings]:
    """All that is tried on a network, by name."""
    return {name: own for one in tried for name, own in one.candidates(network).items()}


RIVALS = (MethodName.FEEDBACK_ALIGNMENT, MethodName.DIRECT_FEEDBACK_ALIGNMENT, MethodName.DRTP)
CHOSEN: dict[str, tuple[str, ...]] = {
    "mnist-narrow": (
        "local, relu, rate 0.01",
        "feedback-alignment, relu, rate 0.003",
        "direct-feedback-alignment, relu, rate 0.003",
        "drtp, tanh, rate 0.01",
        "backpropagation, relu, rate 0.003",
    ),
    "fashion-narrow": (
        "local, relu, rate 0.01",
        "feedback-alignment, sigmoid, rate 0.003",
        "direct-feedback-alignment, tanh, rate 0.001",
        "drtp, tanh, rate 0.01",
        "backpropagation, relu, rate 0.003",
    ),
    "mnist-wide": (
        "local, relu, rate 0.01",
        "feedback-alignment, relu, rate 0.001",
        "direct-feedback-alignment, tanh, rate 0.003",
        "drtp, tanh, rate 0.01",
        "backpropagation, relu, rate 0.003",
    ),
}
"""By network, the best candidate of each method on images held out."""
