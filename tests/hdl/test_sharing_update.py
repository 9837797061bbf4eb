"""The update machine of a shared engine: every weight as the golden model has it."""

from dataclasses import dataclass, replace
from functools import cache, partial

import numpy as np
import pytest
from amaranth.hdl import Const, Value

from golden_model.convolution import ConvLayer
from golden_model.layers import DenseLayer, ReadoutLayer
from golden_model.spec.control import Register
from golden_model.spec.conv import ConvFormat
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
)
from hdl.passes.sharing import FLAGS, Layout, SharedFolding, table
from hdl.passes.update_cycles import Block, Look, UpdateCycles
from hdl.rtl.sharing.winners import winner_layout
from sim.benches.harness import Group, Watched, packed
from sim.benches.sharing_update import UpdateBench
from sim.cxxrtl import QUICK, Simulation

LIMIT = 60_000
WIDE = 48
"""Bits of a weight that no step brings to its end."""


@dataclass(frozen=True)
class Design:
    """An engine: its layers and how they are folded."""

    name: str
    network: Network
    folding: SharedFolding

    @property
    def table(self):
        """Of all layers."""
        return table(infer_formats(self.network).layers, self.folding)


def design(name, inputs, layers, learning, folding, *, classes=4, readout=None, coding="unsigned"):
    """One of the designs below."""
    network = Network(
        name=name,
        inputs=int(np.prod(inputs)),
        image=inputs,
        classes=classes,
        layers=tuple(layers),
        readout=readout,
        learning=Learning(**learning),
        coding=Coding(coding),
    )
    return Design(name, network, SharedFolding(weight_memory="any", **folding))


DESIGNS = [
    design(
        "packed",
        (9, 8, 1),
        [Conv(filters=5, kernel=3, regions=2), Dense(units=7, weight_bits=8)],
        {"loss": Loss.PAIRWISE_HINGE, "feedback": Feedback.SYMMETRIC},
        {
            "pe": 2,
            "page_copies": 1,
            "single_port": True,
            "slow_memory": True,
            "parallel_classes": False,
            "classifier_rom": False,
        },
        readout=Readout(weight_bits=12),
    ),
    design(
        "colours",
        (8, 7, 3),
        [
            Conv(filters=9, kernel=4, pool=1),
            Conv(filters=10, kernel=2, pool=2, bias_shift=3),
            Dense(units=11),
        ],
        {"loss": Loss.SQUARED_HINGE, "feedback": Feedback.SIGN_CONCORDANT},
        {
            "pe": 8,
            "heads": 2,
            "taps": 2,
            "update_port": True,
            "slow_memory": True,
            "hard_update": True,
        },
        coding="signed",
    ),
    design(
        "pixels",
        (7, 9, 11),
        [Conv(filters=12, kernel=3, pool=1, regions=3, weight_bits=8), Dense(units=5)],
        {"loss": Loss.HINGE, "feedback": Feedback.SIGN_CONCORDANT},
        {
            "pe": 4,
            "skip_zeros": False,
            "page_copies": 1,
            "parallel_classes": False,
            "single_port": True,
            "lone_words": True,
        },
    ),
    design(
        "flat",
        (1, 1, 21),
        [Dense(units=3, weight_bits=12)],
        {"loss": Loss.SQUARED_HINGE},
        {"pe": 1, "places": 1, "single_port": True, "lone_words": True},
        classes=3,
        readout=Readout(),
    ),
]


@dataclass
class Update:
    """What one layer learns from one sample, and what it comes to."""

    layer: int
    parity: int
    rate: int
    errors: np.ndarray
    inputs: np.ndarray
    entries: list
    before: np.ndarray
    after: np.ndarray
    moves: np.ndarray


