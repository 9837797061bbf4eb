"""Files of data from elsewhere: damaged, of another kind, or announcing more than there is.

All of them are made here from bytes that harm nobody: sizes stand in headers only.
"""

import gzip
import io
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat

from golden_model.data.array_files import read_idx, read_npz
from golden_model.data.mat_file import read_mat
from golden_model.files import MAX_BYTES, read_arrays
from golden_model.spec.errors import SpecError

ARRAYS = {
    "x_train": np.arange(200, dtype=np.uint8).reshape(10, 20),
    "y_train": np.arange(10),
    "x_test": np.arange(40, dtype=np.uint8).reshape(2, 20),
    "y_test": np.arange(2),
}
NO_NPZ = r"it is not an \.npz file of plain arrays"
TOO_LARGE = rf"it announces \d+ bytes, and at most {MAX_BYTES} are read"


def npy(array: np.ndarray) -> bytes:
    content = io.BytesIO()
    np.save(content, array)
    return content.getvalue()


def npz(compression: int = zipfile.ZIP_STORED, **changed: bytes) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", compression) as archive:
        for key, array in ARRAYS.items():
            archive.writestr(f"{key}.npy", changed.get(key) or npy(array))
    return content.getvalue()


def header(descr: str, shape: str, version: int = 1) -> bytes:
    """Of an .npy file, and no values."""
    text = f"{{'descr': {descr!r}, 'fortran_order': False, 'shape': {shape}, }}\n".encode()
    length = struct.pack("<H" if version == 1 else "<I", len(text))
    return b"\x93NUMPY" + bytes((version, 0)) + length + text


def patched(content: bytes, field: int, value: bytes) -> bytes:
    """With another value in a field, by its place there, of all headers of a zip file's directory,
    and in the same field of those before the members, which begin 2 bytes later."""
    changed = bytearray(content)
    for signature, at in ((b"PK\x01\x02", field), (b"PK\x03\x04", field - 2)):
        start = changed.find(signature)
        while start >= 0:
            changed[start + at : start + at + len(value)] = value
            start = changed.find(signature, start + 4)
    return bytes(changed)


def damaged(content: bytes) -> bytes:
    """With the first member's compressed bytes turned round, far behind its header."""
    changed = bytearray(content)
    for at in range(50, 110):
        changed[at] ^= 0xFF
    return bytes(changed)


FLAGS, METHOD, SIZE = 8, 10, 24
NPZ = {
    "a single array": (npy(ARRAYS["x_train"]), r"a single \.npy array, not an \.npz file"),
    "encrypted": (patched(npz(), FLAGS, b"\x01\x00"), "it is encrypted"),
    "deflate64": (patched(npz(), METHOD, b"\x09\x00"), "compressed in a way, that is not read"),
    "damaged": (damaged(npz(zipfile.ZIP_DEFLATED)), NO_NPZ),
    "damaged LZMA": (damaged(npz(zipfile.ZIP_LZMA)), NO_NPZ),
    "damaged bzip2": (damaged(npz(zipfile.ZIP_BZIP2)), NO_NPZ),
    "cut": (npz()[:-30], NO_NPZ),
    "a wrong checksum": (npz().replace(bytes(range(100)), bytes(100), 1), NO_NPZ),
    "members of 16 GiB": (patched(npz(), SIZE, b"\xff\xff\xff\xfe"), TOO_LARGE),
    "terabytes": (npz(x_train=header("|u1", "(10, 1099511627776)")), TOO_LARGE),
    "a product that wraps": (npz(x_train=header("|u1", f"({2**32}, {2**32})")), TOO_LARGE),
    "long values": (npz(x_train=header("|V2147483000", "(3,)")), TOO_LARGE),
    "two arrays": (
        npz(x_train=header("|u1", f"({2**30},)"), x_test=header("|u1", f"({2**30 + 1},)")),
        TOO_LARGE,
    ),
    "fewer values": (npz(x_train=header("|u1", "(5,)")), NO_NPZ),
    "less than nothing": (npz(x_train=header("|u1", "(-5,)")), NO_NPZ),
    "65 dimensions": (npz(x_train=header("|u1", f"({'1, ' * 65})") + b"\0"), NO_NPZ),
    "a long header": (npz(x_train=b"\x93NUMPY\x02\x00\xff\xff\xff\xff{}"), NO_NPZ),
    "version 9": (npz(x_train=b"\x93NUMPY\x09\x00\x02\x00{}"), NO_NPZ),
    "no array": (npz(x_train=b"text"), NO_NPZ),
    "objects": (npz(x_train=npy(np.array([1, "a"], object))), r"x_train\.npy holds Python objects"),
    "brackets": (npz(x_train=header("|u1", "(" * 3000)), NO_NPZ),
    "no type": (npz(x_train=header("wrong", "(5,)")), NO_NPZ),
}


