"""Gradient units: both feedbacks, one class or all at once, and the readout, against K times e."""

import cocotb
import numpy as np
from cocotb.triggers import FallingEdge, ReadOnly, RisingEdge

from golden_model.draws import classifier
from hdl.rtl.head.gradient import ReadoutGradient, draw_bits, local_gradient
from sim.bench import Bench, Regime, Sink, clocks, start
from sim.benches.classifier_draws import ClassifierDraws
from sim.benches.harness import Group, dense, packed, put

SHAPES = {
    "smallest": (dense(3, 1, 2), 1),
    "symmetric": (dense(3, 6, 10, loss="pairwise-hinge"), 8),
    "concordant": (dense(3, 5, 3, feedback="sign-concordant", loss="squared-hinge"), 5),
    "concordant_hinge": (dense(3, 9, 4, feedback="sign-concordant"), 16),
}
READOUTS = {
    "readout": (dense(3, 0, 5, readout=True, loss="squared-hinge"), 8),
    "readout_two": (dense(3, 0, 2, readout=True), 2),
}
UNITS = {
    **{name: (*pair, False) for name, pair in (SHAPES | READOUTS).items()},
    **{f"{name}_parallel": (*pair, True) for name, pair in SHAPES.items()},
}
"""Format, padded units, and whether all classes are summed at once."""
SAMPLES = 6


def unit_of(layer, padded, parallel):
    if layer.reads_out:
        return ReadoutGradient(layer, padded_units=padded)
    return local_gradient(layer, padded_units=padded, parallel=parallel)


BENCH = Bench(
    module=__name__,
    designs={"all": lambda: Group(**{name: unit_of(*unit) for name, unit in UNITS.items()})},
)


class Memories:
    """Entries of e and active units, one clock after they are asked for; in parallel all of e."""

    def __init__(self, dut, name) -> None:
        self.dut, self.name = dut, name
        self.layer, self.padded, self.parallel = UNITS[name]
        self.hidden = not self.layer.reads_out
        if self.hidden:
            ClassifierDraws(dut, name, self.layer, bits=draw_bits(self.layer))
        self.active = np.zeros(self.padded, int)
        self.new_error(np.zeros(self.layer.classes, int))
        cocotb.start_soon(self._run())

    @property
    def timing(self) -> tuple[int, int]:
        """Clocks from `start` to the first gradient, and from one to the next."""
        if not self.hidden:
            return 2, 2
        return (4, 1) if self.parallel else (self.layer.classes + 2, self.layer.classes)

    def port(self, name):
        return getattr(self.dut, f"{self.name}_{name}")

    def new_error(self, error):
        self.error = error
        if self.parallel:
            self.port("errors").value = packed(error, self.layer.error_bits)

    def _asks(self, name):
        return int(self.port(name).value)

    async def _run(self):
        while True:
            await ReadOnly()
            fetch = not self.parallel and self._asks("fetch")
            address = 0 if self.parallel else self._asks("address")
            ask, unit = (self._asks("ask"), self._asks("unit")) if self.hidden else (0, 0)
            await RisingEdge(self.dut.clk)
            await FallingEdge(self.dut.clk)
            if fetch:
                # Padding reaches beyond the classes; what is read there must not matter.
                inside = address < self.layer.classes
                put(self.port("e"), int(self.error[address]) if inside else 1)
            if ask:
                self.port("active").value = int(self.active[unit])

    def expected(self):
        """d of all units, padding included."""
        if not self.hidden:
            gradient = self.error
        else:
            feedback = classifier(self.layer)[1]
            gradient = feedback @ self.error * self.active[: self.layer.units]
        return np.pad(gradient, (0, self.padded - len(gradient))).tolist()


async def gradients_of(dut, component, name, regime):
    memories = Memories(dut, name)
    layer, padded, _ = UNITS[name]
    sink = Sink(dut, component, f"{name}_o", stall=regime.sink, seed=2)
    chance = np.random.default_rng(4)
    await clocks(dut, 2)
    for sample in range(SAMPLES):
        largest = 1 if sample == 0 else layer.error_largest
        memories.new_error(chance.integers(-largest, largest + 1, layer.classes))
        memories.active = chance.integers(0, 2, padded)
        # Units beyond the layer's are never written, their places stay 0.
        memories.active[layer.units :] = 0
        memories.port("start").value = 1
        taken = await moved(dut, memories, sink, padded)
        assert await sink.take(padded) == memories.expected(), name
        if not regime.sink:
            latency, per_unit = memories.timing
            assert taken == [latency + per_unit * unit for unit in range(padded)], name
        await clocks(dut, layer.classes + 3)
        assert sink.untaken() == []


async def moved(dut, memories, sink, count):
    """Clocks, counted from `start`, in which gradients moved."""
    taken = []
    for clock in range(5000):
        await ReadOnly()
        if int(sink.valid.value) and int(sink.ready.value):
            taken.append(clock)
        await clocks(dut, 1)
        memories.port("start").value = 0
        if len(taken) == count:
            return taken
    raise AssertionError(f"{memories.name}: {len(taken)} of {count} gradients")


@cocotb.test()
@cocotb.parametrize(regime=[Regime.FLOWING, Regime.STALLED_SINK])
async def gradients(dut, regime):
    component = BENCH.component()
    await start(dut, component)
    for task in [cocotb.start_soon(gradients_of(dut, component, n, regime)) for n in UNITS]:
        await task
