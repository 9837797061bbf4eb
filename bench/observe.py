"""Samples through the simulated core: clocks from its probes, words from its counters."""

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from bench.cases import Case
from golden_model.data.dataset import Dataset, load_data
from golden_model.data.variation import Variation
from golden_model.rates import write_rates
from golden_model.spec.control import Activity, Counter, Register
from golden_model.spec.learner import Samples
from golden_model.spec.network import Network
from golden_model.training import shuffled
from hdl.passes.stages import ScheduledNetwork
from sim.chip import SimulatedCore

Counts = NDArray[np.int64]
"""Shape ``[layers, activities]``."""
WARM = 8
"""Samples after which the pipeline is in its steady state."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """What some samples took, on average, with the pipeline full.

    Members
    -------
    clocks
        From one sample to the next.
    activity
        By layer and :class:`~golden_model.spec.control.Activity`, counts per sample.
    """

    clocks: float
    activity: Counts | NDArray[np.float64]

    def words(self, layer: int, activity: Activity) -> float:
        """Counts of one activity of a layer per sample."""
        return float(self.activity[layer, list(Activity).index(activity)])

    def port_limit(self, schedule: ScheduledNetwork) -> float:
        """Clocks that the slowest engine's memory ports need for the words that were moved."""
        accesses = [0.0] * len(schedule.all_foldings)
        for index in range(len(schedule.formats.layers)):
            # All layers that share an engine share its memory.
            engine = min(index, len(accesses) - 1)
            accesses[engine] += self.words(index, Activity.WORDS_READ)
            if schedule.folding_of(index).single_port:
                accesses[engine] += self.words(index, Activity.WORDS_WRITTEN)
        return max(accesses)


def activity(core: SimulatedCore) -> Counts:
    """All counters of clocks and words of all layers."""
    layers = range(len(core.formats.layers))
    counts = [[core.read_register(layer, number) for number in Activity] for layer in layers]
    return np.array(counts, np.int64)


@cache
def dataset(network: Network, name: str) -> Dataset:
    """A data set, loaded once; :class:`SpecError` if it is not here."""
    return load_data(name, network)


def epoch_of(
    case: Case, data: Dataset, images: int | None = None, epoch: int = 0
) -> tuple[Samples, NDArray[np.uint8]]:
    """Samples of an epoch over the first `images`, or all, in its order and varied; and labels."""
    count = len(data.x_train[:images])
    order = shuffled(case.formats, count, epoch)
    variation, x = Variation.of_epoch(case.network, count, epoch), data.x_train[order]
    if variation:
        x = variation.applied(x, slice(0, count))
    return x, data.y_train[order]


def every_sample_learns(schedule: ScheduledNetwork, samples: int = 24) -> Observation:
    """Steady state of training with an update pending in every layer at every sample.

    Margins as large as their registers make every sample leave one. Registers are read between two
    runs, one twice as long as the other: their difference has no beginning and no end.
    """
    core = SimulatedCore(schedule)
    for layer in core.formats.layers:
        core.write_register(layer.index, Register.MARGIN, layer.margin_max)
    return _difference(core, 1, samples)


def no_sample_learns(schedule: ScheduledNetwork, samples: int = 24) -> Observation:
    """Steady state of inference."""
    return _difference(SimulatedCore(schedule), None, samples)


def _difference(core: SimulatedCore, label: int | None, samples: int) -> Observation:
    network = core.formats.network
    # No input is zero, so that nothing can be skipped.
    x = np.random.default_rng(1).integers(1, 256, (2 * samples, network.inputs)).astype(np.uint8)
    before = activity(core)
    _send(core, x[:samples], [label] * samples)
    between = activity(core)
    _send(core, x, [label] * (2 * samples))
    after = activity(core)
    updates = 0 if label is None else 3 * samples
    for layer in core.formats.layers:
        assert core.read_register(layer.index, Counter.UPDATES) == updates, "not all samples learn"
    starts = core.starts()[-1, -2 * samples + WARM :]
    counts = ((after - between) - (between - before)) / samples
    return Observation(clocks=float(np.diff(starts).mean()), activity=counts)


def on_data(
    case: Case, schedule: ScheduledNetwork, samples: int
) -> tuple[Observation, Observation]:
    """The first samples of the first epoch, learnt, then as many of the test set, answered."""
    data = dataset(case.network, case.data)
    core = SimulatedCore(schedule)
    write_rates(core, case.network.learning.first_step)
    order = shuffled(core.formats, len(data.x_train), 0)[:samples]
    return (
        _counted(core, data.x_train[order], data.y_train[order].tolist()),
        _counted(core, data.x_test[:samples], [None] * len(data.x_test[:samples])),
    )


def _counted(core: SimulatedCore, x: Samples, labels: list[int] | list[None]) -> Observation:
    before = activity(core)
    _send(core, x, labels)
    starts = core.starts()[-1, -len(x) :]
    return Observation(
        clocks=float(np.diff(starts).mean()), activity=(activity(core) - before) / len(x)
    )


def _send(
    core: SimulatedCore, x: Samples, labels: list[int] | list[int | None] | list[None]
) -> None:
    for sample, label in zip(x, labels, strict=True):
        core.send(sample, label)
    core.results()
