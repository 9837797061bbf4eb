"""What each experiment trains."""

from dataclasses import dataclass, field, replace
from typing import Any

from golden_model.experiments.integers import INTEGER_PLANS, IntegerPlan
from golden_model.reference.methods import MethodName
from golden_model.reference.network import Hidden, Settings
from golden_model.spec.errors import SpecError, nearest

IMAGE = (784,)
ALL = tuple(MethodName)
LOCAL = (MethodName.LOCAL, MethodName.SIGN_CONCORDANT, MethodName.TRAINED_LOCAL)
"""Methods that can train one layer after the other."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One experiment: a network on a data set, by several methods, each from several seeds.

    Members
    -------
    name, title
        For the command line, and for people.
    data
        What :func:`golden_model.data.load_data` calls it.
    settings
        The network; method and seed are put in by each run.
    methods, seeds
        What is run.
    epochs, batch
        Passes over the training set, for each layer if `layer_by_layer`; samples of a step.
    layer_by_layer
        Train the lowest block, freeze it, and so on; else all at once.
    decay
        The rate falls by this factor over the epochs, from step to step.
    mirror, jitter
        Half of the training images, others in each epoch, are mirrored; all are moved by up to so
        many pixels.
    on_off
        Images are coded as networks that say so have them.
    """

    name: str
    title: str
    data: str
    settings: Settings
    methods: tuple[MethodName, ...] = ALL
    seeds: tuple[int, ...] = (1, 2, 3)
    epochs: int = 10
    batch: int = 50
    layer_by_layer: bool = False
    decay: float = 0.1
    mirror: bool = False
    jitter: int = 0
    on_off: bool = False

    @property
    def stages(self) -> int:
        """How often `epochs` are run."""
        return len(self.settings.hidden) + 1 if self.layer_by_layer else 1


@dataclass(frozen=True, slots=True, kw_only=True)
class _Family:
    """Plans that differ in data and in training all at once or layer by layer."""

    name: str
    shape: tuple[int, ...]
    epochs: int
    batch: int = 50
    data: dict[str, str] = field(
        default_factory=lambda: {"mnist": "MNIST", "fashion_mnist": "Fashion-MNIST"}
    )

    def plans(self) -> list[Plan]:
        hidden = tuple(Hidden(units=units) for units in self.shape)
        shape = "-".join(map(str, (*IMAGE, *self.shape, 10)))
        plans = []
        for data, title in self.data.items():
            together = Plan(
                name=f"{data.split('_')[0]}-{self.name}",
                title=f"{title}, {shape}, all layers at once",
                data=data,
                settings=Settings(inputs=IMAGE, hidden=hidden),
                epochs=self.epochs,
                batch=self.batch,
            )
            apart = replace(
                together,
                name=f"{together.name}-layerwise",
                title=f"{title}, {shape}, layer by layer",
                methods=LOCAL,
                layer_by_layer=True,
            )
            plans += [together, apart]
        return plans


def _convolution(
    data: str, title: str, settings: Settings, suffix: str = "methods", **how: Any
) -> Plan:
    shape = ", ".join(f"{block.kernel}x{block.kernel}x{block.units}" for block in settings.hidden)
    return Plan(
        name=f"{data.split('_', maxsplit=1)[0]}-conv-{suffix}",
        title=f"{title}: convolutions {shape}, each pooled, and a readout",
        data=data,
        settings=settings,
        **how,
    )


def _pooled(*sizes: tuple[int, int]) -> tuple[Hidden, ...]:
    """Convolutions of so many filters and such kernels."""
    return tuple(Hidden(units=units, kernel=kernel, pool=True) for units, kernel in sizes)


# The networks of mnist-conv, fashion-conv and cifar10-conv.
_MNIST = Settings(inputs=(28, 28, 1), hidden=_pooled((32, 5), (48, 5)), regions=1)
_FASHION = Settings(inputs=(28, 28, 1), hidden=_pooled((32, 5), (108, 3)), regions=2)
_COLOURED = Settings(inputs=(32, 32, 6), hidden=_pooled((64, 5), (48, 3)), regions=2)
_TWO = (MethodName.BACKPROPAGATION, MethodName.LOCAL)
_CONVOLUTIONS = (
    _convolution("mnist", "MNIST", _MNIST, methods=_TWO, epochs=8, jitter=1),
    _convolution("fashion_mnist", "Fashion-MNIST", _FASHION, methods=_TWO, epochs=8, mirror=True),
    _convolution(
        "cifar10_half", "CIFAR-10, half set", _COLOURED, epochs=6, mirror=True, on_off=True
    ),
    _convolution(
        "cifar10_half",
        "CIFAR-10, half set, longer",
        _COLOURED,
        suffix="price",
        methods=(MethodName.BACKPROPAGATION, MethodName.TRAINED_LOCAL, MethodName.LOCAL),
        epochs=12,
        mirror=True,
        jitter=1,
        on_off=True,
    ),
    _convolution("svhn", "SVHN", _COLOURED, epochs=3, on_off=True),
)
_FAMILIES = (
    _Family(name="narrow", shape=(100, 50), epochs=10),
    _Family(name="wide", shape=(256, 256), epochs=10),
    _Family(name="deep", shape=(500, 500, 500), epochs=4, batch=100),
)
PLANS: dict[str, Plan | IntegerPlan] = {
    **{plan.name: plan for family in _FAMILIES for plan in family.plans()},
    **{plan.name: plan for plan in _CONVOLUTIONS},
    **INTEGER_PLANS,
}
"""By name, in the order of the report."""


def find_plan(name: str) -> Plan | IntegerPlan:
    """The plan of that name; :class:`SpecError` if there is none."""
    if name not in PLANS:
        raise SpecError(f"experiment {name!r}", "there is no such one", nearest(name, PLANS))
    return PLANS[name]
