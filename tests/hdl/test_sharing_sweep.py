"""Random shared engines: the sweep's words and their clocks, inputs and flags out of the pages."""

import random
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from amaranth.hdl import Value
from amaranth.sim import Simulator

from golden_model.spec.formats import infer_formats
from golden_model.spec.network import Coding, Conv, Dense, Network, Readout
from hdl.passes.sharing import FLAGS, EngineTable, Layout, Row, SharedFolding, table
from hdl.passes.sharing_sweep import Inputs, SweepClocks, Word
from sim.benches.harness import Watched
from sim.benches.sharing_sweep import CHANCE, SweepBench
from sim.streams import encode, payload_shape

CASES = 14
SAMPLES = 3
LIMIT = 10_000
READS = BLOCKS = 60
BITS = tuple(CHANCE.members)


def random_network(chance: random.Random) -> Network:
    """Up to two convolutions, or none, a dense layer or none, a readout."""
    channels = chance.choice([1, 1, 2, 3, 4, 5, 6, 9, 12])
    height, width = (chance.choice([1, 4, 5, 6, 7, 8, 9]) for _ in range(2))
    image: tuple[int, int, int] | None = None
    layers: list[Conv | Dense] = []
    for _ in range(chance.choice([0, 1, 2, 2, 2])):
        pool = chance.randrange(1, 3) if min(height, width) > 1 else 1
        largest = min(5, min(height, width) + 1 - pool)
        kernel = chance.randint((largest + 1) // 2, largest)
        image = image or (height, width, channels)
        layers.append(Conv(filters=chance.randrange(1, 12), kernel=kernel, pool=pool))
        height, width = ((size - kernel + 1) // pool for size in (height, width))
    layers += [Dense(units=chance.randrange(1, 20))] * (not layers or chance.random() < 0.5)
    return Network(
        name="random",
        inputs=int(np.prod(image)) if image else chance.randrange(1, 50),
        classes=chance.randrange(2, 11),
        layers=tuple(layers),
        image=image,
        readout=Readout(),
        coding=chance.choice([Coding.UNSIGNED, Coding.SIGNED]),
    )


def random_folding(chance: random.Random, network: Network) -> SharedFolding:
    """Any that the layers allow."""
    pe = chance.choice([1, 2, 4, 8, 16])
    return SharedFolding(
        pe=pe,
        places=4 if network.image else 1,
        heads=chance.randrange(1, 3) if pe > 1 else 1,
        weight_memory="any",
        slow_memory=chance.random() < 0.5,
        page_copies=chance.randrange(1, 3),
        skip_zeros=chance.random() < 0.8,
        learns=chance.random() < 0.8,
    )


class Case:
    """A random engine, the samples that it gets and what is to come of them."""

    def __init__(self, seed: int) -> None:
        self.chance = chance = random.Random(seed)
        network = random_network(chance)
        self.folding = random_folding(chance, network)
        self.table: EngineTable = table(infer_formats(network).layers, self.folding)
        self.bench = SweepBench(self.table, self.folding)
        density = chance.choice([0.05, 0.3, 0.8])
        self.x = [[self._inputs(row, density) for row in self.table.rows] for _ in range(SAMPLES)]
        self.expected_reads: list[list[int | None]] = []
        self.expected_visits: list[tuple[int, int]] = []
        self.rates = {bit: chance.choice([0.1, 0.5, 0.95]) for bit in BITS} | {"hold": 0.15}

    def _inputs(self, row: Row, density: float) -> Inputs:
        flat = row.layout is Layout.FLAT
        shape = (row.tap_pixels, row.tap_channels) if flat else row.format.image
        draw = np.random.default_rng(self.chance.randrange(2**32))
        x: Inputs = draw.integers(1, 256, shape) * (draw.random(shape) < density)
        return x

    def payloads(self, stream: str, of_sample: Any) -> list[int]:
        """Of a stream, those of one sample after those of another, as numbers."""
        shape, words = payload_shape(self.bench, stream), list[int]()
        for sample in range(SAMPLES):
            made = list(of_sample(sample))
            for number, payload in enumerate(made):
                last = {"sample": sample, "last": number == len(made) - 1}
                words.append(encode(shape, payload | last))
        return words

    def inputs(self) -> list[int]:
        """Payloads of the samples; label and learn are the bits of a sample's number."""
        shape = payload_shape(self.bench, "i")
        return [
            encode(shape, {"x": int(x), "label": sample % 2, "learn": sample // 2})
            for sample, layers in enumerate(self.x)
            for x in layers[0].ravel()
        ]

    def writes(self, sample: int) -> Iterator[dict[str, Any]]:
        """What the head writes: groups outermost, then windows, places, filters."""
        for layer in range(1, len(self.table.rows)):
            for write in self._writes_of(sample, layer):
                yield {"write": write}

    def _writes_of(self, sample: int, layer: int) -> Iterator[dict[str, Any]]:
        below, row = self.table.rows[layer - 1], self.table.rows[layer]
        rows, columns = below.format.pooled_shape
        heads, pe = self.folding.heads, self.folding.pe
        size = 2 if below.outputs_per_window == 4 else 1
        x = self.x[sample][layer].reshape(rows, columns, -1)
        for group in range(below.groups):
            for i, j, dy, dx in np.ndindex(below.window_rows, below.window_columns, size, size):
                r, c = size * i + dy, size * j + dx
                for first in range(group * pe, (group + 1) * pe, heads):
                    filters = range(first, first + heads)
                    there = [f < below.format.units and r < rows and c < columns for f in filters]
                    if not any(there) and self.chance.random() < 0.5:
                        continue
                    bank, address = self.byte(row, sample, r, c, first, columns)
                    yield {
                        "layer": layer,
                        "parity": sample & 1,
                        "bank": bank,
                        "address": address,
                        "enable": sum(b << n for n, b in enumerate(there)),
                        "data": [
                            int(x[r, c, f]) if b else self.chance.randrange(256)
                            for f, b in zip(filters, there, strict=True)
                        ],
                    }

    def byte(
        self, row: Row, sample: int, r: int, c: int, channel: int, columns: int
    ) -> tuple[int, int]:
        """Bank and address of an input."""
        base = row.page_bases[sample & 1]
        if row.layout is Layout.FLAT:
            n = (r * columns + c) * row.stride + channel
            return (n & 3, base + (n >> 2)) if row.banks > 1 else (0, base + n)
        address = (r >> 1) * row.row_stride + (c >> 1) * row.stride + channel
        return 2 * (r & 1) + (c & 1), base + address

    def reads(self, sample: int) -> Iterator[dict[str, Any]]:
        """Bytes for U, of 2 x 2 places anywhere; what is expected goes to `expected_reads`."""
        for _ in range(READS):
            layer = self.chance.randrange(len(self.table.rows))
            row, x = self.table.rows[layer], self.x[sample][layer]
            expected: list[int | None]
            if self.chance.random() < 0.1:
                place = self._place(row, sample, 0, 0, 0) | {"bias": 1}
                expected = [row.format.bias_input] * self.folding.places
            else:
                at = [self.chance.randrange(size) for size in (1, *x.shape)[-3:]]
                place = self._place(row, sample, *at)
                expected = expected_bytes(row, x, at, self.folding.places)
            self.expected_reads.append(expected)
            yield {"place": place, "layer": layer}

    def _place(self, row: Row, sample: int, r: int, c: int, channel: int) -> dict[str, Any]:
        base = row.page_bases[sample & 1] // FLAGS
        if row.layout is Layout.FLAT:
            n = c * row.stride + channel
            if row.banks == 1:
                place = {"row": [base], "column": [n], "rows": 1, "columns": 1}
                return place | {"row_parity": 0, "column_parity": 0, "bias": 0}
            place = {"row": [base] * 2, "column": [n >> 2] * 2, "rows": 3, "columns": 3}
            return place | {"row_parity": n >> 1 & 1, "column_parity": n & 1, "bias": 0}
        height, width, _ = row.format.image
        rows, columns = sorted((r, r + 1), key=parity), sorted((c, c + 1), key=parity)
        return {
            "row": [base + (y >> 1) * row.row_stride // FLAGS for y in rows],
            "column": [(z >> 1) * row.stride + channel for z in columns],
            "rows": sum((y < height) << n for n, y in enumerate(rows)),
            "columns": sum((z < width) << n for n, z in enumerate(columns)),
            "row_parity": r & 1,
            "column_parity": c & 1,
            "bias": 0,
        }

    def blocks(self, sample: int) -> Iterator[dict[str, Any]]:
        """Blocks for U to look up; what is expected goes to `expected_visits`."""
        for number in range(BLOCKS):
            row = self.chance.choice(self.table.rows)
            x = self.x[sample][self.table.rows.index(row)]
            block, flags = self._block(row, x, sample)
            token, keep = self.chance.randrange(256), number == BLOCKS - 1
            block |= {"mask": self.chance.randrange(256), "sure": self.chance.random() < 0.1}
            block["keep"] = keep or self.chance.random() < 0.1
            visits = block["mask"] & (255 if block["sure"] else flags)
            if visits or block["keep"]:
                self.expected_visits.append((visits, token))
            yield {"block": block, "token": token}

    def _block(self, row: Row, x: Inputs, sample: int) -> tuple[dict[str, Any], int]:
        base, side = row.flag_bases[sample & 1], 1 if self.folding.places == 1 else 2
        if row.layout is Layout.FLAT:
            chunk = self.chance.randrange(row.flag_words)
            padded = np.zeros((row.tap_pixels, row.stride), bool)
            padded[:, : row.tap_channels] = x != 0
            bits = padded.ravel()[FLAGS * chunk :][:FLAGS]
            block = {"row": [base] * side, "column": [chunk] * side, "rows": 1, "columns": 1}
            return block | {"packed": 0, "odd": 0}, number_of(bits)
        height, width, channels = x.shape
        around = np.zeros((height + 1, width + 2 * FLAGS, row.stride), bool)
        around[:height, :width, :channels] = x != 0
        r = self.chance.randrange(height)
        both = around[r] | around[r + 1]
        both[:-1] |= both[1:].copy()
        rows = sorted((r, r + 1), key=parity)
        block = {
            "row": [base + (y >> 1) * row.row_stride // FLAGS for y in rows],
            "rows": sum((y < height) << n for n, y in enumerate(rows)),
        }
        if row.layout is Layout.PACKED:
            c, end = self.chance.randrange(row.flag_words), row.flag_words
            bits, across, chunk = both.ravel()[FLAGS * c :][:FLAGS], 1, 0
        else:
            c, end, across = self.chance.randrange(width), width, row.stride // FLAGS
            chunk = self.chance.randrange(across)
            bits = both[c, FLAGS * chunk :][:FLAGS]
        columns = sorted((c, c + 1), key=parity)
        return block | {
            "column": [(z >> 1) * across + chunk for z in columns],
            "columns": sum((z < end) << n for n, z in enumerate(columns)),
            "packed": row.layout is Layout.PACKED,
            "odd": c & 1,
        }, number_of(bits)


def parity(number: int) -> int:
    """0 of even numbers."""
    return number & 1


def number_of(bits: Any) -> int:
    """The number that has these bits."""
    return sum(int(bit) << place for place, bit in enumerate(bits))


def expected_bytes(row: Row, x: Inputs, at: list[int], places: int) -> list[int | None]:
    """Of each place as it is read; None for a place outside the map, where anything may come."""
    r, c, channel = at
    found: list[int | None] = []
    for dy, dx in np.ndindex(*((1, 1) if places == 1 else (2, 2))):
        if row.layout is Layout.FLAT:
            value = None if dy or dx else int(x[c, channel])
        else:
            inside = r + dy < x.shape[0] and c + dx < x.shape[1]
            value = int(x[r + dy, c + dx, channel]) if inside else None
        if value is not None and row.format.signed_input:
            value -= (value & 128) << 1
        found.append(value)
    return found


def tap_at(row: Row, word: Word) -> list[int]:
    """Row, column and channel of a word's first place."""
    pixel, channel = divmod(word.tap, row.stride)
    if row.layout is Layout.FLAT:
        return [0, pixel, channel]
    ky, kx = divmod(pixel, row.format.kernel)
    i, j = divmod(word.window, row.window_columns)
    return [2 * i + ky, 2 * j + kx, channel]


def same(raw: int, expected: list[int | None]) -> bool:
    """Whether operands of nine bits are as expected."""
    values = [raw >> (9 * n) & 511 for n in range(len(expected))]
    return all(e is None or v == e & 511 for v, e in zip(values, expected, strict=True))


NAMES = ("start", "layer", "issue", "blocked", "address", "enter_group", "first", "last", "done")
PROBES = (*NAMES, "f_x", "tag", "full")


class Source:
    """Offers payloads to a stream."""

    def __init__(self, port: Any, words: list[int], stall: float) -> None:
        self.port, self.words, self.stall = port, words, stall
        self.payload, self.taken, self.offers = Value.cast(port.payload), 0, False

    def drive(self, ctx: Any, chance: random.Random) -> None:
        """At the beginning of a clock."""
        left = self.taken < len(self.words)
        self.offers = left and (self.offers or chance.random() >= self.stall)
        ctx.set(self.port.valid, self.offers)
        if self.offers:
            ctx.set(self.payload, self.words[self.taken])

    def look(self, ctx: Any) -> bool:
        """At its end: whether it was taken."""
        if not self.offers or not ctx.get(self.port.ready):
            return False
        self.taken, self.offers = self.taken + 1, False
        return True


class Run:
    """A case in the simulator, and what was seen in each clock."""

    def __init__(self, case: Case) -> None:
        self.case, self.watched = case, Watched(case.bench)
        stall = case.chance.choice([0.0, 0.3])
        watched = self.watched
        self.inputs = Source(watched.i, case.inputs(), stall)
        self.sources = [
            self.inputs,
            Source(watched.writes, case.payloads("writes", case.writes), stall),
        ]
        if case.folding.learns:
            self.sources.append(Source(watched.reads, case.payloads("reads", case.reads), 0.0))
        if case.bench.looks:
            self.sources.append(Source(watched.blocks, case.payloads("blocks", case.blocks), 0.0))
        self.stall = case.chance.choice([0.0, 0.4])
        self.clocks: list[dict[str, Any]] = []
        self.filled: list[int] = []
        self.reads: list[int] = []
        self.visits: list[tuple[int, int]] = []
        simulator = Simulator(watched)
        simulator.add_clock(1e-6)
        simulator.add_testbench(self._drive)
        simulator.run()

    async def _drive(self, ctx: Any) -> None:
        case, left = self.case, SAMPLES * len(self.case.table.rows)
        probes = {name: getattr(self.watched, name) for name in PROBES}
        ctx.set(self.watched.chance.valid, 1)
        tail = 10
        while tail and len(self.clocks) < LIMIT:
            bits = {bit: case.chance.random() < rate for bit, rate in case.rates.items()}
            ctx.set(self.watched.chance.payload, bits)
            for source in self.sources:
                source.drive(ctx, case.chance)
            if case.bench.looks:
                ctx.set(self.watched.visits.ready, case.chance.random() >= self.stall)
            now = bits | {name: ctx.get(probe) for name, probe in probes.items()}
            for source in self.sources:
                if source.look(ctx) and source is self.inputs:
                    self.filled.append(len(self.clocks))
            self._collect(ctx)
            self.clocks.append(now)
            left -= now["done"]
            visits, reads = len(case.expected_visits), len(case.expected_reads)
            tail -= left == 0 and (len(self.visits), len(self.reads)) == (visits, reads)
            await ctx.tick()
        self.collision = ctx.get(self.watched.collision)

    def _collect(self, ctx: Any) -> None:
        watched = self.watched
        if self.case.folding.learns and ctx.get(watched.read_came):
            self.reads.append(ctx.get(watched.u_x))
        if self.case.bench.looks and ctx.get(watched.visits.valid & watched.visits.ready):
            visits = watched.visits.payload
            self.visits.append((ctx.get(visits.visits), ctx.get(visits.token)))

    def check(self) -> None:
        """Everything, clock by clock."""
        case = self.case
        assert len(self.clocks) < LIMIT
        assert not self.collision
        fulls = [clock for clock, now in enumerate(self.clocks) if now["full"]]
        assert fulls[0] == self.filled[case.x[0][0].size - 1] + 3
        assert self.visits == case.expected_visits
        for raw, expected in zip(self.reads, case.expected_reads, strict=True):
            assert same(raw, expected)
        self._check_sweep()

    def _check_sweep(self) -> None:
        case, model, starts, blocked = self.case, SweepClocks(folding=self.case.folding), 0, 0
        lag = 3 + case.folding.slow_memory
        for clock, now in enumerate(self.clocks):
            if now["start"]:
                sample, layer = divmod(starts, len(case.table.rows))
                row, x = case.table.rows[layer], case.x[sample][layer]
                assert now["layer"] == layer
                model.start(row, x)
                starts += 1
                if layer == 0:
                    label_bits = (row.format.classes - 1).bit_length()
                    assert now["tag"] == sample % 2 | sample // 2 << label_bits
            word = model.clock(
                hold=now["hold"], may_enter=now["may_enter"], credit=now["credit_group"]
            )
            blocked += now["blocked"]
            assert (word is not None) == now["issue"], clock
            assert model.blocked == blocked, clock
            assert now["done"] == (word is not None and word.end), clock
            if word is not None:
                names = ("address", "first", "last", "enter_group")
                expected = (word.address, word.first, word.last, word.group)
                assert tuple(now[n] for n in names) == expected, clock
                places: list[int | None] = [row.format.bias_input] * case.folding.places
                if not word.last:
                    places = expected_bytes(row, x, tap_at(row, word), case.folding.places)
                assert same(self.clocks[clock + lag]["f_x"], places), clock


@pytest.mark.parametrize("seed", range(CASES))
def test_every_word_in_its_clock(seed: int) -> None:
    """Words, inputs, flags and tags are as a plain model says; no clock reads what it writes."""
    Run(Case(seed)).check()
