"""The network on which NITRO-D, integers that learn locally too, reports Fashion-MNIST.

Its shape is 784-200-100-50-10, its inputs pixels as they are; all but units, margins and shifts of
the hidden layers is else fashion-deep's.
"""

from dataclasses import replace

from golden_model.experiments.integers import IntegerPlan, Published
from golden_model.spec.network import Coding, Dense, Network
from golden_model.spec.toml import load_network

UNITS = (200, 100, 50)


def _network(
    margins: tuple[int, ...], rates: tuple[int, ...], activations: tuple[int | None, ...]
) -> Network:
    """Margins, rate shifts and activation shifts, None for the default, layer by layer."""
    described = load_network("fashion-deep")
    first = described.layers[0]
    assert isinstance(first, Dense)
    layers = tuple(
        replace(
            first,
            units=units,
            margin=margin,
            rate_shift=rate,
            activation_shift=activation,
        )
        for units, margin, rate, activation in zip(UNITS, margins, rates, activations, strict=True)
    )
    return replace(
        described, name="fashion-200-100-50", inputs=784, coding=Coding.UNSIGNED, layers=layers
    )


CANDIDATES = {
    "margins 512 256 128, rate shifts 4 3 2": _network((512, 256, 128), (4, 3, 2), (None, 16, 16)),
    "margins 256 128 128, rate shifts 4 2 2": _network((256, 128, 128), (4, 2, 2), (None, 16, 16)),
    "margins 512 256 128, rate shifts 4 3 2, activations not halved": _network(
        (512, 256, 128), (4, 3, 2), (None, None, None)
    ),
}
"""Above the first layer rates and activations are half the default, as in fashion-deep."""
CHOSEN = "margins 256 128 128, rate shifts 4 2 2"

NITRO_PLANS: dict[str, IntegerPlan] = {
    plan.name: plan
    for plan in (
        IntegerPlan(
            name="fashion-integers-deeper-choice",
            title="Fashion-MNIST, 784-200-100-50: margins and rates, on 10000 images held out",
            data="fashion_mnist",
            networks=CANDIDATES,
            seeds=(1, 2),
            epochs=20,
            validation=10000,
        ),
        IntegerPlan(
            name="fashion-integers-deeper",
            title="Fashion-MNIST, 784-200-100-50: the network of NITRO-D",
            data="fashion_mnist",
            networks={"fashion-200-100-50": CANDIDATES[CHOSEN]},
            epochs=20,
            published=Published(name="NITRO-D (Pirillo, Colombo, Roveri 2024)", error=11.34),
        ),
    )
}
"""By name, in the order of the report."""
