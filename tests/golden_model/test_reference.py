"""Float references: gradients against finite differences, and what sets the methods apart."""

from dataclasses import replace

import numpy as np
import pytest

from golden_model.reference.activations import ACTIVATIONS, Activation
from golden_model.reference.blocks import ConvMap
from golden_model.reference.losses import LOSSES, FloatLoss
from golden_model.reference.methods import Local, MethodName
from golden_model.reference.network import Hidden, ReferenceNetwork, Settings
from golden_model.spec.errors import SpecError

CLASSES = 4
DENSE = Settings(inputs=(7,), classes=CLASSES, hidden=(Hidden(units=6), Hidden(units=5)))
CONV = Settings(
    inputs=(9, 8, 2),
    classes=CLASSES,
    hidden=(Hidden(units=3, kernel=3, pool=True), Hidden(units=4, kernel=2), Hidden(units=5)),
)
LOCAL = (MethodName.LOCAL, MethodName.TRAINED_LOCAL)
STEP = 1e-6


def network(settings, **changes):
    """In double precision, with biases that are not 0."""
    made = ReferenceNetwork(replace(settings, **changes))
    chance = np.random.default_rng(5)
    for linear in [*(block.linear for block in made.blocks), made.readout]:
        linear.weights = linear.weights.astype(np.float64)
        linear.bias = chance.normal(0, 0.1, linear.bias.shape)
    if isinstance(made.method, Local):
        same = made.method.feedback is made.method.classifiers
        made.method.classifiers = [c.astype(np.float64) for c in made.method.classifiers]
        if same:
            made.method.feedback = made.method.classifiers
        if made.method.trained:
            made.method.parameters = made.method.classifiers
    return made


def batch(settings, n=3):
    chance = np.random.default_rng(6)
    x = chance.normal(0.5, 1, (n, *settings.inputs))
    return x, chance.integers(0, settings.classes, n)


def total_loss(made, x, labels, block):
    """The loss of a block's own scores, or of the readout's for the number behind the last."""
    for number, part in enumerate(made.blocks):
        x = part.forward(x).output
        if number == block:
            return made._loss(made.method.scores(number, x), labels)[0].sum()
    return made._loss(made.readout.sums(made.readout.look(x)), labels)[0].sum()


def differences(loss, parameter, chance, count=25):
    """Places of a parameter, and finite differences of `loss` there."""
    for _ in range(min(count, parameter.size)):
        place = tuple(int(chance.integers(size)) for size in parameter.shape)
        before = parameter[place]
        parameter[place] = before + STEP
        above = loss()
        parameter[place] = before - STEP
        below = loss()
        parameter[place] = before
        yield place, (above - below) / (2 * STEP)


@pytest.mark.parametrize("name", FloatLoss)
def test_losses_have_the_gradients_they_give(name):
    chance = np.random.default_rng(1)
    scores, labels = chance.normal(0, 1, (20, CLASSES)), chance.integers(0, CLASSES, 20)
    _, gradient = LOSSES[name](scores, labels, 0.7)

    def loss():
        return LOSSES[name](scores, labels, 0.7)[0].sum()

    for place, slope in differences(loss, scores, chance, 80):
        assert gradient[place] == pytest.approx(slope, abs=1e-5)


UNITS_AND_LOSSES = [
    *((Activation.RELU, loss) for loss in FloatLoss),
    *((activation, FloatLoss.BINARY_CROSS_ENTROPY) for activation in Activation),
]


@pytest.mark.parametrize(("activation", "loss"), dict.fromkeys(UNITS_AND_LOSSES))
@pytest.mark.parametrize("settings", [DENSE, CONV], ids=["dense", "conv"])
def test_backpropagation_is_the_gradient(settings, activation, loss):
    made = network(settings, method=MethodName.BACKPROPAGATION, activation=activation, loss=loss)
    x, labels = batch(settings)
    chance, last = np.random.default_rng(2), len(made.blocks)
    for parameter, gradient in made.gradients(x, labels).values():
        for place, slope in differences(
            lambda: total_loss(made, x, labels, last), parameter, chance
        ):
            assert gradient[place] == pytest.approx(slope, rel=1e-4, abs=1e-5)


