"""Random cores: every score, weight and clock, equal to the golden model and the cycle model."""

import random

import numpy as np
import pytest

from golden_model.draws import initial_weights
from golden_model.engine import GoldenEngine
from golden_model.spec.control import Counter
from golden_model.spec.formats import DenseFormat, FormattedNetwork, infer_formats
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
from hdl.passes.cycles import (
    SampleVisits,
    every_word,
    interval,
    network_timeline,
    nonzero_words,
)
from hdl.passes.stages import Folding, ScheduledNetwork
from tests.hdl.simulated_core import run_core

CASES = 72
INFERENCE_CASES = 12
SAMPLES = 5


def random_network(chance: random.Random) -> FormattedNetwork:
    """One to three hidden layers, sizes that divide nothing, any loss, coding and weight width."""
    bits = chance.choice([4, 8, 12, 16])
    hidden = [Dense(units=chance.randrange(1, 12), weight_bits=bits)]
    while len(hidden) < 3 and chance.random() < 0.4:
        hidden.append(Dense(units=chance.randrange(1, 9), weight_bits=bits))
    inputs = chance.choice([1, 2, 3, 9, 16, 33])
    network = Network(
        name="random",
        inputs=inputs,
        classes=chance.choice([2, 3, 5, 10]),
        layers=tuple(hidden),
        seed=chance.randrange(2**32),
        readout=Readout(weight_bits=bits) if chance.random() < 0.6 else None,
        learning=Learning(
            loss=chance.choice(list(Loss)),
            feedback=chance.choice(list(Feedback)),
            margin=chance.choice([5, 20, 100]),
            rate_shift=chance.randrange(6),
            error_shift=chance.randrange(5),
            rounding=chance.choice([*Rounding, Rounding.NEAREST]),
        ),
        coding=chance.choice([c for c in Coding if inputs % 2 == 0 or c != Coding.TWO_CHANNELS]),
    )
    return infer_formats(network)


def random_folding(chance: random.Random, layer: DenseFormat, *, learns: bool = True) -> Folding:
    """Also wider than the layer: then some lanes have nothing to do."""
    pe, simd = chance.choice([(1 << a, 1 << b) for a in range(4) for b in range(4) if a + b < 5])
    skip_zeros = chance.random() < 0.6 and layer.fan_in > simd
    single_port = chance.random() < 0.5
    return Folding(
        pe=pe,
        simd=simd,
        weight_memory="any",
        single_port=single_port,
        slice_bits=None if single_port else chance.choice([None, None, layer.weight_bits]),
        slow_memory=chance.random() < 0.5,
        hard_forward=chance.random() < 0.5,
        hard_update=chance.random() < 0.5,
        classifier_rom=chance.random() < 0.5,
        skip_zeros=skip_zeros,
        clear_slot=chance.random() < 0.5,
        parallel_classes=chance.random() < 0.5,
        learns=learns,
    )


def unscheduled(formats: FormattedNetwork, foldings: tuple[Folding, ...]) -> ScheduledNetwork:
    """As much of a schedule as RTL is made of."""
    return ScheduledNetwork(
        formats=formats, foldings=foldings, memories=(), layers=(), inference=0, training=0
    )


def random_samples(
    chance: random.Random, formats: FormattedNetwork, count: int
) -> tuple[np.ndarray, list[int | None]]:
    """Samples with many zeros, often side by side, four of five with a label."""
    network = formats.network
    values = [
        chance.choice([0, 0, chance.randrange(256), chance.choice([127, 128, 255])])
        for _ in range(count * network.inputs)
    ]
    samples = np.array(values, np.uint8).reshape(count, network.inputs)
    samples = samples.view(sample_type(network))
    for sample in samples:
        ends = sorted(chance.randrange(network.inputs + 1) for _ in range(2))
        sample[slice(*ends)] = 0
        if network.two_channels:
            above, below = sample.reshape(2, -1)
            below[above != 0] = 0
    labels = [chance.randrange(network.classes) if chance.random() < 0.8 else None for _ in samples]
    return samples, labels


def nonzero_groups(layer: DenseFormat, folding: Folding, inputs: np.ndarray) -> list[bool]:
    """For each word of a group, whether it has an input that is not 0; the bias never is."""
    padded = np.zeros((folding.words(layer), folding.simd), bool)
    padded.flat[: layer.fan_in] = np.append(inputs != 0, True)
    return padded.any(axis=1).tolist()


def golden_run(
    formats: FormattedNetwork, samples: np.ndarray, labels: list[int | None]
) -> tuple[GoldenEngine, list[list[bool]], list[list[np.ndarray]]]:
    """The golden engine behind the samples; which of them left updates; inputs of the layers."""
    golden, pending, inputs = GoldenEngine(formats), [], []
    for sample, label in zip(samples, labels, strict=True):
        golden.send(sample, label)
        traces = golden.traces()
        pending.append([trace.pending for trace in traces])
        inputs.append([sample, *(trace.activations for trace in traces)])
    return golden, pending, inputs


def visits(layer: DenseFormat, folding: Folding, inputs, number: int, **due: bool):
    """Words that the sweep for a sample visits; `inputs` are those of all samples and layers."""
    if not folding.skip_zeros:
        return every_word(layer, folding, due["update"])
    pair = [inputs[max(n, 0)][layer.index] for n in (number, number - 1)]
    return nonzero_words(*(nonzero_groups(layer, folding, x) for x in pair), **due)


