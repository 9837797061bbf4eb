"""The flow on every board: budgets kept, choices honoured, refusals that say why."""

import json
from dataclasses import asdict, replace

import numpy as np
import pytest

from boards.registry import BOARDS
from golden_model.spec.errors import SpecError
from golden_model.spec.formats import infer_formats
from golden_model.spec.network import Dense, Learning, Network, Readout
from golden_model.spec.scaler import Scaler
from golden_model.spec.toml import known_networks, load_network
from hdl.passes.cycles import interval
from hdl.passes.errors import DoesNotFit
from hdl.passes.estimate import CHIP_CELLS, layer_cells
from hdl.passes.folding import fold
from hdl.passes.options import Options
from hdl.passes.own_engines import LONG_GROUP, MAX_LANES, visited_share
from hdl.passes.pipeline import run
from hdl.passes.stages import Folding, ScheduledNetwork
from tests.hdl.simulated_core import run_core

ICEBREAKER = BOARDS["icebreaker"].budget


def formats_of(name):
    return infer_formats(load_network(name))


def network(inputs, *units, classes=10, readout=True):
    layers = tuple(Dense(units=n) for n in units)
    kind = Readout() if readout else None
    return infer_formats(
        Network(name="tried", inputs=inputs, classes=classes, layers=layers, readout=kind)
    )


