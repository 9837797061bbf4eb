"""Train the RTL of a network under cocotb in Verilator, for sim.compare.

cocotb runs in the simulator's process: samples go there in a file, the record comes back in one.
"""

import os
import pickle
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from golden_model.spec.learner import Samples
from hdl.output import usable
from hdl.passes.stages import ScheduledNetwork
from hdl.rtl.core import Core
from sim.bench import Bench
from sim.compiler import BUILD, ELSEWHERE
from sim.record import Advance, Record
from sim.runner import run_design

TASK_VARIABLE = "LOAM_TASK"
RECORD_VARIABLE = "LOAM_RECORD"


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """What the simulator's process needs to know: samples of shape ``[n, inputs]``, labels."""

    schedule: ScheduledNetwork
    samples: Samples
    labels: NDArray[np.uint8]


def train(
    schedule: ScheduledNetwork,
    samples: Samples,
    labels: NDArray[np.uint8],
    advance: Advance = lambda done: None,
) -> Record:
    """Train a fresh core on all samples; :class:`sim.runner.BenchFailure` if it gets stuck."""
    name = schedule.formats.network.name
    # Depth 2 shows the ports of the layers, with their probes.
    bench = Bench(module="sim.verilated_core", designs={name: lambda: Core(schedule)}, depth=2)
    folder = BUILD.resolve() / "verilated"
    with usable(folder, ELSEWHERE):
        folder.mkdir(parents=True, exist_ok=True)
    task, record = (folder / f"{name}-{os.getpid()}.{kind}" for kind in ("task", "record"))
    task.write_bytes(pickle.dumps(Task(schedule=schedule, samples=samples, labels=labels)))
    try:
        run_design(bench, name, extra={TASK_VARIABLE: str(task), RECORD_VARIABLE: str(record)})
        advance(len(samples))
        found = pickle.loads(record.read_bytes())
    finally:
        task.unlink()
        record.unlink(missing_ok=True)
    assert isinstance(found, Record)
    return found
