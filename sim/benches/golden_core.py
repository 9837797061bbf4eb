"""The golden engine behind a core's ports, as a stand-in for a core in benches of the link."""

import random

import cocotb
import numpy as np
from cocotb.triggers import FallingEdge, First, RisingEdge

from golden_model.engine import GoldenEngine
from golden_model.spec.control import Activity, Counter, Register
from golden_model.spec.formats import FormattedNetwork
from golden_model.spec.learner import sample_type
from sim.bench import Sink, Source, clocks


class GoldenCore:
    """Serves the ports of a core that a bench has brought to the top.

    Every request is checked against the rules of the core's ports: accesses only while drain is
    held and idle is 1, nothing out of range, label and learn steady during a sample.

    Parameters
    ----------
    names
        Of the streams at the top: i, o, i_weight, o_weight, i_register, o_register.
    stall
        Probability that a stream does not go on in a clock.
    """

    def __init__(self, dut, component, formats: FormattedNetwork, *, stall: float = 0.0) -> None:
        self.formats = formats
        self.engine = GoldenEngine(formats)
        self.kind = sample_type(formats.network)
        self.dut = dut
        self.chance = random.Random("core")
        self.resets = 0
        self.beats = 0
        """Beats of any kind that the link has sent."""
        self._sinks = {
            name: Sink(dut, component, f"core_{name}", stall=stall, seed=3)
            for name in ("i", "i_weight", "i_register")
        }
        self._sources = {
            name: Source(dut, component, f"core_{name}", stall=stall, seed=4)
            for name in ("o", "o_weight", "o_register")
        }
        dut.core_idle.value = 0
        cocotb.start_soon(self._samples())
        cocotb.start_soon(self._weights())
        cocotb.start_soon(self._registers())
        cocotb.start_soon(self._idle())

    async def _beat(self, name):
        (beat,) = await self._sinks[name].take(1, limit=10**9)
        self.beats += 1
        return beat

    async def _samples(self):
        inputs = self.formats.network.inputs
        while True:
            beats = [await self._beat("i") for _ in range(inputs)]
            learn, label = beats[0]["learn"], beats[0]["label"]
            assert all(beat["learn"] == learn for beat in beats)
            assert not learn or all(beat["label"] == label for beat in beats)
            sample = np.array([beat["x"] for beat in beats], np.uint8).view(self.kind)
            self.engine.send(sample, label if learn else None)
            (result,) = self.engine.results()
            for index, score in enumerate(result.scores):
                best = int(result.scores[: index + 1].argmax())
                last = index == len(result.scores) - 1
                self._sources["o"].send({"score": int(score), "best": best, "last": last})

    async def _weights(self):
        while True:
            beat = await self._beat("i_weight")
            self._accessible()
            weights = self.engine.read_weights(beat["layer"])
            if beat["write"]:
                bits = self.formats.layers[beat["layer"]].weight_bits
                low = beat["value"] & ((1 << bits) - 1)
                value = low - (low >> (bits - 1) << bits)
                weights[beat["unit"], beat["input"]] = value
                self.engine.write_weights(beat["layer"], weights)
            else:
                self._sources["o_weight"].send(int(weights[beat["unit"], beat["input"]]))

    async def _registers(self):
        while True:
            beat = await self._beat("i_register")
            self._accessible()
            number = beat["number"]
            if beat["write"]:
                self.engine.write_register(beat["layer"], Register(number), beat["value"])
            else:
                self._sources["o_register"].send(self.read_register(beat["layer"], number))

    def read_register(self, layer, number):
        """The golden engine's; of `Activity`, which it does not have, the place it is asked for."""
        if number in iter(Activity):
            return layer << 8 | number
        known = Register(number) if number in iter(Register) else Counter(number)
        return self.engine.read_register(layer, known)

    def _accessible(self):
        assert int(self.dut.core_drain.value), "access without drain"
        assert int(self.dut.core_idle.value), "access while not idle"

    async def _idle(self):
        """Idle some clocks after drain rose; not at all without it. A reset draws anew."""
        while True:
            await FallingEdge(self.dut.clk)
            if int(self.dut.reset.value):
                self.resets += 1
                self.engine.reset()
                self.dut.core_idle.value = 0
                await clocks(self.dut, self.chance.randrange(1, 30))
            idle = int(self.dut.core_idle.value)
            if not int(self.dut.core_drain.value):
                self.dut.core_idle.value = 0
                await First(RisingEdge(self.dut.core_drain), RisingEdge(self.dut.reset))
            elif idle:
                await First(FallingEdge(self.dut.core_drain), RisingEdge(self.dut.reset))
            elif self.chance.random() < 0.2:
                self.dut.core_idle.value = 1
