"""What the benchmark finds: figures beside limits and goals, and what could not be measured."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One number.

    Members
    -------
    case
        What was measured, such as ``mnist on icebreaker``.
    what, unit, value
        Which number of it, in what.
    limit
        What no design of this kind can pass, or None.
    goal
        What was aimed for, or None.
    fewer_is_better
        Of cycles, words and cells; not of samples per second.
    note
        Under which conditions, where that needs a word.
    """

    case: str
    what: str
    unit: str
    value: float
    limit: float | None = None
    goal: float | None = None
    fewer_is_better: bool = False
    note: str = ""

    @property
    def share(self) -> float | None:
        """Share of the limit that was reached, 1 at best."""
        if self.limit is None:
            return None
        if self.fewer_is_better:
            return self.limit / self.value
        return self.value / self.limit

    @property
    def met(self) -> bool | None:
        """Whether the goal was met; None without one."""
        if self.goal is None:
            return None
        return self.value <= self.goal if self.fewer_is_better else self.value >= self.goal


@dataclass(frozen=True, slots=True, kw_only=True)
class Skipped:
    """Something that could not be measured, and why."""

    case: str
    why: str


Found = Figure | Skipped
