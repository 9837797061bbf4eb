"""The cycle model: in which clock everything happens, equal to what the RTL does.

It follows the RTL's registers event by event, for the words that each sweep visits (all of them,
unless zeros are skipped), a source that always has the next activation and a sink that takes every
score at once. Clocks are counted from the one in which the first activation is taken.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial

from golden_model.spec.control import Activity
from golden_model.spec.formats import FullyConnected
from golden_model.spec.network import Loss
from hdl.passes.stages import CHUNK, Folding

NAME_TO_READ, NAME_TO_WRITE = 1, 4
"""Clocks from naming a word to its reading and writing; single-port memory does one of the two. In
slow memory all that follows the reading comes a clock later."""
LOAD = 2
"""Clocks from the start of a sweep until the first entry of a visit map is there."""
FILL = 3
"""Clocks from the last activation of a sample to a full buffer."""

Visits = Sequence[Sequence[bool]]
"""Words that a sweep visits in each group, chunk by chunk: for each whether it is written back. A
dense sweep knows one chunk only."""
Accept = Callable[[int], int]
"""From the clock in which an activation is offered to the one in which it is taken."""


def name_to_sum(folding: Folding) -> int:
    """Clocks from naming the last word of a group to the sums of all its units."""
    lanes = (7 if folding.learns else 5) + folding.slow_memory + folding.takes_turns
    return lanes + (folding.simd - 1).bit_length()


@dataclass(slots=True, kw_only=True)
class Sweep:
    """One sweep through the words, as they are named.

    Members
    -------
    folding
        The layer's.
    start
        Clock of its start.
    forward, update
        Whether sums are formed; whether an update is applied.
    blocked
        Clocks lost to sums that were not taken.
    last
        Clock in which the latest word was named.
    """

    folding: Folding
    start: int
    forward: bool
    update: bool
    blocked: int = 0
    last: int = field(init=False)
    _pause: int = -1  # clock without a word behind a group
    _written: tuple[int, ...] = ()  # clocks in which the latest words to be written were named
    _loaded: int = field(init=False)  # clock in which the latest chunk was loaded
    _moved: int = 0  # clock in which the latest chunk that has words came to hand
    _picked: int = 0  # clock in which the latest word was picked

    def __post_init__(self) -> None:
        self.last = self.start
        self._loaded = self.start + LOAD - 1

    def group(self, visits: Visits, gradients: int, credit: int) -> tuple[int, int]:
        """Clocks in which the first and the last word of a group are named.

        `gradients` is the clock from which the group's gradients, `credit` the one from which the
        place for its sums can be used.
        """
        if self.folding.skip_zeros:
            named = self._sparse(visits, gradients, credit)
        else:
            named = self._dense(visits[0], gradients, credit)
        if self.folding.pauses:
            self._pause = self.last + 1
        return named

    def _dense(self, words: Sequence[bool], gradients: int, credit: int) -> tuple[int, int]:
        count = len(words)
        first = self._gate(self.last + 1, words[0], gradients, credit if count == 1 else 0)
        if count > 1 and not (self.folding.single_port and self.update):
            self.last += count - 2
            self._gate(self.last + 1, words[-1], 0, credit)
        else:
            for place, write in enumerate(words[1:], start=2):
                self._gate(self.last + 1, write, 0, credit if place == count else 0)
        return first, self.last

    def _sparse(self, chunks: Visits, gradients: int, credit: int) -> tuple[int, int]:
        """A chunk is loaded, comes to hand when the one before is used up, and gives its words."""
        first = None
        for number, chunk in enumerate(chunks):
            self._loaded = max(self._loaded + 1, self._moved)
            if not chunk:
                continue
            self._moved = max(self._loaded + 1, self._picked)
            self._picked = self._moved
            for write in chunk:
                # A word is picked when the one before is named at the latest.
                self._picked = max(self._picked + 1, self.last)
                is_last = number == len(chunks) - 1
                needed = gradients if first is None else 0
                named = self._gate(self._picked + 1, write, needed, credit if is_last else 0)
                first = named if first is None else first
        assert first is not None
        return first, self.last

    def _gate(self, clock: int, write: bool, gradients: int, credit: int) -> int:
        """Clock from `clock` on in which a word can be named."""
        while True:
            written = clock + NAME_TO_READ - NAME_TO_WRITE - self.folding.slow_memory
            held = self.folding.single_port and written in self._written
            shared = self.folding.takes_turns and write and clock - 1 in self._written
            if clock == self._pause or held or shared:
                clock += 1
            elif clock < gradients:
                clock = gradients
            elif clock < credit:
                clock, self.blocked = clock + 1, self.blocked + 1
            else:
                break
        self.last = clock
        if write:
            self._written = (*self._written[-3:], clock)
        return clock


class LayerTimeline:
    """One layer's clock, sample after sample.

    Parameters
    ----------
    format, folding
        The layer and its folding.

    Members
    -------
    page_free
        Clock from which activations of the next sample are taken.
    activity
        What the layer's counters of clocks and words have come to.
    """

    def __init__(self, format: FullyConnected, folding: Folding) -> None:
        self.format, self.folding = format, folding
        self.readout = format.reads_out
        self.page_free = 0
        self.activity = dict.fromkeys(Activity, 0)
        self._per_unit = 1 if folding.parallel_classes and not self.readout else format.classes
        self._ready = 0  # clock from which the next sweep may start
        self._tag_free = 0  # clock from which another sample's tag may be with the matrix
        self._credit = 0  # clock from which sums have a place
        self._judged = 0  # clock in which the latest errors stood
        self._handed = 0  # clock in which the latest unit's activation gave way to the next one's
        self._scored = 0  # clock in which the latest unit was scored
        self._read = 0  # clock from which the next sample's first unit may be scored

    def sample(
        self, full: int, update: bool, learnt: bool, visits: Visits, accept: Accept
    ) -> tuple[int, list[int]]:
        """One sample through the layer.

        Parameters
        ----------
        full
            Clock from which the whole sample waits in the buffer.
        update
            The sample before left an update pending.
        learnt
            This sample is to be learnt.
        visits
            The words that each group's sweep visits.
        accept
            Says when the next layer takes an activation of this sample.

        Returns
        -------
        Clock in which the sweep started, and clocks in which activations were handed on.
        """
        wanted = max(self._ready, full)
        start = max(wanted, self._tag_free)
        self.activity[Activity.WAITING] += wanted - self._ready
        self.activity[Activity.BLOCKED] += start - wanted
        self.page_free = start + 1
        emissions: list[int] = []
        sweep = Sweep(folding=self.folding, start=start, forward=True, update=update)
        for group, (_, last) in enumerate(self._groups(sweep, visits)):
            valid = last + name_to_sum(self.folding)
            if group == 0:
                self._tag_free = valid + 1
            self._collect(group, valid + 1, accept, emissions)
        scored = self._credit - 1 if self.readout else self._scored
        # Four stages to the first score, five where the label's is read before.
        pairwise = self.format.loss is Loss.PAIRWISE_HINGE
        left = scored + (5 if pairwise else 4) + self.format.classes - 1
        self._read, self._judged = left + 1, left + 2
        self._end(sweep, self._judged if learnt else 0)
        return start, emissions

    def drain(self, until: int, update: bool, visits: Visits) -> None:
        """From clock `until` on a pending update is asked for; no sample comes any more."""
        self.activity[Activity.WAITING] += max(0, until - self._ready)
        if update:
            start = max(self._ready, until)
            sweep = Sweep(folding=self.folding, start=start, forward=False, update=True)
            for _ in self._groups(sweep, visits):
                pass
            self._end(sweep, 0)

    def _groups(self, sweep: Sweep, visits: Visits) -> Iterable[tuple[int, int]]:
        """First and last naming of each group."""
        gradients = self._gradients() if sweep.update else None
        words = sum(map(len, visits)), sum(map(sum, visits))
        for _ in range(self.folding.groups(self.format)):
            ready = gradients.gathered(self.folding.pe) if gradients is not None else 0
            first, last = sweep.group(visits, ready, self._credit if sweep.forward else 0)
            if gradients is not None:
                gradients.used(first)
            self.activity[Activity.WORDS_READ] += words[0]
            self.activity[Activity.WORDS_WRITTEN] += words[1]
            yield first, last

    def _end(self, sweep: Sweep, judged: int) -> None:
        """The sweep is over when its last word is written, and what follows when it is judged."""
        over = sweep.last + 1 + (NAME_TO_WRITE + self.folding.slow_memory) * sweep.update
        self._ready = max(over, judged) + 1
        self.activity[Activity.BUSY] += self._ready - sweep.start - sweep.blocked
        self.activity[Activity.BLOCKED] += sweep.blocked

    def _gradients(self) -> "_Gradients":
        latency, per_unit = self.format.classes + 2, self._per_unit
        if self.folding.parallel_classes:
            latency = 4
        if self.readout:
            latency = per_unit = 2
        return _Gradients(self._judged + latency, per_unit, 1 + self.folding.slow_memory)

    def _collect(self, group: int, held: int, accept: Accept, emissions: list[int]) -> None:
        """Sums of a group, in the collector from clock `held` on, leave one by one."""
        pe = self.folding.pe
        units = min(pe, self.format.units - group * pe)
        if self.readout:
            self._credit = max(held, self._read if group == 0 else 0) + units
            return
        for unit in range(units):
            taken = max(held, self._handed)
            emitted = accept(taken + 1)
            first = group == 0 and unit == 0
            scored = max(taken + 1, self._read if first else 0) + self._per_unit - 1
            self._handed = max(scored, emitted)
            emissions.append(emitted)
        self._credit = taken + 1
        self._scored = scored


class _Gradients:
    """When the gradient unit has the next group's gradients at hand."""

    def __init__(self, first: int, per_unit: int, use: int) -> None:
        self._out, self._per_unit, self._use = first, per_unit, use
        self._free, self._taken = 0, 0

    def gathered(self, units: int) -> int:
        """Clock from which all gradients of the next group can be used."""
        for _ in range(units):
            # A register stands between the unit that forms them and the queue that takes them.
            handed = max(self._out, self._taken)
            self._taken = max(handed + 1, self._free)
            self._out = handed + self._per_unit
        return self._taken + 1

    def used(self, clock: int) -> None:
        """The group's first word was named in `clock`."""
        self._free = clock + self._use


