"""An engine that layers share: each sample goes through all of them, one after another."""

from collections.abc import Sequence

from amaranth import Module, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from golden_model.spec.layer import LayerFormat
from hdl.passes.sharing import SharedFolding, table
from hdl.rtl.ports import EVENTS, SAMPLE, WEIGHT_REQUEST


class SharedEngine(wiring.Component):
    """Layers take turns: a sweep F forms their sums, beside it U applies their updates.

    Parameters
    ----------
    layers, folding
        The network's last layers, and how they are folded.

    Members
    -------
    i
        Samples, as many beats each as the first layer has inputs.
    o_score
        Scores of the last layer, in order of class.
    rates, margins, learn
        Registers of each layer; change only while `idle`.
    idle
        Weights are drawn, no sample is in hand, no update pending.
    events
        For each layer what happens in this clock, in the order of `EVENTS`.
    i_weight, o_weight
        Access to single weights, while `idle`; `layer` is counted within the engine.

    Latency, throughput: :mod:`hdl.passes.sharing_cycles`. Cost: the sum of its parts.
    """

    def __init__(self, layers: Sequence[LayerFormat], folding: SharedFolding) -> None:
        self.formats, self.folding = layers, folding
        self.table = table(layers, folding)
        rates = range(max(layer.rate_shift_max for layer in layers) + 1)
        margins = max(layer.score_bits for layer in layers) - 1
        super().__init__(
            {
                "i": In(stream.Signature(SAMPLE)),
                "o_score": Out(stream.Signature(signed(layers[-1].score_bits))),
                "rates": In(data.ArrayLayout(rates, len(layers))),
                "margins": In(data.ArrayLayout(margins, len(layers))),
                "learn": In(len(layers)),
                "idle": Out(1),
                "events": Out(data.ArrayLayout(len(EVENTS), len(layers))),
                "i_weight": In(stream.Signature(WEIGHT_REQUEST)),
                "o_weight": Out(stream.Signature(signed(16))),
            }
        )

    def elaborate(self, platform):
        m = Module()
        return m
