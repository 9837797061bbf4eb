"""Break the RTL on purpose and see whether the comparison notices: ``python -m sim.mutations``."""

import importlib
import importlib.util
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import ModuleType

import click
import numpy as np
from amaranth.lib import wiring
from rich.console import Console

from boards.registry import find_board
from golden_model.data.dataset import load_data
from golden_model.spec.command import SETTINGS
from golden_model.spec.errors import SpecError
from golden_model.spec.formats import infer_formats
from golden_model.spec.learner import Samples
from golden_model.spec.network import (
    Coding,
    Conv,
    Dense,
    Feedback,
    Learning,
    Network,
    Readout,
    Rounding,
)
from hdl.passes import pipeline
from hdl.passes.options import Options
from hdl.passes.sharing import SharedFolding
from hdl.passes.stages import ScheduledNetwork
from hdl.toolchain import ToolError
from sim.chip import SimulatedCore
from sim.cxxrtl import QUICK, SimulationStuck
from sim.faults import OWN_ENGINES, Mutation
from sim.record import TracedGolden, differences, train
from sim.shared_faults import SHARED_ENGINE

PACKAGE = "hdl.rtl"
SAMPLES = 300
LIMIT = 50_000
"""Clocks after which a chunk of samples is stuck."""
IMAGES = 24
"""Samples where these are images: each is many windows."""
LABELLED, DARK, SPARSE, STALL = 0.8, 0.1, 0.7, 0.9
"""Shares of the samples with a label, of those that are all zero, and of zeros in an image;
probability of a clock in which no score is taken, in every other chunk of samples."""


MUTATIONS = (*OWN_ENGINES, *SHARED_ENGINE)


def schedule_of(mutation: Mutation) -> ScheduledNetwork:
    """Of the network that a fault is tried in."""
    if mutation.images:
        return images_schedule()
    return tiny_schedule(mutation.rounding, mutation.coding)


@contextmanager
def mutated(mutation: Mutation) -> Iterator[ModuleType]:
    """hdl.rtl.core as it is with the fault; afterwards everything is as before.

    Raises
    ------
    ValueError
        If the text to be replaced does not occur exactly once.
    """
    name = f"{PACKAGE}.{mutation.module}"
    found = importlib.util.find_spec(name)
    assert found is not None
    assert found.origin is not None
    source = Path(found.origin).read_text(encoding="utf-8")
    if (count := source.count(mutation.old)) != 1:
        raise ValueError(f"{name} holds {mutation.old!r} {count} times, not once")
    kept = {key: module for key, module in sys.modules.items() if _ours(key)}
    for key in kept:
        del sys.modules[key]
    try:
        module = importlib.util.module_from_spec(found)
        sys.modules[name] = module
        exec(compile(source.replace(mutation.old, mutation.new), name, "exec"), module.__dict__)
        yield importlib.import_module(f"{PACKAGE}.core")
    finally:
        for key in [key for key in sys.modules if _ours(key)]:
            del sys.modules[key]
        sys.modules.update(kept)


def _ours(name: str) -> bool:
    return name.startswith(f"{PACKAGE}.")


def tiny_schedule(
    rounding: Rounding = Rounding.NEAREST, coding: Coding = Coding.UNSIGNED
) -> ScheduledNetwork:
    """A network in which everything happens within `SAMPLES`: weights and activations saturate,
    scores tie, the label's score meets the margin, groups are padded, the last sample leaves an
    update in every layer. Layers skip zeros, one of them in memory of a single port, and score all
    classes at once, or one by one.
    """
    network = Network(
        name="tiny",
        inputs=5,
        classes=3,
        seed=4,
        layers=(
            Dense(units=5, weight_bits=8, activation_shift=5, rate_shift=8),
            Dense(units=3, weight_bits=8, activation_shift=5, rate_shift=8),
        ),
        readout=Readout(weight_bits=6, activation_shift=7, rate_shift=5),
        learning=Learning(margin=20, rounding=rounding),
        coding=coding,
    )
    shapes = {"layer0": (2, 2), "layer1": (1, 1), "readout": (2, 1)}
    options = Options(folding=shapes, skip_zeros=False)
    schedule = pipeline.run(infer_formats(network), find_board("ulx3s-85f").budget, options)
    # Chosen by hand: so little fits blocks of two ports. Halves of the first one's words take
    # turns.
    first, second, readout = schedule.foldings
    first = replace(first, weight_memory="SPRAM", single_port=True, slow_memory=False)
    first = replace(first, skip_zeros=True, clear_slot=True, classifier_rom=False)
    second = replace(second, skip_zeros=True, clear_slot=True, parallel_classes=False)
    return replace(schedule, foldings=(replace(first, parallel_classes=True), second, readout))


