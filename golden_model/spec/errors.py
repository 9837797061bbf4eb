"""The one error that a user's own input can cause."""

import difflib
from collections.abc import Iterable


class SpecError(ValueError):
    """Something a user wrote cannot be built or trained.

    Parameters
    ----------
    value
        What was found, with its place, for example ``layers[0].units = 0``.
    rule
        What must hold instead.
    remedy
        What to write or do.
    """

    def __init__(self, value: str, rule: str, remedy: str) -> None:
        self.value, self.rule, self.remedy = value, rule, remedy
        end = "" if remedy.endswith("?") else "."
        super().__init__(f"{value}: {rule}. {remedy}{end}")


def nearest(word: str, known: Iterable[str]) -> str:
    """Remedy for an unknown name: the nearest known one, or all of them."""
    names = sorted(known)
    close = difflib.get_close_matches(word, names, n=1)
    return f"Did you mean {close[0]!r}?" if close else f"Known are: {', '.join(names)}"