def multipliers(schedule, budget):
    """Blocks that the foldings claim, a wide operand taking several."""
    total = 0
    for layer, folding in zip(schedule.formats.layers, schedule.foldings, strict=True):
        bits = budget.multiplier.bits
        operands = folding.gradient_operand_bits(layer)
        if folding.hard_forward:
            total += folding.lanes * -(-layer.weight_bits // bits)
        if folding.hard_update:
            together = 2 if folding.takes_turns else 1
            total += folding.lanes // together * -(-operands // bits)
    return total


FITTING = [
    ("icebreaker", "mnist"),
    ("icebreaker", "digits"),
    ("icebreaker", "digits-deep"),
    ("hx8k-b-evn", "digits"),
    ("ulx3s-25f", "digits-deep"),
    ("ulx3s-85f", "mnist"),
    ("ulx3s-85f", "mnist-deep"),
]
"""Pairs that must fit, whatever else the passes become."""


@pytest.mark.parametrize(("board", "name"), FITTING)
@pytest.mark.parametrize("classifier", ["rom", "generator"])
def test_budgets_are_kept(board, name, classifier):
    budget = BOARDS[board].budget
    schedule = run(formats_of(name), budget, Options(classifier=classifier))
    assert multipliers(schedule, budget) <= budget.multiplier.count
    for kind in budget.memories:
        used = [memory.blocks for memory in schedule.memories if memory.kind == kind.name]
        assert sum(used) <= kind.blocks
    assert {memory.kind for memory in schedule.memories} <= {k.name for k in budget.memories}
    pairs = zip(schedule.formats.layers, schedule.foldings, strict=True)
    assert CHIP_CELLS + sum(layer_cells(layer, folding) for layer, folding in pairs) < budget.cells
    assert all(folding.classifier_rom == (classifier == "rom") for folding in schedule.foldings)


@pytest.mark.parametrize("board", BOARDS)
def test_memories_hold_what_they_must(board):
    budget = BOARDS[board].budget
    kinds = {kind.name: kind for kind in budget.memories}
    schedule = run(formats_of("digits"), budget)
    by_name = {memory.name: memory for memory in schedule.memories}
    assert len(by_name) == len(schedule.memories)
    for memory in schedule.memories:
        assert memory.blocks == memory.copies * kinds[memory.kind].blocks_for(
            memory.depth, memory.width
        )
        assert memory.bits <= memory.blocks * kinds[memory.kind].bits
    for layer, folding in zip(schedule.formats.layers, schedule.foldings, strict=True):
        weights = by_name[f"{layer.name}.weights"]
        assert weights.bits >= layer.weight_count * layer.weight_bits
        assert weights.kind == folding.weight_memory
        assert kinds[weights.kind].single_port == folding.single_port
        assert by_name[f"{layer.name}.samples"].bits >= 3 * 8 * layer.fan_in
        # Bits that the bitstream must fill cannot be in memory that it cannot fill.
        assert kinds[by_name[f"{layer.name}.samples"].kind].initialised


def mnist_on_icebreaker(pe, simd):
    """The large layer, folded as told."""
    schedule = run(formats_of("mnist"), ICEBREAKER, Options(folding={"layer0": (pe, simd)}))
    layer, folding = schedule.formats.layers[0], schedule.foldings[0]
    assert (folding.pe, folding.simd) == (pe, simd)
    fits = folding.lane_accumulator_bits(layer) <= ICEBREAKER.multiplier.accumulator_bits
    return folding, fits, folding.words(layer)


def test_mnist_on_icebreaker_accumulates_in_multipliers():
    folding, fits, _ = mnist_on_icebreaker(1, 4)
    assert fits
    assert folding.clear_slot
    assert folding.hard_forward
    assert (folding.weight_memory, folding.single_port) == ("SPRAM", True)


def test_sums_too_wide_for_a_multiplier_have_a_clear_slot_only_in_long_groups():
    """There it costs next to nothing, and spares gates."""
    short, fits, words = mnist_on_icebreaker(2, 2)
    assert (fits, words < LONG_GROUP) == (False, True)
    assert not short.clear_slot
    long, fits, words = mnist_on_icebreaker(4, 1)
    assert (fits, words >= LONG_GROUP) == (False, True)
    assert long.clear_slot


@pytest.mark.parametrize("shape", [(1, 1), (2, 2), (1, 8), (4, 1)])
def test_chosen_folding_is_honoured(shape):
    options = Options(folding={"layer1": shape})
    chosen = run(formats_of("digits-deep"), BOARDS["ulx3s-85f"].budget, options).foldings[1]
    assert (chosen.pe, chosen.simd) == shape


def test_more_lanes_are_taken_where_there_is_room():
    small = run(formats_of("digits"), ICEBREAKER)
    large = run(formats_of("digits"), BOARDS["ulx3s-85f"].budget)
    assert large.training < small.training
    narrow = {layer.name: (1, 1) for layer in formats_of("digits").layers}
    alone = run(formats_of("digits"), ICEBREAKER, Options(folding=narrow))
    assert small.training < alone.training
    assert all(folding.lanes <= MAX_LANES for folding in large.foldings)


@pytest.mark.parametrize(("board", "name"), FITTING)
def test_zeros_are_skipped_only_if_wanted(board, name):
    budget = BOARDS[board].budget
    dense = run(formats_of(name), budget, Options(skip_zeros=False))
    assert not any(folding.skip_zeros for folding in dense.foldings)
    assert not any(".visits." in memory.name for memory in dense.memories)
    sparse = run(formats_of(name), budget)
    names = {memory.name for memory in sparse.memories}
    for layer, folding in zip(sparse.formats.layers, sparse.foldings, strict=True):
        parts = {f"{layer.name}.visits.{part}" for part in ("flags", "entries")}
        assert parts & names == (parts if folding.skip_zeros else set())
        assert folding.words(layer) > 1 or not folding.skip_zeros


def expected_clocks(schedule):
    """Clocks per training sample of the slowest layer, with as many zeros as images have."""
    return max(
        interval([layer], [fold], True, visited_share(layer, fold))
        for layer, fold in zip(schedule.formats.layers, schedule.foldings, strict=True)
    )


@pytest.mark.parametrize(("board", "name"), FITTING)
def test_skipping_zeros_costs_no_time(board, name):
    budget = BOARDS[board].budget
    dense = run(formats_of(name), budget, Options(skip_zeros=False))
    skipping = run(formats_of(name), budget, Options(skip_zeros=True))
    assert expected_clocks(skipping) <= expected_clocks(dense)


CENTRED = {
    name: Network(name="centred", inputs=inputs, classes=2, layers=(Dense(units=8),), coding=coding)
    for name, inputs, coding in (
        ("features", 64, "two-channels"),
        ("image", [4, 8, 2], "two-channels"),
        ("colours", [4, 8, 4], "two-channels"),
        ("signed", 64, "signed"),
    )
}


@pytest.mark.parametrize("simd", [1, 2, 4])
@pytest.mark.parametrize("network", CENTRED.values(), ids=CENTRED)
def test_words_of_centred_inputs_are_visited_as_often_as_expected(network, simd):
    """Of values in no order, seldom 0, in pairs of samples that follow each other."""
    chance = np.random.default_rng(1)
    shape = 400, network.features
    x = v = chance.integers(1, 100, shape) * chance.choice([-1, 1], shape)
    if network.two_channels:
        pixels = v.reshape(400, -1, (network.image or (network.inputs,))[-1] // 2)
        x = np.concatenate([pixels.clip(0), (-pixels).clip(0)], axis=-1).reshape(400, -1)
    words = x.reshape(400, -1, simd).any(axis=2)
    visited = (words[1:] | words[:-1]).mean()
    layer = infer_formats(network).layers[0]
    fold = Folding(pe=1, simd=simd, weight_memory="any", single_port=False, skip_zeros=True)
    assert visited == pytest.approx(visited_share(layer, fold), abs=0.01)


@pytest.mark.parametrize("board", BOARDS)
def test_of_centred_inputs_only_two_channels_get_a_visit_map(board):
    """Where next to nothing is 0, a map would cost its cells and save no time."""
    options = Options(folding={"layer0": (1, 1)})
    for name, network in CENTRED.items():
        first = run(infer_formats(network), BOARDS[board].budget, options).foldings[0]
        assert first.skip_zeros == (name != "signed"), name


def test_visit_maps_get_only_blocks_that_are_left():
    """A block fewer for each try: maps go before anything else is refused."""
    formats, budget = formats_of("digits-deep"), BOARDS["ulx3s-25f"].budget
    shapes = {layer.name: (1, 1) for layer in formats.layers}
    narrow = Options(classifier="rom", folding=shapes, skip_zeros=True)
    needed = sum(m.blocks for m in run(formats, budget, replace(narrow, skip_zeros=False)).memories)
    skipping = []
    for blocks in range(needed, needed + 2 * len(formats.layers) + 1):
        kinds = tuple(replace(kind, blocks=blocks) for kind in budget.memories)
        schedule = run(formats, replace(budget, memories=kinds), narrow)
        assert sum(memory.blocks for memory in schedule.memories) <= blocks
        skipping.append([folding.skip_zeros for folding in schedule.foldings])
    counts = [sum(row) for row in skipping]
    assert counts == sorted(counts)
    assert counts[0] == 0
    # With blocks enough as many as with blocks without end: those that save time.
    unlimited = run(formats, budget, narrow)
    assert skipping[-1] == [folding.skip_zeros for folding in unlimited.foldings]
    # The slowest layer, the first, is served before all others.
    assert next(row for row in skipping if any(row)) == [True, False, False]
    kinds = tuple(replace(kind, blocks=needed - 1) for kind in budget.memories)
    with pytest.raises(DoesNotFit):
        run(formats, replace(budget, memories=kinds), narrow)


@pytest.mark.parametrize(("board", "name"), FITTING)
def test_what_only_infers_has_nothing_of_learning(board, name):
    """Two pages of samples, no errors, no product for an update."""
    budget, formats = BOARDS[board].budget, formats_of(name)
    schedule = run(formats, budget, Options(learns=False))
    assert not any(folding.learns for folding in schedule.foldings)
    parts = {memory.name.partition(".")[2] for memory in schedule.memories}
    assert not parts & {"errors", "active", "classifier.gradients"}
    pages = [memory.copies for memory in schedule.memories if memory.name.endswith(".samples")]
    assert pages == [2] * len(formats.layers)
    learning = {memory.name: memory.copies for memory in run(formats, budget).memories}
    for layer in formats.layers:
        assert learning[f"{layer.name}.samples"] == 3
        assert f"{layer.name}.active" in learning or layer is formats.layers[-1]


@pytest.mark.parametrize(
    ("folding", "value", "rule", "remedy"),
    [
        ({"layer0": (3, 1)}, "PE = 3 of layer0", "power of two", "The largest that fits is 64"),
        ({"layer0": (1, 0)}, "SIMD = 0 of layer0", "power of two", "The largest that fits is 64"),
        ({"readout": (32, 1)}, "PE = 32 of readout", "power of two", "The largest that fits is 16"),
        ({"layer0": (1, 128)}, "SIMD = 128 of layer0", "power of two", "is 64"),
        ({"layr0": (1, 1)}, "folding of 'layr0'", "no such layer", "Did you mean 'layer0'?"),
        ({"layer7": (1, 1)}, "folding of 'layer7'", "no such layer", "layer"),
    ],
)
def test_bad_folding_is_refused(folding, value, rule, remedy):
    with pytest.raises(SpecError) as caught:
        fold(formats_of("mnist"), ICEBREAKER, Options(folding=folding))
    assert caught.value.value == value
    assert rule in caught.value.rule
    assert remedy in caught.value.remedy


def test_unknown_classifier_is_refused():
    with pytest.raises(SpecError, match=r"classifier 'rum'.*Did you mean 'rom'\?"):
        fold(formats_of("mnist"), ICEBREAKER, Options(classifier="rum"))


def test_where_classifiers_come_from_is_decided_if_nobody_says():
    """ROM where it fits, else a generator."""
    digits = formats_of("digits")
    assert run(digits, ICEBREAKER) == run(digits, ICEBREAKER, Options(classifier="rom"))
    many = network(20, 120, classes=250)
    with pytest.raises(DoesNotFit) as caught:
        run(many, ICEBREAKER, Options(classifier="rom"))
    assert caught.value.remedy == "It fits with --classifier generator"
    assert run(many, ICEBREAKER) == run(many, ICEBREAKER, Options(classifier="generator"))


@pytest.mark.parametrize(
    ("board", "formats", "resource"),
    [
        ("icebreaker", network(784, 2000), "SPRAM"),
        ("hx8k-b-evn", network(784, 64), "EBR"),
        ("ulx3s-25f", network(784, 500), "DP16KD"),
        ("icebreaker", network(16384, 3, readout=False), "EBR"),
        ("icebreaker", network(20, 400, classes=250), "SPRAM"),
        ("hx8k-b-evn", network(4, *[32] * 8, classes=2), "EBR"),
    ],
)
def test_too_large_says_what_runs_out(board, formats, resource):
    with pytest.raises(DoesNotFit) as caught:
        run(formats, BOARDS[board].budget)
    refusal = caught.value
    assert refusal.resource == resource
    assert refusal.needed > refusal.available >= 0
    sentence = f"{refusal.needed} {refusal.resource} needed, {refusal.available} available"
    assert sentence in str(refusal)
    assert refusal.remedy


def test_remedy_for_weights_is_a_size_that_fits():
    """The number of units that the sentence names does fit, and is not far from too many."""
    with pytest.raises(DoesNotFit) as caught:
        run(network(784, 2000), ICEBREAKER)
    words = caught.value.remedy.split()
    units = int(words[words.index("about") + 1])
    assert units > 0
    run(network(784, units), ICEBREAKER)
    with pytest.raises(DoesNotFit):
        run(network(784, units + 16), ICEBREAKER)


@pytest.mark.parametrize("board", ["icebreaker", "hx8k-b-evn", "ulx3s-85f"])
def test_where_a_folding_is_at_fault_the_remedy_is_another_folding(board):
    """Too many memories at a time, or too many cells: either way without a user's it fits."""
    options = Options(folding={"layer0": (16, 16)})
    with pytest.raises(DoesNotFit) as caught:
        run(formats_of("digits"), BOARDS[board].budget, options)
    assert caught.value.remedy == "Fold layer0 less, or leave that to the flow"


def test_the_refusal_tells_what_has_taken_the_rest():
    budget = BOARDS["hx8k-b-evn"].budget
    with pytest.raises(DoesNotFit) as caught:
        run(formats_of("digits"), budget, Options(classifier="rom", folding={"layer0": (4, 4)}))
    (kind,) = budget.memories
    sentence, told = str(caught.value).split("the other ")
    assert sentence.endswith("16 EBR needed, 11 available (weights of layer0; ")
    total, takers = told.split(").")[0].split(f" of {kind.blocks}: ")
    assert int(total) == kind.blocks - 11
    counts = {name: int(count) for name, count in (t.rsplit(" ", 1) for t in takers.split(", "))}
    assert counts.keys() == {"layer0", "readout", "link and registers"}
    assert sum(counts.values()) == int(total)


@pytest.mark.parametrize(
    ("board", "inputs", "units", "classes", "size"),
    [
        ("icebreaker", 16384, [1], 2, "inputs"),
        ("hx8k-b-evn", 16384, [1], 2, "inputs"),
        ("hx8k-b-evn", 4, [32] * 8, 2, "layers"),
        ("hx8k-b-evn", 10, [64], 200, "units"),
    ],
)
def test_the_remedy_names_the_size_that_helps(board, inputs, units, classes, size):
    """As large as it says it fits, and no larger."""
    budget = BOARDS[board].budget

    with pytest.raises(DoesNotFit) as caught:
        run(network(inputs, *units, classes=classes), budget)
    words = caught.value.remedy.removesuffix("; or take a larger board").split()
    assert words[-1] == size

    def changed(to):
        widths = {"inputs": [to, *units], "layers": [inputs, *units[:to]], "units": [inputs, to]}
        return network(*widths[size], classes=classes)

    run(changed(int(words[-2])), budget)
    with pytest.raises(DoesNotFit):
        run(changed(int(words[-2]) + 1), budget)


@pytest.mark.parametrize(
    "keys",
    [
        {
            "inputs": 16384,
            "coding": "two-channels",
            "scaler": Scaler(mean=(0,) * 8192, deviation=(1,) * 8192),
        },
        {"inputs": [64, 64, 4], "on_off": True, "learning": Learning(mirror=True)},
    ],
    ids=["features", "images"],
)
def test_the_remedy_for_two_channels_is_an_even_number_of_inputs(keys):
    """Whatever of the description would not go with another size."""
    large = Network(name="tried", classes=2, layers=(Dense(units=1),), **keys)
    with pytest.raises(DoesNotFit) as caught:
        run(infer_formats(large), ICEBREAKER)
    assert int(caught.value.remedy.split(" inputs")[0].split()[-1]) % 2 == 0


@pytest.mark.parametrize("name", [n for n in known_networks() if "-conv" not in n])
def test_stages_are_written_and_the_same_each_time(name, tmp_path):
    folders = [tmp_path / "a", tmp_path / "b"]
    budget = BOARDS["ulx3s-85f"].budget
    schedules = [run(formats_of(name), budget, folder=folder) for folder in folders]
    assert schedules[0] == schedules[1]
    names = ["0_formats.json", "1_folding.json", "2_memory_map.json", "3_schedule.json"]
    assert sorted(path.name for path in folders[0].iterdir()) == names
    for name_ in names:
        assert (folders[0] / name_).read_bytes() == (folders[1] / name_).read_bytes()
    last = json.loads((folders[0] / names[-1]).read_text(encoding="utf-8"))
    assert last == json.loads(json.dumps(asdict(schedules[0])))


def test_stages_before_a_refusal_are_written(tmp_path):
    with pytest.raises(DoesNotFit):
        run(network(784, 2000), ICEBREAKER, folder=tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["0_formats.json"]


ULX3S = BOARDS["ulx3s-85f"].budget
WIDE = {
    "mnist": formats_of("mnist"),
    "mnist-deep": formats_of("mnist-deep"),
    "784-128": network(784, 128, readout=False),
}


@pytest.mark.parametrize("skip_zeros", [False, True])
@pytest.mark.parametrize("formats", WIDE.values(), ids=WIDE)
def test_training_takes_the_cycles_of_inference(formats, skip_zeros):
    """Layers of 64 units and more, dense data: a word per clock, and 2 % for all the rest."""
    schedule = run(formats, ULX3S, Options(skip_zeros=skip_zeros))
    pairs = zip(formats.layers, schedule.foldings, strict=True)
    wide = [(layer, folding) for layer, folding in pairs if layer.units >= 64]
    assert wide
    for layer, folding in wide:
        assert not folding.single_port
        training, inference = (interval([layer], [folding], learns) for learns in (True, False))
        assert training <= 1.02 * inference
        assert folding.weight_words(layer) < inference <= training
        assert training <= 1.02 * folding.weight_words(layer)


@pytest.mark.parametrize("skip_zeros", [False, True])
@pytest.mark.parametrize("shape", [(1, 4), (4, 1), (2, 2)])
def test_one_port_is_always_in_use(shape, skip_zeros):
    """Dense data: a word takes a slot to be read and, where it learns, one to be written."""
    options = Options(folding={"layer0": shape}, skip_zeros=skip_zeros)
    schedule = run(formats_of("mnist"), ICEBREAKER, options)
    layer, folding = schedule.formats.layers[0], schedule.foldings[0]
    assert folding.single_port
    for learns, slots in ((True, 2), (False, 1)):
        least = slots * folding.weight_words(layer)
        assert least <= interval([layer], [folding], learns) <= 1.02 * least


@pytest.mark.parametrize("parallel", [False, True])
def test_balanced_layers_take_the_time_of_the_slowest(parallel):
    """All three learn at once, each from another sample, and none waits for another."""
    formats = infer_formats(
        Network(
            name="balanced", inputs=30, classes=8, layers=(Dense(units=16), Dense(units=16)),
            learning=Learning(margin=1000, loss="pairwise-hinge"), readout=Readout(margin=1000),
        )
    )  # fmt: skip
    common = {"weight_memory": "any", "single_port": False, "parallel_classes": parallel}
    shapes = ((2, 2), (2, 1), (1, 1))
    foldings = tuple(Folding(pe=pe, simd=simd, **common) for pe, simd in shapes)
    words = [f.weight_words(layer) for layer, f in zip(formats.layers, foldings, strict=True)]
    assert max(words) < 1.1 * min(words)
    pairs = zip(formats.layers, foldings, strict=True)
    slowest = max(interval([layer], [folding], True) for layer, folding in pairs)
    assert interval(formats.layers, foldings, True) == slowest

    schedule = ScheduledNetwork(
        formats=formats, foldings=foldings, memories=(), layers=(), inference=0, training=0
    )
    samples = np.random.default_rng(1).integers(0, 256, (10, 30)).astype(np.uint8)
    done = run_core(schedule, samples, [1, 2] * 5)
    assert done.updated.all()
    assert np.diff(done.starts[:, -1])[-3:].tolist() == [slowest] * 3
    assert (done.starts[3:, 0] < done.starts[2:-1, 2]).all()
