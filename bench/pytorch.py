"""The same network in PyTorch: float32, batch 1, one thread, the ways that run fastest there.

A hidden layer learns by the pairwise hinge of its own fixed random classifier, the readout by that
of its scores; plain SGD. Margins and rates are those of the golden model in real units. The same
network by backpropagation of the readout's loss stands beside it.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from golden_model.convolution import regions_of
from golden_model.spec.formats import (
    ACTIVATION_FRACTION,
    ConvFormat,
    FormattedNetwork,
    LayerFormat,
)
from golden_model.spec.learner import Samples

Tensor = Any
"""A `torch.Tensor`; PyTorch is an extra, and types are checked without it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """Samples per second while learning, and the share that was answered right meanwhile."""

    samples_per_second: float
    right: float


class Layer:
    """Weights as tensors, and the golden model's constants as real numbers; dense, or the readout.

    What an activation shift makes larger or smaller is in the weights.
    """

    def __init__(
        self, layer: LayerFormat, formats: FormattedNetwork, generator: torch.Generator
    ) -> None:
        gain = 2.0 ** (
            layer.weight_fraction
            + layer.input_fraction
            - layer.activation_shift
            - ACTIVATION_FRACTION
        )
        self.format, self.reads_out = layer, layer.reads_out
        self.weights = torch.randn(layer.units, layer.inputs, generator=generator)
        self.weights *= gain / layer.inputs**0.5
        self.bias = torch.zeros(layer.units)
        # Of scores, from what :meth:`scored` gives.
        shape = layer.classes, layer.units * layer.regions
        self.classifier = 2.0 * torch.randint(0, 2, shape, generator=generator) - 1
        self.back = self.classifier.T.contiguous()
        self.margin = layer.margin / 2**ACTIVATION_FRACTION
        self.rate = gain * real_rate(layer, formats)
        self.bias_rate = self.rate * 2.0**-layer.bias_shift

    def sums(self, x: Tensor) -> Tensor:
        """``W x + b``."""
        return torch.addmv(self.bias, self.weights, x)

    def forward(self, x: Tensor) -> Tensor:
        """h, or of the readout its scores, and what :meth:`learn` needs."""
        x = x.flatten()
        sums = self.sums(x)
        if self.reads_out:
            return sums, (x, sums)
        h = torch.relu(sums)
        return h, (x, h)

    def scores(self, h: Tensor) -> Tensor:
        """Of the layer's own classifier."""
        return h if self.reads_out else torch.mv(self.classifier, h)

    def learn(self, seen: Tensor, error: Tensor) -> None:
        """One step against an error of the scores."""
        x, h = seen
        d = error if self.reads_out else torch.mv(self.back, error) * (h > 0)
        self.weights.addr_(d, x, alpha=-self.rate)
        self.bias.sub_(d, alpha=self.bias_rate)


class Convolution(Layer):
    """With pooling, and scores of the sums of its regions; channels come first."""

    def __init__(
        self, layer: ConvFormat, formats: FormattedNetwork, generator: torch.Generator
    ) -> None:
        super().__init__(layer, formats, generator)
        self.kernel, self.pool, self.map = layer.kernel, layer.pool, layer.map_shape
        height, width, channels = layer.image
        self.image = channels, height, width
        # Shape [windows, regions]; of one region a sum does.
        self.regions = torch.from_numpy(regions_of(layer).T.astype(np.float32))

    def forward(self, x: Tensor) -> Tensor:
        """h of each filter and window, shape ``[units, windows]``; x is ``[channels, pixels]``."""
        taps = functional.unfold(x.view(1, *self.image), self.kernel)[0]
        sums = torch.addmm(self.bias[:, None], self.weights, taps)
        if self.pool == 1:
            h = torch.relu(sums)
            return h, (taps, h, None)
        maps = sums.view(len(sums), *self.map)
        best, where = functional.max_pool2d(maps, self.pool, return_indices=True)
        h = torch.relu(best).flatten(1)
        return h, (taps, h, where.flatten(1))

    def scores(self, h: Tensor) -> Tensor:
        """Of the layer's own classifier."""
        by_region = h.sum(1) if self.regions.shape[1] == 1 else (h @ self.regions).flatten()
        return torch.mv(self.classifier, by_region)

    def learn(self, seen: Tensor, error: Tensor) -> None:
        """One step against an error of the scores."""
        taps, h, where = seen
        by_region = torch.mv(self.back, error).view(len(h), -1)
        d = (by_region if by_region.shape[1] == 1 else by_region @ self.regions.T) * (h > 0)
        if where is not None:
            d = torch.zeros(len(h), taps.shape[1]).scatter_(1, where, d)
        self.weights.addmm_(d, taps.T, alpha=-self.rate)
        self.bias.sub_(d.sum(1), alpha=self.bias_rate)


