"""No memory has an address without bits, however small a layer and wide its folding."""

import random

import numpy as np
from amaranth.hdl import Fragment

from boards.registry import find_board
from golden_model.spec.formats import infer_formats
from golden_model.spec.network import Dense, Network, Readout
from hdl.passes.options import Options
from hdl.passes.pipeline import run
from hdl.rtl.chip import Chip
from sim.benches.harness import Recorder
from sim.chip import SimulatedCore
from sim.cxxrtl import QUICK
from sim.record import TracedGolden, differences, train
from tests.hdl.test_cycles import random_folding, random_network, unscheduled

CASES = 20


def test_every_memory_has_an_address():
    single = 0
    for case in range(CASES):
        chance = random.Random(case)
        formats = random_network(chance)
        learns = chance.random() < 0.8
        foldings = tuple(random_folding(chance, layer, learns=learns) for layer in formats.layers)
        recorder = Recorder()
        Fragment.get(Chip(unscheduled(formats, foldings), 12e6, 1_000_000), recorder)
        for memory in recorder.memories:
            ports = [*memory.read_ports, *memory.write_ports]
            assert memory.depth > 1, (case, memory)
            assert all(len(port.addr) for port in ports), (case, memory)
        pairs = zip(formats.layers, foldings, strict=True)
        single += sum(folding.weight_words(layer) == 1 for layer, folding in pairs)
    assert single, "no case has a single word of weights"


def test_a_layer_in_a_single_word_learns_alike():
    """CXXRTL without optimisation shows what is read from beyond a memory's end."""
    network = Network(name="tiny", inputs=3, classes=2, layers=(Dense(units=2),), readout=Readout())
    formats = infer_formats(network)
    folding = {"layer0": (1, 4)}
    schedule = run(formats, find_board("icebreaker").budget, Options(folding=folding))
    assert schedule.foldings[0].words(formats.layers[0]) == 1
    chance = np.random.default_rng(1)
    samples = chance.integers(0, 256, (30, 3)).astype(np.uint8)
    labels = chance.integers(0, 2, 30).astype(np.uint8)
    expected, got = (
        train(learner, samples, labels)
        for learner in (TracedGolden(formats), SimulatedCore(schedule, optimisation=QUICK))
    )
    assert differences(formats, expected, got) == []
