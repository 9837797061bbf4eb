"""The cycle model: in which clock everything happens, equal to what the RTL does.

It follows the RTL's registers event by event, for the words that each sweep visits (all of them,
unless zeros are skipped), a source that always has the next activation and a sink that takes every
score at once. Clocks are counted from the one in which the first activation is taken.
"""

from collections.abc import Iterable, Sequence

from golden_model.spec.formats import DenseFormat, ReadoutFormat
from golden_model.spec.network import Loss
from hdl.passes.stages import Folding

NAME_TO_SUM = 7
"""Clocks from naming the last word of a group to the sums of its lanes."""
NAME_TO_WRITE = 3
"""Clocks from naming a word to its write, in which single-port memory cannot be read."""
FETCH = 2
"""Clocks until a visit list has given its first word."""
FILL = 2
"""Clocks from the last activation of a sample to a full buffer."""


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
    """

    def __init__(self, format: DenseFormat, folding: Folding) -> None:
        self.format, self.folding = format, folding
        self.readout = isinstance(format, ReadoutFormat)
        self.tree = (folding.simd - 1).bit_length()
        self.page_free = 0
        self._ready = 0  # clock from which the next sweep may start
        self._judged = 0  # clock in which the last sample's errors stood
        self._loaded = -format.classes  # clock in which the last unit's activation was formed
        self._written: list[int] = []  # clocks in which the last words to be written were named
        self._emitted = -1  # clock in which it was taken by the next layer

    def sample(
        self, full: int, update: bool, writes: Sequence[bool], next_free: int
    ) -> tuple[int, list[int]]:
        """One sample through the layer.

        Parameters
        ----------
        full
            Clock from which the whole sample waits in the buffer.
        update
            The sample before left an update pending.
        writes
            For each word that a group's sweep visits, whether it is written back.
        next_free
            Clock from which the next layer takes this sample's activations.

        Returns
        -------
        Clock in which the sweep started, and clocks in which activations were handed on.
        """
        start = max(self._ready, full, self._emitted + 1)
        self.page_free = start + 1
        fold = self.folding
        gradients = self._gradients() if update else None
        issued = start + (FETCH if fold.skip_zeros else 0)
        released, final, emissions = 0, 0, list[int]()
        for group in range(fold.groups(self.format)):
            first = issued + 1 + (fold.clear_slot and group > 0)
            if gradients is not None:
                first = max(first, gradients.gathered(fold.pe))
            first, issued = self._words(first, writes, released)
            if gradients is not None:
                gradients.used(first)
            units = min(fold.pe, self.format.units - group * fold.pe)
            released, final = self._collect(issued, units, next_free, emissions)
        self._judged = final + self._judging
        self._ready = self._judged + 1
        return start, emissions

    def _words(self, first: int, writes: Sequence[bool], released: int) -> tuple[int, int]:
        """Clocks in which the first and the last word of a group are named."""
        if not (self.folding.single_port and any(writes)):
            last = max(first + len(writes) - 1, released)
            return (last if len(writes) == 1 else first), last
        clock, begun = first - 1, 0
        for place, write in enumerate(writes):
            clock += 1
            if place == len(writes) - 1:
                clock = max(clock, released)
            # The one port of the memory is taken where an earlier word is written back.
            while clock - NAME_TO_WRITE in self._written:
                clock += 1
            if write:
                self._written = [*self._written[-2:], clock]
            begun = begun or clock
        return begun, clock

    @property
    def _judging(self) -> int:
        """Clocks from the last score to the errors."""
        pairwise = self.format.loss is Loss.PAIRWISE_HINGE
        return self.format.classes + 3 if pairwise else 2

    def _gradients(self) -> "_Gradients":
        classes = self.format.classes
        if self.readout:
            return _Gradients(self._judged + 2, 2)
        return _Gradients(self._judged + classes + 2, classes)

    def _collect(
        self, last: int, units: int, next_free: int, emissions: list[int]
    ) -> tuple[int, int]:
        """Sums of a group leave one by one.

        Returns the clock from which the next group's last word may be named, and the clock of the
        last score if these were the layer's last units.
        """
        valid = last + NAME_TO_SUM + self.tree + 1
        if self.readout:
            return valid + units, valid + units - 1
        for _ in range(units):
            # The unit before must be scored, and its activation taken by the next layer.
            self._loaded = max(valid, self._loaded + self.format.classes, self._emitted)
            self._emitted = max(self._loaded + 1, next_free)
            emissions.append(self._emitted)
        return self._loaded + 1, self._loaded + self.format.classes + 1


class _Gradients:
    """When the gradient unit has the next group's gradients at hand."""

    def __init__(self, first: int, per_unit: int) -> None:
        self._out, self._per_unit, self._free = first, per_unit, 0

    def gathered(self, units: int) -> int:
        """Clock from which all gradients of the next group can be used."""
        for _ in range(units):
            taken = max(self._out, self._free)
            self._out = taken + self._per_unit
        return taken + 1

    def used(self, clock: int) -> None:
        """The group's first word was named in `clock`."""
        self._free = clock + 1