def every_word(layer: FullyConnected, folding: Folding, update: bool) -> Visits:
    """Visits of a dense sweep: each word, written back if there is an update."""
    return [[update] * folding.words(layer)]


def nonzero_words(
    newest: Sequence[bool], previous: Sequence[bool], *, update: bool, forward: bool = True
) -> Visits:
    """Visits of a sweep that skips zeros.

    Parameters
    ----------
    newest, previous
        For each word of a group, whether an input of the newest sample, of the one before, is not
        0; the last, with the bias, is visited always.
    update, forward
        Whether an update is applied: if sums are formed too that of the sample before, else that
        of the newest.
    """
    written = previous if forward else newest
    chunks = []
    for place in range(0, len(newest) - 1, CHUNK):
        part = slice(place, min(place + CHUNK, len(newest) - 1))
        if any(newest[part]) or any(previous[part]):
            pairs = zip(newest[part], written[part], strict=True)
            chunks.append([due and update for now, due in pairs if now or (due and update)])
    return [*chunks, [update]]


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleVisits:
    """What the cycle model has to know of a sample in a layer.

    Members
    -------
    update
        The sample before left an update pending.
    learnt
        This sample is to be learnt.
    words
        The words that each group's sweep visits.
    """

    update: bool
    learnt: bool
    words: Visits


