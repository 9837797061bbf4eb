"""Files of labelled samples: NumPy's .npz, the idx files that MNIST came in, SVHN's .mat.

An idx file: two zero bytes, the type (0x08 is unsigned 8-bit), the number of dimensions, each
dimension as a big-endian 32-bit integer, then the values.

An .mat file of SVHN, cropped digits (Netzer et al., 2011): ``X`` of shape ``[32, 32, 3, n]``, and
``y``, ``[n, 1]``, in which 10 stands for the digit 0.
"""

import gzip
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from golden_model.files import Arrays, read_arrays
from golden_model.spec.errors import SpecError

KEYS = ("x_train", "y_train", "x_test", "y_test")
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


def read_npz(path: Path) -> Arrays:
    """The four arrays of an .npz file; :class:`SpecError` if it is none or lacks one."""
    arrays = read_arrays(path, "Name a file that numpy.savez wrote")
    missing = [key for key in KEYS if key not in arrays]
    if missing:
        rule = f"an .npz data set holds {', '.join(KEYS)}"
        remedy = f"Save it with numpy.savez(file, {missing[0]}=..., ...)"
        raise SpecError(f"{path} has no {', '.join(missing)}", rule, remedy)
    return {key: arrays[key] for key in KEYS}


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
    try:
        content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    except (OSError, EOFError, zlib.error) as error:
        rule = f"it cannot be read ({error})"
        raise SpecError(f"data file {str(path)!r}", rule, "Fetch it once more") from error
    dimensions = content[3] if len(content) > 3 else 0
    start = 4 + 4 * dimensions
    shape = np.frombuffer(content[4:start], ">u4") if len(content) >= start else np.zeros(0, int)
    whole = content[:3] == bytes((0, 0, IDX_UINT8)) and len(shape) == dimensions > 0
    if not whole or len(content) - start != np.prod(shape, dtype=np.int64):
        rule = "it is not a whole idx file of unsigned 8-bit values"
        raise SpecError(f"data file {str(path)!r}", rule, "Fetch it once more")
    return np.frombuffer(content, np.uint8, offset=start).reshape([int(n) for n in shape])


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
    # Imported here because it takes half a second.
    from scipy.io import loadmat, matlab  # type: ignore[import-untyped]  # noqa: PLC0415

    try:
        content = loadmat(path)
        images, labels = content["X"], content["y"].ravel()
    except (OSError, ValueError, KeyError, NotImplementedError, matlab.MatReadError) as error:
        rule = f"it is no .mat file with X and y ({error})"
        raise SpecError(f"data file {str(path)!r}", rule, "Fetch it once more") from error
    fits = images.dtype == np.uint8 and images.shape == (*SVHN_IMAGE, len(labels))
    if not fits or not np.isin(labels, range(1, SVHN_ZERO + 1)).all():
        value = f"data file {str(path)!r}: X is {images.dtype} of shape {images.shape}"
        rule = "X is uint8 of shape (32, 32, 3, n), and y has n labels of 1 to 10"
        raise SpecError(value, rule, "Take the files of cropped digits")
    samples = np.ascontiguousarray(images.transpose(3, 0, 1, 2))
    return samples, (labels % SVHN_ZERO).astype(np.uint8)
