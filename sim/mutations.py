"""Break the RTL on purpose and see whether the comparison notices: ``python -m sim.mutations``."""

import importlib
import importlib.util
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
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
from golden_model.spec.network import Coding, Dense, Learning, Network, Readout, Rounding
from hdl.passes import pipeline
from hdl.passes.options import Options
from hdl.passes.stages import ScheduledNetwork
from hdl.toolchain import ToolError
from sim.chip import SimulatedCore
from sim.cxxrtl import QUICK, SimulationStuck
from sim.record import TracedGolden, differences, train

PACKAGE = "hdl.rtl"
SAMPLES = 300
LIMIT = 50_000
"""Clocks after which a chunk of samples is stuck."""
LABELLED, DARK, STALL = 0.8, 0.1, 0.9
"""Shares of the samples with a label and of those that are all zero; probability of a clock in
which no score is taken, in every other chunk of samples."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutation:
    """One fault: text in a module of hdl.rtl, and what stands there instead.

    Members
    -------
    name
        What goes wrong.
    module
        Within hdl.rtl.
    old, new
        `old` must occur exactly once.
    rounding, coding
        Of the network that the fault is tried in.
    """

    name: str
    module: str
    old: str
    new: str
    rounding: Rounding = Rounding.NEAREST
    coding: Coding = Coding.UNSIGNED


MUTATIONS = (
    Mutation(
        name="activation rounds down, not half up",
        module="head.activation",
        old="return (value >> shift) + value[shift - 1]",
        new="return value >> shift",
    ),
    Mutation(
        name="activation saturates at 254",
        module="head.activation",
        old="rounded > ACTIVATION_MAX, ACTIVATION_MAX,",
        new="rounded > ACTIVATION_MAX, ACTIVATION_MAX - 1,",
    ),
    Mutation(
        name="activation without ReLU",
        module="head.activation",
        old="self.o.eq(Mux(rounded[-1], 0, positive))",
        new="self.o.eq(positive)",
    ),
    Mutation(
        name="update rounds the other way",
        module="parts.weight_update",
        old="Mux(carry, 0, 1)",
        new="1",
    ),
    Mutation(
        name="stochastic rounding takes the dither's complement",
        module="parts.weight_update",
        old="> ~self.dither",
        new="> self.dither",
        rounding=Rounding.STOCHASTIC,
    ),
    Mutation(
        name="dither of a place not in reverse order",
        module="engine.matrix",
        old="named[:bits][::-1]",
        new="named[:bits]",
        rounding=Rounding.STOCHASTIC,
    ),
    Mutation(
        name="dither goes on with every sweep",
        module="engine.matrix",
        old="generator.next.eq(self.start & self.update)",
        new="generator.next.eq(self.start)",
        rounding=Rounding.STOCHASTIC,
    ),
    Mutation(
        name="weight saturates one early at the lower bound",
        module="parts.weight_update",
        old="other.replicate(self.weight_bits - 1)",
        new="1, other.replicate(self.weight_bits - 2)",
    ),
    Mutation(
        name="weight wraps instead of saturating",
        module="parts.weight_update",
        old="beyond.any() & ~beyond.all()",
        new="0",
    ),
    Mutation(
        name="forward sum sees weights one update late",
        module="engine.lane",
        old="weight = self.new_weight if fold.learns else self.weight",
        new='weight = registered(m, self.weight, name="stale")',
    ),
    Mutation(
        name="classifier signs inverted in the scores",
        module="head.classifier",
        old="write.data.eq(Mux(sign, before - h, before + h))",
        new="write.data.eq(Mux(sign, before + h, before - h))",
    ),
    Mutation(
        name="parallel classifier signs inverted in the scores",
        module="head.classifier",
        old="score.eq(Mux(sign, before - h, before + h))",
        new="score.eq(Mux(sign, before + h, before - h))",
    ),
    Mutation(
        name="classifier signs inverted in the gradient",
        module="head.gradient",
        old="Mux(draw[-1], before - term, before + term)",
        new="Mux(draw[-1], before + term, before - term)",
    ),
    Mutation(
        name="parallel classifier signs inverted in the gradient",
        module="head.gradient",
        old="Mux(draw[-1], -term, term)",
        new="Mux(draw[-1], term, -term)",
    ),
    Mutation(
        name="silent units learn too",
        module="head.gradient",
        old="Mux(self.active, after, 0)",
        new="after",
    ),
    Mutation(
        name="silent units learn too, all classes at once",
        module="head.gradient",
        old="Mux(active, sum(held), 0)",
        new="sum(held)",
    ),
    Mutation(
        name="generator leaps a draw too far",
        module="parts.draws",
        old="self._parities(state, leap(self.at_a_time))",
        new="self._parities(state, leap(self.at_a_time + 1))",
    ),
    Mutation(
        name="margin reached counts as missed",
        module="head.error",
        old="positive = ~distance[-1] & distance.any()",
        new="positive = ~distance[-1]",
    ),
    Mutation(
        name="label's margin off by one",
        module="head.error",
        old="self.margin + Mux(is_label, ~self.score, self.score) + is_label",
        new="self.margin + Mux(is_label, ~self.score, self.score)",
    ),
    Mutation(
        name="last class gets the score of the one before",
        module="head.score_walk",
        old="self.address.eq(asked)",
        new="self.address.eq(Mux(asked == last, last - 1, asked))",
    ),
    Mutation(
        name="scores give way to the next sample's while they are read",
        module="head.layer_head",
        old="collector.o.ready.eq(~(first & walk.busy))",
        new="collector.o.ready.eq(1)",
    ),
    Mutation(
        name="sample judged by the label of the one behind it",
        module="engine.layer",
        old="tail.tag.eq(tag)",
        new="tail.tag.eq(matrix.tag)",
    ),
    Mutation(
        name="two words in a row want the multiplier that two lanes share",
        module="engine.matrix",
        old="(named[1] & sweep.write & fold.takes_turns)",
        new="0",
    ),
    Mutation(
        name="lanes that take turns get the same gradient",
        module="engine.weight_change",
        old="first.eq(second), second.eq(first)",
        new="second.eq(first)",
    ),
    Mutation(
        name="ties go to the highest class",
        module="core",
        old="lead.eq(highest - self.i.payload)",
        new="lead.eq(highest - self.i.payload - 1)",
    ),
    Mutation(
        name="bias one too small",
        module="engine.matrix",
        old="bias=layer.bias_input",
        new="bias=layer.bias_input - 1",
    ),
    Mutation(
        name="newest input without its sign",
        module="engine.matrix",
        old="buffer.newest[place]",
        new="buffer.newest[place].as_unsigned()",
        coding=Coding.SIGNED,
    ),
    Mutation(
        name="input of the update without its sign",
        module="engine.matrix",
        old="delayed(m, x, slow",
        new="delayed(m, x.as_unsigned(), slow",
        coding=Coding.SIGNED,
    ),
    Mutation(
        name="activations have a sign too",
        module="engine.matrix",
        old="signed=layer.signed_input",
        new="signed=True",
        coding=Coding.SIGNED,
    ),
    Mutation(
        name="visit map forgets the words of the sample before",
        module="engine.visit_map",
        old="entry.own.any() | entry.before.any()",
        new="entry.own.any()",
    ),
    Mutation(
        name="word of the bias is not visited",
        module="engine.sweep",
        old="visits.any() | is_bias",
        new="visits.any()",
    ),
    Mutation(
        name="word skipped where only its update is due is not written",
        module="engine.sweep",
        old="Mux(self.forward, entry.before, entry.own)",
        new="Mux(self.forward, entry.own, entry.own)",
    ),
    Mutation(
        name="memory of one port is read while it is written",
        module="engine.matrix",
        old="(named[to_write - NAME_TO_READ] & fold.single_port)",
        new="0",
    ),
    Mutation(
        name="initial weights drawn without sign",
        module="engine.weight_access",
        old="drawn.eq(Cat(1, generator.draw).as_signed())",
        new="drawn.eq(Cat(1, generator.draw))",
    ),
    Mutation(
        name="update applied to the newest sample's inputs",
        module="engine.sample_buffer",
        old="shown.append((self.previous, roles[2]))",
        new="shown.append((self.previous, newest))",
    ),
    Mutation(
        name="idle before the last update is drained",
        module="engine.layer",
        old="free & matrix.empty & ~pending &",
        new="free & matrix.empty &",
    ),
    Mutation(
        name="wide counter misses the narrow one's wrap",
        module="parts.register_file",
        old="before[len(count) :] + wrapped",
        new="read.data[len(count) :]",
    ),
    Mutation(
        name="samples without error leave an update",
        module="engine.layer",
        old="pending.eq(tail.any)",
        new="pending.eq(1)",
    ),
)


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


def trial(schedule: ScheduledNetwork) -> tuple[Samples, list[int | None]]:
    """Random samples, some of them dark, and their labels, some left out: then the next sample
    follows at once."""
    data = load_data("random", schedule.formats.network)
    chance = np.random.default_rng(SAMPLES)
    x = data.x_train[:SAMPLES].copy()
    x[chance.random(SAMPLES) < DARK] = 0
    labels = [
        int(label) if chance.random() < LABELLED else None for label in data.y_train[:SAMPLES]
    ]
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


def sign_of(mutation: Mutation, schedule: ScheduledNetwork) -> str | None:
    """The first difference that a fault makes, None if it goes unnoticed."""
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
    kinds = dict.fromkeys((fault.rounding, fault.coding) for fault in MUTATIONS)
    schedules = {kind: tiny_schedule(*kind) for kind in kinds}
    console.print("Each fault is compiled by itself, for about ten seconds.")
    sound = True
    for (rounding, coding), schedule in schedules.items():
        with console.status("no fault"):
            sign = first_sign(schedule)
        sound &= sign is None
        _report(console, f"no fault, rounding {rounding}, inputs {coding}", sign or "no difference")
    caught = 0
    for mutation in MUTATIONS:
        with console.status(mutation.name):
            sign = sign_of(mutation, schedules[mutation.rounding, mutation.coding])
        caught += sign is not None
        _report(console, f"{mutation.module}: {mutation.name}", sign or "NOT NOTICED")
    console.print(f"{caught} of {len(MUTATIONS)} faults noticed")
    return caught == len(MUTATIONS) and sound


def _report(console: Console, fault: str, sign: str) -> None:
    console.print(f"{fault:62}{sign}", soft_wrap=True)


if __name__ == "__main__":
    main()