def predicted(schedule, labels, pending, inputs, drained: int):
    """Starts and activity by the cycle model."""
    pairs = list(zip(schedule.formats.layers, schedule.foldings, strict=True))
    samples = []
    for number, label in enumerate(labels):
        row = []
        for layer, folding in pairs:
            due = number > 0 and pending[number - 1][layer.index]
            words = visits(layer, folding, inputs, number, update=due)
            row.append(SampleVisits(update=due, learnt=label is not None, words=words))
        samples.append(row)
    starts, layers = network_timeline(schedule.formats.layers, schedule.foldings, samples)
    for timeline, (layer, folding) in zip(layers, pairs, strict=True):
        due = pending[-1][layer.index]
        words = visits(layer, folding, inputs, len(inputs) - 1, update=due, forward=False)
        timeline.drain(drained, due, words)
    return starts, [timeline.activity for timeline in layers]


@pytest.mark.parametrize("case", range(CASES))
def test_core_equals_golden_model_and_cycle_model(case):
    chance = random.Random(case)
    formats = random_network(chance)
    foldings = tuple(random_folding(chance, layer) for layer in formats.layers)
    samples, labels = random_samples(chance, formats, SAMPLES)
    schedule = unscheduled(formats, foldings)
    run = run_core(schedule, samples, labels)

    golden, pending, inputs = golden_run(formats, samples, labels)
    results = golden.results()
    assert np.array_equal(run.scores, [result.scores for result in results])
    assert run.predicted.tolist() == [result.predicted for result in results]
    assert run.updated.tolist() == pending
    for layer in formats.layers:
        assert np.array_equal(run.initial[layer.index], initial_weights(layer)), layer.name
        assert np.array_equal(run.weights[layer.index], golden.read_weights(layer.index))
    assert not run.collision

    starts, activity = predicted(schedule, labels, pending, inputs, run.drained)
    assert run.starts.tolist() == starts
    for layer in formats.layers:
        counted = {n: golden.read_register(layer.index, n) for n in Counter}
        assert run.counters[layer.index] == counted | activity[layer.index]


@pytest.mark.parametrize("case", range(INFERENCE_CASES))
def test_core_that_only_infers(case):
    """It answers like the golden model without labels, whatever it is told to learn."""
    chance = random.Random(case)
    formats = random_network(chance)
    foldings = tuple(random_folding(chance, layer, learns=False) for layer in formats.layers)
    samples, labels = random_samples(chance, formats, SAMPLES)
    schedule = unscheduled(formats, foldings)
    run = run_core(schedule, samples, labels)

    unlabelled = [None] * SAMPLES
    golden, pending, inputs = golden_run(formats, samples, unlabelled)
    assert np.array_equal(run.scores, [result.scores for result in golden.results()])
    assert not run.updated.any()
    assert not run.collision
    for layer in formats.layers:
        assert np.array_equal(run.weights[layer.index], initial_weights(layer)), layer.name
    starts, activity = predicted(schedule, unlabelled, pending, inputs, run.drained)
    assert run.starts.tolist() == starts
    for layer in formats.layers:
        counted = {n: golden.read_register(layer.index, n) for n in Counter}
        assert run.counters[layer.index] == counted | activity[layer.index]


@pytest.mark.parametrize("single_port", [False, True])
def test_interval_is_the_steady_state(single_port):
    """What reports call cycles per sample is what the last of many samples took."""
    network = Network(
        name="steady", inputs=12, classes=4, layers=(Dense(units=5), Dense(units=3)),
        learning=Learning(margin=1000, loss="pairwise-hinge"), readout=Readout(),
    )  # fmt: skip
    formats = infer_formats(network)
    folding = Folding(pe=2, simd=4, weight_memory="any", single_port=single_port)
    foldings = (folding,) * len(formats.layers)
    samples, _ = random_samples(random.Random(1), formats, 8)
    for labels in ([1, 2] * 4, [None] * 8):
        run = run_core(unscheduled(formats, foldings), samples, labels)
        update = labels[0] is not None
        assert run.updated.all() == run.updated.any() == update
        assert run.starts[-1, -1] - run.starts[-2, -1] == interval(formats.layers, foldings, update)


@pytest.mark.parametrize("single_port", [False, True])
def test_zeros_make_a_sample_shorter(single_port):
    """Of samples that are all zero only the bias is visited, as if it were the only word."""
    formats = infer_formats(
        Network(
            name="dark", inputs=15, classes=4, layers=(Dense(units=6),), readout=None,
            learning=Learning(margin=1000, loss="pairwise-hinge"),
        )
    )  # fmt: skip
    folding = Folding(pe=1, simd=2, weight_memory="any", single_port=single_port, skip_zeros=True)
    clocks = {}
    for value in (0, 1):
        samples = np.full((8, 15), value, np.uint8)
        run = run_core(unscheduled(formats, (folding,)), samples, [1, 2] * 4)
        assert run.updated.all()
        clocks[value] = int(run.starts[-1, -1] - run.starts[-2, -1])
    assert clocks[0] == interval(formats.layers, (folding,), True, share=0.0)
    assert clocks[1] == interval(formats.layers, (folding,), True, share=1.0)
    assert clocks[0] < clocks[1]
