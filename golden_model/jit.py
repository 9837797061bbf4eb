"""Compiling loops with numba, and keeping them on disk.

numba takes what it has kept until the file of the outermost function changes: it would go on with
old loops when a constant from another file did. Here the names of kept files carry a hash of all
sources that loops read.
"""

import functools
import hashlib
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

import click
import numpy as np
from numba import njit
from numba.core.caching import FunctionCache, NullCache

Function = TypeVar("Function", bound=Callable[..., Any])

READ = ("loops.py", "layers.py", "draws.py", "rule.py", "jit.py", "spec/*.py")
"""All that `loops.py` imports, and what that imports."""
COMPILING = "Compiling the golden model's loops, which takes some 10 s"


def compiled(function: Function) -> Function:
    """Decorator: compile when called, unless a call in another process has done so.

    Where nothing can be kept, every process compiles.
    """
    dispatcher = njit(function)
    if dispatcher is not function:  # as it is where the user has disabled numba
        # No public way leads to a cache of one's own; `njit(cache=True)` sets the same attribute.
        try:
            dispatcher._cache = _Cache(function)
        except RuntimeError:  # numba finds no folder to write to
            dispatcher._cache = _NoCache()
    return dispatcher  # type: ignore[no-any-return]


@functools.cache
def _hash_of_sources() -> str:
    folder = Path(__file__).parent
    digest = hashlib.sha256(np.__version__.encode())
    for path in sorted(path for pattern in READ for path in folder.glob(pattern)):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


class _Files(FunctionCache._impl_class):  # type: ignore[misc]
    def get_filename_base(self, fullname: str, abiflags: str) -> str:
        return f"{super().get_filename_base(fullname, abiflags)}.{_hash_of_sources()}"


class _Cache(FunctionCache):  # type: ignore[misc]
    """What cannot be read is compiled anew, what cannot be written is not kept."""

    _impl_class = _Files

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        found = None
        try:
            found = super().load_overload(sig, target_context)
        except Exception:  # of a damaged file pickle raises anything
            with suppress(OSError):
                self.flush()
        if found is None:
            _say(f"{COMPILING}; they are kept in {self.cache_path}.")
        return found

    def save_overload(self, sig: Any, data: Any) -> None:
        with suppress(OSError):
            _discard_others(Path(self.cache_path))
            super().save_overload(sig, data)


class _NoCache(NullCache):  # type: ignore[misc]
    def load_overload(self, sig: Any, target_context: Any) -> None:
        _say(
            f"{COMPILING} in every run, since no folder to keep them in can be written. "
            "Set NUMBA_CACHE_DIR to one that can."
        )


@functools.cache
def _discard_others(folder: Path) -> None:
    """Remove what was kept of other sources."""
    for path in folder.glob("loops.*.nb[ic]*"):
        if _hash_of_sources() not in path.name:
            path.unlink(missing_ok=True)


@functools.cache
def _say(text: str) -> None:
    """Once: several loops are compiled one after the other."""
    click.echo(text, err=True)
