"""What a description may say of its inputs: coding, scaler, names; and what hardware sees."""

from dataclasses import replace
from typing import Any

import pytest

from golden_model.spec.errors import SpecError
from golden_model.spec.network import Coding, Dense, Learning, Network
from golden_model.spec.scaler import Scaler
from golden_model.spec.toml import parse_network

NETWORK = Network(name="a", inputs=4, classes=2, layers=(Dense(units=2),))
CENTRED = replace(NETWORK, coding=Coding.TWO_CHANNELS)
TWO = Scaler(mean=(1, 2.5), deviation=(0, 1))


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"coding": "two channels"}, "Did you mean .two-channels."),
        ({"coding": Coding.TWO_CHANNELS, "inputs": 5}, "inputs = 5: with two channels there are"),
        (
            {"coding": Coding.TWO_CHANNELS, "inputs": (2, 2, 1)},
            r"inputs = \[2, 2, 1\]: with two channels there are two inputs",
        ),
        ({"coding": Coding.SIGNED, "inputs": (2, 2, 2), "on_off": True}, "beside on_off"),
        ({"scaler": TWO}, "unsigned inputs are not centred"),
        ({"coding": Coding.SIGNED, "scaler": TWO}, "2 features: the inputs .* made of 4"),
        ({"labels": ("no", "no")}, "2 labels, 1 of them different"),
        ({"labels": ("no", "yes", "perhaps")}, "3 labels"),
        ({"labels": "no"}, "labels = 'no': it is a list of names"),
        ({"labels": (1, 2)}, "it is a list of names"),
    ],
)
def test_what_a_description_may_not_say(changed: dict[str, Any], message: str) -> None:
    with pytest.raises(SpecError, match=message):
        replace(NETWORK, **changed)


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"mean": (), "deviation": ()}, "scaler.mean: it is a list of numbers"),
        ({"mean": (1, "2"), "deviation": (1, 1)}, "'2' in scaler.mean: it must be a finite"),
        ({"mean": (1, 2), "deviation": (1, float("inf"))}, "inf in scaler.deviation"),
        ({"mean": (1, 2), "deviation": (1, True)}, "True in scaler.deviation"),
        ({"mean": (1, 2), "deviation": (1,)}, "scaler of 2 means and 1 deviations"),
        ({"mean": (1,), "deviation": (-1,)}, "-1.0 in scaler.deviation: deviations are 0 or more"),
        ({"mean": (1,), "deviation": (1,), "names": "a"}, "scaler.names = 'a'"),
        ({"mean": (1,), "deviation": (1,), "names": ("a", "b")}, "2 names in scaler, 2 of them"),
        ({"mean": (1, 2), "deviation": (1, 1), "names": ("a", "a")}, "1 of them different"),
    ],
)
def test_what_is_no_scaler(keys: dict[str, Any], message: str) -> None:
    with pytest.raises(SpecError, match=message):
        Scaler(**keys)


def test_a_file_says_all_of_it() -> None:
    text = """
    name = "a"
    inputs = 4
    classes = 2
    coding = "two-channels"
    labels = ["no", "yes"]
    [learning]
    epochs = 7
    [[layers]]
    units = 2
    [scaler]
    mean = [1, 2.5]
    deviation = [0, 1]
    names = ["width", "height"]
    """
    network = parse_network(text)
    assert network.scaler == replace(TWO, names=("width", "height"))
    assert (network.features, network.labels, network.learning.epochs) == (2, ("no", "yes"), 7)
    with pytest.raises(SpecError, match=r"learning\.epochs = 0: it must be 1 to"):
        parse_network(text.replace("epochs = 7", "epochs = 0"))
    with pytest.raises(SpecError, match="key 'means'"):
        parse_network(text.replace("mean =", "means ="))


def test_hardware_knows_of_signed_inputs_alone() -> None:
    for same in (
        CENTRED,
        replace(CENTRED, scaler=TWO),
        replace(NETWORK, labels=("no", "yes")),
        replace(NETWORK, learning=Learning(epochs=3, rate_steps=(0.5,), warm_up=0.1)),
    ):
        assert same.fingerprint == NETWORK.fingerprint
    assert replace(NETWORK, coding=Coding.SIGNED).fingerprint != NETWORK.fingerprint
