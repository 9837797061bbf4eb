"""Third pass: every event gets its clock."""

from hdl.passes.cycles import interval
from hdl.passes.stages import EngineCycles, MappedNetwork, ScheduledNetwork


def schedule(mapped: MappedNetwork) -> ScheduledNetwork:
    """Clocks of each layer by itself and of the pipeline."""
    formats, foldings = mapped.formats.fully_connected, mapped.foldings
    layers = tuple(
        EngineCycles(
            inference=interval([layer], [folding], False),
            training=interval([layer], [folding], folding.learns),
            words=folding.weight_words(layer),
        )
        for layer, folding in zip(formats, foldings, strict=True)
    )
    return ScheduledNetwork(
        formats=mapped.formats,
        foldings=foldings,
        memories=mapped.memories,
        layers=layers,
        inference=interval(formats, foldings, False),
        training=interval(formats, foldings, any(folding.learns for folding in foldings)),
    )