def images_schedule() -> ScheduledNetwork:
    """Convolutions and a readout on one engine, in which everything happens as well: odd edges are
    left out or hang over, regions are uneven, groups are padded, places of a window tie.
    """
    network = Network(
        name="images",
        inputs=144,
        image=(9, 8, 2),
        classes=3,
        seed=9,
        layers=(
            Conv(filters=3, kernel=2, regions=3, weight_bits=8, activation_shift=6, rate_shift=5),
            Conv(filters=3, kernel=2, pool=1, regions=2, weight_bits=8, activation_shift=6),
        ),
        readout=Readout(weight_bits=8, activation_shift=7, rate_shift=5),
        learning=Learning(margin=200, feedback=Feedback.SIGN_CONCORDANT),
    )
    folding = SharedFolding(
        pe=2,
        heads=2,
        taps=2,
        weight_memory="any",
        single_port=True,
        single_port_winners=True,
        lone_words=True,
        clear_slot=True,
        classifier_rom=False,
        parallel_classes=False,
    )
    return ScheduledNetwork(
        formats=infer_formats(network), foldings=(), shared=folding, memories=(), layers=(),
        inference=0, training=0,
    )  # fmt: skip


def trial(schedule: ScheduledNetwork) -> tuple[Samples, list[int | None]]:
    """Random samples, some of them dark, and their labels, some left out: then the next sample
    follows at once."""
    data = load_data("random", schedule.formats.network)
    chance = np.random.default_rng(SAMPLES)
    count = SAMPLES if schedule.shared is None else IMAGES
    x = data.x_train[:count].copy()
    x[chance.random(count) < DARK] = 0
    if schedule.shared is not None:
        x[chance.random(x.shape) < SPARSE] = 0
    labels = [int(label) if chance.random() < LABELLED else None for label in data.y_train[:count]]
    return x, labels


def first_sign(schedule: ScheduledNetwork, core: wiring.Component | None = None) -> str | None:
    """The first difference of a core, or of the sound one, on the trial; None if there is none."""
    formats, (x, y) = schedule.formats, trial(schedule)
    try:
        simulated = SimulatedCore(schedule, core=core, optimisation=QUICK)
        run = partial(simulated.simulation.run, limit=LIMIT)
        simulated.simulation.run = run  # type: ignore[method-assign]

        def stall_or_not(_: int) -> None:
            simulated.sink_stall = STALL - simulated.sink_stall

        got = train(simulated, x, y, stall_or_not)
    except (SimulationStuck, AssertionError) as error:
        return f"{type(error).__name__}: {error}"
    found = differences(formats, train(TracedGolden(formats), x, y), got)
    return str(found[0]) if found else None


def sign_of(mutation: Mutation) -> str | None:
    """The first difference that a fault makes, None if it goes unnoticed."""
    schedule = schedule_of(mutation)
    with mutated(mutation) as module:
        return first_sign(schedule, module.Core(schedule))


@click.command(context_settings=SETTINGS)
def main() -> None:
    """Break the RTL in many places, one at a time; each fault must show in the comparison.

    Exit status: 0 if the sound RTL shows no difference and every fault shows one, else 1.
    """
    try:
        sound = _try_all(Console(highlight=False, markup=False))
    except SpecError as error:
        click.echo(f"Error: {error}", err=True)
        sys.exit(2)
    except ToolError as error:
        click.echo(f"Error: {error}", err=True)
        sys.exit(1)
    sys.exit(0 if sound else 1)


def _try_all(console: Console) -> bool:
    """Whether the sound RTL shows no difference and every fault shows one."""
    kinds = {(fault.rounding, fault.coding, fault.images): fault for fault in MUTATIONS}
    console.print("Each fault is compiled by itself, for about ten seconds.")
    sound = True
    for (rounding, coding, images), fault in kinds.items():
        with console.status("no fault"):
            sign = first_sign(schedule_of(fault))
        sound &= sign is None
        tried = "images" if images else f"rounding {rounding}, inputs {coding}"
        _report(console, f"no fault, {tried}", sign or "no difference")
    caught = 0
    for mutation in MUTATIONS:
        with console.status(mutation.name):
            sign = sign_of(mutation)
        caught += sign is not None
        _report(console, f"{mutation.module}: {mutation.name}", sign or "NOT NOTICED")
    console.print(f"{caught} of {len(MUTATIONS)} faults noticed")
    return caught == len(MUTATIONS) and sound


def _report(console: Console, fault: str, sign: str) -> None:
    console.print(f"{fault:62}{sign}", soft_wrap=True)


if __name__ == "__main__":
    main()
