"""What a user describes: a network, its layers and how it learns."""

import json
import math
import zlib
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, fields
from enum import StrEnum
from typing import ClassVar, TypeVar

from golden_model.spec.errors import SpecError, check_names, nearest
from golden_model.spec.scaler import Scaler

MAX_CLASSES = 256
MAX_INPUTS = 16384
MAX_UNITS = 16384
MAX_LAYERS = 32
MAX_KERNEL = 15
MAX_REGIONS = 8
MAX_NAME = 50
"""Characters: in UTF-8, and with what the flow adds to it, a folder's name is below 256 bytes."""

IMAGE_DIMENSIONS = 3
WEIGHT_BITS = range(4, 17)
RATE_SHIFTS = range(0, 16)
CONV_RATE_SHIFTS = range(0, 25)
"""A convolution's updates are sums over the places of an image."""

JITTERS = range(17)
EPOCHS_MAX = 2**31 - 1
"""Shuffling takes the sum of two such numbers."""
HOST_ONLY = ("epochs", "rate_schedule", "rate_steps", "warm_up", "mirror", "jitter")
"""Of the learning table, what hardware knows nothing of."""

Choice = TypeVar("Choice", bound=StrEnum)


class Loss(StrEnum):
    """What a score must satisfy before its error is zero; see :mod:`golden_model.spec.formats`."""

    HINGE = "hinge"
    PAIRWISE_HINGE = "pairwise-hinge"
    SQUARED_HINGE = "squared-hinge"


class Feedback(StrEnum):
    """How an error returns to the units: through the classifier's own signs and magnitudes, or
    through its signs with independent random magnitudes."""

    SYMMETRIC = "symmetric"
    SIGN_CONCORDANT = "sign-concordant"


class Coding(StrEnum):
    """What a network's inputs are: bytes from 0 up, half of which tell how far a value is above its
    mean and half how far below, or bytes of two's complement around it."""

    UNSIGNED = "unsigned"
    TWO_CHANNELS = "two-channels"
    SIGNED = "signed"


class Rounding(StrEnum):
    """How an update becomes a whole number: to the nearest, or up as often as it is near."""

    NEAREST = "nearest"
    STOCHASTIC = "stochastic"


def check_flag(place: str, value: object) -> None:
    """Raise :class:`SpecError` unless `value` is true or false."""
    if not isinstance(value, bool):
        rule = "it must be true or false"
        raise SpecError(f"{place} = {value!r}", rule, "Write it without quotes")


def check_range(place: str, value: object, allowed: range) -> None:
    """Raise :class:`SpecError` unless `value` is an integer in `allowed`."""
    low, high = allowed[0], allowed[-1]
    if not isinstance(value, int) or isinstance(value, bool):
        raise SpecError(
            f"{place} = {value!r}",
            "it must be an integer",
            f"Write {low} to {high}, without quotes",
        )
    if value not in allowed:
        remedy = f"The nearest that fits is {low if value < low else high}"
        raise SpecError(f"{place} = {value}", f"it must be {low} to {high}", remedy)


