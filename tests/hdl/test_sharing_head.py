"""Random engines behind their sums: pages, winners, scores and errors equal to the golden model."""

from collections.abc import Iterator
from typing import Any

import pytest
from amaranth import Cat
from amaranth.sim import Simulator

from golden_model.spec.network import Loss
from hdl.passes.sharing import Layout
from tests.hdl.head_cases import SHAPES, Case, activations, winners

LIMIT = 20_000
"""Clocks after which a run is given up."""
READOUT = 19
"""A case with several groups of classes, whose scores are taken slowly."""
Beats = list[tuple[int, Any]]
"""What was seen, and in which clock."""


class Run:
    """A case, played."""

    def __init__(self, case: Case) -> None:
        self.case, self.clock = case, 0
        self.write: Beats = []
        self.judged: Beats = []
        self.score: Beats = []
        self.written: list[int] = []
        self.valid: list[int] = []
        self.winners: dict[tuple[int, int], list[Any]] = {}
        simulator = Simulator(case.player)
        simulator.add_clock(1e-6)
        simulator.add_testbench(self._play)
        simulator.run()

    async def _play(self, ctx: Any) -> None:
        case, player, chance = self.case, self.case.player, self.case.chance
        stall, hold = chance.choice([0.0, 0.0, 0.2]), chance.choice([0.0, 0.5, 0.95])
        answers = case.samples * case.formats.answer.classes
        flags = Cat(
            player.i.ready,
            player.write_valid,
            player.judged,
            player.written,
            player.sums_valid,
            player.o_score.valid,
        )
        learns, parallel = case.folding.learns, case.folding.parallel_classes
        errors = [player.errors if parallel else player.error] if learns else []
        one_by_one, classes = learns and not parallel, case.formats.network.classes
        seen = [flags, player.write, player.o_score.payload, player.judged_layer, player.any]
        steps, offered = iter(case.steps), False
        asked: int | None = None  # class whose error is read, where they come one by one
        found: list[int] = []
        while len(self.score) < answers or len(self.judged) < len(case.seen) or asked is not None:
            if not offered and chance.random() >= stall:
                step = next(steps, None)
                if step is not None:
                    offered = True
                    ctx.set(player.i.payload, step)
            ready = chance.random() >= hold
            ctx.set(player.i.valid, offered)
            ctx.set(player.o_score.ready, ready)
            _, _, happens, write, score, layer, any_, *e = await ctx.tick().sample(*seen, *errors)
            if one_by_one and asked is not None:
                found.append(ctx.get(player.error))
                asked = asked + 1 if asked + 1 < classes else None
            self.clock += 1
            assert self.clock < LIMIT
            taken, writes, judged, written, valid, scored = (happens >> n & 1 for n in range(6))
            offered &= not taken
            if writes:
                self.write.append((self.clock, write))
            if judged:
                found = []
                self.judged.append(
                    (self.clock, (layer, any_, [found] if one_by_one else [list(x) for x in e]))
                )
                if one_by_one:
                    asked = 0
                    ctx.set(player.error_layer, layer)
            if one_by_one:
                ctx.set(player.error_fetch, asked is not None)
                ctx.set(player.error_address, asked or 0)
            if scored and ready:
                self.score.append((self.clock, score))
            self.written += [self.clock] * written
            self.valid += [self.clock] * valid
        assert not ctx.get(player.collision), "a clock reads what it writes"
        if case.folding.learns:
            await self._read_winners(ctx)

    async def _read_winners(self, ctx: Any) -> None:
        """Entries of all groups, read as the update reads them; places of learners only."""
        player, pe = self.case.player, self.case.folding.pe

        async def read(name: str, of: str, place: int) -> Any:
            ctx.set(getattr(player, f"{name}_address"), place)
            ctx.set(getattr(player, f"{name}_fetch"), 1)
            await ctx.tick()
            ctx.set(getattr(player, f"{name}_fetch"), 0)
            return ctx.get(getattr(player, of))

        for layer, row in enumerate(self.case.table.rows):
            for group in range(row.groups):
                entries, first = [], row.winner_base + group * row.winners
                for n in range(await read("count", "count", row.group_base + group)):
                    entry = await read("winner", "winner", first + n)
                    learners = {o: entry.places[o] for o in range(pe) if entry.learns >> o & 1}
                    entries.append((entry.row, entry.column, entry.region, learners))
                self.winners[layer, group] = entries


