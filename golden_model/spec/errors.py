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


def check_names(place: str, names: object, *, count: int, what: str, rule: str) -> tuple[str, ...]:
    """`names` as a tuple of `count` different ones, or of none.

    Raises
    ------
    SpecError
        Naming `place`, or `what` they are, unless they are such a list; `rule` says why there are
        so many.
    """
    if not isinstance(names, list | tuple) or not all(isinstance(name, str) for name in names):
        value = f"{place} = {names!r}"
        raise SpecError(value, "it is a list of names in quotes", 'Write for example ["a", "b"]')
    if names and (len(names) != count or len(set(names)) != count):
        value = f"{len(names)} {what}, {len(set(names))} of them different"
        raise SpecError(value, rule, "Name each once, or leave them out")
    return tuple(names)


def nearest(word: str, known: Iterable[str]) -> str:
    """Remedy for an unknown name: the nearest known one, or all of them."""
    names = sorted(known)
    close = difflib.get_close_matches(word, names, n=1)
    return f"Did you mean {close[0]!r}?" if close else f"Known are: {', '.join(names)}"
