"""Reading and writing whole files, with errors that a user understands."""

import errno
import io
import os
import secrets
import stat
import zipfile
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from golden_model.spec.errors import SpecError

Arrays = dict[str, NDArray[np.generic]]
"""Arrays by their key in a file."""


def read_arrays(path: Path, remedy: str) -> Arrays:
    """All arrays of an .npz file; :class:`SpecError`, with that remedy, if it is none."""
    try:
        # From memory, so that NumPy leaves no file open where it fails.
        with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as file:
            return {key: file[key] for key in file.files}
    except OSError as error:
        rule = f"it cannot be read ({error.strerror or error})"
        raise SpecError(f"file {str(path)!r}", rule, remedy) from error
    except (ValueError, AttributeError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        rule = "it is not an .npz file of plain arrays"
        raise SpecError(f"file {str(path)!r}", rule, remedy) from error


def check_writable(path: Path) -> None:
    """Raise :class:`SpecError` if :func:`replace_file` could not write there; changes nothing.

    Better before an hour of work than after it. A disk may still fill up meanwhile.
    """
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
