"""Register file: every register as it was written, every counter to the last event."""

import cocotb
import numpy as np
from cocotb.triggers import FallingEdge, ReadOnly, RisingEdge

from golden_model.spec.control import Register
from golden_model.spec.formats import infer_formats
from golden_model.spec.network import Dense, Learning, Network, Readout, Rounding
from hdl.rtl.parts.register_file import PHASES, RegisterFile, described, registers_layout
from hdl.rtl.ports import EVENTS
from sim.bench import Bench, Regime, Sink, Source, clocks, start
from sim.benches.harness import Watched, packed

NETWORKS = {
    "one": Network(
        name="one", inputs=3, classes=2, layers=(Dense(units=3),), learning=Learning(margin=7)
    ),
    "three": Network(
        name="three", inputs=3, classes=4, layers=(Dense(units=3), Dense(units=30)),
        readout=Readout(),
    ),
    "dithering": Network(
        name="dithering", inputs=3, classes=4, layers=(Dense(units=3), Dense(units=30)),
        learning=Learning(rounding="stochastic"),
    ),
}  # fmt: skip
CLOCKS = 700
"""Clocks with events before each look at the counters: narrow ones wrap several times."""


def file_of(name):
    formats = infer_formats(NETWORKS[name])
    dithering = ["layer1"] if formats.network.learning.rounding is Rounding.STOCHASTIC else []
    return Watched(RegisterFile(formats, dithering=dithering))


BENCH = Bench(module=__name__, designs={name: lambda name=name: file_of(name) for name in NETWORKS})


class Host:
    """Causes events and asks for their counts, and sets registers, while nothing happens."""

    def __init__(self, dut, component, regime) -> None:
        self.dut, self.regime = dut, regime
        self.layers = component.component.formats.layers
        self.source = Source(dut, component, "i", stall=regime.source)
        self.sink = Sink(dut, component, "o", stall=regime.sink)
        self.chance = np.random.default_rng(6)
        self.dithering = component.component.dithering
        self.reset()
        if self.dithering:
            cocotb.start_soon(self.generator())

    def reset(self):
        """What a reset of the component leaves."""
        self.counts = np.zeros((len(self.layers), len(EVENTS)), int)
        self.values = [[described(layer).get(n, 0) for n in Register] for layer in self.layers]
        self.draw(self.values[-1][Register.ROUNDING])

    def draw(self, state):
        """The generator, if there is one, has come to a state."""
        if self.dithering:
            self.values[1][Register.ROUNDING] = self.state = state
            self.dut.layer1_rounding__state.value = state

    async def generator(self):
        """Takes what is written."""
        while True:
            await FallingEdge(self.dut.clk)
            await ReadOnly()
            if int(self.dut.layer1_rounding__write.value):
                self.state = int(self.dut.layer1_rounding__value.value)
                await RisingEdge(self.dut.clk)
                self.dut.layer1_rounding__state.value = self.state

    async def events(self, count):
        """Clocks with events: seldom ones, and one in each clock."""
        rates = self.chance.choice([0.0, 0.1, 0.9, 1.0], self.counts.shape)
        for _ in range(count):
            happens = self.chance.random(self.counts.shape) < rates
            self.counts += happens
            self.dut.events.value = packed(happens.ravel(), 1)
            await clocks(self.dut, 1)
        self.dut.events.value = 0
        self.draw(int(self.chance.integers(2**32)))

    async def look(self):
        """All registers and counters at once, in any order."""
        places = [(n, k) for n in range(len(self.layers)) for k in (*Register, *EVENTS)]
        self.chance.shuffle(places)
        for layer, number in places:
            self.source.send({"layer": layer, "number": number, "write": 0, "value": 99})
        wanted = [
            self.values[n][k] if k in iter(Register) else self.counts[n][EVENTS.index(k)]
            for n, k in places
        ]
        assert await self.sink.take(len(places)) == wanted

    async def write(self):
        """Some register gets a value."""
        for number, layer in enumerate(self.layers):
            register = int(self.chance.integers(len(Register)))
            limits = (layer.rate_shift_max, layer.margin_max, 1, layer.rounding_max)
            value = int(self.chance.integers(limits[register] + 1))
            self.source.send({"layer": number, "number": register, "write": 1, "value": value})
            self.values[number][register] = value
        await self.source.sent()

    def shown(self):
        """What the layers see, and the generator shows."""
        raw, result = int(self.dut.registers.value), []
        for layer, known in zip(self.layers, self.values, strict=True):
            result.append([])
            for _, field in registers_layout(layer):
                result[-1].append(raw & ((1 << field.width) - 1))
                raw >>= field.width
            result[-1].append(known[Register.ROUNDING])
        if self.dithering:
            result[1][Register.ROUNDING] = self.state
        return result


@cocotb.test()
@cocotb.parametrize(regime=list(Regime))
async def accesses(dut, regime):
    """Right after a reset, while the first round is under way, and again and again."""
    component = BENCH.component()
    await start(dut, component)
    host = Host(dut, component, regime)
    for number in range(8):
        assert host.shown() == host.values
        await host.look()
        await host.events(CLOCKS + number)
        await host.look()
        await host.write()
        await clocks(dut, 1)
        assert host.shown() == host.values
        if number % 3 == 1:
            dut.rst.value = 1
            await clocks(dut, 2)
            dut.rst.value = 0
            host.reset()
    assert host.sink.untaken() == []
    assert not int(dut.collision.value), "a slot was read where it was written"


@cocotb.test()
@cocotb.parametrize(write=[0, 1])
async def throughput(dut, write):
    """While nothing stalls, a write in `PHASES` clocks, a read in twice as many."""
    component = BENCH.component()
    await start(dut, component)
    host = Host(dut, component, Regime.FLOWING)
    await host.look()
    taken = []
    for number in range(10):
        host.source.send({"layer": 0, "number": number % 3, "write": write, "value": 0})
    for clock in range(100):
        await FallingEdge(dut.clk)
        await ReadOnly()
        taken += [clock] if int(host.source.valid.value) and int(host.source.ready.value) else []
    period = PHASES if write else 2 * PHASES
    assert taken == [taken[0] + period * n for n in range(10)]
