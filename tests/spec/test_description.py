"""Descriptions, in Python and in TOML, and what is said of wrong ones."""

from dataclasses import replace
from pathlib import Path

import pytest

from golden_model.spec.errors import SpecError
from golden_model.spec.formats import infer_formats
from golden_model.spec.network import Dense, Feedback, Learning, Loss, Network, Readout
from golden_model.spec.toml import known_networks, load_network, parse_network

MNIST = """
name = "mnist"
inputs = 784
classes = 10
seed = 1

[learning]
loss = "hinge"
feedback = "symmetric"
rate_shift = 5
margin = 64

[[layers]]
type = "dense"
units = 64

[readout]
"""


def test_file_and_python_give_the_same_record() -> None:
    network = Network(
        name="mnist", inputs=784, classes=10, layers=(Dense(units=64),), readout=Readout()
    )
    assert parse_network(MNIST) == network
    assert parse_network(MNIST).fingerprint == network.fingerprint


def test_any_value_changes_the_fingerprint() -> None:
    network = parse_network(MNIST)
    others = [
        replace(network, seed=2),
        replace(network, classes=11),
        replace(network, readout=None),
        replace(network, layers=(Dense(units=65),)),
        replace(network, learning=Learning(margin=65)),
        replace(network, learning=Learning(feedback=Feedback.SIGN_CONCORDANT)),
    ]
    assert len({network.fingerprint, *(other.fingerprint for other in others)}) == 7


def test_what_only_the_host_does_leaves_the_fingerprint() -> None:
    network = parse_network(MNIST)
    other = replace(network, learning=replace(network.learning, rate_schedule=(0, 1)))
    assert other.fingerprint == network.fingerprint


@pytest.mark.parametrize("name", known_networks())
def test_every_network_that_comes_along_has_formats(name: str) -> None:
    assert load_network(name).name == name
    assert infer_formats(load_network(name)).layers


def test_a_file_of_ones_own(tmp_path: Path) -> None:
    (tmp_path / "own.toml").write_text(MNIST)
    assert load_network(str(tmp_path / "own.toml")) == parse_network(MNIST)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("classes = 10", "clases = 10", r"key 'clases'.*Did you mean 'classes'\?$"),
        ("units = 64", "unit = 64", r"key 'unit': layers\[0\] has no such key.*'units'"),
        ("margin = 64", "margn = 64", "key 'margn': learning has no such key.*'margin'"),
        ("[readout]", "[readuot]", "key 'readuot'.*'readout'"),
        ("inputs = 784", "", "key 'inputs' is missing.*Add inputs ="),
        ("inputs = 784", "inputs = 0", r"inputs = 0: it must be 1 to 16384.*fits is 1\.$"),
        ("inputs = 784", 'inputs = "784"', "inputs = '784': it must be an integer"),
        ("inputs = 784", "inputs = true", "inputs = True: it must be an integer"),
        ("units = 64", "units = 0", r"layers\[0\]\.units = 0.*fits is 1\.$"),
        ("units = 64", "units = 6.5", r"layers\[0\]\.units = 6\.5: it must be an integer"),
        ("classes = 10", "classes = 257", r"classes = 257: it must be 2 to 256.*fits is 256\.$"),
        ("classes = 10", "classes = 1", "classes = 1: it must be 2 to 256"),
        ("seed = 1", "seed = -1", "seed = -1"),
        ('"mnist"', '"two words"', "name = 'two words'"),
        ('"hinge"', '"hing"', r"learning\.loss = 'hing'.*Did you mean 'hinge'\?"),
        ('"symmetric"', '"symetric"', r"learning\.feedback = 'symetric'.*'symmetric'"),
        ('"dense"', '"dens"', r"layers\[0\]\.type = 'dens'.*Did you mean 'dense'"),
        ("rate_shift = 5", "rate_shift = 16", r"learning\.rate_shift = 16.*fits is 15"),
        ("rate_shift = 5", "rate_schedule = 1", r"rate_schedule = 1: it must be a list"),
        ("rate_shift = 5", "rate_schedule = []", r"rate_schedule = \[\]: it must be a list"),
        ("rate_shift = 5", "rate_schedule = [-1]", r"an entry of .*rate_schedule = -1"),
        ("units = 64", "units = 64\nweight_bits = 17", r"weight_bits = 17: it must be 4 to 16"),
        ("[[layers]]", "[layers]", r"Write \[\[layers\]\]"),
        ("[readout]", "[readout", "it is not TOML"),
        ('[[layers]]\ntype = "dense"\nunits = 64', "", r"0 layers.*\[\[layers\]\]"),
    ],
)
def test_what_a_wrong_description_gets(old: str, new: str, message: str) -> None:
    assert old in MNIST
    with pytest.raises(SpecError, match=message):
        parse_network(MNIST.replace(old, new, 1))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("rate_shift = 5", "rate_shift = 11", "layer0.rate_shift = 11.*must be 0 to 10"),
        ("margin = 64", "margin = 20000", r"margin = 20000.*never reach it.*fits is 16383\.$"),
        ("units = 64", "units = 64\nactivation_shift = 34", r"shift = 34.*fits is 33\.$"),
        ("margin = 64", "margin = 16384", r"margin = 16384.*fits is 16383\.$"),
        ("units = 64", "units = 64\nactivation_shift = 35", r"shift = 35.*fits is 33\.$"),
        ("rate_shift = 5", "rate_schedule = [0, 6]", r"schedule = \[0, 6\].*fits is 5\.$"),
    ],
)
def test_constants_that_do_not_fit_the_formats(old: str, new: str, message: str) -> None:
    with pytest.raises(SpecError, match=message):
        infer_formats(parse_network(MNIST.replace(old, new, 1)))