@pytest.mark.parametrize("what", NPZ)
def test_npz_files(what: str, tmp_path: Path) -> None:
    content, message = NPZ[what]
    (tmp_path / "own.npz").write_bytes(content)
    with pytest.raises(SpecError, match=message) as caught:
        read_npz(tmp_path / "own.npz")
    assert caught.value.value == f"file {str(tmp_path / 'own.npz')!r}"


@pytest.mark.parametrize(
    "method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA]
)
def test_npz_files_that_are_sound(method: int, tmp_path: Path) -> None:
    (tmp_path / "own.npz").write_bytes(npz(method))
    found = read_npz(tmp_path / "own.npz")
    assert {key: array.tolist() for key, array in found.items()} == {
        key: array.tolist() for key, array in ARRAYS.items()
    }


def test_arrays_in_any_order_of_memory(tmp_path: Path) -> None:
    turned = np.arange(12).reshape(3, 4).T
    np.savez_compressed(tmp_path / "own.npz", turned=turned, number=5, nothing=np.zeros((0, 3)))
    found = read_arrays(tmp_path / "own.npz", "")
    assert found["turned"].tolist() == turned.tolist()
    assert (found["number"].shape, int(found["number"])) == ((), 5)
    assert found["nothing"].shape == (0, 3)


def idx(*shape: int, values: bytes = b"", kind: int = 8, count: int | None = None) -> bytes:
    head = struct.pack(">HBB", 0, kind, len(shape) if count is None else count)
    return head + struct.pack(f">{len(shape)}I", *shape) + values


NO_IDX = "it is not a whole idx file of unsigned 8-bit values"
IDX = {
    "65 dimensions": (idx(*[1] * 65, values=b"a"), NO_IDX),
    "255 dimensions, cut": (idx(1, count=255, values=b"a"), NO_IDX),
    "a product that wraps": (idx(2**16, 2**16, 2**16, 2**16), TOO_LARGE),
    "a product that wraps to 4": (idx(2**31 + 1, 2**31 + 1, 4, values=b"abcd"), TOO_LARGE),
    "terabytes": (idx(2**20, 2**20), TOO_LARGE),
    "no dimensions": (idx(values=b"a"), NO_IDX),
    "16 bits": (idx(1, kind=11, values=b"ab"), NO_IDX),
    "a value less": (idx(2, 2, values=b"abc"), NO_IDX),
    "a value more": (idx(2, 2, values=b"abcde"), NO_IDX),
    "empty": (b"", NO_IDX),
}


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
@pytest.mark.parametrize("what", IDX)
def test_idx_files(what: str, pack: Callable[[bytes], bytes], tmp_path: Path) -> None:
    content, message = IDX[what]
    file = tmp_path / ("images.gz" if pack is gzip.compress else "images")
    file.write_bytes(pack(content))
    with pytest.raises(SpecError, match=message):
        read_idx(file)


def test_idx_files_that_are_sound(tmp_path: Path) -> None:
    (tmp_path / "images").write_bytes(idx(2, 1, 3, values=b"abcdef"))
    (tmp_path / "images.gz").write_bytes(gzip.compress(idx(2, values=b"ab")))
    assert read_idx(tmp_path / "images").tolist() == [[[97, 98, 99]], [[100, 101, 102]]]
    assert read_idx(tmp_path / "images.gz").tolist() == [97, 98]
    for broken in (b"text", gzip.compress(idx(2, values=b"ab"))[:-6] + b"123456"):
        (tmp_path / "images.gz").write_bytes(broken)
        with pytest.raises(SpecError, match=NO_IDX):
            read_idx(tmp_path / "images.gz")


IMAGES = np.random.default_rng(1).integers(0, 4, (2, 3, 3, 2)).astype(np.uint8)


