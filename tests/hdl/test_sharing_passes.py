"""Layers that share an engine: when they do, how it is folded, and what is said where it fails."""

from dataclasses import replace

import pytest

from boards.registry import BOARDS
from golden_model.spec.errors import SpecError
from golden_model.spec.formats import infer_formats
from golden_model.spec.network import Conv, Dense, Learning, Network, Readout
from golden_model.spec.toml import load_network
from hdl.passes.errors import DoesNotFit
from hdl.passes.estimate import CELL_SHARE, NARROWEST_SHARE
from hdl.passes.folding import fold
from hdl.passes.memory_map import map_memories
from hdl.passes.options import Options, filters_at_a_time
from hdl.passes.pipeline import run
from hdl.passes.sharing import SharedFolding, table
from hdl.passes.sharing_estimate import interval, sweep_clocks, update_clocks
from hdl.passes.sharing_folding import MAX_SHARED_LANES
from hdl.passes.sharing_memories import engine_memories, shared_weights
from hdl.passes.stages import FoldedNetwork
from hdl.report import engines, estimate

BUDGETS = {name: board.budget for name, board in BOARDS.items()}
ICEBREAKER, ULX3S = BUDGETS["icebreaker"], BUDGETS["ulx3s-85f"]


def dense(inputs, *units, classes=10, **keys):
    layers = tuple(Dense(units=n) for n in units)
    return infer_formats(
        Network(
            name="tried", inputs=inputs, classes=classes, layers=layers, readout=Readout(), **keys
        )
    )


def conv(*filters, kernel=3, image=(12, 12, 1), readout=True, **keys):
    layers = tuple(Conv(filters=n, kernel=kernel, **keys) for n in filters)
    kind = Readout() if readout else None
    return infer_formats(
        Network(name="tried", inputs=list(image), classes=10, layers=layers, readout=kind)
    )


def named(name):
    return infer_formats(load_network(name))


def mapped(formats, budget, options=None):
    """Folding and memories, as far as a refusal comes; clocks take longer."""
    return map_memories(fold(formats, budget, options or Options()), budget)


SHARED = {
    "odd": ("icebreaker", dense(101, 29, 17, 5, classes=7)),
    "deep": ("icebreaker", dense(784, *[24] * 5)),
    "deep-small": ("icebreaker", dense(64, *[24] * 6)),
    "mixed": ("ulx3s-25f", dense(64, *[24] * 8)),
    "no-multipliers": ("hx8k-b-evn", dense(101, 29, 17, 5, classes=7)),
    "tiny-conv": ("tang-nano-9k", conv(2)),
    "mnist-conv": ("ulx3s-85f", named("mnist-conv")),
    "fashion-conv": ("ulx3s-85f", named("fashion-conv")),
    "cifar10-conv": ("ulx3s-85f", named("cifar10-conv")),
}


@pytest.mark.parametrize("name", SHARED)
@pytest.mark.parametrize("learns", [True, False])
def test_a_shared_engine_keeps_to_the_budget(name, learns):
    board, formats = SHARED[name]
    budget = BUDGETS[board]
    schedule = mapped(formats, budget, Options(learns=learns))
    if schedule.shared is None:
        assert not learns, "it should have needed one"
        return
    assert [layer.name for layer, _ in schedule.own] + [layer.name for layer in schedule.sharing] \
        == [layer.name for layer in formats.layers]  # fmt: skip
    expected = estimate(schedule, budget)
    assert expected.pop("cells") <= CELL_SHARE * budget.cells
    counts = {kind.name: kind.blocks for kind in budget.memories}
    counts[budget.multiplier.name] = budget.multiplier.count
    assert all(expected[kind] <= counts[kind] for kind in expected)
    assert schedule.learns == learns
    parts = {memory.name for memory in schedule.memories}
    for part in ("winners", "winner_counts", "gradients", "steps"):
        assert (f"shared.{part}" in parts) == learns


