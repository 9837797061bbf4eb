"""The stream of a layer's classifier draws, in Python, for benches of its users."""

import cocotb
from cocotb.triggers import FallingEdge, ReadOnly

from golden_model.draws import stream
from sim.benches.harness import packed


class ClassifierDraws:
    """Serves the ports `draw`, `next` and `restart` of a component with a layer's draws.

    Parameters
    ----------
    name
        Prefix of the ports.
    format
        The layer; after its last draw the component must restart.
    bits
        Top bits shown of each draw; the width of `draw` says how many are shown at a time.
    """

    def __init__(self, dut, name, format, *, bits: int) -> None:
        self.clk = dut.clk
        self.ports = [getattr(dut, f"{name}_{port}") for port in ("draw", "next", "restart")]
        at_a_time = len(self.ports[0]) // bits
        draws = stream(format.classifier_seed, format.units * format.classes) >> (32 - bits)
        self.words = [packed(word, bits) for word in draws.reshape(-1, at_a_time)]
        self.number = 0
        cocotb.start_soon(self._run())

    async def _run(self):
        draw, following, restart = self.ports
        while True:
            draw.value = self.words[self.number]
            await ReadOnly()
            goes, back = int(following.value), int(restart.value)
            await FallingEdge(self.clk)
            if goes:
                final = self.number == len(self.words) - 1
                assert back == final, f"restart at word {self.number}"
                self.number = 0 if back else self.number + 1
