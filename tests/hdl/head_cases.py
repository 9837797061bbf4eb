"""Random engines behind their sums, samples for them, and what the golden model makes of those."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from golden_model import rule
from golden_model.convolution import ConvLayer, regions_of
from golden_model.layers import DenseLayer, ReadoutLayer
from golden_model.spec.conv import ConvFormat
from golden_model.spec.formats import FormattedNetwork, infer_formats
from golden_model.spec.layer import LayerFormat
from golden_model.spec.network import Conv, Dense, Hidden, Learning, Loss, Network, Readout
from hdl.passes.sharing import EngineTable, Layout, Row, SharedFolding, table
from hdl.rtl.sharing.lanes import sum_bits
from tests.hdl.head_player import Player

SHAPES = ((1, 1), (2, 1), (2, 2), (4, 1), (4, 2), (8, 1), (8, 2), (16, 2))
"""PE and heads of cases, in turn."""
Integers = NDArray[np.int64]


@dataclass
class Seen:
    """What a layer made of a sample, by the golden model, and where the head has to put it."""

    sample: int
    layer: int
    row: Row
    sums: list[int]  # of each window, packed
    learnable: bool
    h: Integers
    place: Integers  # row and column in the map, of each h
    scores: list[int]
    errors: list[int]


def random_network(chance: random.Random) -> FormattedNetwork:
    """Up to two convolutions, perhaps a dense layer and a readout, small and not square."""
    image = chance.randrange(4, 10), chance.randrange(4, 10), 1
    layers: list[Hidden] = []
    height, width, _ = image
    for _ in range(chance.choice([0, 1, 1, 2, 2])):
        kernel, pool = chance.choice([1, 2, 3]), chance.choice([1, 2])
        rows, columns = ((size - kernel + 1) // pool for size in (height, width))
        if min(rows, columns) < 1:
            break
        regions = chance.randrange(1, min(4, rows, columns) + 1)
        layers.append(
            Conv(
                filters=chance.choice([1, 2, 3, 5, 8, 11, 16]),
                kernel=kernel,
                pool=pool,
                regions=regions,
                weight_bits=chance.choice([4, 10, 16]),
                activation_shift=chance.randrange(12),
            )
        )
        height, width = rows, columns
    if not layers or chance.random() < 0.4:
        shift = chance.randrange(12)
        layers.append(Dense(units=chance.choice([1, 3, 8, 20]), activation_shift=shift))
    return infer_formats(
        Network(
            name="random",
            inputs=image,  # type: ignore[arg-type]
            classes=chance.choice([2, 3, 5, 12]),
            layers=tuple(layers),
            seed=chance.randrange(2**32),
            readout=Readout(activation_shift=chance.randrange(4, 18))
            if chance.random() < 0.6
            else None,
            learning=Learning(
                loss=chance.choice(list(Loss)), margin=0, error_shift=chance.randrange(8)
            ),
        )
    )


def random_folding(
    chance: random.Random, formats: FormattedNetwork, pe: int, heads: int
) -> SharedFolding:
    """Any that the layers can have."""
    convolutions = any(isinstance(layer, ConvFormat) for layer in formats.layers)
    return SharedFolding(
        pe=pe,
        places=4 if convolutions or chance.random() < 0.3 else 1,
        heads=heads,
        weight_memory="any",
        slow_memory=chance.random() < 0.5,
        classifier_rom=chance.random() < 0.5,
        parallel_classes=chance.random() < 0.5,
        learns=chance.random() < 0.85,
    )


class Case:
    """An engine of the layers from `first` on, samples for it, and what they come to."""

    def __init__(self, seed: int, first: int = 0) -> None:
        self.chance = chance = random.Random(seed)
        self.random = np.random.default_rng(seed)
        self.formats = random_network(chance)
        self.folding = random_folding(chance, self.formats, *SHAPES[seed % len(SHAPES)])
        layers = self.formats.layers[first:]
        self.table: EngineTable = table(layers, self.folding)
        self.golden = [_golden(layer) for layer in layers]
        self.margins = [self._margin(layer) for layer in layers]
        self.steps: list[dict[str, int]] = []
        self.seen: list[Seen] = []
        self.samples = chance.randrange(2, 5)
        for sample in range(self.samples):
            self._sample(sample)
        windows = [sums for seen in self.seen for sums in seen.sums]
        self.player = Player(self.table, self.folding, self.margins, windows)

    def _margin(self, layer: LayerFormat) -> int:
        return min(layer.margin_max, self.chance.choice([0, 1, 40, 2000, 2**31]))

    def _sample(self, number: int) -> None:
        label = self.chance.randrange(self.formats.answer.classes)
        learn = int(self.chance.random() < 0.8)
        for index, row in enumerate(self.table.rows):
            seen = self._layer(number, index, row, label, bool(learn and self.folding.learns))
            self.seen.append(seen)
            start = {"start": 1, "layer": index, "parity": number & 1, "label": label}
            self.steps.append({**start, "learn": learn, "group_last": 0, "gap": 0})
            for window in range(len(seen.sums)):
                last = (window + 1) % row.windows == 0
                gap = self.chance.choice([0, 0, 0, 1, 2, 9])
                self.steps.append({"start": 0, "group_last": int(last), "gap": gap})

    def _layer(self, number: int, index: int, row: Row, label: int, learnable: bool) -> Seen:
        layer, golden = row.format, self.golden[index]
        rows, columns = layer.map_shape
        spread = 1 << layer.activation_shift
        if layer.reads_out:
            sums = self.random.integers(-(2**12), 2**12, (1, layer.units)) * spread
        else:
            # Coarse ones are often equal.
            coarse = self.chance.choice([1, 64])
            sums = self.random.integers(-150, 400, (rows * columns, layer.units))
            sums = sums // coarse * coarse * spread
        sums += self.random.integers(-spread, spread, sums.shape) * (self.chance.random() < 0.5)
        sums -= spread // 2 * (self.random.random(sums.shape) < 0.2)  # half of a unit rounds up
        limit = 1 << (layer.accumulator_bits - 1)
        sums = sums.clip(-limit, limit - 1)
        if isinstance(golden, ConvLayer):
            h, winners = golden._pool(sums.ravel().astype(np.float64))
            scores = golden._scores(h)
        else:
            h, scores = golden.outputs(sums[0].astype(np.float64))
            h, winners = h[None], np.zeros((1, len(h)), np.intp)
        loss = rule.ERRORS[layer.loss]
        errors = loss(scores, label, self.margins[index], layer.error_shift)
        return Seen(
            sample=number,
            layer=index,
            row=row,
            sums=list(self._windows(row, sums.reshape(rows, columns, -1))),
            learnable=learnable,
            h=h.astype(np.int64),
            place=np.stack(np.divmod(winners, columns), axis=-1),
            scores=scores.astype(int).tolist(),
            errors=errors.astype(int).tolist(),
        )

    def _windows(self, row: Row, sums: Integers) -> Iterator[int]:
        """Group by group, window by window; rubbish where there is no filter or no place."""
        bits, pe, places = sum_bits(self.table), self.folding.pe, self.folding.places
        rows, columns, units = sums.shape
        for group in range(row.groups):
            for i in range(row.window_rows):
                for j in range(row.window_columns):
                    word = self.chance.getrandbits(bits * pe * places)
                    for lane in range(min(pe, units - group * pe)):
                        for place in range(places):
                            at = 2 * i + (place >> 1), 2 * j + (place & 1)
                            if at[0] < rows and at[1] < columns:
                                low = bits * (lane * places + place)
                                value = int(sums[at[0], at[1], group * pe + lane])
                                word &= ~(((1 << bits) - 1) << low)
                                word |= (value & ((1 << bits) - 1)) << low
                    yield word


def _golden(layer: LayerFormat) -> Any:
    kind = ConvLayer if isinstance(layer, ConvFormat) else DenseLayer
    return (ReadoutLayer if layer.reads_out else kind)(layer)  # type: ignore[arg-type]


def activations(case: Case, seen: Seen) -> Iterator[tuple[int, int, int]]:
    """Bank, address and value of each activation of a layer, as its layout says."""
    above = case.table.rows[seen.layer + 1]
    base = above.page_bases[seen.sample & 1]
    columns = seen.row.format.pooled_shape[1]
    for (pixel, unit), value in np.ndenumerate(seen.h):
        row, column = divmod(pixel, columns)
        if above.layout is Layout.FLAT:
            n = pixel * above.stride + unit
            bank, address = (n & 3, n >> 2) if case.folding.places > 1 else (0, n)
        else:
            bank = 2 * (row & 1) + (column & 1)
            address = (row >> 1) * above.row_stride + (column >> 1) * above.stride + unit
        yield bank, base + address, int(value)


def winners(case: Case, seen: Seen, group: int) -> list[Any]:
    """Row, column, region, and place of each filter that learns, of each entry."""
    row, layer, pe = seen.row, seen.row.format, case.folding.pe
    rows, columns = layer.pooled_shape
    apart = row.outputs_per_window == 4
    regions = regions_of(layer).argmax(axis=0) if isinstance(layer, ConvFormat) else [0]
    entries = []
    for i in range(row.window_rows):
        for j in range(row.window_columns):
            for turn in range(row.outputs_per_window):
                at = (2 * i + (turn >> 1), 2 * j + (turn & 1)) if apart else (i, j)
                if at[0] >= rows or at[1] >= columns:
                    continue
                q, learners = at[0] * columns + at[1], {}
                for lane in range(min(pe, layer.units - group * pe)):
                    unit = group * pe + lane
                    if layer.reads_out or 0 < seen.h[q, unit] < 255 + layer.saturated_learns:
                        dy, dx = (0, 0) if layer.reads_out else seen.place[q, unit] - (2 * i, 2 * j)
                        learners[lane] = int(2 * dy + dx)
                if learners:
                    entries.append((i, j, regions[q], learners))
    return entries