def test_activations_are_what_their_names_say():
    x = np.linspace(-200, 200, 4001, dtype=np.float32)
    with np.errstate(over="ignore"):
        wanted = {"relu": x * (x > 0), "tanh": np.tanh(x), "sigmoid": 1 / (1 + np.exp(-x))}
    for name, (activate, _) in ACTIVATIONS.items():
        assert activate(x.copy()) == pytest.approx(wanted[name], abs=1e-6)


def test_losses_of_sigmoids_are_what_their_names_say():
    scores, labels = np.array([[1.0, -2.0], [0.5, 3.0]]), np.array([0, 1])
    shares = 1 / (1 + np.exp(-scores))
    truth = np.eye(2)[labels]
    entropy = -np.log(np.where(truth, shares, 1 - shares)).sum(axis=1)
    squares = ((shares - truth) ** 2).sum(axis=1) / 2
    assert LOSSES[FloatLoss.BINARY_CROSS_ENTROPY](scores, labels, 1.0)[0] == pytest.approx(entropy)
    assert LOSSES[FloatLoss.SQUARED_ERROR](scores, labels, 1.0)[0] == pytest.approx(squares)
    # Far out nothing overflows.
    far = np.float32([[-500, 500]])
    for name in FloatLoss:
        assert np.isfinite(LOSSES[name](far, labels[:1], 1.0)[0]).all()


@pytest.mark.parametrize("regions", [0, 1, 2])
@pytest.mark.parametrize("method", LOCAL)
@pytest.mark.parametrize("settings", [DENSE, CONV], ids=["dense", "conv"])
def test_local_errors_are_gradients_of_the_block_s_own_loss(settings, method, regions):
    hidden = tuple(replace(block, regions=regions) for block in settings.hidden)
    made = network(settings, method=method, hidden=hidden, classifier_scale=2.0)
    x, labels = batch(settings)
    chance, last = np.random.default_rng(3), len(made.blocks)
    for number, (parameter, gradient) in made.gradients(x, labels).items():
        block = number // 2 if number < 2 * last + 2 else number - 2 * last - 2
        for place, slope in differences(
            lambda block=block: total_loss(made, x, labels, block), parameter, chance
        ):
            assert gradient[place] == pytest.approx(slope, rel=1e-4, abs=1e-5)


def test_feedback_alignment_with_the_weights_themselves_is_backpropagation():
    exact = network(CONV, method=MethodName.BACKPROPAGATION)
    aligned = network(CONV, method=MethodName.FEEDBACK_ALIGNMENT)
    x, labels = batch(CONV)
    wanted = {n: gradient for n, (_, gradient) in exact.gradients(x, labels).items()}
    found = {n: gradient for n, (_, gradient) in aligned.gradients(x, labels).items()}
    assert not np.allclose(found[0], wanted[0])
    maps = [*(block.linear for block in aligned.blocks[1:]), aligned.readout]
    aligned.method.carriers = [linear.weights for linear in maps]
    found = {n: gradient for n, (_, gradient) in aligned.gradients(x, labels).items()}
    for number, gradient in wanted.items():
        assert np.allclose(found[number], gradient), number


def test_classifiers_and_their_feedback_are_as_large_as_settings_say():
    usual = network(DENSE, method=MethodName.SIGN_CONCORDANT).method
    large = network(DENSE, method=MethodName.SIGN_CONCORDANT, classifier_scale=8.0).method
    for name in ("classifiers", "feedback"):
        for one, other in zip(getattr(usual, name), getattr(large, name), strict=True):
            assert np.array_equal(8 * one, other)


def test_sign_concordant_feedback_agrees_in_sign_only():
    method = network(DENSE, method=MethodName.SIGN_CONCORDANT).method
    for own, back in zip(method.classifiers, method.feedback, strict=True):
        assert (np.sign(own) == np.sign(back)).all()
        assert not np.allclose(np.abs(own), np.abs(back))


