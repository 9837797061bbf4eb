"""Where a part of the benchmark says how far it is."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

Say = Callable[[str], None]
"""Takes a line about what is happening now."""


def progress(console: Console) -> Progress:
    """Bars for work that counts samples; nothing where nobody watches."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )


@contextmanager
def saying(console: Console, part: str) -> Iterator[Say]:
    """A line that follows what is said, or lines where nobody watches."""
    if not console.is_terminal:
        yield lambda text: console.print(f"{part}: {text}", soft_wrap=True)
        return
    with console.status(part) as status:
        yield lambda text: status.update(f"{part}: {text}")