ENGINES = [(seed, 0) for seed in range(len(SHAPES))] + [(READOUT, -1)]
"""Numbers of cases, and the first layer of each; the last one is a readout alone."""


@pytest.fixture(scope="module", params=ENGINES)
def run(request: pytest.FixtureRequest) -> Run:
    return Run(Case(*request.param))


def test_pages_hold_every_activation_once(run: Run) -> None:
    case, start = run.case, 0
    for seen, end in zip(case.seen, run.written, strict=True):
        words = [word for clock, word in run.write if start < clock <= end]
        found = [byte for word in words for byte in _bytes(case, word)]
        feeds = seen.layer + 1 < len(case.table.rows)
        assert sorted(found) == (sorted(activations(case, seen)) if feeds else [])
        start = end
    assert not [clock for clock, _ in run.write if clock > start]


def _bytes(case: Case, word: Any) -> Iterator[tuple[int, int, int]]:
    """Bank, address and value of each byte that a word writes."""
    above = case.table.rows[word.layer]
    flat = above.layout is Layout.FLAT and case.folding.places > 1
    for k in range(case.folding.heads):
        if word.enable >> k & 1:
            yield word.bank + k * flat, word.address + k * (not flat), word.data[k]


def test_scores(run: Run) -> None:
    case = run.case
    answers = [seen for seen in case.seen if seen.layer == len(case.table.rows) - 1]
    assert [score for _, score in run.score] == [s for seen in answers for s in seen.scores]


def test_errors(run: Run) -> None:
    assert len(run.judged) == len(run.case.seen)
    for seen, (_, (layer, any_, errors)) in zip(run.case.seen, run.judged, strict=True):
        assert layer == seen.layer
        assert any_ == (seen.learnable and any(seen.errors))
        assert errors == ([seen.errors] if run.case.folding.learns else [])


def test_winners_of_the_last_sample(run: Run) -> None:
    for seen in run.case.seen[-len(run.case.table.rows) :]:
        for group in range(seen.row.groups if run.case.folding.learns else 0):
            assert run.winners[seen.layer, group] == winners(run.case, seen, group)


def test_clocks(run: Run) -> None:
    """Every latency that the components' tables tell."""
    case, valid, left = run.case, run.valid, [clock for clock, _ in run.score]
    folding, rows = case.folding, case.table.rows
    beats, slow = folding.pe // folding.heads, folding.slow_memory
    over = free = 0
    for n, seen in enumerate(case.seen):
        row, layer, judged = seen.row, seen.row.format, run.judged[n][0]
        windows, valid = valid[: len(seen.sums)], valid[len(seen.sums) :]
        turns = (row.outputs_per_window - 1) * folding.head_clocks
        ends = [last + turns + 7 + beats for last in windows[row.windows - 1 :: row.windows]]
        assert run.written[n] == ends[-1]
        period = 1 if folding.parallel_classes else max(layer.classes, 2 + slow)
        for end in ends:
            begin = max(end, free)
            assert begin > over
            scoring = layer.regions * folding.pe * period
            over = begin + (0 if layer.reads_out else 4 + scoring + 2 * slow)
        walked = over + 2 + layer.classes + (layer.loss is Loss.PAIRWISE_HINGE)
        if seen.layer == len(rows) - 1:
            assert left[layer.classes - 1] >= walked
            walked, left = left[layer.classes - 1], left[layer.classes :]
        assert judged == walked + 3
        free = judged + 1
