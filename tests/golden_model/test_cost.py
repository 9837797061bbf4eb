"""Costs of a sample, against counting by hand."""

from click.testing import CliRunner

from golden_model.cost import costs, main
from golden_model.spec.formats import infer_formats
from golden_model.spec.network import Conv, Dense, Network, Readout


def test_dense_layers() -> None:
    network = Network(name="a", inputs=4, classes=3, layers=(Dense(units=5),), readout=Readout())
    hidden, readout, total = costs(infer_formats(network))
    assert (hidden.name, readout.name, total.name) == ("layer0", "readout", "all")
    for cost, weights in ((hidden, 5 * 5), (readout, 3 * 6), (total, 25 + 18)):
        assert {cost.weights, cost.forward, cost.update, cost.reads, cost.writes} == {weights}
    assert hidden.buffer_bits == 8 * (4 + 4 + 5)


def test_a_convolution() -> None:
    network = Network(
        name="a",
        inputs=[6, 5, 2],  # type: ignore[arg-type]
        classes=3,
        layers=(Conv(filters=4, kernel=2),),
    )
    cost, _ = costs(infer_formats(network))
    weights = 4 * (2 * 2 * 2 + 1)
    assert cost.weights == cost.writes == weights
    assert cost.forward == 5 * 4 * weights
    assert cost.update == 2 * 2 * weights
    assert cost.reads == 21 * weights


def test_the_command() -> None:
    result = CliRunner().invoke(main, ["--network", "mnist-conv"])
    assert result.exit_code == 0
    assert f"{32 * 26 + 48 * 801 + 10 * 769:,}" in result.output
    assert CliRunner().invoke(main, ["--network", "nothing"]).exit_code == 2
