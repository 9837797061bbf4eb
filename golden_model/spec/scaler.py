"""Declaration of how features of any unit become a network's centred inputs."""

import math
from dataclasses import dataclass

from golden_model.spec.errors import SpecError, check_names

STEPS = 64
"""Of a centred input: one deviation from the mean."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scaler:
    """Standardises each feature: ``v = floor(STEPS * (x - mean) / deviation + 1/2)``, then clipped.

    Two channels reach ``v`` of -255 to 255, signed inputs -128 to 127.

    Members
    -------
    mean, deviation
        Of each feature, in its own unit. A deviation of 0 is that of a constant: ``v`` is 0
        whatever comes.
    names
        Of the features, where the data names them; empty elsewhere.

    Raises
    ------
    SpecError
        If they are not finite numbers, equally many, no deviation below 0; or names are not texts,
        one for each.
    """

    mean: tuple[float, ...]
    deviation: tuple[float, ...]
    names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name in ("mean", "deviation"):
            values = getattr(self, name)
            if not isinstance(values, list | tuple) or not values:
                raise SpecError(f"scaler.{name}", "it is a list of numbers", "Write one a feature")
            for value in values:
                number = isinstance(value, int | float) and not isinstance(value, bool)
                if not number or not math.isfinite(value):
                    rule = "it must be a finite number"
                    raise SpecError(f"{value!r} in scaler.{name}", rule, "Write it without quotes")
            object.__setattr__(self, name, tuple(float(value) for value in values))
        if len(self.mean) != len(self.deviation):
            value = f"scaler of {len(self.mean)} means and {len(self.deviation)} deviations"
            raise SpecError(value, "each feature has one of both", "Fit it anew")
        if min(self.deviation) < 0:
            value = f"{min(self.deviation)} in scaler.deviation"
            raise SpecError(value, "deviations are 0 or more", "Fit the scaler anew")
        count = len(self.mean)
        rule = f"each of the {count} features has a name of its own"
        names = check_names(
            "scaler.names", self.names, count=count, what="names in scaler", rule=rule
        )
        object.__setattr__(self, "names", names)
