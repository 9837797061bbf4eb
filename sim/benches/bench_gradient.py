"""Gradient units: both feedbacks and the readout, against K times e."""

import cocotb
import numpy as np
from cocotb.triggers import FallingEdge, ReadOnly, RisingEdge

from golden_model.draws import classifier
from golden_model.spec.formats import ReadoutFormat
from hdl.rtl.gradient import LocalGradient, ReadoutGradient
from sim.bench import Bench, Regime, Sink, clocks, start
from sim.benches.classifier_draws import ClassifierDraws
from sim.benches.harness import Group, dense, put

UNITS = {
    "smallest": (dense(3, 1, 2), 1),
    "symmetric": (dense(3, 6, 10, loss="pairwise-hinge"), 8),
    "concordant": (dense(3, 5, 3, feedback="sign-concordant", loss="squared-hinge"), 5),
    "concordant_hinge": (dense(3, 9, 4, feedback="sign-concordant"), 16),
    "readout": (dense(3, 0, 5, readout=True, loss="squared-hinge"), 8),
    "readout_two": (dense(3, 0, 2, readout=True), 2),
}
"""Format and padded units."""
SAMPLES = 6


def unit_of(layer, padded):
    kind = ReadoutGradient if isinstance(layer, ReadoutFormat) else LocalGradient
    return kind(layer, padded_units=padded)


BENCH = Bench(
    module=__name__,
    designs={"all": lambda: Group(**{name: unit_of(*pair) for name, pair in UNITS.items()})},
)


class Memories:
    """Entries of e and active units, one clock after they are asked for."""

    def __init__(self, dut, name) -> None:
        self.dut, self.name = dut, name
        self.layer, self.padded = UNITS[name]
        self.hidden = not isinstance(self.layer, ReadoutFormat)
        self.error = np.zeros(self.layer.classes, int)
        self.active = np.zeros(self.padded, int)
        cocotb.start_soon(self._run())

    def port(self, name):
        return getattr(self.dut, f"{self.name}_{name}")

    async def _run(self):
        while True:
            await ReadOnly()
            fetch, address = int(self.port("fetch").value), int(self.port("address").value)
            unit = int(self.port("unit").value) if self.hidden else 0
            await RisingEdge(self.dut.clk)
            await FallingEdge(self.dut.clk)
            if fetch:
                # Padding reaches beyond the classes; what is read there must not matter.
                inside = address < self.layer.classes
                put(self.port("e"), int(self.error[address]) if inside else 1)
                if self.hidden:
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
    layer, padded = UNITS[name]
    if memories.hidden:
        ClassifierDraws(dut, name, layer)
    sink = Sink(dut, component, f"{name}_o", stall=regime.sink, seed=2)
    chance = np.random.default_rng(4)
    await clocks(dut, 2)
    for sample in range(SAMPLES):
        largest = 1 if sample == 0 else layer.error_largest
        memories.error = chance.integers(-largest, largest + 1, layer.classes)
        # Units beyond the layer's are never written; what is read there must not matter.
        memories.active = chance.integers(0, 2, padded)
        memories.active[layer.units :] = 0
        memories.port("start").value = 1
        await clocks(dut, 1)
        memories.port("start").value = 0
        assert await sink.take(padded) == memories.expected(), name
        await clocks(dut, layer.classes + 3)
        assert sink.untaken() == []


@cocotb.test()
@cocotb.parametrize(regime=[Regime.FLOWING, Regime.STALLED_SINK])
async def gradients(dut, regime):
    component = BENCH.component()
    await start(dut, component)
    for task in [cocotb.start_soon(gradients_of(dut, component, n, regime)) for n in UNITS]:
        await task
