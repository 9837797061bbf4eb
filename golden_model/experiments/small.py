"""Convolutions small enough for the iCEBreaker, 27,354 weights, and how their settings were chosen.

A candidate is mnist-conv with half the filters below, but for what its name says.
"""

from dataclasses import replace
from typing import Any

from golden_model.experiments.integers import IntegerPlan
from golden_model.spec.network import Conv, Network
from golden_model.spec.toml import load_network

FILTERS = 16
NAME = "mnist-conv-small"


def _network(
    below: dict[str, Any] | None = None,
    above: dict[str, Any] | None = None,
    readout: dict[str, Any] | None = None,
    **learning: Any,
) -> Network:
    """What the two convolutions, the readout and the learning table have unlike mnist-conv's."""
    described = load_network("mnist-conv")
    first, second = described.layers
    assert isinstance(first, Conv)
    assert described.readout is not None
    first = replace(first, filters=FILTERS, **(below or {}))
    return replace(
        described,
        name=NAME,
        layers=(first, replace(second, **(above or {}))),
        readout=replace(described.readout, **(readout or {})),
        learning=replace(described.learning, **learning),
    )


CANDIDATES = {
    "as mnist-conv": _network(),
    "margins 4096 1024": _network(above={"margin": 1024}),
    "margins 8192 2048": _network(below={"margin": 8192}),
    "rates above halved": _network(above={"rate_shift": 6}, readout={"rate_shift": 2}),
    "activations above doubled": _network(
        above={"activation_shift": 14, "margin": 4096},
        readout={"activation_shift": 18, "rate_shift": 2},
    ),
    "finer weights below": _network(
        below={"weight_fraction": 15, "activation_shift": 17, "rate_shift": 7}
    ),
    "rates halved earlier": _network(
        rate_schedule=(0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 3, 3, 3, 4, 4)
    ),
    "readout margin 128": _network(readout={"margin": 128}),
    "rates above doubled": _network(above={"rate_shift": 4}, readout={"rate_shift": 0}),
    "images moved by up to 2 pixels": _network(jitter=2),
    "rate below doubled": _network(below={"rate_shift": 8}),
    "rate below halved": _network(below={"rate_shift": 10}),
    "rate below a quarter": _network(below={"rate_shift": 11}),
    "rate below halved, readout margin 128": _network(
        below={"rate_shift": 10}, readout={"margin": 128}
    ),
}
"""The first eight were run first, then three, then the last three, around the best so far."""
CHOSEN = "rate below halved, readout margin 128"

SMALL_PLANS: dict[str, IntegerPlan] = {
    plan.name: plan
    for plan in (
        IntegerPlan(
            name=f"{NAME}-choice",
            title="MNIST, mnist-conv-small: its settings, on 10000 images held out",
            data="mnist",
            networks=CANDIDATES,
            seeds=(1,),
            epochs=16,
            validation=10000,
            note=(
                "One seed each, and 0.1 points are ten images: near neighbours in this table might"
                " change places with another seed. What stands out is that the first layer"
                " should learn at half of mnist-conv's rate, and that twice or a quarter of it is"
                " worse there, as is half or twice the rate above; the readout's margin hardly"
                " matters."
            ),
        ),
        IntegerPlan(
            name=NAME,
            title="MNIST: convolution in integers, mnist-conv-small",
            data="mnist",
            networks={NAME: load_network(NAME)},
            seeds=(1, 2, 3),
            epochs=16,
            note=(
                "It has half of mnist-conv's filters below, for the memory of an iCEBreaker, and"
                " the best settings of the section above. The aim was an error of 1.30."
            ),
        ),
    )
}
"""By name, in the order of the report."""