def every_word(layer: DenseFormat, folding: Folding, update: bool) -> list[bool]:
    """Visits of a dense sweep: each word, written back if there is an update."""
    return [update] * folding.words(layer)


def nonzero_words(newest: Sequence[bool], previous: Sequence[bool], *, update: bool) -> list[bool]:
    """Visits of a sweep that skips zeros.

    Parameters
    ----------
    newest, previous
        For each word of a group, whether an input of this sample, of the one before, is not 0;
        the last, with the bias, always is.
    update
        The sample before left an update pending.
    """
    pairs = zip(newest, previous, strict=True)
    return [before and update for now, before in pairs if now or (before and update)]


def network_starts(
    formats: Sequence[DenseFormat],
    foldings: Sequence[Folding],
    updates: Iterable[Sequence[bool]],
    visits: Iterable[Sequence[Sequence[bool]]] | None = None,
) -> list[list[int]]:
    """Clocks in which each layer starts each sample.

    Parameters
    ----------
    formats, foldings
        The layers and their foldings.
    updates
        For each sample, which layers have an update pending when it comes.
    visits
        For each sample and layer, the words visited, see :func:`nonzero_words`; None for all.

    Returns
    -------
    For each sample, one clock per layer.
    """
    pairs = list(zip(formats, foldings, strict=True))
    layers = [LayerTimeline(format, folding) for format, folding in pairs]
    given = iter(visits) if visits is not None else None
    starts = []
    for pending in updates:
        words = (
            next(given)
            if given is not None
            else [every_word(*pair, due) for pair, due in zip(pairs, pending, strict=True)]
        )
        full, row = layers[0].page_free + formats[0].inputs - 1 + FILL, []
        for index, layer in enumerate(layers):
            following = layers[index + 1].page_free if index + 1 < len(layers) else 0
            start, emissions = layer.sample(full, pending[index], words[index], following)
            row.append(start)
            full = emissions[-1] + FILL if emissions else 0
        starts.append(row)
    return starts


def interval(
    formats: Sequence[DenseFormat],
    foldings: Sequence[Folding],
    update: bool,
    share: float = 1.0,
) -> int:
    """Clocks per sample in the steady state, all layers with an update pending, or none.

    Parameters
    ----------
    formats, foldings
        The layers and their foldings.
    update
        Each sample leaves an update pending in every layer.
    share
        Of the words of a group, those that are visited.
    """
    pairs = zip(formats, foldings, strict=True)
    counts = [max(1, round(share * folding.words(layer))) for layer, folding in pairs]
    samples = 4 + 2 * len(formats)
    visits = [[[update] * count for count in counts]] * samples
    starts = network_starts(formats, foldings, [[update] * len(formats)] * samples, visits)
    return starts[-1][-1] - starts[-2][-1]
