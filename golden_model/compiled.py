"""The golden model's layers on compiled loops: the same integers, sooner.

It is optional, `pip install -e '.[fast]'`, and stands apart: :mod:`golden_model.layers` is the
judge, and tests hold these layers to it, every weight and every trace.
"""

from collections.abc import Mapping
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from golden_model.convolution import ConvLayer, regions_of
from golden_model.draws import classifier as draw_classifier
from golden_model.layers import UNLABELLED, DenseLayer, Learnt, ReadoutLayer
from golden_model.loops import (
    LOSS_NUMBERS,
    Constants,
    Dithering,
    Integers,
    Maps,
    Shape,
    Values,
    learn,
    learn_images,
)
from golden_model.rule import Exact
from golden_model.spec.control import Counter, Register
from golden_model.spec.formats import ConvFormat, LayerFormat, ReadoutFormat
from golden_model.spec.learner import Weights
from golden_model.spec.network import Rounding


class LastValues(Protocol):
    """What the last sample came to, in layers of any kind."""

    @property
    def accumulators(self) -> Integers:
        """acc."""

    @property
    def error(self) -> Integers:
        """e."""

    @property
    def gradient(self) -> Integers:
        """d."""


def constants_of(layer: LayerFormat, registers: Mapping[Register | Counter, int]) -> Constants:
    """As the registers stand."""
    return Constants(
        activation_shift=layer.activation_shift,
        loss=LOSS_NUMBERS[layer.loss],
        error_shift=layer.error_shift,
        margin=registers[Register.MARGIN],
        rate_shift=registers[Register.RATE_SHIFT] + layer.rate_offset,
        limit=1 << (layer.weight_bits - 1),
        learns=bool(registers[Register.LEARN]),
        trained=layer.reads_out,
        stochastic=layer.rounding is Rounding.STOCHASTIC,
    )


class CompiledLayer(DenseLayer):
    """A :class:`~golden_model.layers.DenseLayer` on int32 weights and compiled loops.

    Single samples are chunks of one.
    """

    def _draw_classifier(self) -> None:
        self._matrices = draw_classifier(self.format)

    def _set_weights(self, weights: Weights) -> None:
        self._columns = np.ascontiguousarray(weights.T, np.int32)

    def send(self, x: NDArray[np.generic], label: int | None) -> bool:
        """As the layer that it stands for."""
        labels = np.array([UNLABELLED if label is None else label])
        return bool(self.send_many(x[np.newaxis], labels).changed[0])

    def send_many(self, samples: NDArray[np.generic], labels: Integers) -> Learnt:
        """As the layer that it stands for."""
        learnt = self._learn(samples, labels)
        self._registers[Counter.SAMPLES] += len(labels)
        self._registers[Counter.UPDATES] += int(learnt.changed.sum())
        return learnt

    def _answer(self, x: NDArray[np.generic]) -> None:
        self._learn(x[np.newaxis], np.array([UNLABELLED]))

    def _learn(self, samples: NDArray[np.generic], labels: Integers) -> Learnt:
        """Learn, and keep what the last sample came to."""
        learnt, values = self._run(samples, labels)
        self._accumulators = values.accumulators.ravel().astype(np.float64)
        self._error = values.error.astype(np.float64)
        self._gradient = values.gradient.ravel().astype(np.float64)
        if isinstance(values, Maps):
            self._winners = values.winners
        self.activations = learnt.activations[-1].astype(np.float64)
        self.scores = learnt.scores[-1].astype(np.float64)
        return learnt

    def _run(self, samples: NDArray[np.generic], labels: Integers) -> tuple[Learnt, LastValues]:
        learnt, values = self._nothing_learnt(labels), self._values()
        dither = self._dither
        none = np.zeros((0, 0), np.uint32), np.zeros(1, np.uint32)
        learn(
            samples.astype(np.int32),
            labels,
            constants_of(self.format, self._registers),
            self._matrices,
            Dithering(*((dither.places, dither.state) if dither else none)),
            self._columns,
            values,
            learnt,
        )
        return learnt, values

    def _nothing_learnt(self, labels: Integers) -> Learnt:
        return Learnt.of(self.format, len(labels), h=np.int32, score=np.int64)

    def _values(self) -> Values:
        layer = self.format
        x = np.full(layer.fan_in, layer.bias_input, np.int32)
        return Values(
            x=x,
            live=np.zeros(layer.fan_in, np.int64),
            part=np.zeros(layer.units, np.int32),
            accumulators=np.zeros(layer.units, np.int64),
            error=np.zeros(layer.classes, np.int64),
            gradient=np.zeros(layer.units, np.int64),
        )

    def outputs_of(self, samples: Exact) -> tuple[Exact, Exact]:
        """As the layer that it stands for."""
        learnt, _ = self._run(samples, np.full(len(samples), UNLABELLED))
        return learnt.activations.astype(np.float64), learnt.scores.astype(np.float64)

    def read_weights(self) -> Weights:
        """As the layer that it stands for."""
        return np.ascontiguousarray(self._columns.T)


class CompiledReadout(CompiledLayer, ReadoutLayer):
    """The readout on compiled loops."""

    format: ReadoutFormat

    def _draw_classifier(self) -> None:
        # Compiled loops want arrays; these are never looked at.
        self._matrices = 2 * (np.zeros((0, 0), np.int64),)


class CompiledConvolution(CompiledLayer, ConvLayer):
    """A :class:`~golden_model.convolution.ConvLayer` on int32 weights and compiled loops."""

    format: ConvFormat

    def _run(self, samples: NDArray[np.generic], labels: Integers) -> tuple[Learnt, Maps]:
        layer = self.format
        learnt, maps = self._nothing_learnt(labels), self._maps()
        shape = Shape(
            places=layer.map_shape,
            kernel=layer.kernel,
            pool=layer.pool,
            bias_input=layer.bias_input,
            bias_shift=layer.bias_shift,
            regions=regions_of(layer).argmax(axis=0),
        )
        learn_images(
            samples.reshape(-1, *layer.image).astype(np.int32),
            labels,
            constants_of(layer, self._registers),
            shape,
            self._matrices,
            self._columns,
            maps,
            learnt,
        )
        return learnt, maps

    def _maps(self) -> Maps:
        layer = self.format
        return Maps(
            taps=np.zeros((layer.places, layer.inputs), np.int32),
            live=np.zeros(layer.inputs, np.int64),
            part=np.zeros(layer.units, np.int32),
            accumulators=np.zeros((layer.places, layer.units), np.int64),
            active=np.zeros((layer.places, layer.units), np.int32),
            winners=np.zeros((layer.windows, layer.units), np.int32),
            gradient=np.zeros((layer.windows, layer.units), np.int64),
            by_region=np.zeros((layer.regions, layer.units), np.int64),
            error=np.zeros(layer.classes, np.int64),
            steps=np.zeros((layer.units, layer.inputs), np.int64),
            bias_steps=np.zeros(layer.units, np.int64),
        )
