"""Rows of the classifiers of an engine, in its order, are the golden model's."""

import random
from typing import Any

import numpy as np
import pytest
from amaranth.sim import Simulator

from golden_model.draws import MAGNITUDE_BIT, SIGN_BIT, stream
from hdl.passes.sharing import table
from hdl.rtl.sharing.draws import ClassifierDraws, classifier_draws
from sim.benches.harness import Watched
from tests.hdl.head_cases import random_folding, random_network

ENGINES = 40


def _rows(draws: ClassifierDraws, layer: int) -> list[list[int] | None]:
    """Top bits of the draws of each row, in order of group, region and filter; None for padding."""
    row, pe = draws.rows[layer], draws.folding.pe
    format = row.format
    states = stream(format.classifier_seed, format.regions * format.units * format.classes)
    tops = (states >> np.uint32(32 - draws.bits)).reshape(format.regions, format.units, -1)
    return [
        tops[region, unit].tolist() if unit < format.units else None
        for group in range(row.groups)
        for region in range(format.regions)
        for unit in range(group * pe, (group + 1) * pe)
    ]


@pytest.mark.parametrize("bits", [SIGN_BIT - 30, 32 - MAGNITUDE_BIT])
def test_rows_are_the_golden_ones(bits: int) -> None:
    found = {"leaps": 0, "padding": 0}
    for seed in range(ENGINES):
        chance = random.Random(f"{bits} {seed}")
        formats = random_network(chance)
        pe = chance.choice([1, 2, 4, 8])
        folding = random_folding(chance, formats, pe, 1)
        draws = classifier_draws(table(formats.layers, folding), folding, bits=bits)
        _check(Watched(draws), draws, chance)
        for row in draws.rows:
            found["padding"] += row.format.units % pe > 0
            found["leaps"] += row.format.regions > 1 and row.groups > 1
    assert min(found.values()) >= ENGINES // 8, found


def _check(watched: Watched, draws: ClassifierDraws, chance: random.Random) -> None:
    async def play(ctx: Any) -> None:
        order = [layer for layer, row in enumerate(draws.rows) if row.scored]
        for layer in [*order, *order[::-1]]:
            ctx.set(watched.layer, layer)
            ctx.set(watched.start, 1)
            await ctx.tick()
            ctx.set(watched.start, 0)
            await ctx.tick().repeat(draws.latency - 1)
            for row in _rows(draws, layer):
                shown: list[int] = []
                while len(shown) < draws.classes:
                    if chance.random() < 0.3:
                        await ctx.tick()
                        continue
                    ctx.set(watched.next, 1)
                    word = ctx.get(watched.draw)
                    for number in range(draws.at_a_time):
                        shown.append(word >> draws.bits * number & ((1 << draws.bits) - 1))
                    await ctx.tick()
                    ctx.set(watched.next, 0)
                assert row is None or shown == row
        assert not ctx.get(watched.collision)

    simulator = Simulator(watched)
    simulator.add_clock(1e-6)
    simulator.add_testbench(play)
    simulator.run()
