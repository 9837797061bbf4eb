"""Values a few clocks later."""

from amaranth import Module, Signal

REPLICA = "replica"
"""Attribute of the copies of a register."""


def delayed(m: Module, value, clocks: int, *, name: str, reset_less: bool = False) -> list:
    """`value`, `value` one clock later, and so on up to `clocks`."""
    stages = [value]
    for clock in range(1, clocks + 1):
        stages.append(Signal.like(value, name=f"{name}_{clock}", reset_less=reset_less))
        m.d.sync += stages[-1].eq(stages[-2])
    return stages


def replicated(m: Module, value, copies: int, *, name: str) -> list[Signal]:
    """`value` one clock later, in `copies` registers, since a single one reaches only so many loads
    in time. Boards with such wide designs keep tools from merging them, see `REPLICA`."""
    made = [Signal.like(value, name=f"{name}{n}", attrs={REPLICA: 1}) for n in range(copies)]
    m.d.sync += [copy.eq(value) for copy in made]
    return made


def registered(m: Module, value, *, name: str) -> Signal:
    """`value` one clock later; without a reset, so that a multiplier block can absorb it."""
    held = Signal.like(value, name=name, reset_less=True)
    m.d.sync += held.eq(value)
    return held
