"""The fast simulator, tried on a small component."""

import numpy as np
import pytest
from amaranth import Cat, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from sim.cxxrtl import QUICK, Simulation, SimulationStuck
from tests.sim.accumulator import Accumulator, expected_totals


@pytest.fixture(scope="module")
def samples():
    chance = np.random.default_rng(5)
    lengths = chance.integers(1, 6, 50)
    return [
        list(zip(chance.integers(0, 256, n), chance.integers(-16, 16, n), strict=True))
        for n in lengths
    ]


def fed(simulation, samples, **stalls):
    terms = [(x, w, n == len(s) - 1) for s in samples for n, (x, w) in enumerate(s)]
    x, w, last = np.array(terms).T
    source = simulation.feed("i", x=x, w=w, last=last, stall=stalls.get("source", 0.0))
    sink = simulation.collect("o", len(samples), stall=stalls.get("sink", 0.0))
    simulation.set("enable", 1)
    simulation.run(limit=10_000)
    totals = simulation.fields(sink)["payload"]
    taken = sink.clocks
    source.retire()
    sink.retire()
    return totals, taken


@pytest.mark.parametrize(("source", "sink"), [(0, 0), (0.7, 0), (0, 0.7), (0.6, 0.6)])
def test_totals(samples, source, sink):
    simulation = Simulation(Accumulator())
    totals, taken = fed(simulation, samples, source=source, sink=sink)
    assert totals.tolist() == expected_totals(samples)
    beats = sum(map(len, samples)) + len(samples)
    assert (taken[-1] + 1 == beats) == (source == sink == 0)


def test_fault_is_seen(samples):
    totals, _ = fed(Simulation(Accumulator(faulty=True)), samples)
    assert (totals == np.array(expected_totals(samples)) + 1).all()


def test_memory_is_a_view(samples):
    simulation = Simulation(Accumulator(depth=6))
    assert simulation.memories() == {"totals": (20, 6)}
    memory = simulation.memory("totals")
    memory[:] = 99
    totals, _ = fed(simulation, samples[:2])
    assert memory[:3].tolist() == [totals[0] & 0xFFFFF, totals[1] & 0xFFFFF, 99]


def test_probe_records_internal_signals(samples):
    simulation = Simulation(Accumulator(), keep=("w:taken", "w:product"))
    probe = simulation.watch("taken", ["product", "i__payload"])
    fed(simulation, samples, source=0.5, sink=0.5)
    products = [(x * w) & 0x1FFF for terms in samples for x, w in terms]
    assert probe.rows[:, 0].tolist() == products


def test_registers_can_be_read_and_set():
    simulation = Simulation(Accumulator())
    simulation.set("total", -5)
    assert simulation.get("total") == 2**20 - 5
    assert simulation.get("total", signed=True) == -5
    simulation.reset()
    assert simulation.get("total") == 0
    assert simulation.clocks == 2


def test_stuck_simulation_ends():
    simulation = Simulation(Accumulator())
    simulation.collect("o", 1)
    with pytest.raises(SimulationStuck, match=r"100 clocks.*o: 0 beats"):
        simulation.run(limit=100)


def test_unknown_name():
    with pytest.raises(KeyError, match="no signal or memory 'nothing'"):
        Simulation(Accumulator()).get("nothing")


class Parts(wiring.Component):
    """A signal put together from parts, and parts taken out of it, across words of 32 bits."""

    WIDTHS = (1, 31, 5, 32, 37, 64, 2, 33, 20)

    def __init__(self):
        super().__init__(
            {f"i{n}": In(width) for n, width in enumerate(self.WIDTHS)}
            | {f"o{n}": Out(width) for n, width in enumerate(reversed(self.WIDTHS))}
        )

    def elaborate(self, platform):
        m = Module()
        total = sum(self.WIDTHS)
        mixed = Signal(total)
        whole = Signal(total)
        m.d.sync += whole.eq(mixed)
        at = 0
        for n, width in enumerate(self.WIDTHS):
            m.d.comb += mixed[at : at + width].eq(getattr(self, f"i{n}"))
            at += width
        at = 0
        for n, width in enumerate(reversed(self.WIDTHS)):
            m.d.comb += getattr(self, f"o{n}").eq(Cat(whole[at : at + width]))
            at += width
        return m


def test_parts_of_a_wide_signal():
    simulation = Simulation(Parts(), keep=("w:mixed",), optimisation=QUICK)
    chance = np.random.default_rng(1)
    for _ in range(20):
        whole = at = 0
        for n, width in enumerate(Parts.WIDTHS):
            value = int(chance.integers(0, 2**64, dtype=np.uint64)) >> (64 - width)
            simulation.set(f"i{n}", value)
            whole |= value << at
            at += width
        simulation.step()
        for n, width in enumerate(reversed(Parts.WIDTHS)):
            assert simulation.get(f"o{n}") == whole % (1 << width), n
            whole >>= width
