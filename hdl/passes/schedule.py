"""Third pass: every event gets its clock."""

from hdl.passes import sharing_steady
from hdl.passes.cycles import interval
from hdl.passes.stages import EngineCycles, MappedNetwork, ScheduledNetwork


def schedule(mapped: MappedNetwork) -> ScheduledNetwork:
    """Clocks of each engine by itself and of the pipeline."""
    layers = [layer for layer, _ in mapped.own]
    engines = [
        EngineCycles(
            inference=interval([layer], [folding], False),
            training=interval([layer], [folding], folding.learns),
            words=folding.weight_words(layer),
        )
        for layer, folding in mapped.own
    ]
    inference = training = 0
    if layers:
        inference = interval(layers, mapped.foldings, False)
        training = interval(layers, mapped.foldings, mapped.learns)
    if mapped.engine is not None:
        table, shared = mapped.engine
        infers, learns = (
            sharing_steady.interval(table, shared, training) for training in (False, shared.learns)
        )
        engines.append(EngineCycles(inference=infers, training=learns, words=table.weight_words))
        inference, training = infers, learns
        if layers:
            inference, training = (
                sharing_steady.behind_own(mapped.own, table, shared, training)
                for training in (False, mapped.learns)
            )
    return ScheduledNetwork(
        formats=mapped.formats,
        foldings=mapped.foldings,
        shared=mapped.shared,
        memories=mapped.memories,
        layers=tuple(engines),
        inference=inference,
        training=training,
    )
