"""What goes wrong with a training and can be seen after an epoch, in words."""

import math
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from golden_model.evaluation import Evaluation
from golden_model.spec.formats import LayerFormat

DEAD = 1 / 2
"""More of a layer's units must be dead: in narrow layers that learn well a third often is."""
FULL = 1 / 4
"""More of a layer's units must be saturated."""
EARLY_EPOCHS = 3
"""So long nearly every sample may teach something."""
EARLY_SAMPLES = 1000
"""So long neither that nor answers at chance tell anything."""
UNCHANGED = 0.01
"""Share of the training samples below which nearly all of them change a layer."""
DEVIATIONS = 2
"""Standard deviations by which accuracy must be above chance."""
CALIBRATE = "run golden_model.calibrate"


@dataclass(frozen=True, slots=True, kw_only=True)
class Symptom:
    """Something that is wrong with a layer.

    Members
    -------
    layer
        Its name.
    kind
        ``dead``, ``saturated``, ``restless`` or ``chance``.
    text
        What was seen, and what to do, in one sentence.
    """

    layer: str
    kind: str
    text: str


def symptoms(
    layers: Sequence[LayerFormat],
    epoch: int,
    samples: int,
    unchanged: Mapping[str, float],
    found: Evaluation,
) -> tuple[Symptom, ...]:
    """All that is wrong, the lowest layer first; empty if nothing is.

    Parameters
    ----------
    layers
        Those that were learning; the last one's scores are the answer.
    epoch, samples
        Its number, from 1, and its training samples.
    unchanged
        By layer: share of the training samples that changed none of its weights.
    found
        On the test set, after it.
    """
    seen = [symptom for layer in layers for symptom in _silent(layer, found)]
    if epoch * samples < EARLY_SAMPLES:
        return tuple(seen)
    if epoch > EARLY_EPOCHS:
        seen += [symptom for layer in layers for symptom in _restless(layer, unchanged[layer.name])]
    return (*seen, *_at_chance(layers[-1], found))


def _silent(layer: LayerFormat, found: Evaluation) -> Iterator[Symptom]:
    """Whether units say nothing, since they say the same to everything."""
    units, dead, full = layer.units, found.dead[layer.index], found.saturated[layer.index]
    if dead > DEAD * units:
        text = f"{dead} of {units} units are dead (0 for all {found.samples} test samples)"
        yield _symptom(layer, "dead", f"{text}; {CALIBRATE}{_or_slower(layer)}")
    if full > FULL * units:
        text = f"{full} of {units} units are saturated (255 for nearly all test samples)"
        remedy = f"activation_shift = {layer.activation_shift + 1}"
        yield _symptom(layer, "saturated", f"{text}; {CALIBRATE}, or halve activations: {remedy}")


def _restless(layer: LayerFormat, unchanged: float) -> Iterator[Symptom]:
    """Whether nearly every sample changes weights, though the first epochs are over."""
    if unchanged < UNCHANGED:
        text = f"{1 - unchanged:.1%} of the training samples still change its weights"
        remedy = f"margin = {layer.margin // 2}"
        yield _symptom(layer, "restless", f"{text}; {CALIBRATE}, or halve its margin: {remedy}")


def _at_chance(layer: LayerFormat, found: Evaluation) -> Iterator[Symptom]:
    """Whether the answer is not better, within noise, than always the most frequent class."""
    accuracy, chance = found.accuracy[layer.index], found.chance
    noise = math.sqrt(chance * (1 - chance) / found.samples)
    if accuracy <= chance + DEVIATIONS * noise:
        text = (
            f"{accuracy:.1%} of {found.samples} test samples are right, where always answering "
            f"{found.commonest} gets {chance:.1%}; see whether the labels are those of the samples"
        )
        yield _symptom(layer, "chance", f"{text}, {CALIBRATE}{_or_slower(layer)}")


def _or_slower(layer: LayerFormat) -> str:
    slower = layer.rate_shift + 1
    return f", or halve the rate: rate_shift = {slower}" if slower <= layer.rate_shift_max else ""


def _symptom(layer: LayerFormat, kind: str, text: str) -> Symptom:
    return Symptom(layer=layer.name, kind=kind, text=f"{layer.name}: {text}")


def teller(say: Callable[[str], None]) -> Callable[[Collection[Symptom]], None]:
    """Says a symptom when a layer first has it, and not again after every epoch."""
    told = set[tuple[str, str]]()

    def tell(found: Collection[Symptom]) -> None:
        for symptom in found:
            if (symptom.layer, symptom.kind) not in told:
                say(f"Warning: {symptom.text}.")
            told.add((symptom.layer, symptom.kind))

    return tell
