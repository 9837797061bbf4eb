"""The same network in PyTorch: float32, batch 1, one thread, the way that runs fastest there.

A hidden layer learns by the pairwise hinge of its own fixed random classifier, the readout by that
of its scores; plain SGD. Margins and rates are those of the golden model in real units.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from golden_model.spec.formats import ACTIVATION_FRACTION, FormattedNetwork, LayerFormat
from golden_model.spec.learner import Samples

Tensor = Any
"""A `torch.Tensor`; PyTorch is an extra, and types are checked without it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """Samples per second while learning, and the share that was answered right meanwhile."""

    samples_per_second: float
    right: float


class Net:
    """Weights as tensors; the golden model's constants as real numbers."""

    def __init__(self, formats: FormattedNetwork) -> None:
        hidden, readout = formats.layers
        generator = torch.Generator().manual_seed(formats.network.seed)
        self.weights = torch.randn(hidden.units, hidden.inputs, generator=generator)
        self.weights /= hidden.inputs**0.5
        self.bias = torch.zeros(hidden.units)
        signs = torch.randint(0, 2, (hidden.classes, hidden.units), generator=generator)
        self.classifier = 2.0 * signs - 1
        self.readout = torch.randn(hidden.classes, hidden.units, generator=generator)
        self.readout /= hidden.units**0.5
        self.readout_bias = torch.zeros(hidden.classes)
        self.margins = [layer.margin / 2**ACTIVATION_FRACTION for layer in (hidden, readout)]
        self.rates = [real_rate(layer, formats) for layer in (hidden, readout)]


def real_rate(layer: LayerFormat, formats: FormattedNetwork) -> float:
    """The real step at a run's start: ``d * x`` moves a weight by this times both."""
    shift = layer.rate_shift + formats.network.learning.first_step
    return float(2.0 ** (layer.input_fraction - shift - layer.weight_fraction))


def explicit(net: Net, samples: Tensor, labels: list[int]) -> Iterator[int]:
    """Gradients written out, no graph; a sample without error changes nothing."""
    w, b, m, r, c = net.weights, net.bias, net.classifier, net.readout, net.readout_bias
    back = m.T.contiguous()
    (margin, readout_margin), (rate, readout_rate) = net.margins, net.rates
    with torch.inference_mode():
        for x, label in zip(samples, labels, strict=True):
            h = torch.addmv(b, w, x).relu_()
            error, wrong = _pairwise(torch.mv(m, h), label, margin)
            scores = torch.addmv(c, r, h)
            if wrong:
                d = torch.mv(back, error) * (h > 0)
                w.addr_(d, x, alpha=-rate)
                b.sub_(d, alpha=rate)
            error, wrong = _pairwise(scores, label, readout_margin)
            if wrong:
                r.addr_(error, h, alpha=-readout_rate)
                c.sub_(error, alpha=readout_rate)
            yield int(scores.argmax())


def _pairwise(scores: Tensor, label: int, margin: float) -> tuple[Tensor, int]:
    near = scores > scores[label] - margin
    wrong = int(near.sum()) - 1
    error = near.float()
    error[label] = -float(wrong)
    return error, wrong


def autograd(net: Net, samples: Tensor, labels: list[int]) -> Iterator[int]:
    """The losses as one writes them in PyTorch, `backward`, and its SGD."""
    (margin, readout_margin), (rate, readout_rate) = net.margins, net.rates
    hidden = [net.weights.requires_grad_(), net.bias.requires_grad_()]
    readout = [net.readout.requires_grad_(), net.readout_bias.requires_grad_()]
    groups = [{"params": hidden, "lr": rate}, {"params": readout, "lr": readout_rate}]
    optimiser = torch.optim.SGD(groups)
    for x, label in zip(samples, labels, strict=True):
        h = torch.relu(torch.addmv(net.bias, net.weights, x))
        own = torch.mv(net.classifier, h)
        scores = torch.addmv(net.readout_bias, net.readout, h.detach())
        loss = torch.relu(margin - own[label] + own).sum()
        loss = loss + torch.relu(readout_margin - scores[label] + scores).sum()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        yield int(scores.argmax())


VARIANTS: dict[str, Callable[[Net, Tensor, list[int]], Iterator[int]]] = {
    "explicit updates": explicit,
    "autograd": autograd,
}


def time_variants(formats: FormattedNetwork, x: Samples, labels: list[int]) -> dict[str, Timing]:
    """Each variant, from fresh weights, on samples of shape ``[n, inputs]``; one thread."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        samples = torch.from_numpy(x.astype(np.float32) / 256)
        return {
            name: _time(variant(Net(formats), samples, labels), labels)
            for name, variant in VARIANTS.items()
        }
    finally:
        torch.set_num_threads(threads)


def _time(answers: Iterator[int], labels: list[int]) -> Timing:
    start = time.perf_counter()
    right = sum(answer == label for answer, label in zip(answers, labels, strict=True))
    seconds = time.perf_counter() - start
    return Timing(samples_per_second=len(labels) / seconds, right=right / len(labels))
