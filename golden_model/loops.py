"""The golden model's inner loops, compiled by numba; :mod:`golden_model.jit` keeps them.

A dense sample costs ``inputs * units`` multiplications, one of a convolution ``places * taps *
filters``, both less those of inputs that are 0. A sample that is learnt costs as many again, in a
convolution only for winners whose d is not 0.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from golden_model.jit import compiled
from golden_model.layers import UNLABELLED, Learnt
from golden_model.rule import Exact
from golden_model.spec.formats import ACTIVATION_MAX, ERROR_MAX
from golden_model.spec.learner import Weights
from golden_model.spec.network import Loss
from golden_model.spec.random import XORSHIFT

Integers = NDArray[np.int64]
Narrow = NDArray[np.int32]
HINGE, PAIRWISE, SQUARED = range(3)
LOSS_NUMBERS = {Loss.HINGE: HINGE, Loss.PAIRWISE_HINGE: PAIRWISE, Loss.SQUARED_HINGE: SQUARED}
LEFT, RIGHT, LEFT_AGAIN = map(np.uint32, XORSHIFT)
Matrices = tuple[Integers, Integers]
"""M and K, shape ``[regions * units, classes]``."""
BLOCK = 256
"""So many products of 8-bit activations and 16-bit weights stay below 2**31."""


class Constants(NamedTuple):
    """How a layer learns now, as compiled loops take it.

    Members
    -------
    loss
        Its number in `LOSS_NUMBERS`.
    rate_shift
        The register's value and the layer's offset.
    limit
        Weights are ``-limit`` to ``limit - 1``.
    learns, trained, stochastic
        Whether the layer learns, is the readout, rounds stochastically.
    """

    activation_shift: int
    loss: int
    error_shift: int
    margin: int
    rate_shift: int
    limit: int
    learns: bool
    trained: bool
    stochastic: bool


class Values(NamedTuple):
    """What the last sample came to; `live` lists the inputs that are not 0, `part` is scratch."""

    x: Narrow
    live: Integers
    part: Narrow
    accumulators: Integers
    error: Integers
    gradient: Integers


class Dithering(NamedTuple):
    """Of :class:`~golden_model.draws.Dither`, what compiled loops need; empty without it."""

    places: NDArray[np.uint32]
    state: NDArray[np.uint32]


@compiled
def find_live(x: Narrow, live: Integers) -> int:
    """Lists the inputs that are not 0 and says how many there are."""
    count = 0
    for i in range(len(x)):
        live[count] = i
        count += x[i] != 0
    return count


@compiled
def accumulate(
    x: Narrow, live: Integers, weights: Weights, part: Narrow, accumulators: Integers
) -> None:
    """``acc[j] += sum_i W[i,j] * x[i]`` over the `live` inputs.

    32 bits hold the sum of a block. Four rows at a time spare loads and stores.
    """
    units = len(accumulators)
    for start in range(0, len(live), BLOCK):
        stop = min(start + BLOCK, len(live))
        part[:] = 0
        fours = start + (stop - start) // 4 * 4
        for n in range(start, fours, 4):
            i0, i1, i2, i3 = live[n], live[n + 1], live[n + 2], live[n + 3]
            x0, x1, x2, x3 = x[i0], x[i1], x[i2], x[i3]
            w0, w1, w2, w3 = weights[i0], weights[i1], weights[i2], weights[i3]
            for j in range(units):
                part[j] += x0 * w0[j] + x1 * w1[j] + x2 * w2[j] + x3 * w3[j]
        for n in range(fours, stop):
            x0, w0 = x[live[n]], weights[live[n]]
            for j in range(units):
                part[j] += x0 * w0[j]
        for j in range(units):
            accumulators[j] += part[j]


@compiled
def judge(scores: Integers, label: int, constants: Constants, error: Integers) -> bool:
    """Fills in e, and says whether it is not all 0, as it is where nothing is to be learnt."""
    error[:] = 0
    if label == UNLABELLED or not constants.learns:
        return False
    margin, own = constants.margin, scores[label]
    near, wrong = 0, False
    for c in range(len(scores)):
        if constants.loss == PAIRWISE:
            size = 1 if c != label and own - scores[c] < margin else 0
            near += size
        else:
            distance = margin - scores[c] if c == label else margin + scores[c]
            size = 1 if distance > 0 else 0
            if constants.loss == SQUARED:
                size = min(int(max(distance, 0)) >> constants.error_shift, ERROR_MAX)
        error[c] = -size if c == label else size
        wrong |= size != 0
    if constants.loss == PAIRWISE:
        error[label] = -near
    return wrong


@compiled
def xorshift(state: np.uint32) -> np.uint32:
    """The next state of the generator."""
    state ^= np.uint32(state << LEFT)
    state ^= np.uint32(state >> RIGHT)
    return np.uint32(state ^ np.uint32(state << LEFT_AGAIN))


@compiled
def update(
    values: Values, live: Integers, constants: Constants, dither: Dithering, weights: Weights
) -> None:
    """``W[i,j] = saturate(W[i,j] - ((d[j] * x[i] + rounding) >> r))`` over the `live` inputs.

    The rounding is half of what is shifted away or, if it is stochastic, ``u >> (32 - r)``, see
    :class:`golden_model.draws.Dither`.
    """
    shift, limit = constants.rate_shift, constants.limit
    nearest = np.int64((1 << shift) >> 1)
    if constants.stochastic:
        dither.state[0] = xorshift(dither.state[0])
    for i in live:
        value = values.x[i]
        for j in range(len(values.gradient)):
            rounding = nearest
            if constants.stochastic:
                draw = dither.places[i, j] ^ dither.state[0]
                rounding = np.int64(draw >> np.uint32(1)) >> (31 - shift)
            moved = weights[i, j] - ((values.gradient[j] * value + rounding) >> shift)
            weights[i, j] = min(max(moved, -limit), limit - 1)


@compiled
def answer(
    values: Values,
    constants: Constants,
    classifier: Integers,
    activations: Narrow,
    scores: Integers,
) -> None:
    """h and scores of acc; the readout has no h."""
    shift = constants.activation_shift
    if constants.trained:
        for c in range(len(scores)):
            scores[c] = values.accumulators[c] >> shift
        return
    rounding = (1 << shift) >> 1
    scores[:] = 0
    for j in range(len(activations)):
        h = min(max((values.accumulators[j] + rounding) >> shift, 0), ACTIVATION_MAX)
        activations[j] = h
        if h:
            for c in range(len(scores)):
                scores[c] += h * classifier[j, c]


@compiled
def spread(values: Values, constants: Constants, feedback: Integers, activations: Narrow) -> None:
    """d of e."""
    if constants.trained:
        values.gradient[:] = values.error
        return
    for j in range(len(activations)):
        if activations[j]:
            for c in range(len(values.error)):
                values.gradient[j] += feedback[j, c] * values.error[c]


@compiled
def learn(
    samples: Narrow,
    labels: Integers,
    constants: Constants,
    matrices: Matrices,
    dither: Dithering,
    weights: Weights,
    values: Values,
    learnt: Learnt,
) -> None:
    """Answers and learns samples of shape ``[n, inputs]``, one after the other."""
    classifier, feedback = matrices
    for n in range(len(samples)):
        values.x[:-1] = samples[n]
        live = values.live[: find_live(values.x, values.live)]
        values.accumulators[:] = 0
        accumulate(values.x, live, weights, values.part, values.accumulators)
        activations, scores = learnt.activations[n], learnt.scores[n]
        answer(values, constants, classifier, activations, scores)
        values.gradient[:] = 0
        learnt.changed[n] = judge(scores, labels[n], constants, values.error)
        if learnt.changed[n]:
            spread(values, constants, feedback, activations)
            update(values, live, constants, dither, weights)


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


@compiled
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


@compiled
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


@compiled
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


@compiled
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


@compiled
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


@compiled
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
        answer_image(activations, classifier, shape, maps, learnt.scores[n])
        maps.gradient[:] = 0
        learnt.changed[n] = judge(learnt.scores[n], labels[n], constants, maps.error)
        if learnt.changed[n]:
            spread_over_image(activations, feedback, shape, maps)
            gather(maps)
            move(maps, constants, shape, weights)


@compiled
def answer_image(
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


@compiled
def spread_over_image(activations: Narrow, feedback: Integers, shape: Shape, maps: Maps) -> None:
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


@compiled
def answer_real(
    sums: Exact, constants: Constants, classifier: Exact, activations: Exact, scores: Exact
) -> None:
    """h and scores of scaled sums; the readout has no h."""
    if constants.trained:
        scores[:] = sums
        return
    activations[:] = np.maximum(sums, 0.0)
    scores[:] = 0
    for j in range(len(activations)):
        for c in range(len(scores)):
            scores[c] += activations[j] * classifier[j, c]


@compiled
def learn_real(
    samples: Exact,
    labels: Integers,
    constants: Constants,
    classifier: Exact,
    feedback: Exact,
    weights: Exact,
    bias_input: int,
    learnt: Learnt,
) -> None:
    """Answers and learns samples of shape ``[n, inputs]``, one after the other."""
    units = weights.shape[1]
    sums, gradient = np.zeros(units), np.zeros(units)
    error = np.zeros(learnt.scores.shape[1], np.int64)
    scale, rate = 2.0**-constants.activation_shift, 2.0**-constants.rate_shift
    for n in range(len(samples)):
        x, activations, scores = samples[n], learnt.activations[n], learnt.scores[n]
        live = x.nonzero()[0]
        sums[:] = bias_input * weights[-1]
        for i in live:
            for j in range(units):
                sums[j] += x[i] * weights[i, j]
        answer_real(sums * scale, constants, classifier, activations, scores)
        learnt.changed[n] = judge(scores, labels[n], constants, error)
        if not learnt.changed[n]:
            continue
        for j in range(units):
            gradient[j] = error[j] if constants.trained else 0.0
            if not constants.trained and activations[j] > 0:
                for c in range(len(scores)):
                    gradient[j] += feedback[j, c] * error[c]
            gradient[j] *= rate
            weights[-1, j] -= bias_input * gradient[j]
        for i in live:
            for j in range(units):
                weights[i, j] -= x[i] * gradient[j]
