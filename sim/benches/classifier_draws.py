"""The stream of a layer's classifier draws, in Python, for benches of its users."""

import cocotb
from cocotb.triggers import FallingEdge, ReadOnly

from golden_model.draws import stream


class ClassifierDraws:
    """Serves the ports `draw`, `next` and `restart` of a component with a layer's draws.

    Parameters
    ----------
    name
        Prefix of the ports.
    format
        The layer; after its last draw the component must restart.
    """

    def __init__(self, dut, name, format) -> None:
        self.clk = dut.clk
        self.ports = [getattr(dut, f"{name}_{port}") for port in ("draw", "next", "restart")]
        bits = len(self.ports[0])
        count = format.units * format.classes
        self.draws = [int(draw) >> (32 - bits) for draw in stream(format.classifier_seed, count)]
        self.number = 0
        cocotb.start_soon(self._run())

    async def _run(self):
        draw, following, restart = self.ports
        while True:
            draw.value = self.draws[self.number]
            await ReadOnly()
            goes, back = int(following.value), int(restart.value)
            await FallingEdge(self.clk)
            if goes:
                final = self.number == len(self.draws) - 1
                assert back == final, f"restart at draw {self.number}"
                self.number = 0 if back else self.number + 1
