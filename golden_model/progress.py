"""The progress bar of every command that takes long."""

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn


def progress_bar() -> Progress:
    """A bar with its share done and the time left, to be entered as a context.

    Print through its `console`, so that text stands above the bar. On something that is not a
    terminal the bar would only be a stray last line: there it is left out.
    """
    console = Console(highlight=False, soft_wrap=True)
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:.0f} %"),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )
