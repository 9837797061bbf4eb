"""Descriptions, in Python and in TOML, and what is said of wrong ones."""

from dataclasses import replace
from pathlib import Path

import pytest

from golden_model.spec.errors import SpecError
from golden_model.spec.formats import infer_formats
from golden_model.spec.network import (
    Coding,
    Conv,
    Dense,
    Feedback,
    Learning,
    Loss,
    Network,
    Readout,
    field_names,
)
from golden_model.spec.scaler import STEPS, Scaler
from golden_model.spec.toml import (
    ELSEWHERE,
    known_networks,
    load_network,
    network_text,
    parse_network,
)

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
        replace(network, coding=Coding.SIGNED),
    ]
    assert len({network.fingerprint, *(other.fingerprint for other in others)}) == 8


def test_what_only_the_host_does_leaves_the_fingerprint() -> None:
    network = parse_network(MNIST)
    host = {"rate_schedule": (0, 1)}, {"rate_steps": (0.5, 0.7), "warm_up": 0.1}
    for keys in host:
        learning = replace(network.learning, **keys)
        assert replace(network, learning=learning).fingerprint == network.fingerprint
    paired = replace(network, coding=Coding.TWO_CHANNELS)
    named = tuple("abcdefghij")
    centred = Scaler(mean=(0.0,) * 392, deviation=(1.0,) * 392)
    for other in (paired, replace(paired, scaler=centred), replace(network, labels=named)):
        assert other.fingerprint == network.fingerprint


@pytest.mark.parametrize("name", known_networks())
def test_every_network_that_comes_along_has_formats(name: str) -> None:
    assert load_network(name).name == name
    assert infer_formats(load_network(name)).layers


def test_images_by_either_key() -> None:
    image = replace(parse_network(MNIST), inputs=[28, 28, 1])
    assert (image.inputs, image.image) == (784, (28, 28, 1))
    for line in ("inputs = 784\nimage = [28, 28, 1]", "inputs = [28, 28, 1]\nimage = [28, 28, 1]"):
        assert parse_network(MNIST.replace("inputs = 784", line)) == image
    assert replace(image, seed=2).image == (28, 28, 1)


def test_a_name_as_long_as_names_may_be() -> None:
    # What a file system counts is bytes, 255 of them, and the flow adds to a name.
    text = MNIST.replace('"mnist"', '"' + "\U00020000" * 50 + '"')
    assert len(parse_network(text).name.encode()) == 200


@pytest.mark.parametrize("key", ELSEWHERE)
def test_keys_of_other_tools_have_no_twin_here(key: str) -> None:
    kinds = (Network, Learning, Dense, Conv, Readout)
    # What one table has may be looked for in another, which says where it is.
    home = {Learning} if "[learning]" in ELSEWHERE[key] else set()
    assert {kind for kind in kinds if key in field_names(kind)} == home


def test_a_byte_order_mark_and_line_ends_are_no_matter(tmp_path: Path) -> None:
    own, text = tmp_path / "own.toml", "\ufeff" + MNIST.replace("\n", "\r\n")
    own.write_bytes(text.encode())
    assert load_network(str(own)) == parse_network(MNIST)
    assert network_text(str(own)) == text


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
        ("rate_shift = 5", "rate_steps = 0.5", r"rate_steps = 0\.5: it must be a list of shares"),
        ("rate_shift = 5", "rate_steps = [50]", r"rate_steps = 50: it must be a share .* 0 to 1"),
        ("rate_shift = 5", "rate_steps = [nan]", r"rate_steps = nan: it must be a share"),
        ("rate_shift = 5", "rate_steps = [true]", r"rate_steps = True: it must be a share"),
        ("rate_shift = 5", "rate_steps = ['1']", r"rate_steps = '1': it must be a share"),
        ("rate_shift = 5", "rate_steps = [0.9, 0.5]", r"rate_steps = \[0\.9, 0\.5\].*ascending"),
        ("rate_shift = 5", "rate_steps = [0.1]\nwarm_up = 0.2", r"warm_up = 0\.2 and .*ascending"),
        ("rate_shift = 5", "warm_up = -0.1", r"learning\.warm_up = -0\.1: it must be a share"),
        ("rate_shift = 5", "warm_up = inf", r"learning\.warm_up = inf: it must be a share"),
        (
            "rate_shift = 5",
            "rate_steps = [0.5]\nrate_schedule = [1, 0]",
            r"rate_schedule beside rate_steps: .*Leave one of them out\.$",
        ),
        (
            "rate_shift = 5",
            "warm_up = 0.5\nrate_schedule = [1, 0]",
            r"rate_schedule beside warm_up: ",
        ),
        ("units = 64", "units = 64\nweight_bits = 17", r"weight_bits = 17: it must be 4 to 16"),
        ("[[layers]]", "[layers]", r"Write \[\[layers\]\]"),
        ("[readout]", "[readout", "it is not TOML"),
        ('[[layers]]\ntype = "dense"\nunits = 64', "", r"0 layers.*\[\[layers\]\]"),
        ("784", "784\nimage = [4, 4, 1]", r"image = \[4, 4, 1\] beside inputs = 784: .*differ"),
        ("784", "[7, 7, 16]\nimage = [28, 28, 1]", r"beside inputs = \[7, 7, 16\]"),
        ("784", '16\nimage = "4x4"', "image = '4x4': an image has height, width and channels"),
        ("784", "16\nimage = [4, 4]", r"image = \[4, 4\]: an image has height, width and channels"),
        ("784", '4\nimage = [4, 1, "1"]', "a size of image = '1': it must be an integer"),
        ("784", "[4, 4]", r"inputs = \[4, 4\]: an image has height, width and channels"),
        ("units = 64", 'activation = "tanh"', r"key 'activation'.*hidden layers have ReLU"),
        ("margin = 64", "learning_rate = 0.1", r"key 'learning_rate'.*Write rate_shift"),
    ],
)
def test_what_a_wrong_description_gets(old: str, new: str, message: str) -> None:
    assert old in MNIST
    with pytest.raises(SpecError, match=message):
        parse_network(MNIST.replace(old, new, 1))


