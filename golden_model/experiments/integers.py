"""The integer engine against its twin in real numbers, and narrow weights against wide ones.

One sample at a time, as on the chip.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any, TypeVar

from golden_model.data.dataset import Dataset
from golden_model.engine import fastest
from golden_model.reference.twin import FloatTwin
from golden_model.spec.formats import infer_formats
from golden_model.spec.network import Coding, Conv, Dense, Loss, Network, Readout, Rounding
from golden_model.spec.toml import load_network
from golden_model.training import train

TWIN = "in real numbers"
FIVE_EPOCHS = (1, 0, 0, 1, 3)
"""Rate schedule of short runs."""
Errors = list[list[float | None]]
AnyLayer = TypeVar("AnyLayer", bound=Readout)


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """What others report of their own way to learn in integers, on the same network.

    Members
    -------
    name
        Theirs.
    error
        Of the test set, in percent.
    """

    name: str
    error: float


@dataclass(frozen=True, slots=True, kw_only=True)
class IntegerPlan:
    """Networks on a data set, each from several seeds.

    Members
    -------
    name, title, data
        As of a :class:`~golden_model.experiments.plans.Plan`.
    networks
        What is trained, by the name of the row; a name that ends in `TWIN` is trained so.
    seeds, epochs
        Of weights, classifiers and order; passes over the training set.
    layer_by_layer
        Train the lowest layer so long, freeze it, and so on; else all at once.
    validation
        So many training samples, held out, stand in for the test set; 0 for the test set itself.
    published
        To set beside the result; None if there is nothing.
    note
        What a reader should know before the table; empty if nothing.
    """

    name: str
    title: str
    data: str
    networks: dict[str, Network]
    seeds: tuple[int, ...] = (1, 2, 3, 4, 5)
    epochs: int = 5
    layer_by_layer: bool = False
    validation: int = 0
    published: Published | None = None
    note: str = ""

    @property
    def rows(self) -> tuple[str, ...]:
        """What is run from every seed, by name."""
        return tuple(self.networks)

    @property
    def stages(self) -> int:
        """How often `epochs` are run."""
        return len(infer_formats(self.networks[self.rows[0]]).layers) if self.layer_by_layer else 1

    def network_of(self, row: str, seed: int) -> Network:
        """What is trained in one run."""
        return replace(self.networks[row], seed=seed)


def run_integers(
    plan: IntegerPlan, method: str, seed: int, data: Dataset, advance: Callable[[int], None]
) -> tuple[dict[str, object], Errors]:
    """Settings of a run, and the test errors of each layer after each epoch."""
    network = plan.network_of(method, seed)
    formats = infer_formats(network)
    twin = method.endswith(TWIN)
    learner = FloatTwin(formats) if twin else fastest(formats)
    errors: Errors = []
    reports = train(
        learner,
        data,
        epochs=plan.epochs,
        layer_by_layer=plan.layer_by_layer,
        advance=advance,
    )
    for report in reports:
        errors.append([round(1 - share, 6) for share in report.accuracy.values()])
    return {**asdict(network), "epochs": plan.epochs, "learner": type(learner).__name__}, errors


def _with_units(name: str, *units: int) -> Network:
    network = load_network(name)
    first = network.layers[0]
    layers = tuple(replace(first, units=count) for count in units if isinstance(first, Dense))
    return replace(network, layers=layers)


def _with_bits(network: Network, bits: int, hidden: int, readout: int) -> Network:
    """Narrow weights with stochastic rounding, and fractional bits of the two layers."""
    assert network.readout is not None
    return replace(
        network,
        learning=replace(network.learning, rounding=Rounding.STOCHASTIC),
        layers=tuple(
            replace(layer, weight_bits=bits, weight_fraction=hidden) for layer in network.layers
        ),
        readout=replace(network.readout, weight_bits=bits, weight_fraction=readout),
    )


def _pairs(data: str, title: str) -> IntegerPlan:
    networks = {
        "784-64": load_network("mnist"),
        "784-256": _with_units("mnist", 256),
        "784-100-50": load_network("mnist-deep"),
    }
    rows = {}
    for shape, described in networks.items():
        learning = replace(
            described.learning, rate_schedule=FIVE_EPOCHS, rate_steps=(), warm_up=0.0
        )
        network = replace(described, learning=learning)
        rows[f"{shape}, integers"] = network
        rows[f"{shape}, {TWIN}"] = network
    return IntegerPlan(
        name=f"{data.split('_', maxsplit=1)[0]}-integers",
        title=f"{title}: integers and the same rule in real numbers",
        data=data,
        networks=rows,
    )


def _as_described(name: str, title: str, data: str, network: str, **how: Any) -> IntegerPlan:
    """A network file as it stands."""
    networks = {network: load_network(network)}
    return IntegerPlan(name=name, title=title, data=data, networks=networks, **how)


def _conv(data: str, title: str, **how: Any) -> IntegerPlan:
    name = f"{data.split('_', maxsplit=1)[0]}-conv"
    title = f"{title}: convolution in integers, {name}"
    return _as_described(name, title, data, name, seeds=(1, 2, 3), **how)


def _deep_ablation() -> IntegerPlan:
    """mnist-deep without what might help its second layer."""
    network = load_network("mnist-deep")
    first, second = network.layers
    one_margin = replace(first, margin=second.margin)
    wide = replace(second, activation_shift=None, rate_shift=None)
    slow = replace(second, rate_shift=network.learning.rate_shift)
    hinge = replace(network.learning, loss=Loss.HINGE)
    return IntegerPlan(
        name="mnist-deep-ablation",
        title="MNIST, 784-100-50: what lets the second layer be better than the first",
        data="mnist",
        networks={
            "mnist-deep": network,
            "one margin for both layers": replace(network, layers=(one_margin, second)),
            "default activations and rate in the second layer": replace(
                network, layers=(first, wide)
            ),
            "neither": replace(network, layers=(one_margin, wide)),
            "one rate shift for both layers": replace(network, layers=(first, slow)),
            "hinge": replace(network, learning=hinge),
        },
        epochs=20,
    )


def _fashion_pixels() -> IntegerPlan:
    """fashion-deep without its two channels, wider in their stead, or as coarse as mnist-deep."""
    network = load_network("fashion-deep")
    first, second = network.layers
    assert isinstance(first, Dense)
    first = replace(first, activation_shift=None)
    pixels = replace(
        network, coding=Coding.UNSIGNED, inputs=network.features, layers=(first, second)
    )
    wider = replace(pixels, layers=(replace(first, units=200), second))
    return IntegerPlan(
        name="fashion-pixels",
        title="Fashion-MNIST, 784-100-50, pixels as they are: as many weights, 13 fractional bits",
        data="fashion_mnist",
        networks={
            "fashion-deep, pixels as they are": pixels,
            "784-200-50, as many weights as fashion-deep": wider,
            "mnist-deep, 13 fractional bits": load_network("mnist-deep"),
        },
        epochs=20,
    )


def _conv_ablation() -> IntegerPlan:
    """cifar10-conv without one of the things that helped it."""
    network = load_network("cifar10-conv")
    first, second = network.layers
    readout = network.readout
    assert isinstance(first, Conv)
    assert readout is not None
    plain = replace(network.learning, mirror=False, jitter=0)
    networks = {
        "weights with two fractional bits less": replace(
            network, layers=(first, _coarser(second)), readout=_coarser(readout)
        ),
        "2 x 2 regions in the first layer": replace(
            network, layers=(replace(first, regions=2), second)
        ),
        "images as they are": replace(network, learning=plain),
    }
    return IntegerPlan(
        name="cifar10-conv-ablation",
        title="CIFAR-10, half set: cifar10-conv without what helped it",
        data="cifar10_half",
        networks=networks,
        seeds=(1, 2, 3),
        epochs=20,
    )


def _coarser(layer: AnyLayer, bits: int = 2) -> AnyLayer:
    """The same sums and, but for their rounding, the same updates with fewer fractional bits."""
    fraction, activation, rate = layer.weight_fraction, layer.activation_shift, layer.rate_shift
    assert fraction is not None
    assert activation is not None
    assert rate is not None
    return replace(
        layer,
        weight_fraction=fraction - bits,
        activation_shift=activation - bits,
        rate_shift=rate + bits,
    )


_MNIST = load_network("mnist")
INTEGER_PLANS: dict[str, IntegerPlan] = {
    plan.name: plan
    for plan in (
        _as_described(
            "mnist-integers-best",
            "MNIST, 784-64: the network file as it stands",
            "mnist",
            "mnist",
            epochs=10,
        ),
        _as_described(
            "mnist-integers-deep",
            "MNIST, 784-100-50: the network file as it stands",
            "mnist",
            "mnist-deep",
            epochs=20,
        ),
        _deep_ablation(),
        _as_described(
            "fashion-integers-deep",
            "Fashion-MNIST, 784-100-50, two channels a pixel: the network file as it stands",
            "fashion_mnist",
            "fashion-deep",
            epochs=20,
        ),
        _fashion_pixels(),
        _pairs("mnist", "MNIST"),
        _pairs("fashion_mnist", "Fashion-MNIST"),
        IntegerPlan(
            name="mnist-widths",
            title="MNIST, 784-64: weights of 16, 12 and 8 bits",
            data="mnist",
            networks={
                "16 bits": _MNIST,
                "12 bits, stochastic rounding": _with_bits(_MNIST, 12, 9, 9),
                "8 bits, stochastic rounding": _with_bits(_MNIST, 8, 8, 6),
            },
            epochs=10,
        ),
        _conv("mnist", "MNIST", epochs=16),
        _conv("fashion_mnist", "Fashion-MNIST", epochs=12, layer_by_layer=True),
        _conv("cifar10_half", "CIFAR-10, half set", epochs=20),
        _conv_ablation(),
    )
}
"""By name, in the order of the report."""
