"""What the golden model's samples mean for an engine that layers share, for its cycle model."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from golden_model import rule
from golden_model.convolution import windows_of
from golden_model.layers import LayerTrace
from golden_model.rule import half
from golden_model.spec.formats import ACTIVATION_MAX
from hdl.passes.sharing import EngineTable, Layout, Row, SharedFolding
from hdl.passes.sharing_cycles import LayerWork
from hdl.passes.update_work import Bits, update_groups


def sample_work(
    table: EngineTable,
    folding: SharedFolding,
    x: NDArray[np.generic],
    traces: Sequence[LayerTrace],
    rates: Sequence[int],
) -> list[LayerWork]:
    """Of one sample, in each layer of an engine.

    Parameters
    ----------
    x
        The engine's input, shape ``[inputs]``.
    traces, rates
        Of each of its layers: what it came to, and the rate shift that it learnt with.
    """
    work = []
    for row, trace, rate in zip(table.rows, traces, rates, strict=True):
        flat = row.layout is Layout.FLAT
        inputs = x.reshape((row.tap_pixels, row.tap_channels) if flat else row.format.image)
        updates = trace.pending and folding.learns
        groups = []
        if updates:
            moves = moving(row, inputs, trace, rate)
            groups = update_groups(row, folding, inputs, learners(row, trace), moves)
        work.append(LayerWork(inputs=inputs, updates=updates, groups=groups))
        x = trace.activations
    return work


def learners(row: Row, trace: LayerTrace) -> Bits:
    """Which filters learn in which windows, whatever their gradient: ``[windows, units]``."""
    layer = row.format
    if layer.reads_out:
        return np.ones((1, layer.units), bool)
    h = trace.activations.reshape(layer.windows, layer.units)
    found: Bits = (h > 0) & ((h < ACTIVATION_MAX) | layer.saturated_learns)
    return found


def moving(row: Row, x: NDArray[np.generic], trace: LayerTrace, rate: int) -> Bits:
    """Which weights move, by padded tap, that of the bias last: shape ``[words, units]``."""
    layer = row.format
    errors = trace.gradient.reshape(layer.windows, layer.units).astype(np.float64)
    taps = x.reshape(1, -1).astype(np.float64)
    if row.layout is not Layout.FLAT:
        taps = windows_of(x.astype(np.float64), layer.kernel).reshape(-1, layer.inputs)
        winners, gradient = trace.winners.reshape(errors.shape), errors
        errors = np.zeros((len(taps), layer.units))
        errors[winners, np.arange(layer.units)] = gradient
    moves = np.zeros((row.words, layer.units), bool)
    steps = rule.shift_right(taps.T @ errors + half(rate), rate) != 0
    padded = moves[:-1].reshape(row.tap_pixels, row.stride, -1)
    padded[:, : row.tap_channels] = steps.reshape(row.tap_pixels, row.tap_channels, -1)
    rate += layer.bias_shift
    moves[-1] = rule.shift_right(layer.bias_input * errors.sum(axis=0) + half(rate), rate) != 0
    return moves
