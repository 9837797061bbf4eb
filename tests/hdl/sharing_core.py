"""A core with a shared engine in Amaranth's simulator: what it did, as sim.record compares it."""

import random
from collections import defaultdict
from dataclasses import dataclass

import numpy as np
from amaranth.hdl import Value
from amaranth.sim import Simulator

from golden_model.spec.control import Activity, Counter
from hdl.passes.sharing import weight_depth
from hdl.passes.stages import ScheduledNetwork
from hdl.rtl.core import Core
from hdl.rtl.ports import memory_depth
from sim.benches.harness import Watched
from sim.probes import probe_columns
from sim.record import Record, TracedGolden
from sim.updates import Change, entries_of, of_own_engine, of_shared_engine
from tests.hdl.sharing_cases import Burst, Case
from tests.hdl.sharing_clocks import ClockLog
from tests.hdl.simulated_core import own_weights

LIMIT = 50_000
"""Clocks after which a core is stuck."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What a core did with a case.

    Members
    -------
    record
        What the golden model knows too.
    activity
        Of each layer, as it is read in the end.
    collision
        Some memory was read where it was written.
    log
        What the shared engine did, clock by clock.
    own_starts
        For each sample the clocks in which layers with engines of their own began with it, counted
        like those of the log.
    """

    record: Record
    activity: list[dict[Activity, int]]
    collision: bool
    log: ClockLog
    own_starts: list[list[int]]


def golden_record(case: Case) -> Record:
    """What it should do."""
    formats = case.schedule.formats
    golden = TracedGolden(formats)
    for burst in case.bursts:
        for (layer, register), value in burst.registers.items():
            golden.write_register(layer, register, value)
        for sample, label in zip(burst.samples, burst.labels, strict=True):
            golden.send(sample, label if case.schedule.learns else None)
    results, layers = golden.results(), range(len(formats.layers))
    counters = [[golden.read_register(layer, number) for number in Counter] for layer in layers]
    return Record(
        predicted=np.array([result.predicted for result in results], np.int64),
        scores=np.array([result.scores for result in results], np.int64),
        gradients=tuple(golden.gradients()),
        winners=tuple(golden.winners()),
        weights=tuple(golden.read_weights(layer).astype(np.int64) for layer in layers),
        counters=np.array(counters, np.int64),
    )


def run_case(case: Case) -> Run:
    """Bursts of samples back to back, but for stalls; registers are set between them."""
    watched = Watched(Core(case.schedule))
    simulator = Simulator(watched)
    simulator.add_clock(1e-6)
    player = _Player(watched, case)
    simulator.add_testbench(player.play)
    simulator.run()
    return player.run