def test_convolutions_and_all_behind_them_share_one_engine():
    schedule = run(named("mnist-conv"), ULX3S)
    assert (schedule.foldings, len(schedule.sharing)) == ((), 3)
    assert schedule.shared.places == 4
    assert schedule.shared.lanes == MAX_SHARED_LANES == schedule.shared.pe * 4
    assert schedule.shared.hard_forward
    assert schedule.shared.page_copies == 2
    assert estimate(schedule, ULX3S)["MULT18X18D"] == schedule.shared.lanes
    (engine,) = schedule.layers
    assert (schedule.inference, schedule.training) == (engine.inference, engine.training)
    assert engine.inference < engine.training
    which = "layer0, layer1 and readout take turns on one"
    assert engines(schedule) == [f"one engine: {which}, 32 filters and 128 sums at a time"]


def test_the_narrowest_engine_may_fill_more_of_a_board():
    """Two convolutions on the smallest board: one filter at a time, zeros and all."""
    budget = BUDGETS["icebreaker"]
    shared = mapped(named("mnist-conv-small"), budget, Options()).shared
    assert (shared.pe, shared.place_by_place, shared.skip_zeros) == (1, True, False)
    smaller = replace(budget, cells=int(budget.cells * CELL_SHARE / NARROWEST_SHARE))
    with pytest.raises(DoesNotFit):
        mapped(named("mnist-conv-small"), smaller, Options())


def test_a_wider_engine_takes_more_but_is_only_so_wide_unless_one_asks_for_it():
    formats = conv(64, kernel=5, image=(12, 12, 4), readout=False)
    plenty = replace(ULX3S.multiplier, count=1000)
    budget = replace(ULX3S, multiplier=plenty, cells=1_000_000)
    wide, wider = (
        mapped(formats, budget, Options(folding=asked)) for asked in ({}, {"shared": (64, 1)})
    )
    assert wide.shared.lanes == MAX_SHARED_LANES < wider.shared.lanes
    takes, takes_more = (estimate(schedule, budget) for schedule in (wide, wider))
    assert all(takes[kind] < takes_more[kind] for kind in ("cells", "MULT18X18D"))


def test_layers_with_their_own_engines_stand_before_those_that_share():
    schedule = run(SHARED["mixed"][1], BUDGETS["ulx3s-25f"])
    assert schedule.shared.places == 1
    own, sharing = len(schedule.own), len(schedule.sharing)
    assert own >= 1
    assert sharing >= 2
    assert len(schedule.layers) == own + 1
    names = {memory.name.split(".")[0] for memory in schedule.memories}
    assert names == {*(f"layer{n}" for n in range(own)), "shared", "link", "registers"}
    assert schedule.inference == max(engine.inference for engine in schedule.layers)
    assert engines(schedule)[0].startswith(f"{own + 1} engines: layer{own}, ")


@pytest.mark.parametrize(
    ("formats", "classifier"),
    [(named("digits"), "rom"), (dense(20, 120, classes=250), "generator")],
    ids=["rom", "generator"],
)
def test_what_fits_without_sharing_does_not_share(formats, classifier):
    schedule = mapped(formats, ICEBREAKER)
    assert (schedule.shared, schedule.classifier) == (None, classifier)


def test_sharing_is_the_fastest_way_of_all_that_fit():
    """Any PE that the user asks for is no faster, as estimated."""
    board, formats = SHARED["odd"]
    chosen = mapped(formats, BUDGETS[board])

    def clocks(schedule):
        return interval(*schedule.engine, training=True)

    assert chosen.foldings == ()
    tried = []
    for pe in filters_at_a_time(formats.layers):
        try:
            asked = mapped(formats, BUDGETS[board], Options(folding={"shared": (pe, 1)}))
        except DoesNotFit:
            continue
        assert asked.shared.pe == pe
        if not asked.foldings:
            tried.append(clocks(asked))
    assert len(tried) > 1
    assert min(tried) == clocks(chosen)


