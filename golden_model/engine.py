"""The integer golden model: judge of every other learner, bit for bit."""

import functools
import importlib.util
from collections.abc import Iterator, Sequence
from dataclasses import replace

import click
import numpy as np
from numpy.typing import NDArray

from golden_model.convolution import ConvLayer
from golden_model.layers import DenseLayer, LayerTrace, ReadoutLayer
from golden_model.rule import Exact
from golden_model.spec.control import Counter, Register
from golden_model.spec.formats import (
    ConvFormat,
    DenseFormat,
    FormattedNetwork,
    LayerFormat,
    ReadoutFormat,
    infer_formats,
)
from golden_model.spec.learner import Result, Sample, Samples, Weights, check_sample
from golden_model.spec.toml import load_network

LayerKinds = dict[type[LayerFormat], type[DenseLayer]]
LAYERS: LayerKinds = {
    DenseFormat: DenseLayer,
    ConvFormat: ConvLayer,
    ReadoutFormat: ReadoutLayer,
}
"""The layer that interprets each kind of format."""


class GoldenEngine:
    """A :class:`~golden_model.spec.learner.Learner` that computes exactly what the formats say.

    Parameters
    ----------
    formats
        The network, with every shape and width decided.
    compiled
        Run the layers of :mod:`golden_model.compiled`: the same integers, sooner. They need numba.

    Members
    -------
    changed
        Samples since the last reset whose error was not all 0 in at least one learning layer;
        all others changed no weight at all.
    """

    def __init__(self, formats: FormattedNetwork, *, compiled: bool = False) -> None:
        self.formats = formats
        self.changed = 0
        kinds = _compiled_layers() if compiled else self._kinds()
        self._layers = [kinds[type(layer)](layer) for layer in formats.layers]
        self._results: list[Result] = []

    def _kinds(self) -> LayerKinds:
        return LAYERS

    def send(self, sample: Sample, label: int | None = None) -> None:
        """Answer a sample of shape ``[inputs]`` and, with a label, learn it at once."""
        network = self.formats.network
        check_sample(network, sample)
        if label is not None and not 0 <= label < network.classes:
            raise ValueError(f"label {label} is not 0 to {network.classes - 1}")
        changed = False
        x: NDArray[np.generic] = sample
        for layer in self._layers:
            changed |= layer.send(x, label)
            x = layer.activations
        self.changed += changed
        scores = layer.scores
        self._results.append(Result(predicted=int(scores.argmax()), scores=scores.astype(np.int64)))

    def send_many(self, samples: Samples, labels: NDArray[np.integer]) -> None:
        """Send labelled samples of shape ``[n, inputs]``, one after the other, and sooner.

        Since nothing comes back from above, a layer learns them all before the next one sees any.
        """
        check_sample(self.formats.network, samples, len(labels))
        numbers: NDArray[np.int64] = labels.astype(np.int64)
        changed = np.zeros(len(labels), np.bool_)
        x: NDArray[np.generic] = samples
        for layer in self._layers:
            learnt = layer.send_many(x, numbers)
            changed |= learnt.changed
            x = learnt.activations
        self.changed += int(changed.sum())
        predicted, scores = learnt.scores.argmax(axis=1), learnt.scores.astype(np.int64)
        self._results += [
            Result(predicted=answer, scores=row)
            for answer, row in zip(predicted.tolist(), scores, strict=True)
        ]

    def results(self) -> list[Result]:
        """Results of all samples sent since the last call, in order."""
        results, self._results = self._results, []
        return results

    def traces(self) -> list[LayerTrace]:
        """What each layer computed for the last sample; meaningless before the first one."""
        return [layer.trace() for layer in self._layers]

    def read_weights(self, layer: int) -> Weights:
        """A copy of a layer's weights, shape ``[units, inputs + 1]``."""
        return self._layers[layer].read_weights()

    def write_weights(self, layer: int, weights: Weights) -> None:
        """Replace a layer's weights; :class:`SpecError` for a wrong shape or range."""
        self._layers[layer].write_weights(weights)

    def write_register(self, layer: int, register: Register, value: int) -> None:
        """Set a register for the samples to come; :class:`SpecError` for a value out of range."""
        self._layers[layer].write_register(register, value)

    def read_register(self, layer: int, number: Register | Counter) -> int:
        """Value of a register or counter."""
        return self._layers[layer].read_register(number)

    def reset(self) -> None:
        """Initial weights, the described registers and counters of zero; results stay."""
        self.changed = 0
        for layer in self._layers:
            layer.reset()

    def scores(self, samples: Samples) -> Sequence[NDArray[np.number]]:
        """Each layer's scores of many samples at once; learns and counts nothing.

        Parameters
        ----------
        samples
            Shape ``[n, inputs]``; the scores have shape ``[n, classes]``.
        """
        return [scores.astype(np.int64) for _, scores in self.outputs(samples)]

    def outputs(self, samples: Samples) -> Iterator[tuple[Exact, Exact]]:
        """Each layer's activations and scores of many samples at once; as :meth:`scores`.

        The activations have shape ``[n, outputs]``, which is ``[n, 0]`` for the readout.
        """
        check_sample(self.formats.network, samples, len(samples))
        x = samples.astype(np.float64)
        for layer in self._layers:
            x, scores = layer.outputs_of(x)
            yield x, scores


@functools.cache
def can_compile() -> bool:
    """Whether numba is installed and can be used; if it cannot, the user is told so once."""
    if importlib.util.find_spec("numba") is None:
        return False
    try:
        importlib.import_module("golden_model.compiled")
    except Exception as error:  # ImportError, or OSError and SystemError of the libraries below it
        click.echo(f"numba cannot be used ({error}); NumPy does the same, slower.", err=True)
        return False
    return True


def fastest(formats: FormattedNetwork) -> GoldenEngine:
    """The engine on compiled loops where they can be had, else the plain one: the same integers."""
    return GoldenEngine(formats, compiled=can_compile())


def engine_for(name_or_file: str, seed: int | None = None) -> GoldenEngine:
    """The fastest engine of a described network, with another seed than its own if one is given.

    Raises
    ------
    SpecError
        If there is no such network, or it breaks a rule.
    """
    network = load_network(name_or_file)
    if seed is not None:
        network = replace(network, seed=seed)
    return fastest(infer_formats(network))


def _compiled_layers() -> LayerKinds:
    # Imported here because numba is optional, and takes a second.
    from golden_model.compiled import (  # noqa: PLC0415
        CompiledConvolution,
        CompiledLayer,
        CompiledReadout,
    )

    return {
        DenseFormat: CompiledLayer,
        ConvFormat: CompiledConvolution,
        ReadoutFormat: CompiledReadout,
    }
