"""Reading and writing whole files, with errors that a user understands."""

import io
import os
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


def replace_file(path: Path, content: bytes) -> None:
    """Write a file as a whole or not at all: a reader sees the old content or the new."""
    partial = path.with_name(f".{path.name}.partial")
    try:
        partial.write_bytes(content)
        os.replace(partial, path)
    except OSError as error:
        partial.unlink(missing_ok=True)
        rule = f"it cannot be written ({error.strerror})"
        remedy = "Name a file in an existing directory that you may write to"
        raise SpecError(f"file {str(path)!r}", rule, remedy) from error
