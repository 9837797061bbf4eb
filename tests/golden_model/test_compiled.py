"""Compiled layers give the integers of the plain ones."""

import numpy as np
import pytest

from golden_model.engine import GoldenEngine
from golden_model.spec.control import Counter, Register
from golden_model.spec.formats import infer_formats
from golden_model.spec.learner import sample_type
from golden_model.spec.network import (
    Coding,
    Dense,
    Feedback,
    Learning,
    Loss,
    Network,
    Readout,
    Rounding,
)

pytest.importorskip("numba")


def formats(
    loss, feedback, weight_bits, readout, rounding=Rounding.NEAREST, coding=Coding.UNSIGNED
):
    """Weights of few bits saturate soon; the first layer is wide enough to gather its rows."""
    return infer_formats(
        Network(
            name="tried",
            inputs=700,
            classes=5,
            layers=(
                Dense(units=24, weight_bits=weight_bits),
                Dense(units=9, weight_bits=weight_bits, activation_shift=weight_bits - 3),
            ),
            readout=Readout(weight_bits=weight_bits) if readout else None,
            learning=Learning(
                loss=loss,
                feedback=feedback,
                rate_shift=4,
                margin=50,
                error_shift=2,
                rounding=rounding,
            ),
            coding=coding,
        )
    )


@pytest.mark.parametrize("rounding", Rounding)
@pytest.mark.parametrize("weight_bits", [8, 16])
@pytest.mark.parametrize("feedback", Feedback)
@pytest.mark.parametrize("loss", Loss)
def test_every_trace_weight_and_counter_is_equal(loss, feedback, weight_bits, rounding):
    # Half of them have signed inputs, any two of the above with either coding.
    signed = (feedback is Feedback.SYMMETRIC) ^ (weight_bits == 16) ^ (rounding is Rounding.NEAREST)
    coding = Coding.SIGNED if signed else Coding.UNSIGNED
    described = formats(loss, feedback, weight_bits, weight_bits == 16, rounding, coding)
    kind = sample_type(described.network)
    plain, compiled = GoldenEngine(described), GoldenEngine(described, compiled=True)
    chance = np.random.default_rng(1)
    # Initial weights of 8 bits are so small that none of so many inputs' sums would be above 0.
    largest = 20 if rounding is Rounding.NEAREST or weight_bits == 16 else 120
    weights = chance.integers(-largest, largest + 1, (24, 701)).astype(np.int32)
    for engine in (plain, compiled):
        engine.write_weights(0, weights)
    for number in range(150):
        sample = chance.integers(0, 256, 700).astype(np.uint8).view(kind)
        sample[chance.random(700) < 0.6] = 0
        label = None if chance.random() < 0.1 else int(chance.integers(5))
        for engine in (plain, compiled):
            engine.send(sample, label)
            if number == 10:
                engine.write_register(0, Register.RATE_SHIFT, 0)
            if number == 90:
                engine.write_register(1, Register.LEARN, 0)
        for wanted, found in zip(plain.traces(), compiled.traces(), strict=True):
            for name in wanted.__slots__:
                assert np.array_equal(getattr(wanted, name), getattr(found, name)), (number, name)
    assert plain.changed == compiled.changed > 20
    samples = chance.integers(0, 256, (20, 700)).astype(np.uint8).view(kind)
    for wanted, found in zip(plain.scores(samples), compiled.scores(samples), strict=True):
        assert np.array_equal(wanted, found)
    for layer in described.layers:
        wanted = plain.read_weights(layer.index)
        assert np.array_equal(wanted, compiled.read_weights(layer.index)), layer.name
        for counter in Counter:
            found = compiled.read_register(layer.index, counter)
            assert found == plain.read_register(layer.index, counter), counter
    limit = 1 << (weight_bits - 1)
    if weight_bits == 8:
        assert (np.abs(plain.read_weights(0)) >= limit - 1).any(), "nothing saturated"


@pytest.mark.parametrize(
    ("compiled", "coding"),
    [(False, Coding.SIGNED), (True, Coding.SIGNED), (True, Coding.UNSIGNED)],
)
def test_samples_in_chunks_are_samples_one_by_one(compiled, coding):
    described = formats(Loss.PAIRWISE_HINGE, Feedback.SYMMETRIC, 16, readout=True, coding=coding)
    alone, many = GoldenEngine(described), GoldenEngine(described, compiled=compiled)
    chance = np.random.default_rng(2)
    samples = chance.integers(0, 256, (70, 700)).astype(np.uint8)
    samples = samples.view(sample_type(described.network))
    labels = chance.integers(5, size=70).astype(np.uint8)
    for sample, label in zip(samples, labels.tolist(), strict=True):
        alone.send(sample, label)
    many.send_many(samples[:40], labels[:40])
    many.send_many(samples[40:], labels[40:])
    for wanted, found in zip(alone.results(), many.results(), strict=True):
        assert wanted.predicted == found.predicted
        assert np.array_equal(wanted.scores, found.scores)
    assert alone.changed == many.changed > 20
    for layer in described.layers:
        assert np.array_equal(alone.read_weights(layer.index), many.read_weights(layer.index))
        for counter in Counter:
            number = layer.index, counter
            assert alone.read_register(*number) == many.read_register(*number), number
    for wanted, found in zip(alone.traces(), many.traces(), strict=True):
        assert np.array_equal(wanted.gradient, found.gradient)


def test_written_weights_are_used():
    described = formats(Loss.HINGE, Feedback.SYMMETRIC, 16, readout=True)
    plain, compiled = GoldenEngine(described), GoldenEngine(described, compiled=True)
    weights = plain.read_weights(0) // 2
    sample = np.arange(700).astype(np.uint8)
    for engine in (plain, compiled):
        engine.write_weights(0, weights)
        engine.send(sample, 3)
    assert np.array_equal(plain.results()[0].scores, compiled.results()[0].scores)
    assert np.array_equal(plain.read_weights(0), compiled.read_weights(0))