def mat(*, compressed: bool) -> bytes:
    content = io.BytesIO()
    labels = np.array([[3], [10]])
    other = {"text": "abc", "cell": np.array([1, "a"], object)}
    savemat(content, {**other, "X": IMAGES, "y": labels}, do_compression=compressed)
    return content.getvalue()


@pytest.mark.parametrize("compressed", [False, True])
def test_mat_files_that_are_sound(compressed: bool, tmp_path: Path) -> None:
    (tmp_path / "a.mat").write_bytes(mat(compressed=compressed))
    found = read_mat(tmp_path / "a.mat", ("X", "y"), "")
    assert list(found) == ["X", "y"]
    assert np.array_equal(found["X"], IMAGES)
    assert found["X"].dtype == np.uint8
    assert found["y"].tolist() == [[3], [10]]


@pytest.mark.parametrize("compressed", [False, True])
def test_mat_files_that_end_anywhere(compressed: bool, tmp_path: Path) -> None:
    """Nothing but one kind of error, wherever the file is cut."""
    sound, refused = mat(compressed=compressed), 0
    for length in range(len(sound)):
        (tmp_path / "a.mat").write_bytes(sound[:length])
        try:
            read_mat(tmp_path / "a.mat", ("X", "y"), "")
        except SpecError:
            refused += 1
    # What only fills up the last element need not be there.
    assert refused >= len(sound) - 8


def element(kind: int, content: bytes) -> bytes:
    return struct.pack("<II", kind, len(content)) + content


ONE_ARRAY = element(
    14,
    element(6, struct.pack("<II", 9, 0))
    + element(5, struct.pack("<II", 1, 1))
    + struct.pack("<HH4s", 1, 1, b"Z")
    + struct.pack("<HH4s", 2, 1, b"\x07"),
)
MAT_HEADER = bytes(124) + b"\x00\x01IM"
NO_MAT = r"it is no whole \.mat file of version 5 with X and y"
MAT = {
    "nothing": (b"", NO_MAT),
    "another version": (bytes(124) + b"\x00\x02IM", NO_MAT),
    "cut": (mat(compressed=False)[:-9], NO_MAT),
    "no X": (mat(compressed=False).replace(b"X", b"Z", 1), NO_MAT),
    "no deflate": (MAT_HEADER + element(15, b"text"), NO_MAT),
    "a wrong checksum": (
        MAT_HEADER
        + element(15, zlib.compress(ONE_ARRAY)[:-1] + b"?")
        + mat(compressed=False)[128:],
        NO_MAT,
    ),
    "cut before the checksum": (
        MAT_HEADER + element(15, zlib.compress(ONE_ARRAY)[:-4]) + mat(compressed=False)[128:],
        NO_MAT,
    ),
    "terabytes": (
        MAT_HEADER + element(15, zlib.compress(struct.pack("<II", 14, 2**32 - 1))),
        TOO_LARGE,
    ),
}


def test_a_mat_file_by_hand(tmp_path: Path) -> None:
    for content in (ONE_ARRAY, element(15, zlib.compress(ONE_ARRAY))):
        (tmp_path / "a.mat").write_bytes(MAT_HEADER + content)
        assert read_mat(tmp_path / "a.mat", ["Z"], "")["Z"].tolist() == [[7]]


@pytest.mark.parametrize("what", MAT)
def test_mat_files(what: str, tmp_path: Path) -> None:
    content, message = MAT[what]
    (tmp_path / "a.mat").write_bytes(content)
    with pytest.raises(SpecError, match=message):
        read_mat(tmp_path / "a.mat", ("X", "y"), "")


def test_a_mat_file_that_is_too_large_is_not_even_opened(tmp_path: Path) -> None:
    with (tmp_path / "a.mat").open("wb") as file:
        file.truncate(MAX_BYTES + 1)  # takes no room on the disk
    with pytest.raises(SpecError, match=TOO_LARGE):
        read_mat(tmp_path / "a.mat", ("X", "y"), "")


@pytest.mark.parametrize("read", [read_npz, read_idx])
def test_what_the_system_says_is_told_in_words(
    read: Callable[[Path], object], tmp_path: Path
) -> None:
    with pytest.raises(SpecError, match=r"it cannot be read \(Is a directory\)\. "):
        read(tmp_path)
