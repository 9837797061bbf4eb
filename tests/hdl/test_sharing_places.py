"""Places of a window that come one after another: the largest activation, and the first such."""

import random

import pytest
from amaranth.sim import Simulator

from golden_model.spec.formats import infer_formats
from golden_model.spec.network import Conv, Network, Readout
from hdl.passes.sharing import PLACES, SharedFolding, table
from hdl.rtl.sharing.held_sums import dropped_bits
from hdl.rtl.sharing.place_head import PlaceHead

WINDOWS = 300
READY = 5
"""Clocks from a window's first place to its activation."""


@pytest.mark.parametrize("layer", [0, 1])
def test_places_one_after_another(layer):
    """Small activations, so that many are alike; of a layer without pooling one place counts."""
    layers = tuple(
        Conv(filters=3, kernel=3, pool=pool, activation_shift=shift)
        for pool, shift in ((2, 5), (1, 3))
    )
    network = Network(
        name="places", inputs=[12, 12, 1], classes=3, layers=layers, readout=Readout()
    )
    folding = SharedFolding(pe=1, weight_memory="any", single_port=True)
    engine = table(infer_formats(network).layers, folding)
    dut, chance, dropped = PlaceHead(engine, folding), random.Random(1), dropped_bits(engine)
    expected, found = [], []

    async def bench(ctx):
        due = {}
        for clock in range(PLACES * WINDOWS + READY + 1):
            place = clock % PLACES
            if clock in due:
                found.append((ctx.get(dut.h[0]), ctx.get(dut.place[0])))
                expected.append(due[clock])
            if place == 0:
                shift, turn = layers[layer].activation_shift, chance.randrange(PLACES)
                top = chance.choice([3, 3, 300]) << shift
                sums = [chance.randrange(-top, top) for _ in range(PLACES)]
                act = [min(max(total + (1 << shift - 1) >> shift, 0), 255) for total in sums]
                best = act.index(max(act)) if layers[layer].pool == 2 else turn
                due[clock + READY] = act[best], best
            ctx.set(dut.layer, layer)
            ctx.set(dut.first, place == 0)
            ctx.set(dut.counts, place == turn)
            ctx.set(dut.i[0][0], sums[place] >> dropped)
            await ctx.tick()

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    assert len(found) >= WINDOWS - 1
    assert found == expected
