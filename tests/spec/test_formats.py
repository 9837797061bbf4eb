"""The kinds of layer: siblings that answer alike, whatever their kind."""

from itertools import permutations

import pytest

from golden_model.spec.formats import (
    ConvFormat,
    DenseFormat,
    LayerFormat,
    ReadoutFormat,
    infer_formats,
)
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

SHAPE = ("image", "kernel", "pool", "regions_across", "bias_shift", "map_shape", "places",
         "pooled_shape", "windows", "regions", "input_size", "outputs")  # fmt: skip
WIDTHS = ("fan_in", "weight_count", "init_bits", "accumulator_bits", "score_bits", "error_bits",
          "gradient_bits", "step_bits", "margin_max")  # fmt: skip


def answers(layer: LayerFormat, names: tuple[str, ...]) -> dict[str, object]:
    return {name: getattr(layer, name) for name in names}


def first(layer: Hidden, inputs: object, **keys: object) -> LayerFormat:
    """The format of a network's first layer."""
    network = Network(name="a", inputs=inputs, classes=3, layers=(layer,), **keys)  # type: ignore[arg-type]
    return infer_formats(network).layers[0]


def test_the_kinds_are_siblings() -> None:
    for one, other in permutations((DenseFormat, ReadoutFormat, ConvFormat), 2):
        assert issubclass(one, LayerFormat)
        assert not issubclass(one, other)


def test_a_convolution_and_what_comes_after_it() -> None:
    network = Network(
        name="a",
        inputs=[6, 7, 2],  # type: ignore[arg-type]
        classes=3,
        layers=(Conv(filters=4, kernel=2, regions=2, bias_shift=5), Dense(units=5)),
        readout=Readout(),
    )
    formats = infer_formats(network)
    assert [type(layer) for layer in formats.layers] == [ConvFormat, DenseFormat, ReadoutFormat]
    conv, dense, readout = (answers(layer, SHAPE) for layer in formats.layers)
    assert conv == {
        "image": (6, 7, 2), "kernel": 2, "pool": 2, "regions_across": 2, "bias_shift": 5,
        "map_shape": (5, 6), "places": 30, "pooled_shape": (2, 3), "windows": 6, "regions": 4,
        "input_size": 84, "outputs": 24,
    }  # fmt: skip
    one_place = {
        "kernel": 1, "pool": 1, "regions_across": 1, "bias_shift": 0, "map_shape": (1, 1),
        "places": 1, "pooled_shape": (1, 1), "windows": 1, "regions": 1,
    }  # fmt: skip
    assert dense == {**one_place, "image": (1, 1, 24), "input_size": 24, "outputs": 5}
    assert readout == {**one_place, "image": (1, 1, 5), "input_size": 5, "outputs": 0}
    assert [layer.reads_out for layer in formats.layers] == [False, False, True]


@pytest.mark.parametrize("loss", Loss)
def test_a_dense_layer_is_a_convolution_of_one_place(loss: Loss) -> None:
    learning = Learning(loss=loss, feedback=Feedback.SIGN_CONCORDANT)
    dense = first(Dense(units=5), 9, learning=learning)
    conv = first(Conv(filters=5, kernel=1, pool=1, bias_shift=0), [1, 1, 9], learning=learning)
    assert answers(dense, SHAPE + WIDTHS) == answers(conv, SHAPE + WIDTHS)


@pytest.mark.parametrize(
    ("coding", "loss", "bits"),
    [
        # Windows times |d| times |x|: 4 * 3 * 255 = 3060, and so on.
        (Coding.UNSIGNED, Loss.HINGE, 13),
        (Coding.UNSIGNED, Loss.PAIRWISE_HINGE, 13),  # 4 * 4 * 255 = 4080
        (Coding.SIGNED, Loss.HINGE, 12),  # 4 * 3 * 128 = 1536
        (Coding.UNSIGNED, Loss.SQUARED_HINGE, 20),  # 4 * 381 * 255 = 388620
    ],
)
def test_width_of_a_step_that_is_summed_over_windows(coding: Coding, loss: Loss, bits: int) -> None:
    layer = first(Conv(filters=1, kernel=2), [5, 5, 1], coding=coding, learning=Learning(loss=loss))
    assert layer.step_bits == bits


def test_only_networks_of_fully_connected_layers_say_so() -> None:
    layers: tuple[Hidden, ...] = (Conv(filters=1, kernel=2), Dense(units=5))
    mixed = Network(name="mixed", inputs=[5, 5, 1], classes=3, layers=layers)  # type: ignore[arg-type]
    dense = Network(name="a", inputs=4, classes=3, layers=layers[1:], readout=Readout())
    formats = infer_formats(dense)
    assert formats.fully_connected == formats.layers
    with pytest.raises(ValueError, match="mixed has a layer that is not fully connected"):
        _ = infer_formats(mixed).fully_connected
