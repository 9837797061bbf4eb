"""Reading and writing whole files, with errors that a user understands."""

import contextlib
import errno
import math
import os
import secrets
import stat
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from golden_model.spec.errors import SpecError

Arrays = dict[str, NDArray[np.generic]]
"""Arrays by their key in a file."""

MAX_BYTES = 2**31
"""Of all arrays of a file, uncompressed. Headers can announce anything, and memory is taken for it;
the largest set that is meant to be read, the extra images of SVHN, has 1.6e9."""

ENCRYPTED = 1
"""Bit of a zip member's flags."""

HEADERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}
"""Readers by version; (3, 0) is for names of fields, which plain arrays do not have."""


@contextlib.contextmanager
def reading(path: Path, otherwise: str, remedy: str) -> Iterator[None]:
    """Whatever goes wrong while a foreign file is read becomes one :class:`SpecError`.

    Readers of formats, and decompressors below them, promise no kinds of errors for damaged files.

    Parameters
    ----------
    otherwise
        The broken rule, where it is the file's content.
    remedy
        What to do then.
    """
    try:
        yield
    except SpecError:
        raise
    except Exception as error:
        match error:
            case OSError(strerror=str(words)):
                rule = f"it cannot be read ({words})"
            case MemoryError():
                rule = "there is not enough memory for it"
            case NotImplementedError():
                rule = "it is of a kind, or compressed in a way, that is not read here"
            case _:
                rule = otherwise
        raise SpecError(f"file {str(path)!r}", rule, remedy) from error


def check_size(path: Path, size: int) -> None:
    """Raise :class:`SpecError` if a file announces more bytes than are read."""
    if size > MAX_BYTES:
        rule = f"it announces {size} bytes, and at most {MAX_BYTES} are read"
        remedy = "Take a part of it, or fetch it once more if it should be smaller"
        raise SpecError(f"file {str(path)!r}", rule, remedy)


def check_regular(path: Path, remedy: str) -> None:
    """Raise :class:`SpecError` for a pipe or a device, which may never end."""
    if path.exists() and not (path.is_file() or path.is_dir()):
        raise SpecError(f"file {str(path)!r}", "it is no regular file", remedy)


def read_arrays(path: Path, remedy: str) -> Arrays:
    """All arrays of an .npz file; :class:`SpecError`, with that remedy, if it is none."""
    magic = np.lib.format.MAGIC_PREFIX
    check_regular(path, remedy)
    with reading(path, "it is not an .npz file of plain arrays", remedy), path.open("rb") as file:
        if file.read(len(magic)) == magic:
            rule = "it is a single .npy array, not an .npz file of several"
            raise SpecError(f"file {str(path)!r}", rule, remedy)
        return _arrays(path, file)


def read_array(path: Path, remedy: str) -> NDArray[np.generic]:
    """The array of an .npy file; :class:`SpecError`, with that remedy, if it is none."""
    check_regular(path, remedy)
    with reading(path, "it is not an .npy file of a plain array", remedy), path.open("rb") as file:
        check_size(path, path.stat().st_size)
        check_size(path, _announced(path, file))
        file.seek(0)
        return np.asarray(np.lib.format.read_array(file, allow_pickle=False))


def _arrays(path: Path, file: IO[bytes]) -> Arrays:
    arrays: Arrays = {}
    with zipfile.ZipFile(file) as archive:
        members = [info for info in archive.infolist() if info.filename.endswith(".npy")]
        if any(info.flag_bits & ENCRYPTED for info in members):
            raise SpecError(f"file {str(path)!r}", "it is encrypted", "Save it without a password")
        check_size(path, sum(info.file_size for info in members))
        announced = 0
        for info in members:
            with archive.open(info) as member:
                announced += _announced(path, member, info.filename)
        check_size(path, announced)
        for info in members:
            with archive.open(info) as member:
                array = np.lib.format.read_array(member, allow_pickle=False)
            arrays[info.filename.removesuffix(".npy")] = array
    return arrays


