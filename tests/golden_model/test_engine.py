"""The golden engine against the rule in plain Python integers."""

import random
from dataclasses import replace

import numpy as np
import pytest

from golden_model import layers
from golden_model.engine import GoldenEngine
from golden_model.spec.control import Counter, Register
from golden_model.spec.errors import SpecError
from golden_model.spec.formats import FormattedNetwork, infer_formats
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
from tests.golden_model.slow_rule import SlowNetwork

SMALL = Network(
    name="small", inputs=5, classes=3, layers=(Dense(units=4), Dense(units=3)), readout=Readout()
)


def random_network(rng: random.Random) -> Network:
    """Any shape, loss and feedback; often few weight bits and small shifts, so that things clip."""
    loss = rng.choice(list(Loss))

    def own(cls: type[Readout], **keys: int) -> Readout:
        return cls(
            weight_bits=rng.choice([4, 5, 6, 8, 16]),
            activation_shift=rng.choice([None, None, 0, 1, 4]),
            rate_shift=rng.choice([None, 0, 1, 3]),
            margin=rng.choice([None, 0, 1, 40]),
            **keys,
        )

    layers = tuple(own(Dense, units=rng.choice([1, 2, 3, 7])) for _ in range(rng.randint(1, 3)))
    return Network(
        name="any",
        inputs=rng.choice([1, 2, 3, 9]),
        classes=rng.choice([2, 3, 10]),
        seed=rng.randrange(2**32),
        layers=layers,
        readout=own(Readout) if rng.random() < 0.7 else None,
        learning=Learning(
            loss=loss,
            feedback=rng.choice(list(Feedback)),
            rate_shift=rng.randint(0, 8),
            margin=rng.choice([0, 7, 64]),
            error_shift=rng.randint(0, 6),
            rounding=rng.choice(list(Rounding)),
        ),
        coding=rng.choice([Coding.UNSIGNED, Coding.SIGNED]),
    )


def random_sample(rng: random.Random, network: Network) -> list[int]:
    limits = np.iinfo(sample_type(network))
    low, high = int(limits.min), int(limits.max)
    return [rng.choice([0, low, high, rng.randint(low, high)]) for _ in range(network.inputs)]


def assert_same(engine: GoldenEngine, slow: SlowNetwork) -> None:
    for index, (layer, trace) in enumerate(zip(slow.layers, engine.traces(), strict=True)):
        assert trace.accumulators.tolist() == layer.acc
        assert trace.activations.tolist() == layer.h
        assert trace.scores.tolist() == layer.scores
        assert trace.predicted == layer.scores.index(max(layer.scores))
        assert trace.error.tolist() == layer.e
        assert trace.gradient.tolist() == layer.d
        assert trace.winners.tolist() == layer.winners
        assert trace.pending == layer.pending
        assert engine.read_weights(index).tolist() == layer.weights
        assert engine.read_register(index, Counter.SAMPLES) == layer.samples
        assert engine.read_register(index, Counter.UPDATES) == layer.updates


def set_registers(rng: random.Random, engine: GoldenEngine, slow: SlowNetwork) -> None:
    index = rng.randrange(len(slow.layers))
    layer = slow.layers[index]
    layer.rate_shift = rng.randint(0, layer.fmt.rate_shift_max)
    layer.margin = rng.randint(0, min(layer.fmt.margin_max, 100))
    layer.learn = rng.random() < 0.7
    engine.write_register(index, Register.RATE_SHIFT, layer.rate_shift)
    engine.write_register(index, Register.MARGIN, layer.margin)
    engine.write_register(index, Register.LEARN, int(layer.learn))


def fitting(rng: random.Random) -> FormattedNetwork:
    """A random network whose constants happen to fit."""
    while True:
        try:
            return infer_formats(random_network(rng))
        except SpecError:
            continue


