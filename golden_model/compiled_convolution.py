"""The convolution with its inner loops compiled: the same integers, sooner.

A sample costs ``places * taps * filters`` multiplications less those of inputs that are 0; one that
is learnt another ``windows * taps * filters`` for winners whose d is not 0.
"""

import math
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from golden_model.compiled import (
    CompiledLayer,
    Constants,
    Integers,
    Matrices,
    Narrow,
    accumulate,
    constants_of,
    find_live,
    judge,
)
from golden_model.convolution import ConvLayer, regions_of
from golden_model.layers import UNLABELLED, Learnt
from golden_model.spec.formats import ACTIVATION_MAX, ConvFormat
from golden_model.spec.learner import Weights


class Shape(NamedTuple):
    """What decides where a convolution looks: `places` down and across, each window's region."""

    places: tuple[int, int]
    kernel: int
    pool: int
    bias_input: int
    bias_shift: int
    regions: Integers


class Maps(NamedTuple):
    """What the last sample came to.

    Members
    -------
    taps, live
        x of each place, ``[places, taps]``, and scratch.
    accumulators, active
        acc and a, shape ``[places, filters]``; `part` is scratch.
    winners, gradient
        Place and d of each window's winner, shape ``[windows, filters]``.
    by_region
        z, then D; shape ``[regions, filters]``.
    error
        e.
    steps
        What weights are changed by, before the shift: ``[filters, taps]`` and, of the bias,
        ``[filters]``.
    """

    taps: Narrow
    live: Integers
    part: Narrow
    accumulators: Integers
    active: Narrow
    winners: Narrow
    gradient: Integers
    by_region: Integers
    error: Integers
    steps: Integers
    bias_steps: Integers


@njit(cache=True)  # type: ignore[untyped-decorator]
def look(image: Narrow, shape: Shape, taps: Narrow) -> None:
    """Fills in `taps` of all places."""
    channels = image.shape[2]
    flat = image.reshape(image.shape[0], -1)
    rows, columns = shape.places
    width = shape.kernel * channels
    for row in range(rows):
        for column in range(columns):
            place = taps[row * columns + column]
            for y in range(shape.kernel):
                for k in range(width):
                    place[y * width + k] = flat[row + y, column * channels + k]


@njit(cache=True)  # type: ignore[untyped-decorator]
def sum_up(weights: Weights, shape: Shape, shift: int, maps: Maps) -> None:
    """acc and a of all places."""
    rounding = (1 << shift) >> 1
    for place in range(len(maps.taps)):
        sums, active = maps.accumulators[place], maps.active[place]
        for o in range(len(sums)):
            sums[o] = shape.bias_input * weights[-1, o]
        live = maps.live[: find_live(maps.taps[place], maps.live)]
        accumulate(maps.taps[place], live, weights, maps.part, sums)
        for o in range(len(sums)):
            active[o] = min(max((sums[o] + rounding) >> shift, 0), ACTIVATION_MAX)


@njit(cache=True)  # type: ignore[untyped-decorator]
def pool_maps(shape: Shape, maps: Maps, activations: Narrow) -> None:
    """h of each window, ``[windows, filters]``, and the number of the place that won it."""
    columns = shape.places[1]
    pooled = columns // shape.pool
    for window in range(len(activations)):
        best, winners = activations[window], maps.winners[window]
        best[:] = -1
        row, column = window // pooled * shape.pool, window % pooled * shape.pool
        for y in range(row, row + shape.pool):
            for x in range(column, column + shape.pool):
                active = maps.active[y * columns + x]
                place = np.int32(y * columns + x)
                for o in range(len(best)):
                    winners[o] = place if active[o] > best[o] else winners[o]
                    best[o] = max(active[o], best[o])


@njit(cache=True)  # type: ignore[untyped-decorator]
def gather(maps: Maps) -> None:
    """``steps[o,k] = sum_p d[p,o] * x[p,k]``, and of each filter the sum of d."""
    maps.steps[:] = 0
    maps.bias_steps[:] = 0
    for window in range(len(maps.gradient)):
        for o in range(maps.gradient.shape[1]):
            d = maps.gradient[window, o]
            if d != 0:
                maps.bias_steps[o] += d
                place = maps.winners[window, o]
                for k in range(maps.steps.shape[1]):
                    maps.steps[o, k] += d * maps.taps[place, k]


