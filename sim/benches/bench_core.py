"""Whole cores: networks that learn, their weights, registers and counters, over all ports."""

import cocotb
import numpy as np

from golden_model.engine import GoldenEngine
from golden_model.spec.control import Activity, Counter, Register
from golden_model.spec.formats import infer_formats
from golden_model.spec.learner import sample_type
from golden_model.spec.network import Conv, Dense, Learning, Network, Readout
from hdl.passes.sharing import SharedFolding
from hdl.passes.stages import ScheduledNetwork
from hdl.rtl.core import Core
from sim.bench import Bench, Regime, Sink, Source, clocks, start
from sim.benches.harness import Watched, folding

NETWORKS = {
    "readout": (
        Network(
            name="readout", inputs=7, classes=3, layers=(Dense(units=5), Dense(units=3)), seed=5,
            readout=Readout(margin=60), learning=Learning(margin=60, rate_shift=3), coding="signed",
        ),
        (
            folding(pe=2, simd=2, skip_zeros=True),
            folding(pe=1, simd=4, single_port=True, clear_slot=True, classifier_rom=False),
            folding(pe=4, simd=1),
        ),
    ),
    "local": (
        Network(
            name="local", inputs=1, classes=5, layers=(Dense(units=4, weight_bits=12),), seed=6,
            learning=Learning(
                margin=40, rate_shift=2, loss="pairwise-hinge", feedback="sign-concordant"
            ),
            coding="signed",
        ),
        (folding(pe=1, simd=1, single_port=True, skip_zeros=True),),
    ),
    "parallel": (
        Network(
            name="parallel", inputs=12, classes=4, layers=(Dense(units=6), Dense(units=5)), seed=7,
            learning=Learning(margin=60, rate_shift=2),
        ),
        (
            folding(pe=2, simd=1, skip_zeros=True, parallel_classes=True),
            folding(pe=1, simd=1, parallel_classes=True, classifier_rom=False),
        ),
    ),
    "stochastic": (
        Network(
            name="stochastic", inputs=6, classes=3,
            layers=(Dense(units=5, weight_bits=8), Dense(units=3, weight_bits=8)), seed=10,
            readout=Readout(weight_bits=8),
            learning=Learning(margin=60, rate_shift=3, rounding="stochastic"),
        ),
        (
            folding(pe=2, simd=2, skip_zeros=True),
            folding(pe=2, simd=1, single_port=True),
            folding(pe=1, simd=4, slow_memory=True),
        ),
    ),
    "inference": (
        Network(
            name="inference", inputs=9, classes=3, layers=(Dense(units=4),), seed=8,
            readout=Readout(), learning=Learning(rounding="stochastic"), coding="signed",
        ),
        (folding(simd=2, skip_zeros=True, learns=False), folding(pe=2, learns=False)),
    ),
    "shared-images": (
        Network(
            name="images", inputs=(5, 6, 2), classes=3, seed=11,
            layers=(Conv(filters=3, kernel=2, regions=2), Conv(filters=2, kernel=2, pool=1)),
            readout=Readout(margin=60), learning=Learning(margin=60, rate_shift=3), coding="signed",
        ),
        (SharedFolding(pe=2, weight_memory="any", single_port=True, page_copies=1),),
    ),
    "shared-dense": (
        Network(
            name="dense", inputs=7, classes=4, layers=(Dense(units=5),) * 3, seed=12,
            learning=Learning(margin=60, rate_shift=2, feedback="sign-concordant"),
        ),
        (
            folding(pe=2, simd=2, skip_zeros=True),
            SharedFolding(
                pe=4, places=1, heads=2, weight_memory="any", slow_memory=True,
                classifier_rom=False, parallel_classes=False,
            ),
        ),
    ),
    "shared-inference": (
        Network(
            name="inferring", inputs=(4, 5, 1), classes=3, seed=13,
            layers=(Conv(filters=5, kernel=3, pool=1), Dense(units=4)), readout=Readout(),
        ),
        (SharedFolding(pe=4, weight_memory="any", learns=False),),
    ),
}  # fmt: skip
BURST = 6


def core_of(name):
    network, foldings = NETWORKS[name]
    own = tuple(folding for folding in foldings if not isinstance(folding, SharedFolding))
    schedule = ScheduledNetwork(
        formats=infer_formats(network), foldings=own, memories=(), layers=(),
        shared=foldings[-1] if len(own) < len(foldings) else None, inference=0, training=0,
    )  # fmt: skip
    return Watched(Core(schedule))


BENCH = Bench(module=__name__, designs={name: lambda name=name: core_of(name) for name in NETWORKS})