@pytest.mark.parametrize("gathered", [0, 1 << 30], ids=["rows of inputs", "all rows"])
@pytest.mark.parametrize("seed", range(60))
def test_every_value_and_weight_equals_the_slow_rule(
    seed: int, gathered: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(layers, "GATHERED", gathered)
    rng = random.Random(seed)
    formats = fitting(rng)
    engine, slow = GoldenEngine(formats), SlowNetwork(formats)
    changed = 0
    for _ in range(40):
        if rng.random() < 0.15:
            set_registers(rng, engine, slow)
        sample = random_sample(rng, formats.network)
        label = rng.choice([None, *range(formats.network.classes)])
        predicted = slow.send(sample, label)
        engine.send(np.array(sample, sample_type(formats.network)), label)
        (result,) = engine.results()
        assert result.predicted == predicted
        assert result.scores.tolist() == slow.layers[-1].scores
        assert_same(engine, slow)
        changed += any(layer.pending for layer in slow.layers)
        assert engine.changed == changed


def test_the_random_networks_reach_the_corners() -> None:
    """Else the test above would compare much less than it seems to."""
    seen = set()
    for seed in range(60):
        rng = random.Random(seed)
        formats = fitting(rng)
        slow = SlowNetwork(formats)
        for _ in range(40):
            label = rng.randrange(formats.network.classes)
            slow.send(random_sample(rng, formats.network), label)
            for layer in slow.layers:
                high = 2 ** (layer.fmt.weight_bits - 1)
                flat = [w for row in layer.weights for w in row]
                seen |= {"low"} if -high in flat else set()
                seen |= {"high"} if high - 1 in flat else set()
                seen |= {"clipped"} if 255 in layer.h else set()
                seen |= {"tie"} if layer.scores.count(max(layer.scores)) > 1 else set()
                seen |= {"rate 0"} if layer.rate_shift == 0 and layer.pending else set()
                seen |= {"shift 0"} if layer.fmt.activation_shift == 0 else set()
                seen |= {layer.fmt.loss, layer.fmt.feedback} if layer.pending else set()
                seen |= {formats.network.coding} if layer.pending else set()
    corners = {"low", "high", "clipped", "tie", "rate 0", "shift 0"}
    assert seen == corners | {*Loss, *Feedback, Coding.UNSIGNED, Coding.SIGNED}


@pytest.mark.parametrize("classes", [2, 256])
def test_one_input_and_one_unit(classes: int) -> None:
    network = Network(name="tiny", inputs=1, classes=classes, layers=(Dense(units=1),))
    formats = infer_formats(replace(network, readout=Readout()))
    engine, slow = GoldenEngine(formats), SlowNetwork(formats)
    for n in range(20):
        engine.send(np.array([n * 13 % 256], np.uint8), n * 37 % classes)
        assert slow.send([n * 13 % 256], n * 37 % classes) == engine.results()[0].predicted
    assert_same(engine, slow)


@pytest.mark.parametrize(
    ("coding", "largest", "bias"), [(Coding.UNSIGNED, 255, 255), (Coding.SIGNED, -128, 64)]
)
def test_largest_accumulators_are_exact(coding: Coding, largest: int, bias: int) -> None:
    network = replace(SMALL, inputs=16384, layers=(Dense(units=2),), readout=None, coding=coding)
    formats = infer_formats(network)
    engine = GoldenEngine(formats)
    weights = np.full((2, 16385), 32767, np.int32)
    weights[1] = -32768
    engine.write_weights(0, weights)
    engine.send(np.full(16384, largest, sample_type(network)))
    expected = [weight * (largest * 16384 + bias) for weight in (32767, -32768)]
    assert engine.traces()[0].accumulators.tolist() == expected
    limit = 1 << (formats.layers[0].accumulator_bits - 1)
    assert all(-limit <= value < limit for value in expected)


def test_a_frozen_layer_answers_but_does_not_learn() -> None:
    engine = GoldenEngine(infer_formats(SMALL))
    engine.write_register(0, Register.LEARN, 0)
    before = [engine.read_weights(n) for n in range(3)]
    engine.send(np.full(5, 200, np.uint8), 1)
    after = [engine.read_weights(n) for n in range(3)]
    assert np.array_equal(before[0], after[0])
    assert not np.array_equal(before[2], after[2])
    assert not engine.traces()[0].error.any()
    assert engine.read_register(0, Counter.SAMPLES) == 1
    assert engine.read_register(0, Counter.UPDATES) == 0
    assert engine.changed == 1


def test_scores_of_many_samples_equal_one_by_one_and_disturb_nothing() -> None:
    rng = np.random.RandomState(3)
    engine = GoldenEngine(infer_formats(SMALL))
    samples = rng.randint(0, 256, (30, 5)).astype(np.uint8)
    for sample in samples:
        engine.send(sample, int(sample[0]) % 3)
    engine.results()
    weights = [engine.read_weights(n) for n in range(3)]
    trace = engine.traces()[2]
    batch = engine.scores(samples)
    assert engine.results() == []
    assert engine.read_register(0, Counter.SAMPLES) == 30
    assert engine.traces()[2].scores.tolist() == trace.scores.tolist()
    for number, sample in enumerate(samples):
        engine.send(sample)
        for layer, one in enumerate(engine.traces()):
            assert batch[layer][number].tolist() == one.scores.tolist()
    assert all(np.array_equal(weights[n], engine.read_weights(n)) for n in range(3))


def test_reset_is_a_new_engine() -> None:
    engine = GoldenEngine(infer_formats(SMALL))
    initial = [engine.read_weights(n).tolist() for n in range(3)]
    engine.write_register(1, Register.MARGIN, 3)
    for n in range(9):
        engine.send(np.full(5, n * 20, np.uint8), n % 3)
    assert engine.read_weights(0).tolist() != initial[0]
    engine.reset()
    assert [engine.read_weights(n).tolist() for n in range(3)] == initial
    assert engine.read_register(1, Register.MARGIN) == 64
    assert engine.read_register(1, Counter.SAMPLES) == engine.changed == 0


def test_what_is_read_is_a_copy_and_can_be_written_back() -> None:
    engine = GoldenEngine(infer_formats(SMALL))
    weights = engine.read_weights(0)
    weights[2, 5] = -17
    assert engine.read_weights(0)[2, 5] != -17
    engine.write_weights(0, weights)
    assert np.array_equal(engine.read_weights(0), weights)
    weights[2, 5] = 4
    assert engine.read_weights(0)[2, 5] == -17


@pytest.mark.parametrize(
    ("register", "value"),
    [
        (Register.RATE_SHIFT, 11),
        (Register.RATE_SHIFT, -1),
        (Register.MARGIN, 4096),
        (Register.LEARN, 2),
    ],
)
def test_registers_refuse_what_their_formats_cannot_hold(register: Register, value: int) -> None:
    engine = GoldenEngine(infer_formats(SMALL))
    with pytest.raises(SpecError, match=register.name):
        engine.write_register(0, register, value)


def test_weights_of_another_shape_or_range_are_refused() -> None:
    engine = GoldenEngine(infer_formats(SMALL))
    with pytest.raises(SpecError, match="integers of shape"):
        engine.write_weights(0, np.zeros((4, 5), np.int32))
    with pytest.raises(SpecError, match="must be -32768 to 32767"):
        engine.write_weights(0, np.full((4, 6), 32768, np.int32))


def test_samples_and_labels_of_another_network_are_refused() -> None:
    engine = GoldenEngine(infer_formats(SMALL))
    with pytest.raises(ValueError, match="uint8 of shape"):
        engine.send(np.zeros(4, np.uint8))
    with pytest.raises(ValueError, match="uint8 of shape"):
        engine.send(np.zeros(5, np.int64))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="label 3"):
        engine.send(np.zeros(5, np.uint8), 3)
    signed = GoldenEngine(infer_formats(replace(SMALL, coding=Coding.SIGNED)))
    with pytest.raises(ValueError, match="a sample is int8 of shape"):
        signed.send(np.zeros(5, np.uint8))
    with pytest.raises(ValueError, match="samples are int8 of shape"):
        signed.send_many(np.zeros((2, 5), np.uint8), np.zeros(2, np.uint8))
    with pytest.raises(ValueError, match=r"of shape \(1, 5\), not int8 of shape \(2, 5\)"):
        signed.send_many(np.zeros((2, 5), np.int8), np.zeros(1, np.uint8))
    with pytest.raises(ValueError, match="samples are int8 of shape"):
        signed.scores(np.zeros((2, 5), np.uint8))