class _Player:
    """Plays the host link, and looks at probes in every clock."""

    def __init__(self, watched: Watched, case: Case) -> None:
        self.core, self.case, self.chance = watched, case, random.Random("stalls")
        self.clock, self.log = 0, ClockLog()
        self.seen: dict[str, list[int]] = defaultdict(list)
        """Clocks in which events happened, by ``layer0_taken``."""
        self.rows: dict[str, list[list[int]]] = defaultdict(list)
        """Gradients of a layer of its own, entries of the shared engine."""
        schedule = case.schedule
        layers = watched.component.layers
        self.events = {
            f"{layer.format.name}_{event}": getattr(layer, event)
            for layer in layers
            for event in ("taken", "updated")
        }
        self.columns = {layer.format.name: (layer.probe_valid, [layer.probe_d]) for layer in layers}
        probes = watched.component.shared.probes
        for layer in schedule.sharing:
            for event in ("taken", "judged", "updated"):
                name = f"{layer.name}_{event}"
                self.events[name] = probes[name]
        if schedule.learns:
            columns = [probes[name] for name in probe_columns(schedule.shared.pe)]
            self.columns["shared"] = probes["probe_valid"], columns
        self.run: Run

    async def play(self, ctx) -> None:
        """Everything, from rubbish in the weights to what became of them."""
        core, schedule = self.core, self.case.schedule
        _poison(ctx, core, schedule)
        answers = []
        ctx.set(core.drain, 1)
        await self._idle(ctx)
        for burst in self.case.bursts:
            for (layer, number), value in burst.registers.items():
                await self._register(ctx, {"layer": layer, "number": number, "value": value})
            ctx.set(core.drain, 0)
            answers += await self._burst(ctx, burst)
            ctx.set(core.drain, 1)
            await self._idle(ctx)
        layers = range(len(schedule.formats.layers))
        counted = [{n: await self._counter(ctx, layer, n) for n in Counter} for layer in layers]
        activity = [{n: await self._counter(ctx, layer, n) for n in Activity} for layer in layers]
        classes = schedule.formats.network.classes
        scores, best, last = np.array(answers).T.reshape(3, -1, classes)
        assert (last == np.eye(classes, dtype=int)[-1]).all()
        changes = self._changes()
        record = Record(
            predicted=best[:, -1],
            scores=scores,
            gradients=tuple(change.gradients for change in changes),
            winners=tuple(change.winners for change in changes),
            weights=(*own_weights(ctx, core, schedule), *_shared_weights(ctx, core, schedule)),
            counters=np.array([[counts[number] for number in Counter] for counts in counted]),
        )
        collision = bool(ctx.get(core.collision))
        before = self.clock - len(self.log.events)
        starts = [self.seen[f"{layer.name}_taken"] for layer, _ in schedule.own]
        self.run = Run(
            record=record,
            activity=activity,
            collision=collision,
            log=self.log,
            own_starts=[[clock - before for clock in row] for row in zip(*starts, strict=True)],
        )

    async def _tick(self, ctx) -> None:
        """Look, then on to the next clock."""
        for name, signal in self.events.items():
            if ctx.get(signal):
                self.seen[name].append(self.clock)
        for name, (valid, columns) in self.columns.items():
            if ctx.get(valid):
                self.seen[name].append(self.clock)
                self.rows[name].append([ctx.get(column) for column in columns])
        self.log.look(ctx, self.core)
        await ctx.tick()
        self.clock += 1
        assert self.clock < LIMIT, "stuck"

    async def _idle(self, ctx) -> None:
        # What has just been sent shows a clock later.
        for _ in range(2):
            await self._tick(ctx)
        while not ctx.get(self.core.idle):
            await self._tick(ctx)

    async def _burst(self, ctx, burst: Burst) -> list[tuple[int, int, int]]:
        """Feed samples and take all scores, now and then neither."""
        case, (i, o) = self.case, (self.core.i, self.core.o)
        beats = [
            {"x": int(x), "label": label or 0, "learn": label is not None}
            for sample, label in zip(burst.samples, burst.labels, strict=True)
            for x in sample.view(np.uint8)
        ]
        answers, wanted = [], len(burst.samples) * case.schedule.formats.network.classes
        sent, offered = 0, False
        while len(answers) < wanted:
            if not offered and sent < len(beats):
                offered = self.chance.random() >= case.source_stall
                ctx.set(i.valid, offered)
                ctx.set(i.payload, beats[sent])
            takes = self.chance.random() >= case.sink_stall
            ctx.set(o.ready, takes)
            moves = offered and ctx.get(i.ready)
            if takes and ctx.get(o.valid):
                answer = ctx.get(o.payload)
                answers.append((answer.score, answer.best, answer.last))
            await self._tick(ctx)
            if moves:
                sent, offered = sent + 1, False
                ctx.set(i.valid, 0)
        ctx.set(o.ready, 0)
        return answers

    async def _register(self, ctx, request) -> None:
        port = self.core.i_register
        ctx.set(port.payload, {"write": 1, **request})
        ctx.set(port.valid, 1)
        while not ctx.get(port.ready):
            await self._tick(ctx)
        await self._tick(ctx)
        ctx.set(port.valid, 0)

    async def _counter(self, ctx, layer: int, number: int) -> int:
        request, answer = self.core.i_register, self.core.o_register
        ctx.set(request.payload, {"layer": layer, "number": number, "write": 0})
        ctx.set(request.valid, 1)
        ctx.set(answer.ready, 1)
        while not ctx.get(answer.valid):
            moves = ctx.get(request.ready)
            await self._tick(ctx)
            if moves:
                ctx.set(request.valid, 0)
        value = ctx.get(answer.payload)
        await self._tick(ctx)
        return value

    def _changes(self) -> list[Change]:
        schedule, changes = self.case.schedule, []
        for layer, folding in schedule.own:
            handed = [d for (d,) in self.rows[layer.name]]
            times = self.seen[f"{layer.name}_taken"], self.seen[f"{layer.name}_updated"]
            changes.append(of_own_engine(layer, folding, *times, handed))
        entries = entries_of(self.seen["shared"], self.rows["shared"], schedule.shared.pe)
        judged, updated = (
            [self.seen[f"{layer.name}_{event}"] for layer in schedule.sharing]
            for event in ("judged", "updated")
        )
        return changes + of_shared_engine(schedule.table, judged, updated, entries)


def _poison(ctx, watched: Watched, schedule: ScheduledNetwork) -> None:
    """Rubbish in the shared weights: the core has to fill them."""
    memory, chance = _shared_memory(watched, schedule), random.Random("rubbish")
    for word in memory.data:
        row = Value.cast(word)
        ctx.set(row, chance.getrandbits(len(row)))


def _shared_weights(ctx, watched: Watched, schedule: ScheduledNetwork) -> list[np.ndarray]:
    """Of each layer that shares, straight out of the memory."""
    memory, (bits, lanes) = _shared_memory(watched, schedule), _word(schedule)
    words = [ctx.get(Value.cast(word)) for word in memory.data]
    result = []
    for row in schedule.table.rows:
        layer = row.format
        weights = np.zeros((layer.units, layer.fan_in), np.int64)
        for unit, place in np.ndindex(*weights.shape):
            pixel, channel = divmod(place, row.tap_channels)
            tap = row.taps if place == layer.inputs else pixel * row.stride + channel
            (group, lane) = divmod(unit, lanes)
            raw = words[row.weight_base + group * row.words + tap] >> (lane * bits)
            raw &= (1 << bits) - 1
            weights[unit, place] = raw - (raw >> (bits - 1) << bits)
        result.append(weights)
    return result


def _word(schedule: ScheduledNetwork) -> tuple[int, int]:
    """Bits of a weight, and weights in a word of the shared memory."""
    return max(layer.weight_bits for layer in schedule.sharing), schedule.shared.pe


def _shared_memory(watched: Watched, schedule: ScheduledNetwork):
    """The one that holds all weights of the shared engine: of its shape the last one made."""
    (bits, lanes), engine = _word(schedule), schedule.engine
    assert engine is not None
    depth = memory_depth(weight_depth(*engine))

    def fits(memory):
        width = len(Value.cast(memory.data[0]))
        granular = any(port.signature.granularity == bits for port in memory.write_ports)
        return (memory.depth, width) == (depth, bits * lanes) and granular

    return [memory for memory in watched.memories if fits(memory)][-1]
