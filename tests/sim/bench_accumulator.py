"""cocotb tests of the example component, to test the runner with; see test_runner.py."""

import random

import cocotb

from sim.bench import Bench, Regime, Sink, Source, start
from tests.sim.accumulator import Accumulator, expected_totals

BENCH = Bench(
    module=__name__,
    designs={"sound": Accumulator, "faulty": lambda: Accumulator(faulty=True)},
)


@cocotb.test()
@cocotb.parametrize(regime=list(Regime))
async def totals(dut, regime):
    component = BENCH.component()
    await start(dut, component)
    dut.enable.value = 1
    source = Source(dut, component, "i", stall=regime.source, seed=1)
    sink = Sink(dut, component, "o", stall=regime.sink, seed=2)
    chance = random.Random(3)
    samples = [
        [(chance.randrange(256), chance.randrange(-16, 16)) for _ in range(chance.randint(1, 5))]
        for _ in range(8)
    ]
    for terms in samples:
        for n, (x, w) in enumerate(terms):
            source.send({"x": x, "w": w, "last": n == len(terms) - 1})
    assert await sink.take(len(samples)) == expected_totals(samples)
    await source.sent()
