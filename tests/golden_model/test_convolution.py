"""The golden convolution, plain and compiled, against the rule in plain Python integers."""

import random
from dataclasses import replace

import numpy as np
import pytest

from golden_model.engine import GoldenEngine, can_compile
from golden_model.spec.control import Register
from golden_model.spec.errors import SpecError
from golden_model.spec.formats import ConvFormat, FormattedNetwork, infer_formats
from golden_model.spec.learner import sample_type
from golden_model.spec.network import (
    Coding,
    Conv,
    Dense,
    Feedback,
    Hidden,
    Learning,
    Loss,
    Network,
    Readout,
)
from tests.golden_model.slow_rule import SlowNetwork
from tests.golden_model.test_engine import assert_same, random_sample, set_registers

SEEDS = range(25)
SAMPLES = 8


def conv(rng: random.Random, **keys: int) -> Conv:
    """Often few weight bits and small shifts, so that things clip."""
    return Conv(
        filters=rng.choice([1, 3]),
        kernel=rng.choice([1, 2, 3]),
        weight_bits=rng.choice([4, 6, 16]),
        activation_shift=rng.choice([None, 2, 5]),
        rate_shift=rng.choice([None, 0, 2, 7]),
        margin=rng.choice([0, 40, 600]),
        bias_shift=rng.choice([0, 3]),
        **keys,
    )


def random_formats(rng: random.Random) -> FormattedNetwork:
    while True:
        first = conv(rng, pool=rng.choice([1, 2]), regions=rng.choice([1, 2, 3]))
        dense = Dense(units=4)
        others = rng.choice([(), (conv(rng, pool=1),), (dense,), (conv(rng), dense)])
        try:
            return infer_formats(
                Network(
                    name="any",
                    inputs=[rng.choice([5, 7, 8]), rng.choice([5, 6, 9]), rng.choice([1, 2])],
                    classes=rng.choice([2, 3]),
                    seed=rng.randrange(2**32),
                    layers=(first, *others),
                    readout=Readout() if rng.random() < 0.7 else None,
                    learning=Learning(
                        loss=rng.choice(list(Loss)),
                        feedback=rng.choice(list(Feedback)),
                        error_shift=rng.randint(0, 6),
                    ),
                    coding=rng.choice([Coding.UNSIGNED, Coding.SIGNED]),
                )
            )
        except SpecError:
            continue


@pytest.mark.parametrize("compiled", [False, *[True] * can_compile()])
@pytest.mark.parametrize("seed", SEEDS)
def test_every_value_and_weight_equals_the_slow_rule(seed: int, compiled: bool) -> None:
    rng = random.Random(seed)
    formats = random_formats(rng)
    engine, slow = GoldenEngine(formats, compiled=compiled), SlowNetwork(formats)
    kind = sample_type(formats.network)
    for _ in range(SAMPLES):
        if rng.random() < 0.15:
            set_registers(rng, engine, slow)
        sample = random_sample(rng, formats.network)
        label = rng.choice([None, *range(formats.network.classes)])
        predicted = slow.send(sample, label)
        engine.send(np.array(sample, kind), label)
        (result,) = engine.results()
        assert result.predicted == predicted
        assert_same(engine, slow)
    many = np.array([random_sample(rng, formats.network) for _ in range(3)], kind)
    for layer in range(len(formats.layers)):
        engine.write_register(layer, Register.LEARN, 0)
    for sample, *scores in zip(many, *engine.scores(many), strict=True):
        engine.send(sample)
        for trace, found in zip(engine.traces(), scores, strict=True):
            assert trace.scores.tolist() == found.tolist()