def test_targets_and_errors_are_projected_as_they_are():
    x, labels = batch(DENSE)
    direct = network(DENSE, method=MethodName.DIRECT_FEEDBACK_ALIGNMENT)
    targets = network(DENSE, method=MethodName.DRTP)
    error = np.random.default_rng(4).normal(0, 1, (len(x), CLASSES))
    for made, sent in ((direct, error), (targets, -np.eye(CLASSES)[labels])):
        found, _ = made.method.errors([], made.readout, error, labels)
        for carrier, block_error in zip(made.method.carriers, found, strict=True):
            assert np.allclose(block_error, sent @ carrier.T)


@pytest.mark.parametrize("method", MethodName)
def test_only_what_learns_changes(method):
    made = ReferenceNetwork(replace(CONV, method=method))
    made.learning = [1]
    before = [block.linear.weights.copy() for block in made.blocks]
    readout = made.readout.weights.copy()
    chance = np.random.default_rng(7)
    samples = chance.integers(0, 256, (8, 144)).astype(np.uint8)
    made.learn(samples, chance.integers(0, CLASSES, 8))
    changed = [
        not np.array_equal(block.linear.weights, old)
        for block, old in zip(made.blocks, before, strict=True)
    ]
    assert changed == [False, True, False]
    assert np.array_equal(made.readout.weights, readout)


@pytest.mark.parametrize("method", MethodName)
def test_every_method_learns_and_repeats_itself(method):
    """Two classes of noisy patterns; the same seed gives the same weights."""
    chance = np.random.default_rng(8)
    patterns = chance.integers(0, 256, (2, 30))
    labels = chance.integers(0, 2, 400)
    noisy = patterns[labels] + chance.normal(0, 40, (400, 30))
    samples = noisy.clip(0, 255).astype(np.uint8)
    hidden = (Hidden(units=20), Hidden(units=10))
    settings = Settings(inputs=(30,), classes=2, hidden=hidden, method=method, rate=0.003)
    runs = []
    for _ in range(2):
        made = ReferenceNetwork(settings)
        for start in range(0, 1600, 20):
            part = slice(start % 400, start % 400 + 20)
            made.learn(samples[part], labels[part])
        runs.append(made.scores(samples)[-1])
    assert np.array_equal(*runs)
    assert (runs[0].argmax(axis=1) == labels).mean() > 0.95


def test_dropout_drops_its_share_and_keeps_the_mean():
    made = ReferenceNetwork(replace(DENSE, dropout=0.25))
    x = np.ones((4000, 7), np.float32)
    block = made.blocks[0]
    whole = block.forward(x).output
    dropped = block.forward(x, np.random.default_rng(9)).output
    alive = whole > 0
    assert np.mean(dropped[alive] == 0) == pytest.approx(0.25, abs=0.02)
    assert dropped[alive].mean() == pytest.approx(whole[alive].mean(), rel=0.05)


def test_pooling_takes_the_largest_of_each_window():
    made = network(CONV, method=MethodName.BACKPROPAGATION)
    x, _ = batch(CONV)
    block = made.blocks[0]
    sums = np.maximum(block.linear.sums(block.linear.look(x)), 0)
    pooled = block.forward(x).output
    for row, column in np.ndindex(pooled.shape[1:3]):
        window = sums[:, 2 * row : 2 * row + 2, 2 * column : 2 * column + 2]
        assert np.array_equal(pooled[:, row, column], window.max(axis=(1, 2)))


def test_a_convolution_is_the_sum_that_it_says():
    conv = ConvMap((5, 6, 2), 3, 2, np.random.default_rng(1))
    x = np.random.default_rng(2).normal(0, 1, (1, 5, 6, 2))
    weights = conv.weights.reshape(2, 2, 2, 3)
    for row, column in np.ndindex(4, 5):
        window = x[0, row : row + 2, column : column + 2]
        wanted = np.tensordot(window, weights, axes=3)
        assert np.allclose(conv.sums(conv.look(x))[0, row, column], wanted, atol=1e-5)


def test_a_kernel_that_does_not_fit_is_named():
    with pytest.raises(SpecError, match="kernel = 5"):
        ReferenceNetwork(Settings(inputs=(4, 4, 1), hidden=(Hidden(units=2, kernel=5),)))
