"""What all command lines have in common."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from golden_model.spec.errors import SpecError

SETTINGS = {"help_option_names": ["-h", "--help"]}
"""Click's context settings of every command."""
FILE = click.Path(dir_okay=False, path_type=Path)
FOLDER = click.Path(file_okay=False, path_type=Path)
DATA_HELP = "A known data set (digits, mnist, random, ...) or a .npz, .npy or .csv file."
SEED = click.IntRange(0, 2**32 - 1)
LABEL = click.option("--label", help="Column of labels of a .csv file, if it is not the last one.")


@contextmanager
def needing(extra: str, what: str) -> Iterator[None]:
    """Where an import in the block finds no package, say which extra brings it.

    Parameters
    ----------
    extra
        Of ``pyproject.toml``: ``test``, ``experiments``.
    what
        Was asked for and needs it, for example ``--engine verilator``.

    Raises
    ------
    SpecError
        Instead of ``ModuleNotFoundError``.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        rule = f"it needs {error.name}, which is not installed"
        raise SpecError(what, rule, f"Run: pip install -e '.[{extra}]'") from error