class Link:
    """Plays the host link: samples in bursts, accesses while the core is drained and idle."""

    def __init__(self, dut, component, regime) -> None:
        self.dut = dut
        schedule = component.component.schedule
        self.formats, self.learns = schedule.formats, schedule.learns
        self.own = [layer for layer, _ in schedule.own]
        self.golden = GoldenEngine(self.formats)
        self.chance = np.random.default_rng(9)
        self.sources = {
            name: Source(dut, component, name, stall=regime.source)
            for name in ("i", "i_weight", "i_register")
        }
        self.sinks = {
            name: Sink(dut, component, name, stall=regime.sink)
            for name in ("o", "o_weight", "o_register")
        }

    async def idle(self):
        for _ in range(20_000):
            if int(self.dut.idle.value):
                return
            await clocks(self.dut, 1)
        raise AssertionError("never idle")

    async def access(self, port, reads, *requests):
        """Make requests to a port and give the answers to the reads among them."""
        self.sources[f"i_{port}"].send(*requests)
        answers = await self.sinks[f"o_{port}"].take(reads)
        await self.sources[f"i_{port}"].sent()
        await self.idle()
        return answers

    async def burst(self):
        """Samples back to back, some with a label, and what the network answers."""
        network, chance = self.formats.network, self.chance
        for _ in range(BURST):
            x = chance.integers(0, 256, network.inputs).astype(np.uint8)
            x = x.view(sample_type(network))
            x[chance.random(network.inputs) < 0.3] = 0
            label, learn = int(chance.integers(network.classes)), int(chance.random() < 0.8)
            self.sources["i"].send(
                *({"x": int(v) & 0xFF, "label": label, "learn": learn} for v in x)
            )
            self.golden.send(x, label if learn and self.learns else None)
        for result in self.golden.results():
            for class_, beat in enumerate(await self.sinks["o"].take(network.classes)):
                best = int(result.scores[: class_ + 1].argmax())
                last = int(class_ == network.classes - 1)
                assert beat == {"score": result.scores[class_], "best": best, "last": last}

    async def weights(self):
        """Compare every weight, then write some."""
        for layer in self.formats.layers:
            place = {"layer": layer.index, "write": 0, "value": 0}
            units, fan_in = layer.units, layer.fan_in
            reads = [{**place, "unit": u, "input": n} for u, n in np.ndindex(units, fan_in)]
            found = await self.access("weight", len(reads), *reads)
            weights = self.golden.read_weights(layer.index)
            assert np.array_equal(np.reshape(found, weights.shape), weights), layer.name
            limit, writes = 1 << (layer.weight_bits - 1), []
            for _ in range(4):
                unit, position = int(self.chance.integers(units)), int(self.chance.integers(fan_in))
                value = int(self.chance.integers(-limit, limit))
                weights[unit, position] = value
                write = {"unit": unit, "input": position, "write": 1, "value": value & 0xFFFF}
                writes.append({**place, **write})
            self.golden.write_weights(layer.index, weights)
            await self.access("weight", 0, *writes)

    async def activity(self, layer):
        """Counters that only hardware has; tests/hdl/test_cycles.py knows them exactly."""
        reads = [{"layer": layer.index, "number": int(n), "write": 0, "value": 0} for n in Activity]
        found = dict(zip(Activity, await self.access("register", len(reads), *reads), strict=True))
        updates = self.golden.read_register(layer.index, Counter.UPDATES)
        samples = self.golden.read_register(layer.index, Counter.SAMPLES)
        assert found[Activity.WORDS_READ] >= samples, layer.name
        assert updates > 0 or not found[Activity.WORDS_WRITTEN], layer.name
        if layer in self.own:
            assert updates == 0 or found[Activity.WORDS_WRITTEN], layer.name
            assert found[Activity.BUSY] >= found[Activity.WORDS_READ], layer.name
        # Only a sample keeps a layer from waiting for one.

    async def registers(self):
        """Compare every register and counter, then set the registers anew."""
        for layer in self.formats.layers:
            place = {"layer": layer.index, "write": 0, "value": 0}
            numbers = [*Register, *Counter]
            reads = [{**place, "number": int(number)} for number in numbers]
            expected = [self.golden.read_register(layer.index, number) for number in numbers]
            assert await self.access("register", len(reads), *reads) == expected, layer.name
            await self.activity(layer)
            values = {
                Register.RATE_SHIFT: int(self.chance.integers(layer.rate_shift_max + 1)),
                Register.MARGIN: int(self.chance.integers(layer.margin_max + 1)),
                Register.LEARN: int(self.chance.random() < 0.7),
                Register.ROUNDING: int(self.chance.integers(layer.rounding_max + 1)),
            }
            for register, value in values.items():
                self.golden.write_register(layer.index, register, value)
                write = {"number": int(register), "write": 1, "value": value}
                await self.access("register", 0, {**place, **write})


@cocotb.test()
@cocotb.parametrize(regime=list(Regime))
async def learning(dut, regime):
    """Bursts of samples; after each the core is drained, looked into and changed."""
    component = BENCH.component()
    await start(dut, component)
    link = Link(dut, component, regime)
    await clocks(dut, 1)
    assert not int(dut.idle.value), "idle before the weights are drawn"
    await link.idle()
    for _ in range(4):
        await link.burst()
        dut.drain.value = 1
        await clocks(dut, 1)
        await link.idle()
        await link.registers()
        await link.weights()
        dut.drain.value = 0
    assert not int(dut.collision.value), "a memory was read where it was written"
    counters = [link.golden.read_register(n.index, Counter.UPDATES) for n in link.formats.layers]
    assert all(counters) == link.learns, "some layer never learnt"


@cocotb.test()
async def reset(dut):
    """A reset in the middle of learning: initial weights, registers and counters again."""
    component = BENCH.component()
    await start(dut, component)
    link = Link(dut, component, Regime.FLOWING)
    await link.idle()
    await link.burst()
    dut.rst.value = 1
    await clocks(dut, 2)
    dut.rst.value = 0
    link.golden.reset()
    await link.idle()
    dut.drain.value = 1
    await link.registers()
    await link.weights()
    dut.drain.value = 0
    await link.burst()