def test_a_layer_with_a_folding_has_an_engine_of_its_own():
    asked = {"layer0": (2, 1), "shared": (2, 1)}
    schedule = mapped(SHARED["odd"][1], BUDGETS["ulx3s-25f"], Options(folding=asked))
    assert len(schedule.foldings) >= 1
    assert (schedule.foldings[0].pe, schedule.foldings[0].simd) == (2, 1)
    assert schedule.shared.pe == 2


STOCHASTIC = Learning(rounding="stochastic")


@pytest.mark.parametrize(
    ("formats", "folding", "value", "rule", "remedy"),
    [
        (conv(8), {"layer0": (2, 1)}, "folding of layer0", "share one engine", "shared=8"),
        (conv(8), {"readout": (2, 1)}, "folding of readout", "share one engine", "shared=8"),
        (conv(8), {"shared": (8, 2)}, "shared=8x2", "one input at a time", "Write shared=8"),
        (conv(8), {"shared": (3, 1)}, "shared=3", "1, 2, 4 or a multiple of 8", "is 16"),
        (conv(8), {"shared": (64, 1)}, "shared=64", "1, 2, 4 or a multiple of 8", "is 16"),
        (conv(8), {"shred": (8, 1)}, "'shred'", "no such layer", "Did you mean 'shared'?"),
        (dense(9, 5, 5, learning=STOCHASTIC), {"shared": (2, 1)}, "shared=2", "stochastically",
         'rounding = "nearest"'),
        (dense(9, 5), {"layer0": (1, 1), "shared": (2, 1)}, "shared=2", "no two layers",
         "Fold fewer"),
    ],
)  # fmt: skip
def test_bad_folding_of_a_shared_engine_is_refused(formats, folding, value, rule, remedy):
    with pytest.raises(SpecError) as caught:
        mapped(formats, ULX3S, Options(folding=folding))
    assert value in caught.value.value
    assert rule in caught.value.rule
    assert remedy in caught.value.remedy


def test_what_rounds_stochastically_does_not_share_but_where_it_only_infers():
    board, formats = SHARED["odd"]
    learning = replace(formats.network.learning, rounding="stochastic")
    stochastic = infer_formats(replace(formats.network, learning=learning))
    with pytest.raises(DoesNotFit) as caught:
        mapped(stochastic, BUDGETS[board])
    assert caught.value.remedy.startswith('It fits with rounding = "nearest"')
    mapped(stochastic, BUDGETS[board], Options(learns=False))


@pytest.mark.parametrize(
    ("board", "formats", "resource", "told"),
    [
        ("ulx3s-25f", named("mnist-conv"), "DP16KD", "layer0 that fits has about {} filters"),
        ("hx8k-b-evn", dense(4, *[32] * 8, classes=2), "EBR", "It fits with {} layers"),
    ],
)
def test_a_refusal_says_who_takes_what_and_what_would_make_room(board, formats, resource, told):
    """As much as it says fits, and no more."""
    with pytest.raises(DoesNotFit) as caught:
        mapped(formats, BUDGETS[board])
    refusal = caught.value
    assert refusal.resource == resource
    assert refusal.detail.startswith("with one engine for all layers: weights ")
    takers = refusal.detail.partition(": ")[2].split(", ")
    assert sum(int(taker.rsplit(" ", 1)[1]) for taker in takers) == refusal.needed
    for pe in filters_at_a_time(formats.layers):
        with pytest.raises(DoesNotFit) as asked:
            mapped(formats, BUDGETS[board], Options(folding={"shared": (pe, 1)}))
        assert asked.value.resource != resource or asked.value.needed >= refusal.needed
    before, after = told.split("{}")
    size = int(refusal.remedy.split(before)[1].split(after)[0])

    def changed(size):
        network, layers = formats.network, formats.network.layers
        if "layers" in told:
            return replace(network, layers=layers[:size])
        return replace(network, layers=(replace(layers[0], filters=size), *layers[1:]))

    mapped(infer_formats(changed(size)), BUDGETS[board])
    with pytest.raises(DoesNotFit):
        mapped(infer_formats(changed(size + 1)), BUDGETS[board])


