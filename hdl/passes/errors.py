"""The one error that a pass raises when a network is more than a board has."""


class DoesNotFit(Exception):
    """A network needs more of something than the board has.

    Parameters
    ----------
    resource
        What runs out, in the vendor's word: ``SPRAM``, ``EBR``, ``MAC16``, ``cells``.
    needed, available
        How much is needed and how much there is, in units of `resource`.
    remedy
        What to write or do, for example the largest size that fits.
    detail
        What needs them and what has taken the rest, if there is something to say.
    """

    def __init__(
        self, resource: str, needed: int, available: int, remedy: str, detail: str = ""
    ) -> None:
        self.resource, self.needed, self.available = resource, needed, available
        self.remedy, self.detail = remedy, detail
        numbers = f"{needed} {resource} needed, {available} available"
        told = f" ({detail})" if detail else ""
        super().__init__(f"Does not fit: {numbers}{told}. {remedy}.")