@njit(cache=True)  # type: ignore[untyped-decorator]
def move(maps: Maps, constants: Constants, shape: Shape, weights: Weights) -> None:
    """``W = saturate(W - ((steps + half(r)) >> r))``; W is ``[taps + 1, filters]``."""
    shift, limit = constants.rate_shift, constants.limit
    bias_shift = shift + shape.bias_shift
    half, bias_half = (1 << shift) >> 1, (1 << bias_shift) >> 1
    bias = len(weights) - 1
    for k in range(bias):
        for o in range(weights.shape[1]):
            moved = weights[k, o] - ((maps.steps[o, k] + half) >> shift)
            weights[k, o] = min(max(moved, -limit), limit - 1)
    for o in range(weights.shape[1]):
        step = (shape.bias_input * maps.bias_steps[o] + bias_half) >> bias_shift
        weights[bias, o] = min(max(weights[bias, o] - step, -limit), limit - 1)


@njit(cache=True)  # type: ignore[untyped-decorator]
def learn_images(
    images: Narrow,
    labels: Integers,
    constants: Constants,
    shape: Shape,
    matrices: Matrices,
    weights: Weights,
    maps: Maps,
    learnt: Learnt,
) -> None:
    """Answers and learns images of shape ``[n, height, width, channels]``, one after the other."""
    classifier, feedback = matrices
    for n in range(len(images)):
        look(images[n], shape, maps.taps)
        sum_up(weights, shape, constants.activation_shift, maps)
        activations = learnt.activations[n].reshape(maps.winners.shape)
        pool_maps(shape, maps, activations)
        answer(activations, classifier, shape, maps, learnt.scores[n])
        maps.error[:] = 0
        maps.gradient[:] = 0
        learnt.changed[n] = (
            constants.learns
            and labels[n] != UNLABELLED
            and judge(learnt.scores[n], labels[n], constants, maps.error)
        )
        if learnt.changed[n]:
            spread(activations, feedback, shape, maps)
            gather(maps)
            move(maps, constants, shape, weights)


@njit(cache=True)  # type: ignore[untyped-decorator]
def answer(
    activations: Narrow, classifier: Integers, shape: Shape, maps: Maps, scores: Integers
) -> None:
    """Scores of h, shape ``[windows, filters]``."""
    maps.by_region[:] = 0
    for window in range(len(activations)):
        for o in range(activations.shape[1]):
            maps.by_region[shape.regions[window], o] += activations[window, o]
    scores[:] = 0
    sums = maps.by_region.ravel()
    for row in range(len(sums)):
        for c in range(len(scores)):
            scores[c] += sums[row] * classifier[row, c]


@njit(cache=True)  # type: ignore[untyped-decorator]
def spread(activations: Narrow, feedback: Integers, shape: Shape, maps: Maps) -> None:
    """d of each window's winner."""
    sums = maps.by_region.ravel()
    for row in range(len(sums)):
        sums[row] = 0
        for c in range(len(maps.error)):
            sums[row] += feedback[row, c] * maps.error[c]
    for window in range(len(activations)):
        for o in range(activations.shape[1]):
            if 0 < activations[window, o] < ACTIVATION_MAX:
                maps.gradient[window, o] = maps.by_region[shape.regions[window], o]


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
        places = math.prod(layer.map_shape)
        return Maps(
            taps=np.zeros((places, layer.inputs), np.int32),
            live=np.zeros(layer.inputs, np.int64),
            part=np.zeros(layer.units, np.int32),
            accumulators=np.zeros((places, layer.units), np.int64),
            active=np.zeros((places, layer.units), np.int32),
            winners=np.zeros((layer.windows, layer.units), np.int32),
            gradient=np.zeros((layer.windows, layer.units), np.int64),
            by_region=np.zeros((layer.regions, layer.units), np.int64),
            error=np.zeros(layer.classes, np.int64),
            steps=np.zeros((layer.units, layer.inputs), np.int64),
            bias_steps=np.zeros(layer.units, np.int64),
        )