def test_a_refusal_names_what_lacks_most():
    """Wide words would not fit SPRAM either, but that alone would be easier to mend."""
    with pytest.raises(DoesNotFit) as caught:
        mapped(named("fashion-conv"), ICEBREAKER)
    assert caught.value.resource == "EBR"


def test_narrower_weights_are_advised_where_no_size_helps():
    """A network of one filter has nothing else to spare."""

    def formats(bits):
        return infer_formats(
            Network(
                name="tried",
                inputs=[20, 20, 1],
                classes=10,
                layers=(Conv(filters=1, kernel=3, weight_bits=bits),),
                readout=Readout(weight_bits=bits),
            )
        )

    budget = replace(BUDGETS["hx8k-b-evn"], cells=100_000)
    with pytest.raises(DoesNotFit) as caught:
        mapped(formats(16), budget)
    bits = int(caught.value.remedy.split("weights of ")[1].split(" bits")[0])
    mapped(formats(bits), budget)
    with pytest.raises(DoesNotFit):
        mapped(formats(bits + 1), budget)


def test_memories_of_a_shared_engine_hold_what_they_must():
    """Of mnist-conv: 28 x 28 x 1 to 32 filters, 12 x 12 x 32 to 48, 4 x 4 x 48 to 10."""
    schedule = mapped(named("mnist-conv"), ULX3S)
    formats, shared = schedule.formats.layers, schedule.shared
    memories = {memory.name.partition(".")[2]: memory for memory in schedule.memories
                if memory.name.startswith("shared.")}  # fmt: skip
    words = sum(
        -(-layer.units // shared.pe) * (layer.kernel**2 * layer.image[2] + 1) for layer in formats
    )
    assert shared.update_port
    depth = 1 << (words - 1).bit_length()
    assert (memories["weights"].depth, memories["weights"].width) == (depth, 16 * shared.pe)
    pages, flags = memories["pages"], memories["flags"]
    assert pages.copies == flags.copies == 4 * shared.page_copies
    # Half of the rows in a bank, those of the image rounded up to two words of flags; two samples.
    rows, shape = 14 * 16 + 6 * 6 * 32, (pages.depth, pages.width)
    assert shape == (2 * (rows + 768 // 4) // shared.heads, 8 * shared.heads)
    assert (flags.depth, flags.width) == (2 * (rows // 8 + 768 // 8), 8)
    windows = sum(-(-layer.units // shared.pe) * layer.windows for layer in formats)
    assert memories["winners"].depth == windows
    assert memories["winners"].width == 3 * shared.pe + 4 + 4
    assert memories["winner_counts"].width == (144).bit_length()
    assert memories["sums"].width == shared.heads * (255 * 144).bit_length()
    assert memories["sums"].depth * shared.heads == 2 * shared.pe
    assert memories["classifier.scores"].bits == 10 * 96
    steps = memories["steps"]
    assert (steps.depth, steps.copies, steps.kind, steps.blocks) == (16, 1, "cells", 0)
    assert steps.width == shared.taps * shared.pe * max(layer.step_bits for layer in formats)


def test_memories_have_room_for_every_region_and_for_scores_one_by_one():
    formats, choices = conv(24, regions=3).layers, {"pe": 24, "parallel_classes": False}
    made = {
        memory.name.partition(".")[2]: (memory.depth, memory.width, memory.copies)
        for heads in (1, 2)
        for memory in engine_memories(
            table(formats, folding(heads=heads, **choices)),
            folding(heads=heads, **choices),
            {"any": ULX3S.memories[0]},
            0,
        )
        if heads == 2 or memory.name == "shared.sums"
    }
    # Two buffers of 9 regions and of 12 filters at a time, both numbers parts of an address; the
    # largest region of 5 x 5 windows has 2 x 2.
    assert made["sums"] == (2 * 16 * 16, 2 * (255 * 4).bit_length(), 2)
    assert made["gradients"][0] == 2 * 16
    assert made["scores"] == (5, max(layer.score_bits for layer in formats), 2)
    assert made["classifier.scores"] == (24 * 9 * 10, 1, 1)
    assert made["errors"] == (len(formats) * 16, formats[0].error_bits, 1)


def folding(**keys):
    return SharedFolding(**{"pe": 32, "heads": 2, "weight_memory": "any", **keys})


@pytest.mark.parametrize("name", ["mnist-conv", "fashion-conv", "cifar10-conv"])
def test_a_sweep_of_samples_without_zeros_names_every_word_of_every_window(name):
    engine = table(named(name).layers, folding())
    words = sum(row.groups * row.windows * (row.format.inputs + 1) for row in engine.rows)
    clocks = interval(engine, folding(), training=False, expected=False)
    assert words < clocks <= 1.03 * words


def test_two_taps_at_once_are_chosen_where_updates_are_waited_for():
    """By images of six channels; in two blocks of memory an update has no port of its own."""
    chosen = {name: run(named(name), ULX3S).shared for name in ("mnist-conv", "cifar10-conv")}
    assert {(way.heads, way.page_copies, way.taps) for way in chosen.values()} == {(2, 2, 2)}
    assert all(way.update_port for way in chosen.values())
    assert not run(named("mnist-conv"), ULX3S, Options(learns=False)).shared.update_port


def test_a_port_of_two_uses_is_no_wider_than_blocks_allow():
    """Nor do two lanes share a block; and one is deep enough for all words, which are more than
    2048: then it holds 4 bits of each."""
    formats, kind = named("mnist-conv").layers, ULX3S.memories[0]
    engine = table(formats, folding())
    one, two = (shared_weights(engine, folding(update_port=port), kind) for port in (False, True))
    assert one.blocks == kind.blocks_for(one.depth, 32 * 16)
    assert (two.depth, two.blocks) == (4096, 32 * 16 // 4)


def test_what_costs_time_is_counted():
    engine = table(conv(8, pool=1, readout=False).layers, folding(pe=8))
    (row,) = engine.rows
    one, two = (sweep_clocks(row, folding(pe=8, heads=heads), True) for heads in (1, 2))
    # 9 taps, but the head takes 8 filters of four places.
    assert one - 15 == row.windows * 32
    assert two - 15 == row.windows * 16
    regions = table(conv(8, regions=3, readout=False).layers, folding(pe=8)).rows[0]
    serial = [
        update_clocks(regions, folding(pe=8, parallel_classes=parallel), True)
        for parallel in (False, True)
    ]
    assert serial[0] >= serial[1]
    deep = table(conv(16, 16).layers, folding(pe=8))
    packed, pixels = (
        [update_clocks(row, folding(pe=8, taps=taps), True) for taps in (1, 2)]
        for row in table(named("mnist-conv").layers, folding(pe=8)).rows[:2]
    )
    assert packed[0] == packed[1]
    assert pixels[0] > pixels[1] > pixels[0] / 2

    def clocks(**keys):
        return interval(deep, folding(pe=8, **keys), training=True)

    assert clocks(page_copies=1) > clocks()
    assert clocks(update_port=True) < clocks()
    assert clocks(single_port=True) > clocks()
    assert clocks(skip_zeros=False) > clocks()


def test_every_layer_stands_on_exactly_one_engine():
    formats = dense(9, 5)
    schedule = mapped(formats, ULX3S)
    with pytest.raises(ValueError, match="either an engine of its own"):
        FoldedNetwork(formats=formats, foldings=schedule.foldings[:1])
    with pytest.raises(ValueError, match="either an engine of its own"):
        FoldedNetwork(formats=formats, foldings=schedule.foldings, shared=folding())
    mixed = FoldedNetwork(formats=formats, foldings=schedule.foldings[:1], shared=folding())
    assert mixed.folding_of(0) == schedule.foldings[0]
    assert mixed.folding_of(1) == folding()
    assert [mixed.word_weights(n) for n in range(2)] == [schedule.foldings[0].lanes, 32]
    assert [row.format.name for row in mixed.table.rows] == ["readout"]
