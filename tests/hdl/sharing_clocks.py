"""What a shared engine does clock by clock, as it was seen and by the cycle model."""

from dataclasses import dataclass, field

import numpy as np

from golden_model.engine import GoldenEngine
from golden_model.spec.control import Activity, Counter, Register
from hdl.passes.sharing_cycles import SampleWork, SharedCycles
from hdl.passes.stages import ScheduledNetwork
from hdl.rtl.ports import EVENTS
from sim.sharing_work import sample_work
from tests.hdl.sharing_cases import Case

KINDS = list(EVENTS)


@dataclass
class ClockLog:
    """Clocks from the first one on in which the engine could begin.

    Members
    -------
    offered, taken, ready
        An input was there, and was taken; a score could be taken.
    events
        As the engine reports them, as one number.
    accepted
        Number of the first clock in which the network took an input.
    """

    offered: list[bool] = field(default_factory=list)
    taken: list[bool] = field(default_factory=list)
    ready: list[bool] = field(default_factory=list)
    events: list[int] = field(default_factory=list)
    accepted: int | None = None

    def look(self, ctx, core) -> None:
        """At the end of a clock."""
        engine = core.component.shared
        events = ctx.get(engine.events.as_value())
        if not (events or self.events):
            return
        if self.accepted is None and ctx.get(core.i.valid & core.i.ready):
            self.accepted = len(self.events)
        self.offered.append(bool(ctx.get(engine.i.valid)))
        self.taken.append(bool(ctx.get(engine.i.valid & engine.i.ready)))
        self.ready.append(bool(ctx.get(core.o.ready)))
        self.events.append(events)

    def seen(self, layers: int) -> "Clocks":
        """What it came to."""
        width = layers * len(KINDS)
        bits = np.array([[e >> n & 1 for n in range(width)] for e in self.events], bool)
        bits = bits.reshape(-1, layers, len(KINDS))
        of = {kind: bits[:, :, number] for number, kind in enumerate(KINDS)}
        judged = of[Counter.UPDATES] | of[Counter.UNCHANGED]
        return Clocks(
            taken=self.taken,
            starts=[np.flatnonzero(column).tolist() for column in of[Counter.SAMPLES].T],
            judged=[np.flatnonzero(column).tolist() for column in judged.T],
            activity=[{n: int(of[n][:, layer].sum()) for n in Activity} for layer in range(layers)],
        )

    def modelled(self, schedule: ScheduledNetwork, samples: list[SampleWork]) -> "Clocks":
        """The same by the cycle model, told what was offered and taken."""
        model = SharedCycles(*schedule.engine, samples)
        clocks = zip(self.offered, self.ready, strict=True)
        taken = [model.clock(offered=offered, ready=ready) for offered, ready in clocks]
        return Clocks(
            taken=taken, starts=model.starts, judged=model.judged, activity=model.activity
        )


@dataclass
class Clocks:
    """In which clocks an input was taken; of each layer in which it began with samples and had
    judged them, and its counters."""

    taken: list[bool]
    starts: list[list[int]]
    judged: list[list[int]]
    activity: list[dict[Activity, int]]


def work_of(case: Case) -> list[SampleWork]:
    """Of each sample of a case, in the layers that share."""
    schedule, work = case.schedule, []
    golden, own = GoldenEngine(schedule.formats), len(schedule.foldings)
    layers = range(own, len(schedule.formats.layers))
    for burst in case.bursts:
        for (layer, register), value in burst.registers.items():
            golden.write_register(layer, register, value)
        for sample, label in zip(burst.samples, burst.labels, strict=True):
            golden.send(sample, label if schedule.learns else None)
            traces = golden.traces()
            x = traces[own - 1].activations if own else sample
            rates = [golden.read_register(layer, Register.RATE_SHIFT) for layer in layers]
            work.append(sample_work(*schedule.engine, x, traces[own:], rates))
    return work