NO_END = {
    "a long name": ("mnist", "n" * 300, r"'n{50}'\.\.\. of 300 characters.*at most 50"),
    "6000 digits": ("784", "9" * 6000, "the description: integers of TOML have 64 bits"),
    "hexadecimal": ("784", "0x" + "f" * 6000, "the description: integers of TOML have 64 bits"),
    "65 bits": ("784", str(2**63), "the description: integers of TOML have 64 bits"),
    "64 bits": ("784", str(2**63 - 1), r"inputs = 9223372036854775807.*fits is 16384\.$"),
    "brackets": ("784", "[" * 3000, "its lists or tables are nested too deeply"),
    "dotted keys": ("inputs", "inputs" + ".x" * 3000, "its lists or tables are nested too deeply"),
}


@pytest.mark.parametrize("what", NO_END)
def test_what_a_description_without_end_gets(what: str) -> None:
    old, new, message = NO_END[what]
    with pytest.raises(SpecError, match=message) as caught:
        parse_network(MNIST.replace(old, new, 1))
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("rate_shift = 5", "rate_shift = 11", "layer0.rate_shift = 11.*must be 0 to 10"),
        ("margin = 64", "margin = 20000", r"margin = 20000.*never reach it.*fits is 16383\.$"),
        ("units = 64", "units = 64\nactivation_shift = 34", r"shift = 34.*fits is 33\.$"),
        ("margin = 64", "margin = 16384", r"margin = 16384.*fits is 16383\.$"),
        ("units = 64", "units = 64\nactivation_shift = 35", r"shift = 35.*fits is 33\.$"),
        ("rate_shift = 5", "rate_schedule = [0, 6]", r"schedule = \[0, 6\].*fits is 5\.$"),
        ("= 5", "= 8\nrate_steps = [0.5, 0.7, 0.9]", r"steps = \[0\.5.*register\. .*fit are 2\.$"),
        ("= 5", "= 10\nwarm_up = 0.1", r"warm_up = 0\.1: with layer0.*register\. Leave it out\.$"),
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
    steps = "= 8\nrate_steps = [0.5, 0.7]\nwarm_up = 0.1"
    infer_formats(parse_network(MNIST.replace("= 5", steps)))


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


@pytest.mark.parametrize(
    ("coding", "fraction", "bias", "rate_shift", "pair_distance"),
    [
        (Coding.UNSIGNED, 8, 255, 5, 0),
        (Coding.TWO_CHANNELS, 8, 255, 5, 392),
        (Coding.SIGNED, 6, STEPS, 3, 0),
    ],
)
def test_formats_of_each_coding(
    coding: Coding, fraction: int, bias: int, rate_shift: int, pair_distance: int
) -> None:
    network = replace(parse_network(MNIST), coding=coding)
    first, readout = infer_formats(network).layers
    assert first.signed_input == (coding is Coding.SIGNED)
    assert (first.input_fraction, first.bias_input) == (fraction, bias)
    assert (first.rate_shift, first.pair_distance) == (rate_shift, pair_distance)
    assert first.activation_shift == 13 + fraction - 5
    # Whatever comes in, activations go on.
    assert readout == infer_formats(parse_network(MNIST)).layers[1]


def test_pairs_of_an_image_stand_side_by_side() -> None:
    layers = (Dense(units=2),)
    for keys in ({"coding": Coding.TWO_CHANNELS}, {"on_off": True}):
        network = Network(name="a", inputs=[4, 4, 6], classes=2, layers=layers, **keys)  # type: ignore[arg-type]
        assert infer_formats(network).layers[0].pair_distance == 3
