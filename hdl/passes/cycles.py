"""The cycle model: in which clock everything happens, equal to what the RTL does.

It follows the RTL's registers event by event, for dense data, a source that always has the next
activation and a sink that takes every score at once. Clocks are counted from the one in which the
first activation is taken.
"""

from collections.abc import Iterable, Sequence

from golden_model.spec.formats import DenseFormat, ReadoutFormat
from golden_model.spec.network import Loss
from hdl.passes.stages import Folding

NAME_TO_SUM = 7
"""Clocks from naming the last word of a group to the sums of its lanes."""
NAME_TO_WRITE = 3


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
        self._emitted = -1  # clock in which it was taken by the next layer

    def sample(self, full: int, update: bool, next_free: int) -> tuple[int, list[int]]:
        """One sample through the layer.

        Parameters
        ----------
        full
            Clock from which the whole sample waits in the buffer.
        update
            The sample before left an update pending.
        next_free
            Clock from which the next layer takes this sample's activations.

        Returns
        -------
        Clock in which the sweep started, and clocks in which activations were handed on.
        """
        start = max(self._ready, full, self._emitted + 1)
        self.page_free = start + 1
        fold, per_group = self.folding, self.folding.words(self.format)
        gradients = self._gradients() if update else None
        period = 2 if update and fold.single_port else 1
        gap = max(period, 2 if fold.clear_slot else 1)
        issued, released, final, emissions = start + 1 - gap, 0, 0, list[int]()
        for group in range(fold.groups(self.format)):
            first = issued + gap
            if gradients is not None:
                first = max(first, gradients.gathered(fold.pe))
            issued = max(first + (per_group - 1) * period, released)
            if gradients is not None:
                gradients.used(issued if per_group == 1 else first)
            units = min(fold.pe, self.format.units - group * fold.pe)
            released, final = self._collect(issued, units, next_free, emissions)
        self._judged = final + self._judging
        self._ready = self._judged + 1
        return start, emissions

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


def network_starts(
    formats: Sequence[DenseFormat],
    foldings: Sequence[Folding],
    updates: Iterable[Sequence[bool]],
) -> list[list[int]]:
    """Clocks in which each layer starts each sample.

    Parameters
    ----------
    formats, foldings
        The layers and their foldings.
    updates
        For each sample, which layers have an update pending when it comes.

    Returns
    -------
    For each sample, one clock per layer.
    """
    pairs = zip(formats, foldings, strict=True)
    layers = [LayerTimeline(format, folding) for format, folding in pairs]
    starts = []
    for pending in updates:
        full, row = layers[0].page_free + formats[0].inputs, []
        for index, layer in enumerate(layers):
            following = layers[index + 1].page_free if index + 1 < len(layers) else 0
            start, emissions = layer.sample(full, pending[index], following)
            row.append(start)
            full = emissions[-1] + 1 if emissions else 0
        starts.append(row)
    return starts


def interval(formats: Sequence[DenseFormat], foldings: Sequence[Folding], update: bool) -> int:
    """Clocks per sample in the steady state, all layers with an update pending, or none."""
    samples = 4 + 2 * len(formats)
    starts = network_starts(formats, foldings, [[update] * len(formats)] * samples)
    return starts[-1][-1] - starts[-2][-1]