def test_the_largest_constants_do_fit() -> None:
    text = MNIST.replace("rate_shift = 5", "rate_shift = 10").replace(
        "margin = 64", "margin = 16383"
    )
    hidden = infer_formats(parse_network(text)).layers[0]
    assert (hidden.rate_shift, hidden.margin) == (10, 16383)
    infer_formats(parse_network(MNIST.replace("units = 64", "units = 64\nactivation_shift = 33")))


def test_scores_fit_the_wire() -> None:
    wide = MNIST.replace("units = 64", "units = 1000")
    infer_formats(parse_network(wide + "activation_shift = 2"))
    message = r"readout.activation_shift = 1: scores would have 33 bits.*smallest that fits is 2\.$"
    with pytest.raises(SpecError, match=message):
        infer_formats(parse_network(wide + "activation_shift = 1"))


def test_unknown_network_and_unreadable_file(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"neither a known network.*Did you mean 'digits'\?$"):
        load_network("digitss")
    with pytest.raises(SpecError, match="Known are: cifar10-conv, digits, digits-deep"):
        load_network("zzzzzzz")
    with pytest.raises(SpecError, match="cannot be read"):
        load_network(str(tmp_path / "absent.toml"))
    (tmp_path / "latin.toml").write_bytes('name = "\xe4"'.encode("latin-1"))
    with pytest.raises(SpecError, match="not UTF-8"):
        load_network(str(tmp_path / "latin.toml"))


def test_squared_hinge_allows_larger_rate_shifts() -> None:
    learning = Learning(loss=Loss.SQUARED_HINGE, rate_shift=15)
    network = replace(parse_network(MNIST), learning=learning)
    assert infer_formats(network).layers[0].rate_shift == 15


def test_rates_and_shifts_that_follow_from_the_formats() -> None:
    text = MNIST.replace("[readout]", "[[layers]]\nunits = 8\nweight_bits = 8\n[readout]")
    layers = infer_formats(parse_network(text)).layers
    assert [layer.activation_shift for layer in layers] == [16, 5, 13]
    assert [layer.rate_shift for layer in layers] == [5, 2, 2]
    assert [layer.name for layer in layers] == ["layer0", "layer1", "readout"]
    slow = infer_formats(parse_network(MNIST.replace("rate_shift = 5", "rate_shift = 1"))).layers
    assert [layer.rate_shift for layer in slow] == [1, 0]


def test_rate_schedule_stays_at_its_last_entry() -> None:
    learning = Learning(rate_schedule=(0, 1, 3))
    assert [learning.rate_step(epoch) for epoch in range(5)] == [0, 1, 3, 3, 3]
    assert Learning().rate_step(7) == 0
