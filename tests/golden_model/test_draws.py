"""Draws against a generator that takes one step after another."""

import numpy as np
import pytest

from golden_model.draws import classifier, initial_weights, stream
from golden_model.spec.formats import infer_formats
from golden_model.spec.network import Dense, Feedback, Learning, Network
from golden_model.spec.random import Purpose, stream_seed
from tests.golden_model.slow_rule import SlowLayer, xorshift


@pytest.mark.parametrize("seed", [1, 2**31, 2**32 - 1, 0xDEADBEEF])
@pytest.mark.parametrize("count", [1, 2, 3, 64, 1000])
def test_stream_is_xorshift(seed: int, count: int) -> None:
    assert stream(seed, count).tolist() == xorshift(seed, count)


def test_the_published_first_draw() -> None:
    """Marsaglia's own example: seed 2463534242 first gives 723471715."""
    assert stream(2463534242, 1).tolist() == [723471715]


@pytest.mark.parametrize("inputs", [1, 3, 9, 784])
@pytest.mark.parametrize("feedback", list(Feedback))
def test_weights_and_classifier_are_as_declared(inputs: int, feedback: Feedback) -> None:
    network = Network(
        name="a",
        inputs=inputs,
        classes=7,
        layers=(Dense(units=5),),
        learning=Learning(feedback=feedback),
    )
    (layer,) = infer_formats(network).layers
    slow = SlowLayer(layer)
    assert initial_weights(layer).tolist() == slow.weights
    m, k = classifier(layer)
    assert (m.tolist(), k.tolist()) == (slow.m, slow.k)


@pytest.mark.parametrize("inputs", [9, 64, 100, 784])
def test_weights_spread_as_one_over_the_root_of_the_inputs(inputs: int) -> None:
    network = Network(name="a", inputs=inputs, classes=2, layers=(Dense(units=200),))
    (layer,) = infer_formats(network).layers
    spread = initial_weights(layer).std() / 2**layer.weight_fraction * np.sqrt(inputs)
    assert 2**-0.55 < spread < 2**0.55  # init_bits is the nearest power of two


def test_streams_differ_and_never_start_from_zero() -> None:
    seeds = {stream_seed(s, n, p) for s in range(50) for n in range(8) for p in Purpose}
    assert len(seeds) == 50 * 8 * len(Purpose)
    assert 0 not in seeds


def test_initial_weights_of_few_bits_have_no_mean() -> None:
    network = Network(name="a", inputs=784, classes=2, layers=(Dense(units=64, weight_bits=8),))
    (layer,) = infer_formats(network).layers
    assert set(initial_weights(layer).ravel().tolist()) == {-1, 1}
