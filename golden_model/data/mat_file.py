"""Arrays of numbers from MATLAB's .mat files of version 5, the format that SVHN comes in.

After a header of 128 bytes come elements: type and size, 32 bits each, then the values, filled up
to a multiple of 8 bytes. A size of 1 to 4 bytes may stand in the upper half of the type; the values
follow at once then. An array is an element of elements: flags, dimensions, name, values; and it may
be compressed as a whole.

This is read here, and not by SciPy, since `scipy.io.loadmat` ends Python itself, by a segmentation
fault, where some bytes of a file are damaged.
"""

import struct
import zlib
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

import numpy as np

from golden_model.files import Arrays, check_size, reading

HEADER = 128
ORDERS = {b"\x00\x01IM": "<", b"\x01\x00MI": ">"}
"""Byte order by version and order mark, the header's last 4 bytes."""

ARRAY, COMPRESSED = 14, 15
NUMBERS = {
    1: "i1",
    2: "u1",
    3: "i2",
    4: "u2",
    5: "i4",
    6: "u4",
    7: "f4",
    9: "f8",
    12: "i8",
    13: "u8",
}
"""Values by an element's type."""


def read_mat(path: Path, names: Sequence[str], remedy: str) -> Arrays:
    """The arrays of those names, as their values are stored.

    Raises
    ------
    SpecError
        With that remedy, if it is no such file, lacks one of them or is damaged; or if it announces
        more than is read.
    """
    rule = f"it is no whole .mat file of version 5 with {' and '.join(names)}"
    with reading(path, rule, remedy):
        check_size(path, path.stat().st_size)
        content = memoryview(path.read_bytes())
        order = ORDERS[bytes(content[HEADER - 4 : HEADER])]
        found: Arrays = {}
        for kind, data in _elements(content[HEADER:], order):
            if kind == COMPRESSED:
                kind, data = _inflated(path, data, order)  # noqa: PLW2901
            if kind == ARRAY:
                found |= _array(data, order, names)
        return {name: found[name] for name in names}


def _elements(content: memoryview, order: str) -> Iterator[tuple[int, memoryview]]:
    """Type and values of each element; a ValueError if the last one is not whole."""
    while len(content):
        kind, size = struct.unpack_from(f"{order}II", content)
        start = 8
        if kind >> 16:
            kind, size, start = kind & 0xFFFF, kind >> 16, 4
        if start + size > (len(content) if start == 8 else 8):
            raise ValueError("an element goes on after its end")
        yield kind, content[start : start + size]
        # Compressed ones are not filled up, and the last one need not be.
        content = content[start + (size if kind == COMPRESSED else size + -(start + size) % 8) :]


def _inflated(path: Path, data: memoryview, order: str) -> tuple[int, memoryview]:
    """Type and values of the one element that is compressed in another."""
    stream = zlib.decompressobj()
    kind, size = struct.unpack(f"{order}II", stream.decompress(data, 8))
    check_size(path, size)
    # Asking for a byte more reads the checksum too.
    values = stream.decompress(stream.unconsumed_tail, size + 1)
    if len(values) != size or not stream.eof:
        raise ValueError("its size is not what it announces")
    return kind, memoryview(values)


def _array(data: memoryview, order: str, names: Sequence[str]) -> Arrays:
    """The array of an element by its name; nothing if it is none of `names`."""
    elements = _elements(data, order)
    _, (_, sizes), (_, name) = islice(elements, 3)
    if (key := bytes(name).decode("ascii")) not in names:
        return {}
    kind, values = next(elements)
    shape = np.frombuffer(sizes, f"{order}i4").tolist()
    return {key: np.frombuffer(values, order + NUMBERS[kind]).reshape(shape, order="F")}
