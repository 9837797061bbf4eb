"""Files of labelled samples: NumPy's .npz, the idx files that MNIST came in, SVHN's .mat.

An idx file: two zero bytes, the type (0x08 is unsigned 8-bit), the number of dimensions, each
dimension as a big-endian 32-bit integer, then the values.

An .mat file of SVHN, cropped digits (Netzer et al., 2011): ``X`` of shape ``[32, 32, 3, n]``, and
``y``, ``[n, 1]``, in which 10 stands for the digit 0.
"""

import gzip
import math
import struct
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from golden_model.data.mat_file import read_mat
from golden_model.files import Arrays, check_size, read_arrays, reading
from golden_model.spec.errors import SpecError

KEYS = ("x_train", "y_train", "x_test", "y_test")
WHOLE = ("x", "y")
"""Of a set that is not split."""
IDX_FILES = {
    "x_train": "train-images-idx3-ubyte",
    "y_train": "train-labels-idx1-ubyte",
    "x_test": "t10k-images-idx3-ubyte",
    "y_test": "t10k-labels-idx1-ubyte",
}
IDX_UINT8 = 8
SVHN_FILES = {"train": "train_32x32.mat", "test": "test_32x32.mat"}
SVHN_IMAGE = (32, 32, 3)
SVHN_ZERO = 10
FETCH = "Fetch it once more"


def read_npz(path: Path) -> Arrays:
    """The four arrays of an .npz file, or its ``x`` and ``y``.

    Raises
    ------
    SpecError
        If it is none, or lacks one.
    """
    arrays = read_arrays(path, "Name a file that numpy.savez wrote")
    missing = [key for key in KEYS if key not in arrays]
    if not missing:
        return {key: arrays[key] for key in KEYS}
    if all(key in arrays for key in WHOLE):
        return {key: arrays[key] for key in WHOLE}
    if not any(key in arrays for key in KEYS) and any(key in arrays for key in WHOLE):
        missing = [key for key in WHOLE if key not in arrays]
    rule = f"an .npz data set holds {', '.join(KEYS)}, or {' and '.join(WHOLE)}"
    remedy = f"Save it with numpy.savez(file, {missing[0]}=..., ...)"
    raise SpecError(f"{path} has no {', '.join(missing)}", rule, remedy)


def read_idx_folder(folder: Path) -> Arrays | None:
    """The four idx files of `folder`, plain or .gz, or None if it does not hold them all."""
    arrays: Arrays = {}
    for key, name in IDX_FILES.items():
        found = [folder / n for n in (name, f"{name}.gz") if (folder / n).is_file()]
        if not found:
            return None
        arrays[key] = read_idx(found[0])
    return arrays


def read_idx(path: Path) -> NDArray[np.uint8]:
    """The array of one idx file of unsigned 8-bit values; :class:`SpecError` if it is none."""
    rule = "it is not a whole idx file of unsigned 8-bit values"
    zipped = path.suffix == ".gz"
    with reading(path, rule, FETCH), gzip.open(path) if zipped else path.open("rb") as file:
        zeros, kind, dimensions = struct.unpack(">HBB", file.read(4))
        shape = struct.unpack(f">{dimensions}I", file.read(4 * dimensions))
        size = math.prod(shape)
        check_size(path, size)
        content = file.read(size + 1)
        if (zeros, kind) != (0, IDX_UINT8) or not shape or len(content) != size:
            raise SpecError(f"file {str(path)!r}", rule, FETCH)
        return np.frombuffer(content, np.uint8).reshape(shape)


def read_svhn_folder(folder: Path) -> Arrays | None:
    """SVHN's two .mat files, or None if `folder` does not hold both.

    Raises
    ------
    SpecError
        If one of them cannot be read, or is of something else.
    """
    arrays: Arrays = {}
    for part, name in SVHN_FILES.items():
        if not (folder / name).is_file():
            return None
        arrays[f"x_{part}"], arrays[f"y_{part}"] = _read_svhn(folder / name)
    return arrays


def _read_svhn(path: Path) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    images, labels = read_mat(path, ("X", "y"), FETCH).values()
    fits = images.dtype == np.uint8 and images.shape == (*SVHN_IMAGE, labels.size)
    if not fits or not np.isin(labels, range(1, SVHN_ZERO + 1)).all():
        value = f"file {str(path)!r}: X is {images.dtype} of shape {images.shape}"
        rule = "X is uint8 of shape (32, 32, 3, n), and y has n labels of 1 to 10"
        raise SpecError(value, rule, "Take the files of cropped digits")
    samples = np.ascontiguousarray(images.transpose(3, 0, 1, 2), np.uint8)
    return samples, (labels.ravel() % SVHN_ZERO).astype(np.uint8)