def network_timeline(
    formats: Sequence[FullyConnected],
    foldings: Sequence[Folding],
    samples: Iterable[Sequence[SampleVisits]],
    accept: Accept = lambda clock: clock,
) -> tuple[list[list[int]], list[LayerTimeline]]:
    """Clocks in which each layer starts each sample, and the layers as they are afterwards.

    Parameters
    ----------
    formats, foldings
        The layers and their foldings.
    samples
        For each sample, what there is to know of it in each layer.
    accept
        Says when what comes behind them takes an activation; clocks never go back.

    Returns
    -------
    For each sample one clock per layer; the layers.
    """
    layers = [LayerTimeline(*pair) for pair in zip(formats, foldings, strict=True)]
    starts = []
    for sample in samples:
        full, row = layers[0].page_free + formats[0].inputs - 1 + FILL, []
        for index, (layer, known) in enumerate(zip(layers, sample, strict=True)):
            above = accept
            if index + 1 < len(layers):
                above = partial(max, layers[index + 1].page_free)
            start, emissions = layer.sample(full, known.update, known.learnt, known.words, above)
            row.append(start)
            full = emissions[-1] + FILL if emissions else 0
        starts.append(row)
    return starts, layers


def interval(
    formats: Sequence[FullyConnected],
    foldings: Sequence[Folding],
    training: bool,
    share: float = 1.0,
) -> int:
    """Clocks per sample in the steady state.

    Parameters
    ----------
    formats, foldings
        The layers and their foldings.
    training
        Each sample is learnt and leaves an update pending in every layer; else none is learnt.
    share
        Of the words of a group, those that are visited by a layer that skips zeros.
    """
    pairs = zip(formats, foldings, strict=True)
    sample = [steady_sample(layer, folding, training, share) for layer, folding in pairs]
    starts, _ = network_timeline(formats, foldings, [sample] * (6 + 2 * len(formats)))
    return starts[-1][-1] - starts[-2][-1]


def steady_sample(
    layer: FullyConnected, folding: Folding, training: bool, share: float = 1.0
) -> SampleVisits:
    """What :func:`interval` has each sample be in a layer."""
    words = every_word(layer, folding, training)
    if folding.skip_zeros:
        visited = [True] * max(1, round(share * folding.words(layer)))
        words = nonzero_words(visited, visited, update=training)
    return SampleVisits(update=training, learnt=training, words=words)
