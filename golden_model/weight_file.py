"""Trained weights in a file, with the network and the scaler that they belong to."""

import io
import reprlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import click
import numpy as np
from numpy.typing import NDArray

from golden_model.data.dataset import Dataset, Stream
from golden_model.files import read_arrays, replace_file
from golden_model.spec.control import Register
from golden_model.spec.errors import SpecError
from golden_model.spec.formats import FormattedNetwork
from golden_model.spec.learner import Learner, Weights, check_weights
from golden_model.spec.network import EPOCHS_MAX, Network, Rounding
from golden_model.spec.scaler import Scaler
from golden_model.training import ALL, Reached

HEADER = ("fingerprint", "seed", "epochs")
STAGE = ("stage", "stage_epochs")
"""Keys of a training layer by layer: which one was learning, and its epochs so far."""
ROUNDING = "rounding"
"""With stochastic rounding: where it stands in each layer."""
SCALER = ("mean", "deviation")
"""Of each feature, where the host centred them."""
NAMES = "features"
"""Their names, where the data had such."""
LABELS = "labels"
"""Names of the classes, where they are not numbers from 0."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """What a weight file holds, once it is known to fit the network.

    Members
    -------
    weights
        Of each layer, shape ``[units, inputs + 1]``.
    reached
        How far their training had come.
    rounding
        Of each layer, the value of its register ROUNDING; empty without stochastic rounding.
    scaler, labels
        What their samples were centred by, and the names of their classes; None and empty where
        there was no such thing.
    """

    weights: tuple[Weights, ...]
    reached: Reached
    rounding: tuple[int, ...]
    scaler: Scaler | None
    labels: tuple[str, ...]

    def completed(self, network: Network) -> Network:
        """The network with the scaler and labels of its weights, where it has none of its own.

        Raises
        ------
        SpecError
            If it has others: the weights would mean something else.
        """
        for name in ("scaler", LABELS):
            known, found = getattr(network, name), getattr(self, name)
            if known and found and known != found:
                rule = "the weights were trained with others"
                remedy = f"Leave {name} out of the description, or train anew"
                raise SpecError(f"{name} of network {network.name!r}", rule, remedy)
        return replace(
            network, scaler=network.scaler or self.scaler, labels=network.labels or self.labels
        )

    def restore(self, learner: Learner) -> None:
        """Give all of it to a learner of the same network."""
        for index, weights in enumerate(self.weights):
            learner.write_weights(index, weights)
        for index, state in enumerate(self.rounding):
            learner.write_register(index, Register.ROUNDING, state)


def save_weights(
    path: Path, learner: Learner, reached: Reached, data: Dataset | Stream | None = None
) -> None:
    """Write the weights of every layer, how far their training has come, and what `data`, or else
    the network, says of scaler and labels."""
    network, layers = learner.formats.network, learner.formats.layers
    content = io.BytesIO()
    header = {"fingerprint": network.fingerprint, "seed": network.seed, "epochs": reached.seen}
    if reached.stage != ALL:
        names = [layer.name for layer in layers]
        header |= {"stage": names.index(reached.stage), "stage_epochs": reached.epoch}
    weights = {layer.name: learner.read_weights(layer.index) for layer in layers}
    arrays: dict[str, Any] = {**header, **weights}
    if network.learning.rounding is Rounding.STOCHASTIC:
        states = [learner.read_register(layer.index, Register.ROUNDING) for layer in layers]
        arrays[ROUNDING] = np.array(states, np.uint32)
    source = data or network
    if source.scaler:
        arrays |= {key: np.array(getattr(source.scaler, key)) for key in SCALER}
        arrays |= {NAMES: np.array(source.scaler.names, np.str_)} if source.scaler.names else {}
    if source.labels:
        arrays[LABELS] = np.array(source.labels, np.str_)
    np.savez_compressed(content, **arrays)
    replace_file(path, content.getvalue())


def read_checkpoint(path: Path, formats: FormattedNetwork) -> Checkpoint:
    """Read a file that :func:`save_weights` wrote; no learner is touched.

    Raises
    ------
    SpecError
        If the file cannot be read, is of another network, or anything in it does not fit.
    """
    network, layers = formats.network, formats.layers
    arrays: dict[str, Any] = {**read_arrays(path, "Use a file that --save wrote")}
    place = f"weight file {str(path)!r}"
    missing = [key for key in (*HEADER, *(layer.name for layer in layers)) if key not in arrays]
    if missing:
        rule = "weights come with the network's fingerprint, seed, epochs and each layer's name"
        remedy = "Use a file that --save wrote for this network"
        raise SpecError(f"{place} lacks {', '.join(missing)}", rule, remedy)
    fingerprint, seed = (_number(arrays, key, place, range(2**32)) for key in HEADER[:2])
    if fingerprint != network.fingerprint:
        rule = f"this description has {network.fingerprint:08x}; every value of it counts"
        remedy = f"Use --seed {seed}" if seed != network.seed else "Use its own description"
        raise SpecError(f"{place} has fingerprint {fingerprint:08x}", rule, remedy)
    for layer in layers:
        check_weights(layer, arrays[layer.name])
    weights = tuple(arrays[layer.name].astype(np.int32) for layer in layers)
    return Checkpoint(
        weights=weights,
        reached=_reached(arrays, place, formats),
        rounding=_rounding(arrays, place, formats),
        scaler=_scaler(arrays, place, network),
        labels=_labels(arrays, place, network),
    )


def _reached(arrays: Mapping[str, Any], place: str, formats: FormattedNetwork) -> Reached:
    counts = range(EPOCHS_MAX + 1)
    seen = _number(arrays, "epochs", place, counts)
    if not any(key in arrays for key in STAGE):
        return Reached(epoch=seen, seen=seen)
    number = _number(arrays, "stage", place, range(len(formats.layers)))
    epoch = _number(arrays, "stage_epochs", place, counts)
    return Reached(stage=formats.layers[number].name, epoch=epoch, seen=seen)


def _rounding(arrays: Mapping[str, Any], place: str, formats: FormattedNetwork) -> tuple[int, ...]:
    if formats.network.learning.rounding is Rounding.NEAREST:
        return ()
    if ROUNDING not in arrays:
        # Of an earlier version.
        unknown = f"Note: {place} does not say where stochastic rounding stood"
        click.echo(f"{unknown}: training goes on with other draws.", err=True)
        return ()
    states, layers = arrays[ROUNDING], len(formats.layers)
    if states.dtype != np.uint32 or states.shape != (layers,):
        value = f"{place} has {ROUNDING}: {states.dtype} of shape {states.shape}"
        rule = f"it must be uint32 of shape {(layers,)}"
        raise SpecError(value, rule, "Use a file that --save wrote")
    return tuple(states.tolist())


def _scaler(arrays: Mapping[str, Any], place: str, network: Network) -> Scaler | None:
    if not any(key in arrays for key in SCALER):
        return None
    mean, deviation = (_of_type(arrays, key, place, "f") for key in SCALER)
    names = tuple(_of_type(arrays, NAMES, place, "U").tolist()) if NAMES in arrays else ()
    scaler = Scaler(mean=tuple(mean.tolist()), deviation=tuple(deviation.tolist()), names=names)
    replace(network, scaler=scaler)  # is one that does not fit, and says so
    return scaler


def _labels(arrays: Mapping[str, Any], place: str, network: Network) -> tuple[str, ...]:
    if LABELS not in arrays:
        return ()
    labels = tuple(_of_type(arrays, LABELS, place, "U").tolist())
    return replace(network, labels=labels).labels


def _of_type(arrays: Mapping[str, Any], key: str, place: str, kind: str) -> NDArray[Any]:
    """An array of one axis and that kind of type; :class:`SpecError` unless it is one."""
    array: NDArray[Any] = arrays.get(key, np.array(None))
    if array.ndim != 1 or array.dtype.kind != kind:
        value = f"{place} has {key}: {array.dtype} of shape {array.shape}"
        rule = f"it must be a list of {'texts' if kind == 'U' else 'floats'}"
        raise SpecError(value, rule, "Use a file that --save wrote")
    return array


def _number(arrays: Mapping[str, Any], key: str, place: str, allowed: range) -> int:
    """An integer of the file; :class:`SpecError` unless it is one, and allowed."""
    array = arrays.get(key, np.array(None))
    if array.ndim or array.dtype.kind not in "iu" or int(array) not in allowed:
        value = f"{place} has {key} = {reprlib.repr(array.tolist())}"
        rule = f"it must be an integer, {allowed[0]} to {allowed[-1]}"
        raise SpecError(value, rule, "Use a file that --save wrote")
    return int(array)