def check_share(place: str, value: object) -> None:
    """Raise :class:`SpecError` unless `value` is a number from 0 to 1."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        rule = "it must be a share of the run, 0 to 1"
        raise SpecError(f"{place} = {value!r}", rule, "Write for example 0.5")


def check_choice(place: str, value: object, kind: type[Choice]) -> Choice:
    """`value` as a member of `kind`; raises :class:`SpecError` naming the nearest one."""
    names = [member.value for member in kind]
    if value not in names:
        rule = f"it must be one of {', '.join(names)}"
        raise SpecError(f"{place} = {value!r}", rule, nearest(str(value), names))
    return kind(value)


def check_image(place: str, value: object) -> tuple[int, int, int]:
    """`value` as height, width and channels; raises :class:`SpecError` unless it is that."""
    if not isinstance(value, list | tuple) or len(value) != IMAGE_DIMENSIONS:
        rule = "an image has height, width and channels"
        raise SpecError(f"{place} = {value!r}", rule, "Write for example [28, 28, 1]")
    for size in value:
        check_range(f"a size of {place}", size, range(1, MAX_INPUTS + 1))
    height, width, channels = value
    return height, width, channels


@dataclass(frozen=True, slots=True, kw_only=True)
class Learning:
    """The learning rule and its defaults for every layer.

    Members
    -------
    rate_shift
        ``r``: an update is ``d * x / 2**r``. Can be changed while running. It is meant for
        inputs of 0 to 255; where 1.0 is smaller a layer starts from less unless it has its own, so
        that all learn at the same real rate: 3 less if it is fed by activations, 2 less by signed
        inputs.
    epochs
        How often a training goes through the data, unless it is told on the command line; None
        for the command's own number.
    rate_schedule
        Added to every layer's rate shift, one entry for each epoch; the last one stays. The
        host writes the registers, hardware knows nothing of epochs.
    rate_steps
        Instead, for runs of any length: shares of the run after which every rate shift is one
        larger, in order. The host does that too, see :mod:`golden_model.rates`.
    warm_up
        Share of the run at whose start every rate shift is one larger.
    margin
        Distance from zero, or from the label's score, that a score must keep, raw score units.
        Can be changed while running.
    error_shift
        Squared hinge only: right shift from a distance to an error.
    rounding
        Of updates. Weights of 8 bits learn well only with stochastic rounding: most of their
        updates are smaller than half a step.
    mirror
        Half of the training images, others in each epoch, are sent mirrored. The host does that,
        hardware knows nothing of it.
    jitter
        Training images are sent moved by up to so many pixels down or up and across, anew in each
        epoch; their edges are repeated. The host does that too.
    """

    loss: Loss = Loss.HINGE
    feedback: Feedback = Feedback.SYMMETRIC
    rate_shift: int = 5
    epochs: int | None = None
    rate_schedule: tuple[int, ...] = (0,)
    rate_steps: tuple[float, ...] = ()
    warm_up: float = 0.0
    margin: int = 64
    error_shift: int = 4
    rounding: Rounding = Rounding.NEAREST
    mirror: bool = False
    jitter: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "loss", check_choice("learning.loss", self.loss, Loss))
        feedback = check_choice("learning.feedback", self.feedback, Feedback)
        object.__setattr__(self, "feedback", feedback)
        rounding = check_choice("learning.rounding", self.rounding, Rounding)
        object.__setattr__(self, "rounding", rounding)
        check_range("learning.rate_shift", self.rate_shift, RATE_SHIFTS)
        if self.epochs is not None:
            check_range("learning.epochs", self.epochs, range(1, EPOCHS_MAX + 1))
        self._check_rates()
        check_flag("learning.mirror", self.mirror)
        check_range("learning.jitter", self.jitter, JITTERS)
        check_range("learning.margin", self.margin, range(0, 2**31))
        check_range("learning.error_shift", self.error_shift, range(0, 32))

    def _check_rates(self) -> None:
        schedule, steps = self.rate_schedule, self.rate_steps
        if not isinstance(schedule, list | tuple) or not schedule:
            value = f"learning.rate_schedule = {schedule!r}"
            raise SpecError(value, "it must be a list of integers", "Write for example [0, 0, 1]")
        for step in schedule:
            check_range("an entry of learning.rate_schedule", step, RATE_SHIFTS)
        object.__setattr__(self, "rate_schedule", tuple(schedule))
        if not isinstance(steps, list | tuple):
            value = f"learning.rate_steps = {steps!r}"
            raise SpecError(value, "it must be a list of shares", "Write for example [0.6, 0.8]")
        for share in steps:
            check_share("an entry of learning.rate_steps", share)
        check_share("learning.warm_up", self.warm_up)
        object.__setattr__(self, "rate_steps", tuple(steps))
        if [self.warm_up, *steps] != sorted([self.warm_up, *steps]):
            value = f"learning.warm_up = {self.warm_up} and rate_steps = {list(steps)}"
            rule = "they are parts of one run, and do not follow each other in it"
            raise SpecError(value, rule, "Write them in ascending order")
        if self.by_shares and self.rate_schedule != (0,):
            key = "rate_steps" if steps else "warm_up"
            rule = "one counts epochs, the other takes shares of the run"
            value = f"learning.rate_schedule beside {key}"
            raise SpecError(value, rule, "Leave one of them out")

    @property
    def by_shares(self) -> bool:
        """Whether rates change after shares of a run, not after numbers of epochs."""
        return bool(self.rate_steps or self.warm_up)

    @property
    def first_step(self) -> int:
        """What is added to every rate shift at the start of a long run."""
        return int(self.warm_up > 0) if self.by_shares else self.rate_schedule[0]

    @property
    def rate_step_max(self) -> int:
        """The most that is ever added to a rate shift."""
        return max(*self.rate_schedule, len(self.rate_steps), int(self.warm_up > 0))


@dataclass(frozen=True, slots=True, kw_only=True)
class Readout:
    """Trained last layer: one unit for each class, no ReLU, its error acts on itself.

    Members
    -------
    weight_bits
        Width of a signed weight.
    weight_fraction
        Fractional bits of it; None leaves 3 bits for the sign and numbers up to 4. Narrow weights
        of layers with many inputs, which are all small, want more.
    activation_shift
        ``s``: right shift from accumulator to score; None chooses by the formats.
    rate_shift, margin
        This layer's own, None for what follows from the learning table.
    """

    rate_shifts: ClassVar[range] = RATE_SHIFTS

    weight_bits: int = 16
    weight_fraction: int | None = None
    activation_shift: int | None = None
    rate_shift: int | None = None
    margin: int | None = None

    def check(self, place: str) -> None:
        """Raise :class:`SpecError`, naming `place`, for a value out of range."""
        check_range(f"{place}.weight_bits", self.weight_bits, WEIGHT_BITS)
        if self.weight_fraction is not None:
            check_range(f"{place}.weight_fraction", self.weight_fraction, range(0, 16))
        if self.activation_shift is not None:
            check_range(f"{place}.activation_shift", self.activation_shift, range(0, 48))
        if self.rate_shift is not None:
            check_range(f"{place}.rate_shift", self.rate_shift, self.rate_shifts)
        if self.margin is not None:
            check_range(f"{place}.margin", self.margin, range(0, 2**31))


@dataclass(frozen=True, slots=True, kw_only=True)
class Dense(Readout):
    """Hidden layer of `units` units, each fed by every input, with its own random classifier."""

    units: int

    def check(self, place: str) -> None:
        """Raise :class:`SpecError`, naming `place`, for a value out of range."""
        check_range(f"{place}.units", self.units, range(1, MAX_UNITS + 1))
        Readout.check(self, place)


@dataclass(frozen=True, slots=True, kw_only=True)
class Conv(Readout):
    """Convolution over an image, without padding, stride 1, with its own random classifier.

    Members
    -------
    filters, kernel
        Outputs at every place; height and width of the window that each of them sees.
    pool
        2: the largest of each 2 x 2 window goes on, an odd last row or column is left out; 1: all.
    regions
        The classifier sees the sums over regions x regions parts of what goes on.
    bias_shift
        Added to the rate shift for the biases, which would learn at every place at once.
    """

    rate_shifts: ClassVar[range] = CONV_RATE_SHIFTS

    filters: int
    kernel: int
    pool: int = 2
    regions: int = 1
    bias_shift: int = 8

    def check(self, place: str) -> None:
        """Raise :class:`SpecError`, naming `place`, for a value out of range."""
        check_range(f"{place}.filters", self.filters, range(1, MAX_UNITS + 1))
        check_range(f"{place}.kernel", self.kernel, range(1, MAX_KERNEL + 1))
        check_range(f"{place}.pool", self.pool, range(1, 3))
        check_range(f"{place}.regions", self.regions, range(1, MAX_REGIONS + 1))
        check_range(f"{place}.bias_shift", self.bias_shift, range(0, 17))
        Readout.check(self, place)


Hidden = Dense | Conv
"""A hidden layer of any kind."""
LAYER_TYPES: dict[str, type[Hidden]] = {"dense": Dense, "conv": Conv}
"""What ``type`` in a layer's table may say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """A validated network description; :mod:`golden_model.spec.toml` reads it from a file.

    Members
    -------
    inputs
        How many; or height, width and channels of an image, which `image` then holds.
    coding
        What the inputs are. Centred ones keep ordinary data, which is seldom 0, from moving all
        weights of a unit alike. With two channels there are two inputs for each centred value
        ``v``, ``max(0, v)`` and ``max(0, -v)``, one of which is 0: of an image twice the channels,
        else first all of the one kind, then all of the other, since zeros that stand together are
        skipped together. The host makes them, and hardware knows nothing of it.
    scaler
        How the host centres features; None where it is to be found from the training data, and for
        unsigned inputs.
    labels
        Names of the classes, in order; empty where they are numbers from 0.
    on_off
        Two channels of images, each centred by itself: half of the channels tell how much brighter
        than its mean each channel of the data's image is, the other half how much darker, as ON
        and OFF cells of a retina do; see :func:`golden_model.data.scaling.centred_images`.

    Raises
    ------
    SpecError
        If a value breaks a rule; it names the value, the rule and the remedy.
    """

    name: str
    inputs: int
    classes: int
    layers: tuple[Hidden, ...]
    image: tuple[int, int, int] | None = None
    seed: int = 1
    learning: Learning = field(default_factory=Learning)
    readout: Readout | None = None
    coding: Coding = Coding.UNSIGNED
    scaler: Scaler | None = None
    labels: tuple[str, ...] = ()
    on_off: bool = False

    def __post_init__(self) -> None:
        self._check_name()
        self._take_image()
        check_range("inputs", self.inputs, range(1, MAX_INPUTS + 1))
        check_range("classes", self.classes, range(2, MAX_CLASSES + 1))
        check_range("seed", self.seed, range(0, 2**32))
        if not 1 <= len(self.layers) <= MAX_LAYERS:
            rule = f"a network has 1 to {MAX_LAYERS} layers"
            raise SpecError(f"{len(self.layers)} layers", rule, "Write a [[layers]] table for each")
        if (self.learning.mirror or self.learning.jitter) and self.image is None:
            rule = "only images can be mirrored or moved"
            value = f"learning.{'mirror = true' if self.learning.mirror else 'jitter'}"
            raise SpecError(value, rule, "Write inputs = [height, width, channels]")
        check_flag("on_off", self.on_off)
        if self.on_off and (self.image is None or self.image[2] % 2):
            rule = "images have two channels for each of the data's"
            raise SpecError("on_off = true", rule, "Write for example inputs = [32, 32, 6]")
        self._check_coding()
        self._check_labels()
        for index, layer in enumerate(self.layers):
            layer.check(f"layers[{index}]")
        if self.readout is not None:
            self.readout.check("readout")

    def _check_name(self) -> None:
        if not isinstance(self.name, str) or not self.name.replace("-", "_").isidentifier():
            rule = "it becomes a folder's name: letters, digits, '-' and '_', no digit first"
            raise SpecError(f"name = {self.name!r}", rule, 'Write for example "mnist"')
        if len(self.name) > MAX_NAME:
            value = f"name = {self.name[:MAX_NAME]!r}... of {len(self.name)} characters"
            rule = f"it becomes a folder's name, of at most {MAX_NAME} characters"
            raise SpecError(value, rule, "Write a shorter one")

    def _take_image(self) -> None:
        """Inputs named as height, width and channels become their product and `image`."""
        image = self.image if self.image is None else check_image("image", self.image)
        inputs: object = self.inputs
        if isinstance(self.inputs, list | tuple):
            inputs = check_image("inputs", self.inputs)
            image = image or inputs
        if image is None:
            return
        # A copy with another value, by dataclasses.replace, gives both.
        if inputs not in (image, math.prod(image)):
            value = f"image = {list(image)} beside inputs = {self.inputs}"
            remedy = f"Write inputs = {list(image)} alone"
            raise SpecError(value, "both say what an image's inputs are, and differ", remedy)
        object.__setattr__(self, "image", image)
        object.__setattr__(self, "inputs", math.prod(image))

    def _check_coding(self) -> None:
        object.__setattr__(self, "coding", check_choice("coding", self.coding, Coding))
        if self.on_off and self.coding is not Coding.UNSIGNED:
            rule = "on_off centres each image by itself, and makes two channels of it already"
            value = f'coding = "{self.coding}" beside on_off'
            raise SpecError(value, rule, "Leave one of them out")
        if self.two_channels and (self.image or (self.inputs,))[-1] % 2:
            value = f"inputs = {list(self.image) if self.image else self.inputs}"
            rule = "with two channels there are two inputs for each of the data's"
            remedy = "Write 2 * n for n features, or twice the channels of an image"
            raise SpecError(value, rule, remedy)
        if self.scaler is None:
            return
        if self.coding is Coding.UNSIGNED:
            rule = "a scaler centres, and unsigned inputs are not centred"
            raise SpecError("[scaler]", rule, 'Write coding = "two-channels", or leave it out')
        if len(self.scaler.mean) != self.features:
            value = f"a scaler of {len(self.scaler.mean)} features"
            rule = f"the inputs of this network are made of {self.features}"
            raise SpecError(value, rule, "Fit it to this network's data")

    def _check_labels(self) -> None:
        rule = f"each of the {self.classes} classes has a name of its own"
        labels = check_names("labels", self.labels, count=self.classes, what="labels", rule=rule)
        object.__setattr__(self, "labels", labels)

    @property
    def two_channels(self) -> bool:
        """Whether the host makes two inputs of each of the data's."""
        return self.on_off or self.coding is Coding.TWO_CHANNELS

    @property
    def features(self) -> int:
        """Values of a sample of the data."""
        return self.inputs // (1 + self.two_channels)

    @property
    def fingerprint(self) -> int:
        """CRC-32 of the description: tells whether host and chip speak of the same network.

        What only the host does while it trains is no part of it.
        """
        description = asdict(self)
        for name in ("on_off", "scaler", "labels"):
            del description[name]
        if self.coding is not Coding.SIGNED:
            del description["coding"]
        for name in HOST_ONLY:
            del description["learning"][name]
        return zlib.crc32(json.dumps(description, sort_keys=True).encode())


def field_names(kind: type) -> Iterable[str]:
    """Names of the fields of a dataclass, those that a table in a file may hold."""
    return [item.name for item in fields(kind)]
