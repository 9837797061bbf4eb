"""The words ``--online`` and its like, for every command that trains: a stream and what is told."""

import importlib
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import click
import numpy as np
from click.core import ParameterSource
from numpy.typing import NDArray

from golden_model.data.dataset import Stream
from golden_model.files import check_writable, replace_file
from golden_model.prequential import Record, prequential
from golden_model.progress import progress_bar
from golden_model.spec.command import FILE, needing
from golden_model.spec.errors import SpecError
from golden_model.spec.formats import FormattedNetwork
from golden_model.spec.learner import Learner
from golden_model.spec.network import Network
from golden_model.training import Reached, shuffled
from golden_model.weight_file import save_weights

Order = NDArray[np.int64]
"""Numbers of samples, shape ``[n]``."""
WINDOW = 200
CONTRARY = {
    "epochs": "a stream is gone through once",
    "layer_by_layer": "all layers learn from a stream at once",
    "validation": "each sample of a stream is a test before it is learnt",
}
"""Words of other trainings, and why a stream knows nothing of them."""


def online_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options that :meth:`Online.asked` reads."""
    for option in (
        click.option(
            "--plot", type=FILE, help="With --online: draw its accuracy, a .png; needs matplotlib."
        ),
        click.option(
            "--window",
            default=WINDOW,
            show_default=True,
            type=click.IntRange(1),
            help="With --online: also tell the accuracy of so many last samples.",
        ),
        click.option("--shuffle", is_flag=True, help="With --online: in an order drawn by seed."),
        click.option(
            "--online",
            is_flag=True,
            help="Once through the training samples in their order, all of a file that is not "
            "split: each is answered, then learnt. Test samples are left alone.",
        ),
    ):
        command = option(command)
    return command


@dataclass(frozen=True, slots=True, kw_only=True)
class Online:
    """A training on a stream, as it was asked for.

    Members
    -------
    window
        Samples of the running accuracy.
    shuffle
        Whether samples come in an order drawn by seed instead of their own.
    plot
        Where a picture goes.
    """

    window: int
    shuffle: bool
    plot: Path | None

    @classmethod
    def asked(cls, words: Mapping[str, Any], *files: Path | None) -> Self | None:
        """What was asked for with the running command; None for a training by epochs.

        Parameters
        ----------
        words
            Values of the options of :func:`online_options`.
        files
            Others that are to be written.

        Raises
        ------
        SpecError
            If some of the words contradict each other, or no picture could be drawn or written.
        """
        context = click.get_current_context()
        said = {
            name
            for name in context.params
            if context.get_parameter_source(name) is ParameterSource.COMMANDLINE
        }
        if not words["online"]:
            for name in ("shuffle", "window", "plot"):
                if name in said:
                    rule, remedy = "it belongs to a stream", "Say --online too, or leave it out"
                    raise SpecError(f"--{name} without --online", rule, remedy)
            return None
        for name, rule in CONTRARY.items():
            if name in said:
                word = name.replace("_", "-")
                raise SpecError(f"--online --{word}", rule, "Leave one of them out")
        if plot := words["plot"]:
            _check_plot(plot, [file for file in files if file])
        return cls(window=words["window"], shuffle=words["shuffle"], plot=plot)

    def order(self, formats: FormattedNetwork, reached: Reached) -> Callable[[int], Order]:
        """How :func:`~golden_model.data.dataset.load_stream` is to order the samples."""
        if not self.shuffle:
            return np.arange
        return lambda samples: shuffled(formats, samples, reached.seen)

    def run(
        self,
        learner: Learner,
        stream: Stream,
        reached: Reached,
        *,
        save: Path | None = None,
        json_file: Path | None = None,
    ) -> None:
        """Train on the stream, print what comes of it and write the files.

        Weights that are saved have seen one epoch more.
        """
        records = []
        with progress_bar() as progress:
            progress.console.print(self._heading(learner.formats.network, stream), markup=False)
            bar = progress.add_task("training", total=len(stream.x))
            for record in prequential(learner, stream, lambda n: progress.advance(bar, n)):
                records.append(record)
                progress.console.print(self._line(record))
            progress.console.print(_summary(records[-1]))
        if save:
            seen = reached.seen + 1
            save_weights(save, learner, Reached(epoch=seen, seen=seen), stream)
        if json_file:
            content = self._content(learner.formats.network, stream, records)
            replace_file(json_file, (json.dumps(content, indent=2) + "\n").encode())
        if self.plot:
            # Imported here because matplotlib is optional, and takes a second.
            from golden_model.picture import draw_stream  # noqa: PLC0415

            title = f"{learner.formats.network.name} on {stream.name}, answered before it is learnt"
            replace_file(self.plot, draw_stream(records[-1], self.window, title))

    def _heading(self, network: Network, stream: Stream) -> str:
        order = f"shuffled by seed {network.seed}" if self.shuffle else "in their order"
        text = f"{network.name} on {stream.name}: {len(stream.x)} samples, {order}"
        if stream.fitted:
            text += f"; the first {stream.fitted} tell how to centre, and are learnt but not judged"
        return text

    def _line(self, record: Record) -> str:
        number = len(record.labels)
        so_far, last = (_last(record.accuracy(window=n)) for n in (None, self.window))
        if number <= record.fitted:
            return f"sample {number}  not judged yet"
        share = f"of the last {min(self.window, number - record.fitted)} {_percent(last)}"
        return f"sample {number}  right so far {_percent(so_far)}, {share}"

    def _content(
        self, network: Network, stream: Stream, records: Sequence[Record]
    ) -> dict[str, Any]:
        whole = records[-1]
        return {
            "network": network.name,
            "fingerprint": f"{network.fingerprint:08x}",
            "seed": network.seed,
            "data": stream.name,
            "samples": len(stream.x),
            "shuffled": self.shuffle,
            "fitted": stream.fitted,
            "judged": int(whole.judged.sum()),
            "lost": whole.lost,
            "accuracy": _last(whole.accuracy()),
            "most_frequent": _last(whole.accuracy(whole.most_frequent)),
            "no_change": _last(whole.accuracy(whole.no_change)),
            "window": self.window,
            "running": [
                {
                    "samples": len(record.labels),
                    "accuracy": _last(record.accuracy()),
                    "in_window": _last(record.accuracy(window=self.window)),
                }
                for record in records
            ],
        }


def _check_plot(plot: Path, others: Sequence[Path]) -> None:
    """Raise :class:`SpecError` if no picture could be drawn or written there."""
    if plot.resolve() in [file.resolve() for file in others]:
        rule = "a picture is a file of its own"
        raise SpecError(f"--plot {str(plot)!r} beside it", rule, "Name another")
    if plot.suffix.lower() != ".png":
        raise SpecError(f"--plot {str(plot)!r}", "pictures are .png files", "Name it FILE.png")
    check_writable(plot)
    with needing("experiments", "--plot"):
        importlib.import_module("matplotlib")


def _summary(record: Record) -> str:
    own, frequent, before = (
        _percent(_last(record.accuracy(answers)))
        for answers in (None, record.most_frequent, record.no_change)
    )
    text = f"{record.judged.sum()} samples: {own} answered rightly, each before it was learnt"
    if record.lost:
        text += f" ({record.lost} more were learnt, but their answers lost on the way)"
    return f"{text}; by the most frequent class so far {frequent}, by the class before {before}"


def _last(curve: NDArray[np.float64]) -> float | None:
    """Where a curve ends; None if nothing is judged there."""
    return None if math.isnan(curve[-1]) else float(curve[-1])


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{share:.2%}"