def _announced(path: Path, file: IO[bytes], member: str = "it") -> int:
    """How many bytes an array will have, by its header."""
    version = np.lib.format.read_magic(file)
    shape, _, dtype = HEADERS[version](file)
    if dtype.hasobject:
        rule = f"{member} holds Python objects, whose bytes could be any program"
        remedy = "Save names as y.astype(str), and numbers as x.astype(float)"
        raise SpecError(f"file {str(path)!r}", rule, remedy)
    return math.prod(shape) * int(dtype.itemsize)


def check_writable(path: Path, *read: str | Path | None) -> None:
    """Raise :class:`SpecError` if :func:`replace_file` could not write there; changes nothing.

    Better before an hour of work than after it. A disk may still fill up meanwhile.

    Parameters
    ----------
    read
        What the same command reads, and `path` must not be, lest a user's data are gone. Known
        sets and networks, whose names have no suffix, are no files.
    """
    for name in read:
        if name and Path(name).suffix and path.is_file() and _same(path, Path(name)):
            rule = "it is what is read, and would be lost"
            raise SpecError(f"file {str(path)!r}", rule, "Name another to write to")
    try:
        _destination(path)
    except OSError as error:
        raise _unwritable(path, error) from error


def replace_file(path: Path, content: bytes) -> None:
    """Write a file as a whole or not at all: a reader sees the old content or the new.

    A link stays one, and what it leads to is written; a file keeps its mode. What is no
    regular file, such as a pipe or a device, is written to as it stands.

    Raises
    ------
    SpecError
        If it cannot be written; an old file is as it was then.
    """
    try:
        destination = _destination(path)
        if destination.exists() and not destination.is_file():
            _write_through(destination, content)
        else:
            _replace(destination, content)
    except OSError as error:
        raise _unwritable(path, error) from error


def _destination(path: Path) -> Path:
    """Where `path` leads to; an :class:`OSError` if that cannot be written."""
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        mode = None
    if mode is not None and not stat.S_ISREG(mode):
        if stat.S_ISDIR(mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        # As it stands: a pipe of the shell's, /dev/fd/63, leads to no other name.
        _allowed(path, os.W_OK)
        return path
    if path.is_symlink():
        path = Path(os.path.realpath(path))
    if not stat.S_ISDIR(path.parent.stat().st_mode):
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(path.parent))
    _allowed(path.parent, os.W_OK | os.X_OK)
    if mode is not None:
        # What is read-only is meant to stay, though its directory would let it be replaced.
        _allowed(path, os.W_OK)
    return path


def _same(path: Path, other: Path) -> bool:
    return other.exists() and path.samefile(other)


def _allowed(path: Path, access: int) -> None:
    if not os.access(path, access):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))


def _write_through(path: Path, content: bytes) -> None:
    # Without blocking, a pipe that nobody reads is an error instead of a wait without end.
    with open(os.open(path, os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY), "wb") as file:
        os.set_blocking(file.fileno(), True)
        file.write(content)


def _replace(path: Path, content: bytes) -> None:
    # A name of its own, so that two programs do not write into each other's.
    partial = path.with_name(f".loam-{secrets.token_hex(8)}.partial")
    try:
        with partial.open("xb") as file:
            if path.exists():
                partial.chmod(stat.S_IMODE(path.stat().st_mode))
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def _unwritable(path: Path, error: OSError) -> SpecError:
    value, rule = f"file {str(path)!r}", f"it cannot be written ({error.strerror})"
    remedy = "Name a file in an existing directory that you may write to"
    if isinstance(error, IsADirectoryError):
        rule, remedy = "it is a directory", "Name a file in it"
    elif isinstance(error, FileNotFoundError | NotADirectoryError):
        rule = f"there is no directory {str(error.filename)!r}"
        remedy = "Make the directory first"
    elif error.errno == errno.ENXIO:
        rule, remedy = "it is a pipe that nobody reads", "Start its reader first"
    return SpecError(value, rule, remedy)
