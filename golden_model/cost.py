"""What a sample costs on the chip: ``python -m golden_model.cost --network mnist-conv``."""

import sys
from collections.abc import Iterable
from dataclasses import dataclass, fields

import click
from rich.console import Console
from rich.table import Table

from golden_model.spec.command import SETTINGS
from golden_model.spec.errors import SpecError
from golden_model.spec.formats import (
    ACTIVATION_BITS,
    ConvFormat,
    FormattedNetwork,
    LayerFormat,
    infer_formats,
)
from golden_model.spec.toml import load_network


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """Of one layer and one sample, with nothing skipped: what it takes at the most.

    Members
    -------
    name
        The layer's, or ``all``.
    weights
        How many it has, biases included.
    forward, update
        Multiplications ``W * x``, and ``d * x`` if the sample changes the layer's weights. A
        convolution multiplies for the winner of each window only.
    reads, writes
        Weights read, and written if the sample changes them: once each, in the fused pass. A
        convolution reads them at every place, and once more for the update.
    buffer_reads, buffer_writes
        Words of activations and sums read from and written to buffers.
    buffer_bits
        Of those buffers: the newest sample, the one before, in a convolution also each window's
        winner and the sums of the update.
    """

    name: str
    weights: int
    forward: int
    update: int
    reads: int
    writes: int
    buffer_reads: int
    buffer_writes: int
    buffer_bits: int


def costs(formats: FormattedNetwork) -> list[Cost]:
    """Of each layer, and of all of them."""
    each = [_cost(layer) for layer in formats.layers]
    numbers = [field.name for field in fields(Cost) if field.name != "name"]
    total = {name: sum(getattr(cost, name) for cost in each) for name in numbers}
    return [*each, Cost(name="all", **total)]


def _cost(layer: LayerFormat) -> Cost:
    if isinstance(layer, ConvFormat):
        return _conv_cost(layer)
    return Cost(
        name=layer.name,
        weights=layer.weight_count,
        forward=layer.weight_count,
        update=layer.weight_count,
        reads=layer.weight_count,
        writes=layer.weight_count,
        # For each unit its inputs stream past, and with an update those of the sample before.
        buffer_reads=2 * layer.weight_count + layer.outputs,
        buffer_writes=layer.inputs + layer.outputs,
        buffer_bits=ACTIVATION_BITS * (2 * layer.inputs + layer.outputs),
    )


def _conv_cost(layer: ConvFormat) -> Cost:
    winner_bits = (layer.pool**2 - 1).bit_length()
    seen = layer.windows * layer.weight_count
    return Cost(
        name=layer.name,
        weights=layer.weight_count,
        forward=layer.places * layer.weight_count,
        update=seen,
        reads=(layer.places + 1) * layer.weight_count,
        writes=layer.weight_count,
        buffer_reads=layer.places * layer.weight_count + 2 * seen,
        buffer_writes=layer.input_size + layer.outputs + seen,
        buffer_bits=(
            ACTIVATION_BITS * (2 * layer.input_size + layer.outputs)
            + winner_bits * layer.outputs
            + layer.step_bits * layer.weight_count
        ),
    )


def cost_rows(formats: FormattedNetwork) -> Iterable[tuple[str, ...]]:
    """A table's rows, the title first: a column for each layer."""
    each = costs(formats)
    yield ("a sample's cost", *(cost.name for cost in each))
    for field in fields(Cost)[1:]:
        numbers = (f"{getattr(cost, field.name):,}" for cost in each)
        yield (field.name.replace("_", " "), *numbers)


@click.command(context_settings=SETTINGS)
@click.option("--network", "name", required=True, help="A known network or a .toml file.")
def main(name: str) -> None:
    """Print what one sample costs: multiplications, words of weights and buffers, buffer sizes."""
    try:
        title, *rows = cost_rows(infer_formats(load_network(name)))
    except SpecError as error:
        click.echo(f"Error: {error}", err=True)
        sys.exit(2)
    table = Table(title[0])
    for column in title[1:]:
        table.add_column(column, justify="right")
    for row in rows:
        table.add_row(*row)
    Console(highlight=False, soft_wrap=True).print(table)


if __name__ == "__main__":
    main()
