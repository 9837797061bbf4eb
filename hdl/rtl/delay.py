"""Values a few clocks later."""

from amaranth import Module, Signal


def delayed(m: Module, value, clocks: int, *, name: str) -> list:
    """`value`, `value` one clock later, and so on up to `clocks`."""
    stages = [value]
    for clock in range(1, clocks + 1):
        stages.append(Signal.like(value, name=f"{name}_{clock}"))
        m.d.sync += stages[-1].eq(stages[-2])
    return stages
