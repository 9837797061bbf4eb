"""A core in Amaranth's own simulator: for many tiny designs, none of which is worth a compiler."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
from amaranth.sim import Simulator
from numpy.typing import NDArray

from golden_model.spec.control import Activity, Counter
from golden_model.spec.learner import Samples
from hdl.passes.stages import ScheduledNetwork
from hdl.rtl.core import Core
from sim.benches.harness import Watched

LIMIT = 50_000
"""Clocks after which a core is stuck."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What a core did with some samples.

    Members
    -------
    scores, predicted
        Shapes ``[samples, classes]`` and ``[samples]``.
    starts
        Clocks in which each layer took each sample, counted from the one in which the first beat
        of the first sample was taken; shape ``[samples, layers]``.
    updated
        Whether the sample left an update pending, same shape.
    initial, weights
        Each layer's, as drawn and after the drain.
    drained
        Clock, counted like the starts, from which pending updates were asked for.
    counters
        For each layer its counters, as they are read in the end; they count from the first clock.
    collision
        Some memory was read where it was written.
    """

    scores: NDArray[np.int64]
    predicted: NDArray[np.int64]
    starts: NDArray[np.int64]
    updated: NDArray[np.bool_]
    initial: list[NDArray[np.int64]]
    weights: list[NDArray[np.int64]]
    drained: int
    counters: list[dict[Counter | Activity, int]]
    collision: bool


def run_core(schedule: ScheduledNetwork, samples: Samples, labels: Sequence[int | None]) -> Run:
    """Feed samples back to back, take every score at once, then drain."""
    watched = Watched(Core(schedule))
    simulator = Simulator(watched)
    simulator.add_clock(1e-6)
    runs: list[Run] = []

    async def bench(ctx):
        runs.append(await _run(ctx, watched, schedule, samples, labels))

    simulator.add_testbench(bench)
    simulator.run()
    return runs[0]


async def _run(ctx, watched, schedule, samples, labels) -> Run:
    classes, layers = schedule.formats.network.classes, watched.component.layers
    ctx.set(watched.drain, 1)  # so that the counters wait for the first sample
    await _idle(ctx, watched)
    await ctx.tick().repeat(6)  # the last draws are on their way
    initial = own_weights(ctx, watched, schedule)
    beats = [
        {"x": int(x), "label": label or 0, "learn": label is not None}
        for sample, label in zip(samples, labels, strict=True)
        for x in sample.view(np.uint8)
    ]
    answers, taken, updated, first = [], [[] for _ in layers], [[] for _ in layers], None
    ctx.set(watched.i.valid, 1)
    ctx.set(watched.o.ready, 1)
    position, clock = 0, 0
    ctx.set(watched.i.payload, beats[0])
    ctx.set(watched.drain, 0)
    while len(answers) < classes * len(samples):
        assert clock < LIMIT, f"{len(answers)} scores of {classes * len(samples)}"
        moves = position < len(beats) and ctx.get(watched.i.ready)
        first = clock if moves and first is None else first
        if ctx.get(watched.o.valid):
            answer = ctx.get(watched.o.payload)
            answers.append((answer.score, answer.best, answer.last))
        for index, layer in enumerate(layers):
            if ctx.get(layer.taken):
                taken[index].append(clock)
                updated[index].append(False)
            if ctx.get(layer.updated):
                updated[index][-1] = True
        await ctx.tick()
        clock += 1
        if moves:
            position += 1
            if position < len(beats):
                ctx.set(watched.i.payload, beats[position])
            else:
                ctx.set(watched.i.valid, 0)
    ctx.set(watched.drain, 1)
    drained = clock - first
    await _last_updates(ctx, watched, updated)
    scores, best, last = np.array(answers).T.reshape(3, len(samples), classes)
    assert (last == np.eye(classes, dtype=int)[-1]).all()
    return Run(
        scores=scores,
        predicted=best[:, -1],
        starts=np.array(taken).T - first,
        updated=np.array(updated).T,
        initial=initial,
        weights=own_weights(ctx, watched, schedule),
        drained=drained,
        counters=[await _counters(ctx, watched, layer) for layer in range(len(layers))],
        collision=bool(ctx.get(watched.collision)),
    )


async def _counters(ctx, watched, layer) -> dict[Counter | Activity, int]:
    values = {}
    ctx.set(watched.o_register.ready, 1)
    for number in (*Counter, *Activity):
        ctx.set(watched.i_register.payload, {"layer": layer, "number": number})
        ctx.set(watched.i_register.valid, 1)
        while number not in values:
            assert ctx.get(watched.idle)
            if ctx.get(watched.o_register.valid):
                values[number] = ctx.get(watched.o_register.payload)
            if ctx.get(watched.i_register.ready):
                await ctx.tick()
                ctx.set(watched.i_register.valid, 0)
            else:
                await ctx.tick()
    return values


async def _last_updates(ctx, watched, updated) -> None:
    """Wait for idle; the last sample's errors may stand only now."""
    for _ in range(LIMIT):
        for index, layer in enumerate(watched.component.layers):
            if ctx.get(layer.updated):
                updated[index][-1] = True
        if ctx.get(watched.idle):
            return
        await ctx.tick()
    raise AssertionError("drained, but never idle")


async def _idle(ctx, watched) -> None:
    for _ in range(LIMIT):
        if ctx.get(watched.idle):
            return
        await ctx.tick()
    raise AssertionError("never idle after reset")


def own_weights(ctx, watched, schedule) -> list[NDArray[np.int64]]:
    """Of layers with engines of their own, straight out of the memories.

    The word goes by group and inputs, the lane by unit and input.
    """
    ports = [memory.write_ports[0] for memory in watched.memories if memory.write_ports]
    # Those with an enable for each part of a word: of each layer its pages, then the weights.
    parts = iter(port.memory for port in ports if port.signature.granularity is not None)
    result = []
    for layer, folding in schedule.own:
        _pages = list(islice(parts, 2 + folding.learns))
        count = folding.weight_memories(layer)
        bits, words_per_group = layer.weight_bits, folding.words(layer)
        words = [0] * folding.weight_words(layer)
        for number, memory in enumerate(islice(parts, count)):
            shift = number * (bits * folding.lanes // count)
            words = [word | ctx.get(memory.data[n]) << shift for n, word in enumerate(words)]
        weights = np.zeros((layer.units, layer.fan_in), np.int64)
        for unit, place in np.ndindex(*weights.shape):
            word = words[unit // folding.pe * words_per_group + place // folding.simd]
            lane = unit % folding.pe * folding.simd + place % folding.simd
            raw = word >> (lane * bits) & ((1 << bits) - 1)
            weights[unit, place] = raw - (raw >> (bits - 1) << bits)
        result.append(weights)
    return result
