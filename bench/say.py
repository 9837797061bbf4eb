"""Where a part of the benchmark says how far it is."""

from collections.abc import Callable
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)

Say = Callable[[str], None]
"""Takes a line about what is happening now."""


class Meanwhile:
    """A line about what is happening now, and bars for what is counted in samples.

    Where nobody watches it prints lines instead, and one for every tenth of a bar.

    Parameters
    ----------
    samples
        Of the epoch, or None for all of them.
    """

    def __init__(self, console: Console, part: str, samples: int | None = None) -> None:
        self._console, self._part, self.samples = console, part, samples
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._line = self._progress.add_task(part, total=None)
        self._bars: dict[str, tuple[TaskID, int]] = {}

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._progress.stop()

    def __call__(self, text: str) -> None:
        """Now this is happening."""
        self._progress.update(self._line, description=f"{self._part}: {text}")
        self._print(text)

    def advance(self, name: str, done: int, total: int) -> None:
        """So many samples more of so many, of the bar of that name."""
        if name not in self._bars:
            self._bars[name] = self._progress.add_task(name, total=total), 0
        task, before = self._bars[name]
        self._bars[name] = task, before + done
        self._progress.update(task, advance=done)
        if 10 * (before + done) // total > 10 * before // total:
            self._print(f"{name}: {before + done} of {total}")

    def _print(self, text: str) -> None:
        if not self._console.is_terminal:
            self._console.print(f"{self._part}: {text}", soft_wrap=True)