def random_errors(rng, layer):
    """As the loss could have them."""
    label = rng.integers(layer.classes)
    near = rng.random(layer.classes) < 0.5
    if layer.loss is Loss.SQUARED_HINGE:
        error = rng.integers(0, 128, layer.classes) * near
        error[rng.random(layer.classes) < 0.3] = 127
    else:
        error = near.astype(int)
    error[label] = 0 if layer.loss is Loss.PAIRWISE_HINGE else error[label]
    error[label] = -error.sum() if layer.loss is Loss.PAIRWISE_HINGE else -error[label]
    return error


def random_update(rng, design, number):
    """Of a layer, with random inputs, winners, errors and weights."""
    row = design.table.rows[number]
    layer = row.format
    low, high = (-128, 128) if layer.signed_input else (0, 256)
    inputs = rng.integers(low, high, layer.input_size) * (rng.random(layer.input_size) < 0.5)
    inputs[rng.random(layer.input_size) < 0.1] = low or high - 1
    limit = 1 << (layer.weight_bits - 1)
    before = rng.integers(-limit, limit, (layer.units, layer.fan_in))
    near = rng.random(before.shape) < 0.5
    before[near] = np.where(
        before[near] < 0, before[near] % 8 - limit, limit - 1 - before[near] % 8
    )
    errors = random_errors(rng, layer)
    windows = layer.windows
    learns = rng.random((windows, layer.units)) < rng.choice([0.1, 0.5, 0.9])
    if row.groups > 1:
        first = rng.integers(row.groups) * design.folding.pe
        learns[:, first : first + design.folding.pe] = False
    if layer.reads_out:
        learns[:] = True
    places = rng.integers(0, 4 if layer.pool == 2 else 1, (windows, layer.units))
    rate = int(
        rng.choice(
            [0, layer.rate_shift_max, rng.integers(layer.rate_shift_max + 1), rng.integers(8)]
        )
    )
    exact = golden_layer(replace(layer, weight_bits=WIDE))
    exact._weights[:] = 0
    exact._registers[Register.RATE_SHIFT] = rate
    learn(exact, inputs, places, learns, errors)
    golden = golden_layer(layer)
    golden.write_weights(before.astype(np.int32))
    golden._registers[Register.RATE_SHIFT] = rate
    learn(golden, inputs, places, learns, errors)
    entries = entries_of(row, design.folding, places, learns)
    moves = exact._weights.T != 0
    return Update(
        number,
        int(rng.integers(2)),
        rate,
        errors,
        inputs,
        entries,
        before,
        golden.read_weights(),
        moves,
    )


@cache
def golden_layer(layer):
    """One of the golden model's."""
    if isinstance(layer, ConvFormat):
        return ConvLayer(layer)
    return ReadoutLayer(layer) if layer.reads_out else DenseLayer(layer)


def learn(golden, inputs, places, learns, errors):
    """The golden model's own update, with activations and winners as they are told."""
    layer = golden.format
    golden._answer(inputs)
    if not layer.reads_out:
        golden.activations = np.where(learns, 100.0, 0.0).ravel()
    if isinstance(layer, ConvFormat):
        rows, columns = layer.pooled_shape
        i, j = np.divmod(np.arange(rows * columns), columns)
        row = (i * layer.pool)[:, None] + (places >> 1)
        column = (j * layer.pool)[:, None] + (places & 1)
        golden._winners = row * layer.map_shape[1] + column
    golden._gradient = golden._gradient_of(errors.astype(float))
    golden._update()


def entries_of(row, folding, places, learns):
    """For each group the windows with a learner, as the winners' list has them."""
    layer, pe = row.format, folding.pe
    rows, columns = layer.pooled_shape
    found = []
    for group in range(row.groups):
        entries = []
        for window in range(layer.windows):
            i, j = divmod(window, columns)
            lanes = range(group * pe, min((group + 1) * pe, layer.units))
            if not learns[window, lanes].any():
                continue
            across = layer.regions_across
            region = i * across // rows * across + j * across // columns
            place = [int(p) for p in places[window, lanes]]
            if row.outputs_per_window > 1:
                place = [2 * (i & 1) + (j & 1)] * len(lanes)
                i, j = i >> 1, j >> 1
            place += [3] * (pe - len(lanes)) if folding.places > 1 else [0] * (pe - len(lanes))
            bits = sum(int(learns[window, o]) << n for n, o in enumerate(lanes))
            entries.append(
                {"row": i, "column": j, "region": region, "places": place, "learns": bits}
            )
        found.append(entries)
    return found


class Bench:
    """One design inside the simulator."""

    def __init__(self, simulation, design):
        self.simulation, self.design, self.table = simulation, design, design.table
        self.prefix = f"component.{design.name}"
        self.weights = "weights.spram" if design.folding.single_port else "weights.weights"

    def port(self, name):
        return f"{self.design.name}_{name}"

    def set(self, name, value):
        self.simulation.set(self.port(name), int(value))

    def get(self, name):
        return self.simulation.get(self.port(name))

    def fill(self, name, words):
        """A memory from its first word on."""
        memory = self.simulation.memory(f"{self.prefix}.{name}")
        wide = memory if memory.ndim == 2 else memory[:, None]
        for address, word in words.items():
            for chunk in range(wide.shape[1]):
                wide[address, chunk] = word >> (32 * chunk) & 0xFFFFFFFF

    def load(self, update, rng):
        """Everything that the update reads."""
        self.load_pages(update, rng)
        row = self.table.rows[update.layer]
        layout = winner_layout(self.table, self.design.folding)
        entries, counts = {}, {}
        for group, found in enumerate(update.entries):
            counts[row.group_base + group] = len(found)
            for n, entry in enumerate(found):
                constant = Value.cast(layout.const(entry))
                entries[row.winner_base + group * row.winners + n] = Const.cast(constant).value
        self.fill("entries", entries)
        self.fill("counts", counts)
        words = self.words_of(update, update.before, rng)
        self.fill(self.weights, words)
        self.wanted = self.words_of(update, update.after, None, words)

    @property
    def weight_bits(self):
        return max(row.format.weight_bits for row in self.table.rows)

    def words_of(self, update, weights, rng, over=None):
        """Weights as words by address; what is padding at random, or as in `over`."""
        row, pe, bits = self.table.rows[update.layer], self.design.folding.pe, self.weight_bits
        mask = (1 << bits) - 1
        words = {}
        for word in range(row.weight_words):
            address = row.weight_base + word
            words[address] = over[address] if over else int(rng.integers(1 << min(bits * pe, 62)))
        for unit in range(row.format.units):
            group, lane = divmod(unit, pe)
            for k in range(row.format.fan_in):
                tap = k // row.tap_channels * row.stride + k % row.tap_channels
                tap = row.taps if k == row.format.inputs else tap
                address = row.weight_base + group * row.words + tap
                words[address] &= ~(mask << (bits * lane))
                words[address] |= (int(weights[unit, k]) & mask) << (bits * lane)
        return words

    def load_pages(self, update, rng):
        row, fold = self.table.rows[update.layer], self.design.folding
        pages = rng.integers(0, 256, (fold.places, self.table.page_depth))
        flags = rng.integers(0, 256, (fold.places, self.table.flag_depth))
        places = list(self.input_places(row, update))
        for _, _, bank, address, _ in places:
            flags[bank, address] = 0
        for n, (bank, address, flag_bank, flag_address, bit) in enumerate(places):
            value = int(update.inputs[n])
            pages[bank, address] = value & 255
            flags[flag_bank, flag_address] |= (value != 0) << bit
        for copy in "fu"[: fold.page_copies]:
            for bank in range(fold.places):
                whole = pages[bank][: len(pages[bank]) // fold.heads * fold.heads]
                words = packed_bytes(whole, fold.heads)
                self.fill(f"pages.page{bank}_{copy}", dict(enumerate(words)))
                if fold.skip_zeros:
                    words = [int(flag) for flag in flags[bank]]
                    self.fill(f"pages.flags{bank}_{copy}", dict(enumerate(words)))

    def input_places(self, row, update):
        """Bank and address of each input and of its flag, and the flag's bit."""
        page, flag = row.page_bases[update.parity], row.flag_bases[update.parity]
        one = self.design.folding.places == 1
        for number in range(row.format.input_size):
            if row.layout is Layout.FLAT:
                n = number // row.tap_channels * row.stride + number % row.tap_channels
                yield (0 if one else n & 3), page + (n if one else n >> 2), 0, flag + n // 8, n & 7
                continue
            pixel, channel = divmod(number, row.channels)
            i, j = divmod(pixel, row.width)
            offset = (i >> 1) * row.row_stride + (j >> 1) * row.stride + channel
            bank, bit = 2 * (i & 1) + (j & 1), channel & 7
            flag_bank, flag_address = bank, flag + (offset >> 3)
            if row.layout is Layout.PACKED:
                word, bit = divmod(j * row.stride + channel, FLAGS)
                flag_bank = 2 * (i & 1) + (word & 1)
                flag_address = flag + (i >> 1) * (row.row_stride >> 3) + (word >> 1)
            yield bank, page + offset, flag_bank, flag_address, bit

    def begin(self, update):
        errors = packed(update.errors, self.simulation_width("errors") // len(update.errors))
        for name, value in (
            ("layer", update.layer),
            ("parity", update.parity),
            ("rate", update.rate),
            ("errors", errors),
            ("start", 1),
        ):
            self.set(name, value)

    def simulation_width(self, name):
        return self.simulation._object(self.port(name)).contents.width

    def check(self):
        memory = self.simulation.memory(f"{self.prefix}.{self.weights}")
        wide = memory if memory.ndim == 2 else memory[:, None]
        wrong = [
            address
            for address, word in self.wanted.items()
            if any(
                int(wide[address, c]) != word >> (32 * c) & 0xFFFFFFFF for c in range(wide.shape[1])
            )
        ]
        return wrong


def groups_of(row, folding, update):
    """What the cycle model wants to know: blocks of each group, their visits, and what moves."""
    layer, groups = row.format, []
    for group, entries in enumerate(update.entries):
        units = range(group * folding.pe, min((group + 1) * folding.pe, layer.units))
        tap_moves = [False] * row.words
        for k, moved in enumerate(update.moves[list(units)].any(axis=0)):
            tap = k // row.tap_channels * row.stride + k % row.tap_channels
            tap_moves[row.taps if k == layer.inputs else tap] = bool(moved)
        blocks = []
        for base, looks in looks_of(row, folding, update):
            found = tuple(tuple(looks(entry)) for entry in entries)
            moved = frozenset(n for n, moved in enumerate(tap_moves[base : base + FLAGS]) if moved)
            blocks.append(Block(found, moved))
        bias = tuple((Look((0,), bias=True),) for _ in entries)
        blocks.append(Block(bias, frozenset([0] if tap_moves[-1] else []), bias=True))
        groups.append(blocks if entries else [])
    return groups


def looks_of(row, folding, update):
    """Blocks: their first tap, and what a window looks at there."""
    inputs, skip = update.inputs, folding.skip_zeros
    if row.layout is Layout.FLAT:
        for pixel in range(row.tap_pixels):
            for first in range(0, row.stride, FLAGS):
                channels = range(first, min(first + FLAGS, row.tap_channels))
                live = [
                    c - first for c in channels if inputs[pixel * row.tap_channels + c] or not skip
                ]
                yield pixel * row.stride + first, lambda entry, live=live: [Look(tuple(live))]
        return
    image = np.pad(inputs.reshape(row.height, row.width, row.channels), ((0, 1), (0, 1), (0, 0)))
    some = (image != 0).astype(int)
    some = some[:-1, :-1] | some[1:, :-1] | some[:-1, 1:] | some[1:, 1:] | (not skip)
    kernel = row.format.kernel
    for ky in range(kernel):
        for kx in range(1 if row.layout is Layout.PACKED else kernel):
            whole = kernel * row.stride if row.layout is Layout.PACKED else row.stride
            for first in range(0, whole, FLAGS):
                base = (ky * kernel + kx) * row.stride + first
                yield base, partial(conv_looks, row, some, ky, kx, first, whole)


def conv_looks(row, some, ky, kx, first, whole, entry):
    """Words of flags that a window looks at, and what it finds."""
    i, j = 2 * entry["row"] + ky, 2 * entry["column"] + kx
    start = j * row.stride + first
    words = {}
    for n in range(min(FLAGS, whole - first)):
        column, channel = divmod(start + n, row.stride)
        if channel < row.channels:
            word = (start + n) // FLAGS if row.layout is Layout.PACKED else 0
            words.setdefault(word, []).extend([n] if some[i, column, channel] else [])
    return [Look(tuple(slots)) for _, slots in sorted(words.items())]


def packed_bytes(row, heads):
    """Words of so many bytes."""
    return [
        sum(int(b) << (8 * n) for n, b in enumerate(row[a : a + heads]))
        for a in range(0, len(row), heads)
    ]


@pytest.fixture(scope="module")
def simulation():
    group = Group(**{d.name: UpdateBench(d.table, d.folding) for d in DESIGNS})
    return Simulation(Watched(group), optimisation=QUICK)


def run(simulation, benches):
    """From the pulse of start until all are done; what each did, clock by clock."""
    first = simulation.clocks
    probes = []
    for bench in benches:
        columns = [bench.port(name) for name in SEEN]
        probes.append(simulation.watch(bench.port("busy"), columns))
    simulation.step(1)
    for bench in benches:
        bench.set("start", 0)
    while any(bench.get("busy") for bench in benches) and simulation.clocks < first + LIMIT:
        simulation.step(50)
    for probe, bench in zip(probes, benches, strict=True):
        bench.seen = dict(zip(SEEN, probe.rows.T.astype(int).tolist(), strict=True))
        probe.retire()


def as_modelled(bench):
    """What the cycle model says of the same clocks."""
    row = bench.table.rows[bench.update.layer]
    model = UpdateCycles(
        row, bench.design.folding, groups_of(row, bench.design.folding, bench.update)
    )
    model.step()  # the clock of the pulse
    seen = {"visit": [], "read": [], "write": [], "group": []}
    for page, flags in zip(bench.seen["in_the_way"], bench.seen["flags_in_the_way"], strict=True):
        events = model.step(page=not page, flags=not flags)
        for name, found in seen.items():
            found.append(int(getattr(events, name)))
    return seen


SEEN = ("visit", "read", "write", "group", "in_the_way", "flags_in_the_way")


@pytest.mark.parametrize("rough", [0, 1])
@pytest.mark.parametrize("seed", range(6))
def test_updates(simulation, seed, rough):
    """Weights, and clocks: each visit, read, write and end of a group when the model has it."""
    rng = np.random.default_rng([seed, rough])
    benches = [Bench(simulation, d) for d in DESIGNS]
    simulation.reset()
    for bench in benches:
        bench.update = random_update(rng, bench.design, seed % len(bench.table.rows))
        bench.load(bench.update, rng)
        bench.set("rough", rough)
        bench.begin(bench.update)
    run(simulation, benches)
    for bench in benches:
        where = f"{bench.design.name} layer {bench.update.layer}"
        assert not bench.get("busy"), f"{where} group {bench.get('group')}"
        assert not bench.get("clash"), where
        wrong = bench.check()
        assert not wrong, f"{where}: {len(wrong)} of {len(bench.wanted)} words: {wrong[:5]}"
        modelled = as_modelled(bench)
        for name, expected in modelled.items():
            assert bench.seen[name] == expected, f"{where}: {name}"
    assert not simulation.get("collision")