def real_rate(layer: LayerFormat, formats: FormattedNetwork) -> float:
    """The real step at a run's start: ``d * x`` moves a weight by this times both."""
    shift = layer.rate_shift + formats.network.learning.first_step
    return float(2.0 ** (layer.input_fraction - shift - layer.weight_fraction))


def layers_of(formats: FormattedNetwork) -> list[Layer]:
    """Fresh ones; drawn in PyTorch's way, not with the golden model's weights."""
    generator = torch.Generator().manual_seed(formats.network.seed)
    return [
        Convolution(layer, formats, generator)
        if isinstance(layer, ConvFormat)
        else Layer(layer, formats, generator)
        for layer in formats.layers
    ]


def explicit(layers: list[Layer], samples: Tensor, labels: list[int]) -> Iterator[int]:
    """Gradients written out, no graph; a sample without error changes nothing."""
    with torch.inference_mode():
        for sample, label in zip(samples, labels, strict=True):
            x = sample
            for layer in layers:
                h, seen = layer.forward(x)
                scores = layer.scores(h)
                error, wrong = _pairwise(scores, label, layer.margin)
                if wrong:
                    layer.learn(seen, error)
                x = h
            yield int(scores.argmax())


def _pairwise(scores: Tensor, label: int, margin: float) -> tuple[Tensor, int]:
    near = scores > scores[label] - margin
    wrong = int(near.sum()) - 1
    error = near.float()
    error[label] = -float(wrong)
    return error, wrong


def autograd(layers: list[Layer], samples: Tensor, labels: list[int]) -> Iterator[int]:
    """The losses as one writes them in PyTorch, `backward`, and its SGD."""
    return _by_graph(layers, samples, labels, local=True)


def backpropagation(layers: list[Layer], samples: Tensor, labels: list[int]) -> Iterator[int]:
    """The readout's loss only, through all layers; without a readout the last layer's own."""
    return _by_graph(layers, samples, labels, local=False)


def _by_graph(
    layers: list[Layer], samples: Tensor, labels: list[int], *, local: bool
) -> Iterator[int]:
    groups = []
    for layer in layers:
        groups.append({"params": [layer.weights.requires_grad_()], "lr": layer.rate})
        groups.append({"params": [layer.bias.requires_grad_()], "lr": layer.bias_rate})
    optimiser = torch.optim.SGD(groups)
    for sample, label in zip(samples, labels, strict=True):
        x, losses = sample, list[Tensor]()
        for layer in layers:
            h, _ = layer.forward(x)
            if local or layer is layers[-1]:
                scores = layer.scores(h)
                losses.append(torch.relu(layer.margin - scores[label] + scores).sum())
            x = h.detach() if local else h
        optimiser.zero_grad()
        torch.stack(losses).sum().backward()
        optimiser.step()
        yield int(scores.argmax())


Variant = Callable[[list[Layer], Tensor, list[int]], Iterator[int]]
VARIANTS: dict[str, Variant] = {
    "explicit updates": explicit,
    "autograd": autograd,
    "backpropagation": backpropagation,
}


def time_variants(formats: FormattedNetwork, x: Samples, labels: list[int]) -> dict[str, Timing]:
    """Each variant, from fresh weights, on samples of shape ``[n, inputs]``; one thread."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        samples = torch.from_numpy(x.astype(np.float32) / 256)
        if formats.network.image is not None:
            pixels = samples.view(len(x), -1, formats.network.image[2])
            samples = pixels.transpose(1, 2).contiguous()
        return {
            name: _time(variant(layers_of(formats), samples, labels), labels)
            for name, variant in VARIANTS.items()
        }
    finally:
        torch.set_num_threads(threads)


def _time(answers: Iterator[int], labels: list[int]) -> Timing:
    start = time.process_time()
    right = sum(answer == label for answer, label in zip(answers, labels, strict=True))
    seconds = time.process_time() - start
    return Timing(samples_per_second=len(labels) / seconds, right=right / len(labels))