def test_the_random_networks_reach_the_corners() -> None:
    """Else the test above would compare much less than it seems to."""
    seen = set()
    for seed in SEEDS:
        rng = random.Random(seed)
        formats = random_formats(rng)
        slow = SlowNetwork(formats)
        for _ in range(SAMPLES):
            label = rng.randrange(formats.network.classes)
            slow.send(random_sample(rng, formats.network), label)
            for layer in slow.layers:
                if not isinstance(layer.fmt, ConvFormat):
                    continue
                high = 2 ** (layer.fmt.weight_bits - 1)
                flat = [w for row in layer.weights for w in row]
                seen |= {"low"} if -high in flat else set()
                seen |= {"high"} if high - 1 in flat else set()
                seen |= {"clipped"} if 255 in layer.h and layer.pending else set()
                seen |= {"open"} if any(layer.d) else set()
                odd = any(n % layer.fmt.pool for n in layer.fmt.map_shape)
                seen |= {"odd map"} if odd else set()
                seen |= {f"{layer.fmt.regions} regions"} if layer.pending else set()
                seen |= {layer.fmt.loss, layer.fmt.feedback} if layer.pending else set()
                seen |= {formats.network.coding} if layer.pending else set()
    regions = {"1 regions", "4 regions", "9 regions"}
    kinds = {*Loss, *Feedback, Coding.UNSIGNED, Coding.SIGNED}
    assert seen == {"low", "high", "clipped", "open", "odd map"} | regions | kinds


@pytest.mark.parametrize("compiled", [False, *[True] * can_compile()])
@pytest.mark.parametrize("kind", [Dense(units=3), Conv(filters=3, kernel=1, pool=1)])
def test_who_learns_at_the_largest_activation(kind: Hidden, compiled: bool) -> None:
    """What a layer's format says of it is what the golden model does."""
    layer = replace(kind, activation_shift=8)
    formats = infer_formats(Network(name="a", inputs=[1, 1, 4], classes=3, layers=(layer,)))
    engine = GoldenEngine(formats, compiled=compiled)
    (told,) = formats.layers
    engine.write_register(0, Register.MARGIN, told.margin_max)  # each class has an error
    for weight, activation, learns in ((1, 5, True), (32767, 255, told.saturated_learns)):
        engine.write_weights(0, np.full((3, 5), weight, np.int32))
        engine.send(np.full(4, 255, np.uint8), 0)
        (trace,) = engine.traces()
        assert trace.activations.tolist() == [activation] * 3
        assert trace.gradient.astype(bool).tolist() == [learns] * 3
    assert told.saturated_learns == isinstance(kind, Dense)


def test_largest_sums_are_exact() -> None:
    """Sums that leave 32 bits."""
    network = Network(
        name="large", inputs=[15, 15, 4], classes=2, layers=(Conv(filters=2, kernel=15, pool=1),)
    )
    weights = np.full((2, 901), 32767, np.int32)
    weights[1] = -32768
    for compiled in {False, can_compile()}:
        engine = GoldenEngine(infer_formats(network), compiled=compiled)
        engine.write_weights(0, weights)
        engine.send(np.full(900, 255, np.uint8))
        expected = [32767 * 255 * 901, -32768 * 255 * 901]
        assert engine.traces()[0].accumulators.tolist() == expected


@pytest.mark.parametrize(
    ("inputs", "layers", "said"),
    [
        (64, (Conv(filters=2, kernel=3),), "convolution sees an image"),
        ([8, 8, 1], (Dense(units=3), Conv(filters=2, kernel=3)), "convolution sees an image"),
        ([8, 8, 1], (Conv(filters=2, kernel=8),), "need 9 rows and columns"),
        ([8, 8, 1], (Conv(filters=2, kernel=3, regions=4),), "need 10 rows and columns"),
        ([8, 8], (Conv(filters=2, kernel=3),), "height, width and channels"),
        ([8, 0, 1], (Conv(filters=2, kernel=3),), "must be 1 to"),
        ([8, 8, 1], (Conv(filters=2, kernel=0),), "must be 1 to"),
        ([8, 8, 1], (Conv(filters=2, kernel=3, pool=3),), "must be 1 to 2"),
        ([8, 8, 1], (Conv(filters=2, kernel=3, rate_shift=25),), "must be 0 to 24"),
    ],
)
def test_what_cannot_be_is_refused(inputs: object, layers: tuple[object, ...], said: str) -> None:
    with pytest.raises(SpecError, match=said):
        infer_formats(Network(name="a", inputs=inputs, classes=2, layers=layers))  # type: ignore[arg-type]
