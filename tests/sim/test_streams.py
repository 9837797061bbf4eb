"""Payloads to bits and back."""

import numpy as np
from amaranth.hdl import signed
from amaranth.lib import data

from sim import streams

LAYOUT = data.StructLayout({"a": 3, "b": signed(5), "c": 1})


def test_pack_and_unpack_agree_with_amaranth():
    for raw in range(512):
        fields = streams.decode(LAYOUT, raw)
        constant = LAYOUT.from_bits(raw)
        assert fields == {"a": constant.a, "b": constant.b, "c": constant.c}
        assert streams.encode(LAYOUT, fields) == raw
        assert streams.pack(LAYOUT, **fields).tolist() == [raw]
        unpacked = streams.unpack(LAYOUT, np.array([raw], np.uint64))
        assert {name: values.item() for name, values in unpacked.items()} == fields


def test_fields_broadcast():
    assert streams.pack(LAYOUT, a=[1, 2], b=-1, c=0).tolist() == [0b11111001, 0b11111010]


def test_plain_payloads_of_all_widths():
    values = np.array([-(2**63), -1, 0, 2**63 - 1])
    for shape in (signed(64), signed(7), 9):
        words = streams.pack(shape, payload=values)
        expected = [streams.decode(shape, int(value) & (2**64 - 1)) for value in values]
        assert streams.unpack(shape, words)["payload"].tolist() == expected
