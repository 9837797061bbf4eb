"""Payloads of the streams between components; the rest of a port is its name.

Streams are Amaranth's: a beat moves in each clock where valid and ready are both 1. `valid` never
waits for `ready`, and a payload offered stays until it is taken.
"""

from amaranth import signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from golden_model.spec.control import Activity, Counter
from golden_model.spec.formats import ACTIVATION_BITS, LayerFormat

SAMPLE = data.StructLayout({"x": ACTIVATION_BITS, "label": 8, "learn": 1})
"""One activation of a sample; label and learn stay the same for all beats of a sample."""


def tag_layout(layer: LayerFormat) -> data.StructLayout:
    """What travels beside a sample through a layer: its class, and whether it is to be learnt."""
    return data.StructLayout({"label": range(layer.classes), "learn": 1})


EVENTS = (*Counter, *Activity)
"""What a layer reports of each clock, one bit each."""

WEIGHT_REQUEST = data.StructLayout({"layer": 8, "unit": 16, "input": 16, "write": 1, "value": 16})
"""Access to one weight; a read is answered by one beat of 16 bits, sign-extended."""

REGISTER_REQUEST = data.StructLayout({"layer": 8, "number": 8, "write": 1, "value": 32})
"""Access to one register or counter; a read is answered by one beat of 32 bits."""


def score_layout(layer: LayerFormat) -> data.StructLayout:
    """One score of a sample, in order of class; `best` is the winner so far, final with `last`."""
    return data.StructLayout({"score": signed(layer.score_bits), "best": 8, "last": 1})


def core_signature(answer: LayerFormat) -> wiring.Signature:
    """Ports of a network without its link, seen from itself; `answer` is the layer that answers.

    Members
    -------
    i : In(stream.Signature(SAMPLE))
        As many beats a sample as the network has inputs.
    o : Out(stream.Signature(score_layout(answer)))
        As many beats a sample as there are classes.
    i_weight, i_register
        Requests; only while `drain` is held and `idle` is 1, and only with values in range.
    o_weight, o_register
        One beat for each read, in order.
    drain : In(1)
        Apply pending updates as soon as the samples in flight are done.
    idle : Out(1)
        Weights are drawn, no sample is in flight and no update pending.
    """
    return wiring.Signature(
        {
            "i": In(stream.Signature(SAMPLE)),
            "o": Out(stream.Signature(score_layout(answer))),
            "i_weight": In(stream.Signature(WEIGHT_REQUEST)),
            "o_weight": Out(stream.Signature(signed(16))),
            "i_register": In(stream.Signature(REGISTER_REQUEST)),
            "o_register": Out(stream.Signature(32)),
            "drain": In(1),
            "idle": Out(1),
        }
    )


def memory_depth(words: int) -> int:
    """Depth of a memory of so many words, at least 2.

    The address of a single word would have no bits, and simulators differ in what that reads.
    """
    return max(2, words)


IN_BLOCKS = {"ram_style": "block"}
"""Attribute of memories that the memory map has given blocks; tools would build small ones out of
flip-flops."""
IN_LARGE_BLOCKS = {"ram_style": "huge"}
"""The same for single-port memory."""
WRITES_OR_READS = "writes_or_reads"
"""Attribute of memories whose last port to read is the one that writes, and reads in every clock:
what it reads while it writes is never used."""
