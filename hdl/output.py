"""The folder that builds write to: they touch nothing there but what builds have written."""

import fcntl
import json
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from golden_model.spec.errors import SpecError
from hdl.toolchain import LOG

FAILED = "failed"
"""Folder for what an unsuccessful build leaves, inside the folder of the successful one."""
MANIFEST = "manifest.json"
"""Names what builds have written to the folder."""
_PARTIAL = ".partial-"
"""Begins the name of the folder in which a build works; one that was killed leaves it behind."""
_KEY = "written by hdl.build"


@contextmanager
def usable(folder: Path, remedy: str) -> Iterator[None]:
    """What the system refuses in the block, in `folder`, is a :class:`SpecError`."""
    try:
        yield
    except OSError as error:
        named = "" if error.filename in (None, str(folder)) else f": {error.filename}"
        rule = f"it cannot be used ({error.strerror or error}{named})"
        raise SpecError(f"folder {str(folder)!r}", rule, remedy) from error


@contextmanager
def claimed(out: Path) -> Iterator[None]:
    """Make `out`, if need be, and keep other builds away from it; what :func:`staging` needs.

    Raises
    ------
    SpecError
        If nothing can be written there, if another build is at work there, or if there are files
        and no manifest that a build has written: then all of them are the user's.
    """
    with usable(out, "Name another by --out"):
        out.mkdir(parents=True, exist_ok=True)
        # The folder itself is locked: so nothing is written to one that is not ours. The system
        # lets go of it when this process ends, in whatever way.
        folder = os.open(out, os.O_RDONLY)
        try:
            _lock(folder, out)
            _check_ours(out)
            for left_over in out.glob(f"{_PARTIAL}*"):
                shutil.rmtree(left_over, ignore_errors=True)
            yield
        finally:
            os.close(folder)


def _lock(folder: int, out: Path) -> None:
    try:
        fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        rule = "another build is writing there"
        remedy = "Wait until it is done, or name another by --out"
        raise SpecError(f"folder {str(out)!r}", rule, remedy) from error


def _check_ours(out: Path) -> None:
    names = [path.name for path in out.iterdir() if not path.name.startswith(_PARTIAL)]
    if names and MANIFEST not in names:
        rule = f"it is not empty, and no {MANIFEST} tells which of its files are of a build"
        raise SpecError(f"folder {str(out)!r}", rule, "Remove it, or name another by --out")
    _check_free(out, [FAILED])


@contextmanager
def staging(out: Path) -> Iterator[Path]:
    """A folder to build in; `out` gets its files if the block ends well, else ``out/failed`` does.

    So a build that fails leaves the last good bitstream, and its own log, behind. Other files in
    `out`, which must be :func:`claimed`, stay; :class:`SpecError` if one of them is in the way.
    """
    folder = Path(tempfile.mkdtemp(prefix=_PARTIAL, dir=out))
    try:
        shutil.rmtree(out / FAILED, ignore_errors=True)
        yield folder
        _move(folder, out)
    except Exception as error:
        with (folder / LOG).open("a", encoding="utf-8") as log:
            log.write(f"\n{error}\n")
        _list(folder, out, {*_written(out), FAILED})
        folder.rename(out / FAILED)
        raise
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _move(folder: Path, out: Path) -> None:
    """Put what is in `folder` in the place of what an earlier build has written."""
    names, old = {path.name for path in folder.iterdir()}, _written(out)
    _check_free(out, names)
    # Whenever this is interrupted, the manifest lists what is there.
    _list(folder, out, names | old)
    for name in sorted(names):
        (folder / name).replace(out / name)
    for name in old - names:
        (out / name).unlink(missing_ok=True)
    _list(folder, out, names)


def _check_free(out: Path, names: Iterable[str]) -> None:
    """No file of the user's has one of these names."""
    written = _written(out)
    for name in sorted(names):
        if name not in written and os.path.lexists(out / name):
            rule = "a build would replace it, and no build has written it"
            remedy = "Move it away, or name another folder by --out"
            raise SpecError(f"file {str(out / name)!r}", rule, remedy)


def _written(out: Path) -> set[str]:
    """What the manifest names; nothing where there is none."""
    file = out / MANIFEST
    if not file.exists():
        return set()
    try:
        names = json.loads(file.read_text(encoding="utf-8"))[_KEY]
        # What is named is removed: a path would lead elsewhere.
        if any(Path(name).name != name for name in names):
            raise ValueError
    except (ValueError, TypeError, KeyError) as error:
        rule = "it is not what a build writes"
        remedy = "Remove the folder, or name another by --out"
        raise SpecError(f"file {str(file)!r}", rule, remedy) from error
    return set(names)


def _list(folder: Path, out: Path, names: Iterable[str]) -> None:
    """Replace the manifest at once, by way of `folder`."""
    draft = folder / MANIFEST
    draft.write_text(json.dumps({_KEY: sorted(names)}, indent=2) + "\n", encoding="utf-8")
    draft.replace(out / MANIFEST)
