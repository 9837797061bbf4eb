"""Trained weights in a file, with the network that they belong to."""

import io
from pathlib import Path
from typing import Any

import numpy as np

from golden_model.engine import GoldenEngine
from golden_model.files import read_arrays, replace_file
from golden_model.spec.errors import SpecError
from golden_model.spec.learner import Learner

HEADER = ("fingerprint", "seed", "epochs")


def save_weights(path: Path, learner: Learner, epochs: int) -> None:
    """Write the weights of every layer and the number of epochs that they have seen."""
    network, layers = learner.formats.network, learner.formats.layers
    weights = {layer.name: learner.read_weights(layer.index) for layer in layers}
    content = io.BytesIO()
    header = {"fingerprint": network.fingerprint, "seed": network.seed, "epochs": epochs}
    arrays: dict[str, Any] = {**header, **weights}
    np.savez_compressed(content, **arrays)
    replace_file(path, content.getvalue())


def load_weights(path: Path, learner: Learner) -> int:
    """Give a learner the weights of a file; returns the number of epochs that they have seen.

    Raises
    ------
    SpecError
        If the file cannot be read, is of another network, or a layer's weights do not fit.
        No weight of the learner has changed then.
    """
    network, layers = learner.formats.network, learner.formats.layers
    arrays: dict[str, Any] = {**read_arrays(path, "Use a file that --save wrote")}
    missing = [key for key in (*HEADER, *(layer.name for layer in layers)) if key not in arrays]
    header = {key: int(arrays[key]) for key in HEADER if key in arrays and arrays[key].ndim == 0}
    if missing or len(header) < len(HEADER):
        rule = "weights come with the network's fingerprint, seed, epochs and each layer's name"
        value = f"weight file {str(path)!r} lacks {', '.join(missing or HEADER)}"
        raise SpecError(value, rule, "Use a file that --save wrote for this network")
    if header["fingerprint"] != network.fingerprint:
        value = f"weight file {str(path)!r} has fingerprint {header['fingerprint']:08x}"
        rule = f"this description has {network.fingerprint:08x}; every value of it counts"
        saved = header["seed"]
        remedy = f"Use --seed {saved}" if saved != network.seed else "Use its own description"
        raise SpecError(value, rule, remedy)
    checked = GoldenEngine(learner.formats)
    for layer in layers:
        checked.write_weights(layer.index, arrays[layer.name])
    for layer in layers:
        learner.write_weights(layer.index, checked.read_weights(layer.index))
    return header["epochs"]
