"""The simulated core behind the same interface as the golden engine and a board."""

import re
from itertools import chain

import numpy as np
from amaranth.lib import wiring
from numpy.typing import NDArray

from golden_model.spec.control import Activity, Counter, Register
from golden_model.spec.learner import Result, Sample, Weights
from hdl.passes.stages import ScheduledNetwork
from hdl.rtl.core import Core
from sim.cxxrtl import FAST, Simulation
from sim.probes import PROBES, EngineProbes, OwnProbes, SharedProbes
from sim.updates import Change

WEIGHT_MEMORIES = re.compile(r"\.(weights|spram)\d*$")
"""What :class:`hdl.rtl.parts.weight_memory.WeightMemory` calls its memory."""
REST = 1000
"""Clocks in which any small layer is done with a sample that has been answered."""


class SimulatedCore:
    """A :class:`~golden_model.spec.learner.Learner`: the RTL of a network, simulated by CXXRTL.

    Samples are kept until their results are asked for and then run as one stream, so that the
    pipeline is as full as it gets. Weight memories start with rubbish: the core has to fill them.

    Parameters
    ----------
    schedule
        The last stage of the flow.
    source_stall, sink_stall
        Probability of a clock in which no sample beat is offered, or no score taken.
    core
        Another core than the schedule's own, for example one with a fault.
    optimisation
        Of the compiler, see :class:`sim.cxxrtl.Simulation`.

    Members
    -------
    simulation
        The simulator, for those who want to look inside.
    first_clock
        Number of the clock in which the first beat of the latest run of samples was taken.
    """

    def __init__(
        self,
        schedule: ScheduledNetwork,
        *,
        source_stall: float = 0.0,
        sink_stall: float = 0.0,
        core: wiring.Component | None = None,
        optimisation: str = FAST,
    ) -> None:
        self.schedule, self.formats = schedule, schedule.formats
        self.source_stall, self.sink_stall = source_stall, sink_stall
        self.simulation = Simulation(core or Core(schedule), keep=PROBES, optimisation=optimisation)
        self.first_clock = 0
        self._rests = True
        self._waiting: list[tuple[Sample, int | None]] = []
        self._results: list[Result] = []
        self._probes: list[EngineProbes] = []
        self._poison()
        self.reset()

    def _poison(self) -> None:
        memories = self.simulation.memories()
        weights = [n for n in memories if WEIGHT_MEMORIES.search(n)]
        schedule = self.schedule
        count = sum(folding.weight_memories(layer) for layer, folding in schedule.own)
        count += schedule.shared is not None
        assert len(weights) == count, f"a weight memory is missing: {weights}"
        random = np.random.default_rng(0)
        for name in weights:
            memory, width = self.simulation.memory(name), memories[name][0]
            memory[...] = random.integers(0, 2 ** min(32, width), memory.shape)

    def reset(self) -> None:
        """Reset the core and wait until it has drawn its weights; results stay."""
        self._run_waiting()
        self.simulation.set("drain", 0)
        self.simulation.reset()
        self.simulation.run(until="idle")
        self._record()

    def forget(self) -> None:
        """Record anew, once all samples are learnt: of long runs there is no room for everything.

        Samples that are sent later are the first ones of :meth:`starts` and the like.
        """
        self._drain()
        self.simulation.set("drain", 0)
        self._record()

    def _record(self) -> None:
        for probes in self._probes:
            probes.retire()
        schedule, simulation = self.schedule, self.simulation
        self._probes = [OwnProbes(simulation, *pair) for pair in schedule.own]
        if schedule.shared is not None and schedule.table is not None:
            self._probes.append(SharedProbes(simulation, schedule.table, schedule.shared))

    def send(self, sample: Sample, label: int | None = None) -> None:
        """Queue a sample of shape ``[inputs]``; with a label it is learnt."""
        self._waiting.append((sample, label))

    def results(self) -> list[Result]:
        """Results of all samples sent since the last call, in order."""
        self._run_waiting()
        results, self._results = self._results, []
        return results

    def _run_waiting(self) -> None:
        if not self._waiting:
            return
        samples = np.stack([sample for sample, _ in self._waiting])
        count, inputs = samples.shape
        classes = self.formats.network.classes
        labels = np.array([0 if label is None else label for _, label in self._waiting])
        learn = np.array([label is not None for _, label in self._waiting])
        self._waiting = []
        beats = {
            "x": samples.ravel(),
            "label": labels.repeat(inputs),
            "learn": learn.repeat(inputs),
        }
        source = self.simulation.feed("i", stall=self.source_stall, seed=1, **beats)
        sink = self.simulation.collect("o", count * classes, stall=self.sink_stall, seed=2)
        self.simulation.run()
        self.first_clock = int(source.clocks[0])
        fields = self.simulation.fields(sink)
        scores = fields["score"].reshape(count, classes)
        assert (fields["last"].reshape(count, classes) == np.eye(classes)[-1]).all()
        predicted = fields["best"].reshape(count, classes)[:, -1]
        self._results += [
            Result(predicted=int(best), scores=row)
            for best, row in zip(predicted, scores, strict=True)
        ]
        source.retire()
        sink.retire()

    def _drain(self) -> None:
        """Run what waits, apply every pending update and keep it so."""
        self._run_waiting()
        # Every other time as a host would, long after the last sample, else in its very midst.
        if self._rests:
            self.simulation.step(REST)
        self._rests = not self._rests
        self.simulation.set("drain", 1)
        # A core that is idle may be accessed in this very clock.
        if not self.simulation.get("idle"):
            self.simulation.run(until="idle")

    def _access(self, port: str, answers: int, **fields: object) -> NDArray[np.int64]:
        """Make requests to a port, in bulk; gives the answers to the reads."""
        self._drain()
        request = self.simulation.feed(f"i_{port}", **fields)  # type: ignore[arg-type]
        answer = self.simulation.collect(f"o_{port}", answers)
        # Also after the last request has been taken the core must be done with it.
        self.simulation.run(until="idle")
        values = self.simulation.fields(answer)["payload"]
        request.retire()
        answer.retire()
        self.simulation.set("drain", 0)
        return values

    def read_weights(self, layer: int) -> Weights:
        """A layer's weights, shape ``[units, inputs + 1]``, once all samples are learnt."""
        shape = self.formats.layers[layer]
        unit, place = np.indices((shape.units, shape.fan_in)).reshape(2, -1)
        values = self._access(
            "weight", len(unit), layer=layer, unit=unit, input=place, write=0, value=0
        )
        return values.reshape(shape.units, shape.fan_in).astype(np.int32)

    def write_weights(self, layer: int, weights: Weights) -> None:
        """Replace a layer's weights."""
        unit, place = np.indices(weights.shape).reshape(2, -1)
        value = weights.ravel()
        self._access("weight", 0, layer=layer, unit=unit, input=place, write=1, value=value)

    def write_register(self, layer: int, register: Register, value: int) -> None:
        """Set a register for the samples to come; the value must be in range."""
        self._access("register", 0, layer=layer, number=int(register), write=1, value=value)

    def read_register(self, layer: int, number: Register | Counter | Activity) -> int:
        """Value of a register or counter."""
        answer = self._access("register", 1, layer=layer, number=int(number), write=0, value=0)
        return int(answer[0])

    def starts(self) -> NDArray[np.int64]:
        """Number of the clock in which each layer took each sample since the last reset.

        Shape ``[layers, samples]``.
        """
        self._run_waiting()
        return np.stack([*chain.from_iterable(probes.starts() for probes in self._probes)])

    def gradients(self) -> list[NDArray[np.int64]]:
        """d of each layer since the last reset, as in :class:`sim.record.Record`."""
        return [change.gradients for change in self._changes()]

    def winners(self) -> list[NDArray[np.int64]]:
        """Winners of each layer since the last reset, as in :class:`sim.record.Record`."""
        return [change.winners for change in self._changes()]

    def _changes(self) -> list[Change]:
        """Of each layer, once all samples are learnt."""
        self._drain()
        self.simulation.set("drain", 0)
        return [*chain.from_iterable(probes.changes() for probes in self._probes)]
