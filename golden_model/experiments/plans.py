"""What each experiment trains."""

from dataclasses import dataclass, field, replace
from typing import Any

from golden_model.experiments.integers import INTEGER_PLANS, IntegerPlan
from golden_model.experiments.nitro import NITRO_PLANS
from golden_model.experiments.rivals import CHOSEN, FEWER, RIVALS, TRIED, Tried, candidates
from golden_model.experiments.small import SMALL_PLANS
from golden_model.reference.methods import MethodName
from golden_model.reference.network import Hidden, Settings
from golden_model.spec.errors import SpecError, nearest

IMAGE = (784,)
DATA = {"mnist": "MNIST", "fashion_mnist": "Fashion-MNIST"}
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
        What :func:`golden_model.data.dataset.load_data` calls it.
    settings
        The network; method and seed are put in by each run.
    own
        Settings of methods that do not share the others'.
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
    validation
        So many training samples, held out, stand in for the test set; 0 for the test set itself.
    """

    name: str
    title: str
    data: str
    settings: Settings
    own: dict[MethodName, Settings] = field(default_factory=dict)
    methods: tuple[MethodName, ...] = ALL
    seeds: tuple[int, ...] = (1, 2, 3)
    epochs: int = 10
    batch: int = 50
    layer_by_layer: bool = False
    decay: float = 0.1
    mirror: bool = False
    jitter: int = 0
    on_off: bool = False
    validation: int = 0

    @property
    def rows(self) -> tuple[str, ...]:
        """What is run from every seed, by name."""
        return tuple(map(str, self.methods))

    @property
    def stages(self) -> int:
        """How often `epochs` are run."""
        return len(self.settings.hidden) + 1 if self.layer_by_layer else 1

    @property
    def untuned(self) -> tuple[MethodName, ...]:
        """Rivals that share local errors' units, loss and rate, which are not their authors'."""
        return tuple(name for name in self.methods if name in RIVALS and name not in self.own)

    def settings_of(self, row: str, seed: int) -> Settings:
        """What is trained in one run."""
        method = MethodName(row)
        return replace(self.own.get(method, self.settings), method=method, seed=seed)


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice(Plan):
    """Settings compared on images held out: of one method, or of several.

    Members
    -------
    candidates
        By the name of the row.
    """

    candidates: dict[str, Settings]

    @property
    def rows(self) -> tuple[str, ...]:
        """What is run from every seed, by name."""
        return tuple(self.candidates)

    def settings_of(self, row: str, seed: int) -> Settings:
        """What is trained in one run."""
        return replace(self.candidates[row], seed=seed)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Family:
    """Plans that differ in data and in training all at once or layer by layer.

    Settings of each method are chosen among those `tried`.
    """

    name: str
    shape: tuple[int, ...]
    epochs: int
    tried: tuple[Tried, ...] = TRIED
    batch: int = 50

    def plans(self) -> list[Plan]:
        hidden = tuple(Hidden(units=units) for units in self.shape)
        network = Settings(inputs=IMAGE, hidden=hidden)
        shape = "-".join(map(str, (*IMAGE, *self.shape, 10)))
        plans: list[Plan] = []
        for data, title in DATA.items():
            name = f"{data.split('_')[0]}-{self.name}"
            together = Plan(
                name=name,
                title=f"{title}, {shape}, all layers at once",
                data=data,
                settings=network,
                methods=tuple(m for m in ALL if name not in CHOSEN or m not in RIVALS),
                epochs=self.epochs,
                batch=self.batch,
            )
            apart = replace(
                together,
                name=f"{name}-layerwise",
                title=f"{title}, {shape}, layer by layer",
                methods=LOCAL,
                layer_by_layer=True,
            )
            plans += [together, apart]
            if name in CHOSEN:
                plans += self._tuned(together, f"{title}, {shape}")
        return plans

    def _tuned(self, plan: Plan, title: str) -> list[Plan]:
        """Methods with units, loss and rate of their own, and how these were chosen."""
        tried = candidates(plan.settings, self.tried)
        own = {settings.method: settings for settings in map(tried.__getitem__, CHOSEN[plan.name])}
        choice = Choice(
            name=f"{plan.name}-choice",
            title=f"{title}: units and rates of each method, on 10000 images held out",
            data=plan.data,
            settings=plan.settings,
            candidates=tried,
            seeds=(1,),
            epochs=plan.epochs,
            batch=plan.batch,
            validation=10000,
        )
        tuned = replace(
            plan,
            name=f"{plan.name}-tuned",
            title=f"{title}, each method with units and a rate of its own",
            own=own,
            methods=tuple(method for method in ALL if method in own),
        )
        return [choice, tuned]


def _convolutions(inputs: tuple[int, ...], *sizes: tuple[int, int, int]) -> Settings:
    """Pooled convolutions of so many filters, such kernels and such regions of classifiers."""
    hidden = tuple(
        Hidden(units=units, kernel=kernel, pool=True, regions=regions)
        for units, kernel, regions in sizes
    )
    return Settings(inputs=inputs, hidden=hidden, classifier_scale=8.0)


def _shape(settings: Settings) -> str:
    sizes = (f"{block.kernel}x{block.kernel}x{block.units}" for block in settings.hidden)
    return f"convolutions {', '.join(sizes)}, each pooled, and a readout"


def _price(
    data: str,
    title: str,
    network: Settings,
    *,
    best: tuple[float, float],
    others: tuple[tuple[float, float], ...],
    validation: int,
    **how: Any,
) -> list[Plan]:
    """Backpropagation, and how its rate and its dropout were chosen."""
    name = f"{data.split('_', maxsplit=1)[0]}-conv-price"
    candidates = {
        f"rate {rate}, dropout {dropout}": replace(
            network, method=MethodName.BACKPROPAGATION, rate=rate, dropout=dropout
        )
        for rate, dropout in (best, *others)
    }
    choice = Choice(
        name=f"{name}-choice",
        title=f"{title}: backpropagation by several settings, on {validation} images held out",
        data=data,
        settings=network,
        candidates=candidates,
        seeds=(1,),
        validation=validation,
        **how,
    )
    price = Plan(
        name=name,
        title=f"{title}: backpropagation on the network of {name.removesuffix('-price')}",
        data=data,
        settings=replace(network, rate=best[0], dropout=best[1]),
        methods=(MethodName.BACKPROPAGATION,),
        **how,
    )
    return [choice, price]


# The networks of mnist-conv, fashion-conv and cifar10-conv.
_MNIST = _convolutions((28, 28, 1), (32, 5, 1), (48, 5, 1))
_FASHION = _convolutions((28, 28, 1), (32, 5, 1), (108, 3, 2))
_COLOURED = _convolutions((32, 32, 6), (64, 5, 4), (48, 3, 2))
_CONVOLUTIONS = (
    *_price(
        "mnist",
        "MNIST",
        _MNIST,
        best=(0.002, 0.0),
        others=((0.001, 0.0), (0.001, 0.2)),
        validation=10000,
        epochs=10,
        jitter=1,
    ),
    *_price(
        "fashion_mnist",
        "Fashion-MNIST",
        _FASHION,
        best=(0.002, 0.0),
        others=((0.001, 0.0),),
        validation=10000,
        epochs=10,
        mirror=True,
    ),
    *_price(
        "cifar10_half",
        "CIFAR-10, half set",
        _COLOURED,
        best=(0.002, 0.2),
        others=((0.001, 0.0), (0.002, 0.0), (0.001, 0.2), (0.004, 0.2)),
        validation=2000,
        epochs=12,
        mirror=True,
        jitter=1,
        on_off=True,
    ),
    Plan(
        name="cifar10-conv-methods",
        title=f"CIFAR-10, half set: {_shape(_COLOURED)}",
        data="cifar10_half",
        settings=_COLOURED,
        epochs=6,
        mirror=True,
        on_off=True,
    ),
    Plan(
        name="svhn-conv-methods",
        title=f"SVHN: {_shape(_COLOURED)}",
        data="svhn",
        settings=_COLOURED,
        epochs=3,
        on_off=True,
    ),
)
_FAMILIES = (
    _Family(name="narrow", shape=(100, 50), epochs=10),
    _Family(name="wide", shape=(256, 256), epochs=10, tried=FEWER),
    _Family(name="deep", shape=(500, 500, 500), epochs=4, batch=100),
)
PLANS: dict[str, Plan | IntegerPlan] = {
    **{plan.name: plan for family in _FAMILIES for plan in family.plans()},
    **{plan.name: plan for plan in _CONVOLUTIONS},
    **INTEGER_PLANS,
    **SMALL_PLANS,
    **NITRO_PLANS,
}
"""By name, in the order of the report."""


def find_plan(name: str) -> Plan | IntegerPlan:
    """The plan of that name; :class:`SpecError` if there is none."""
    if name not in PLANS:
        raise SpecError(f"experiment {name!r}", "there is no such one", nearest(name, PLANS))
    return PLANS[name]
