"""A first description of a network for data that nobody has seen: its choices, and their reasons.

The choices are a plateau, on the tables of ``python -m bench tables`` and on fourteen others: twice
or half of any of them changes the mean over either by a point at most.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

import numpy as np
import tomlkit

from golden_model.data.classes import different, plain_labels
from golden_model.data.own_files import RawData
from golden_model.spec.errors import SpecError
from golden_model.spec.network import (
    MAX_CLASSES,
    MAX_INPUTS,
    Coding,
    Dense,
    Learning,
    Loss,
    Network,
    Readout,
)

LEARNT = 40_000
"""Samples of a training, so many as there are, as often as need be ..."""
EPOCHS = (10, 100)
"""... but at least and at most so often: more has never been worse or better."""
RATE_STEPS = (0.5, 0.7, 0.85, 0.95)
SPARSE = 0.5
"""Bytes of which so many are 0, as the pixels of digits on black, need not be centred."""
LINE = 90
"""Characters."""
CHANNELS = 3
"""Axes of an image of several channels; of one channel it may have one less."""
COMMENTS = {
    Coding.UNSIGNED: "bytes, as they are",
    Coding.TWO_CHANNELS: 'how far above its mean, how far below; "signed" takes half the weights',
    Coding.SIGNED: 'how far from its mean; "two-channels" takes twice the weights, often better',
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What a look at the data showed.

    Members
    -------
    samples
        For training; all of a file that does not say which are for test.
    shape
        Of one sample.
    labels
        Different ones, in order.
    coding
        That suits them, or that was asked for.
    """

    samples: int
    shape: tuple[int, ...]
    labels: tuple[str, ...]
    coding: Coding

    @classmethod
    def of(cls, place: str, raw: RawData, coding: Coding | None) -> Self:
        """Look at a file's arrays.

        Raises
        ------
        SpecError
            Naming `place`, if there is nothing to tell apart, or labels are numbers of a scale.
        """
        x = raw.arrays["x"] if "x" in raw.arrays else raw.arrays["x_train"]
        if x.ndim < 2 or not x.size:
            rule = "it must be at least one sample of one feature, the samples first"
            remedy = "Give an array of shape (samples, features)"
            raise SpecError(f"{place}: x has shape {x.shape}", rule, remedy)
        plain = {
            f"{place}: {key}": plain_labels(f"{place}: {key}", found)
            for key, found in raw.arrays.items()
            if key.startswith("y")
        }
        labels = different(plain)
        if not 2 <= len(labels) <= MAX_CLASSES:
            rule = f"a network tells 2 to {MAX_CLASSES} classes apart"
            value = f"{place} has {len(labels)} different labels"
            raise SpecError(value, rule, "Say by --label in which column of a .csv file they are")
        if coding is None:
            coding = Coding.TWO_CHANNELS if 2 * x[0].size <= MAX_INPUTS else Coding.SIGNED
            if x.dtype == np.uint8 and np.mean(x == 0) >= SPARSE:
                coding = Coding.UNSIGNED
        most = MAX_INPUTS // (1 + (coding is Coding.TWO_CHANNELS))
        if x[0].size > most:
            rule = f'a network of coding = "{coding}" takes {most} at most'
            raise SpecError(f"{place}: x has {x[0].size} features", rule, "Leave some out")
        return cls(samples=len(x), shape=x.shape[1:], labels=labels, coding=coding)

    @property
    def inputs(self) -> int | tuple[int, ...]:
        """What a description says of them: how many, or an image's height, width and channels."""
        channels = 1 + (self.coding is Coding.TWO_CHANNELS)
        if len(self.shape) not in (CHANNELS - 1, CHANNELS):
            return channels * math.prod(self.shape)
        height, width, *last = self.shape
        return height, width, channels * math.prod(last)

    @property
    def names(self) -> tuple[str, ...]:
        """Of the classes; none where labels are their numbers."""
        numbers = tuple(map(str, range(len(self.labels))))
        return () if self.labels == numbers else self.labels

    @property
    def epochs(self) -> int:
        """How often to go through the data."""
        least, most = EPOCHS
        return min(max(least, round(LEARNT / self.samples)), most)


def network_for(seen: Seen, name: str, *, units: int, seed: int) -> Network:
    """One hidden layer and a readout; layers have shifts, margins and rates by default."""
    return Network(
        name=name,
        inputs=seen.inputs,  # type: ignore[arg-type]  # an image's sizes become their product
        classes=len(seen.labels),
        labels=seen.names,
        seed=seed,
        coding=seen.coding,
        layers=(Dense(units=units),),
        readout=Readout(),
        learning=Learning(loss=Loss.PAIRWISE_HINGE, epochs=seen.epochs, rate_steps=RATE_STEPS),
    )


def describe(seen: Seen, network: Network, source: str) -> str:
    """The text of a network's file, before its layers are calibrated."""
    [hidden] = network.layers
    assert isinstance(hidden, Dense)
    names = _listed(tomlkit.string(name).as_string() for name in seen.names)
    inputs = list(network.image) if network.image else network.inputs
    features = " x ".join(map(str, seen.shape))
    lines = [
        f"# For {source!r}: {seen.samples} samples of "
        f"{features} features, {len(seen.labels)} classes.",
        f'name = "{network.name}"',
        f"inputs = {inputs}",
        f'coding = "{seen.coding}"  # {COMMENTS[seen.coding]}',
        f"classes = {network.classes}",
        *([f"labels = {names}"] if seen.names else []),
        f"seed = {network.seed}",
        "",
        "[learning]",
        f'loss = "{network.learning.loss}"  # every other class must score less, by the margin',
        f"epochs = {network.learning.epochs}  # {LEARNT:,} samples in all, "
        f"but {EPOCHS[0]} to {EPOCHS[1]} times through the data",
        f"rate_steps = {list(RATE_STEPS)}  # after these shares of them every rate is halved",
        "",
        "# Shifts, margins and rates are measured, as python -m golden_model.calibrate does it.",
        "[[layers]]",
        'type = "dense"',
        f"units = {hidden.units}  # more of them learn more, and take as many weights more",
        "",
        "[readout]  # trained; its scores are the answer",
    ]
    if network.scaler:
        columns = _listed(tomlkit.string(name).as_string() for name in network.scaler.names)
        lines += [
            "",
            "[scaler]  # by which the host centres each feature: of the training samples",
            *([f"names = {columns}"] if network.scaler.names else []),
            f"mean = {_listed(map(repr, network.scaler.mean))}",
            f"deviation = {_listed(map(repr, network.scaler.deviation))}",
        ]
    return "\n".join(lines) + "\n"


def _listed(items: Iterable[str]) -> str:
    """A list of TOML, on more than one line where it is long."""
    lines = [""]
    for item in items:
        if len(lines[-1]) + len(item) > LINE:
            lines.append("")
        lines[-1] += f" {item},"
    if len(lines) == 1:
        return f"[{lines[0].strip(' ,')}]"
    return "\n   ".join(["[", *(line for line in lines if line)]) + "\n]"
