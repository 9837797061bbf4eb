"""What becomes of Amaranth's ports in a netlist, in one place.

A stream member ``i`` flattens to ``i__payload``, ``i__valid`` and ``i__ready``. A payload with a
structured layout stays one vector, its first field in the lowest bits; nested members join their
names by ``__``. Signed ports are plain vectors to every simulator.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from amaranth.hdl import Const, Shape, Value
from amaranth.lib import data, stream, wiring
from numpy.typing import ArrayLike, NDArray

Words = NDArray[np.uint64]
"""Payloads as raw bits, one element a beat."""
Fields = dict[str, NDArray[np.int64]]
"""Payloads by field; the payload of a stream without fields is called ``payload``."""


def payload_port(name: str) -> str:
    """Port that carries the payload of the stream `name`."""
    return f"{name}__payload"


def valid_port(name: str) -> str:
    """Port that offers a beat of the stream `name`."""
    return f"{name}__valid"


def ready_port(name: str) -> str:
    """Port that accepts a beat of the stream `name`."""
    return f"{name}__ready"


def payload_shape(component: wiring.Component, name: str) -> Any:
    """Shape of the payload of a component's stream `name`, at the top of its signature."""
    signature = component.signature.members[name].signature
    assert isinstance(signature, stream.Signature), f"{name} is not a stream"
    return signature.members["payload"].shape


def input_ports(component: wiring.Component) -> list[str]:
    """Names of all input ports, without clock and reset."""
    flat = component.signature.flatten(component)
    names = ["__".join(map(str, path)) for path, member, _ in flat if member.flow == wiring.In]
    return [name for name in names if name not in ("clk", "rst")]


def encode(shape: Any, value: int | Mapping[str, int]) -> int:
    """Raw bits of one payload: a number, or a number for each field."""
    if isinstance(shape, data.Layout):
        constant = Value.cast(shape.const(value))
        return int(Const.cast(constant).value)
    mask: int = (1 << Shape.cast(shape).width) - 1
    return int(value) & mask  # type: ignore[arg-type]


def decode(shape: Any, raw: int) -> Any:
    """The payload of some raw bits: a number, or a record of a number for each field."""
    if isinstance(shape, data.StructLayout):
        return {name: decode(field.shape, raw >> field.offset) for name, field in shape}
    return _sign(raw & ((1 << Shape.cast(shape).width) - 1), Shape.cast(shape))


def _sign(raw: int, shape: Shape) -> int:
    return raw - (1 << shape.width) if shape.signed and raw >> (shape.width - 1) & 1 else raw


def _fields(shape: Any) -> list[tuple[str, int, Shape]]:
    """Name, offset and shape of each field."""
    if isinstance(shape, data.StructLayout):
        return [(name, field.offset, Shape.cast(field.shape)) for name, field in shape]
    return [("payload", 0, Shape.cast(shape))]


def pack(shape: Any, **fields: ArrayLike) -> Words:
    """Raw bits of many payloads, at most 64 bits each; fields broadcast against each other."""
    columns = []
    for name, offset, field in _fields(shape):
        mask = np.uint64((1 << field.width) - 1)
        bits = np.asarray(fields[name]).astype(np.int64).view(np.uint64) & mask
        columns.append(bits << np.uint64(offset))
    return np.ravel(np.bitwise_or.reduce(np.broadcast_arrays(*columns), axis=0))


def unpack(shape: Any, words: Words) -> Fields:
    """Fields of many payloads, at most 64 bits each."""
    result = {}
    for name, offset, field in _fields(shape):
        up = np.uint64(64 - field.width)
        high = (words >> np.uint64(offset)) << up
        result[name] = (
            high.view(np.int64) >> up.view(np.int64)
            if field.signed
            else (high >> up).view(np.int64)
        )
    return result
