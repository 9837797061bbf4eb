"""The rule in real numbers, against the integers with so many bits that nothing is lost."""

from dataclasses import replace

import numpy as np
import pytest

from golden_model.data.dataset import load_data
from golden_model.engine import GoldenEngine, can_compile
from golden_model.reference.twin import FloatTwin
from golden_model.spec.formats import infer_formats
from golden_model.spec.learner import sample_type
from golden_model.spec.network import Coding, Loss
from golden_model.spec.toml import load_network
from golden_model.training import train

NETWORK = load_network("digits")


@pytest.mark.parametrize("coding", [Coding.UNSIGNED, Coding.SIGNED])
def test_one_step_is_the_integers_but_for_rounding(coding: Coding) -> None:
    formats = infer_formats(replace(NETWORK, coding=coding))
    twin, engine = FloatTwin(formats), GoldenEngine(formats)
    sample = np.random.default_rng(1).integers(0, 256, 64).astype(np.uint8)
    sample = sample.view(sample_type(formats.network))
    for learner in (twin, engine):
        learner.send(sample, 3)
    for own, other in zip(twin.traces(), engine.traces(), strict=True):
        # An activation is rounded by at most a half, a score by that of all units.
        assert np.abs(own.activations - other.activations).max(initial=0) <= 1
        assert np.abs(own.scores - other.scores).max() <= 16
    # Both first layers see the very sample.
    change = np.abs(twin.read_weights(0) - engine.read_weights(0))
    assert change.max() <= 1


def test_it_learns_as_well_and_without_rounding() -> None:
    data = load_data("digits", NETWORK)
    twin = FloatTwin(infer_formats(NETWORK))
    *_, last = train(twin, data, epochs=3)
    assert last.accuracy["readout"] > 0.9
    assert not np.array_equal(twin._layers[0]._weights, np.round(twin._layers[0]._weights))
    scores = twin.scores(data.x_test[:5])[0]
    assert scores.shape == (5, 10)


@pytest.mark.skipif(not can_compile(), reason="numba is not installed")
@pytest.mark.parametrize(
    ("loss", "coding"),
    [(loss, Coding.SIGNED if loss is Loss.PAIRWISE_HINGE else Coding.UNSIGNED) for loss in Loss],
)
def test_compiled_loops_are_the_plain_ones_but_for_the_order_of_sums(
    loss: Loss, coding: Coding
) -> None:
    learning = replace(NETWORK.learning, loss=loss)
    formats = infer_formats(replace(NETWORK, learning=learning, coding=coding))
    data = load_data("random", formats.network)
    alone, many = FloatTwin(formats), FloatTwin(formats)
    samples, labels = data.x_train[:60], data.y_train[:60]
    for sample, label in zip(samples, labels.tolist(), strict=True):
        alone.send(sample, label)
    many.send_many(samples, labels)
    assert alone.changed == many.changed > 20
    for own, other in zip(alone._layers, many._layers, strict=True):
        assert np.allclose(own._weights, other._weights, rtol=1e-9, atol=1e-6)
    before = FloatTwin(formats)._layers[0]._weights
    assert not np.allclose(many._layers[0]._weights, before, rtol=1e-9, atol=1e-6)
