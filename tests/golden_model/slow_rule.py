"""The learning rule once more, in plain Python integers, as slow and as obvious as can be.

Written from the tables in golden_model/spec; shares nothing with golden_model but declarations.
"""

from golden_model.spec.formats import DenseFormat, FormattedNetwork, ReadoutFormat
from golden_model.spec.network import Feedback, Loss


def xorshift(seed: int, count: int) -> list[int]:
    state, draws = seed, []
    for _ in range(count):
        state ^= (state << 13) & 0xFFFFFFFF
        state ^= state >> 17
        state ^= (state << 5) & 0xFFFFFFFF
        draws.append(state)
    return draws


def half(shift: int) -> int:
    return 2 ** (shift - 1) if shift > 0 else 0


class SlowLayer:
    def __init__(self, fmt: DenseFormat) -> None:
        self.fmt = fmt
        self.readout = isinstance(fmt, ReadoutFormat)
        self.rate_shift, self.margin, self.learn = fmt.rate_shift, fmt.margin, True
        self.samples = self.updates = 0
        draws = iter(xorshift(fmt.weight_seed, fmt.units * (fmt.inputs + 1)))
        self.weights = [[self.weight(next(draws)) for _ in range(fmt.inputs + 1)]
                        for _ in range(fmt.units)]  # fmt: skip
        draws = iter(xorshift(fmt.classifier_seed, fmt.units * fmt.classes))
        self.m: list[list[int]] = []
        self.k: list[list[int]] = []
        for _ in range(fmt.units):
            row = [next(draws) for _ in range(fmt.classes)]
            signs = [-1 if draw & 0x80000000 else 1 for draw in row]
            sizes = [[1, 2, 3, 2][(draw >> 29) & 0b11] for draw in row]
            self.m.append(signs)
            concordant = fmt.feedback == Feedback.SIGN_CONCORDANT
            self.k.append(
                [s * n for s, n in zip(signs, sizes, strict=True)] if concordant else signs
            )

    def weight(self, draw: int) -> int:
        top = draw >> (32 - self.fmt.init_bits)
        return top - 2**self.fmt.init_bits if top >= 2 ** (self.fmt.init_bits - 1) else top

    def send(self, x: list[int], label: int | None) -> list[int]:
        fmt = self.fmt
        x = [*x, 255 if fmt.index == 0 else 32]  # the bias: 1.0 of pixels, of activations
        self.samples += 1
        self.acc = [sum(w * v for w, v in zip(row, x, strict=True)) for row in self.weights]
        s = fmt.activation_shift
        if self.readout:
            self.h: list[int] = []
            self.scores = [a >> s for a in self.acc]
        else:
            self.h = [min(max((a + half(s)) >> s, 0), 255) for a in self.acc]
            self.scores = [sum(self.m[j][c] * self.h[j] for j in range(fmt.units))
                           for c in range(fmt.classes)]  # fmt: skip
        self.e = [0] * fmt.classes
        if label is not None and self.learn:
            self.e = self.error(label)
        if self.readout:
            self.d = self.e
        else:
            self.d = [sum(self.k[j][c] * self.e[c] for c in range(fmt.classes))
                      if self.h[j] > 0 else 0 for j in range(fmt.units)]  # fmt: skip
        self.pending = any(self.e)
        self.updates += self.pending
        for j in range(fmt.units):
            for i in range(fmt.inputs + 1):
                self.update(j, i, x[i])
        return self.h

    def error(self, label: int) -> list[int]:
        score, margin, loss = self.scores, self.margin, self.fmt.loss
        e = []
        for c in range(self.fmt.classes):
            value = 0
            if loss == Loss.PAIRWISE_HINGE:
                if c != label and score[label] - score[c] < margin:
                    value = 1
            elif loss == Loss.HINGE:
                if c == label and score[c] < margin:
                    value = -1
                elif c != label and score[c] > -margin:
                    value = 1
            elif c == label and score[c] < margin:
                value = -min((margin - score[c]) >> self.fmt.error_shift, 127)
            elif c != label and score[c] > -margin:
                value = min((score[c] + margin) >> self.fmt.error_shift, 127)
            e.append(value)
        if loss == Loss.PAIRWISE_HINGE:
            e[label] = -sum(e)
        return e

    def update(self, j: int, i: int, x: int) -> None:
        step = (self.d[j] * x + half(self.rate_shift)) >> self.rate_shift
        high = 2 ** (self.fmt.weight_bits - 1)
        self.weights[j][i] = min(max(self.weights[j][i] - step, -high), high - 1)


class SlowNetwork:
    def __init__(self, formats: FormattedNetwork) -> None:
        self.layers = [SlowLayer(fmt) for fmt in formats.layers]

    def send(self, sample: list[int], label: int | None) -> int:
        """The class."""
        x = sample
        for layer in self.layers:
            x = layer.send(x, label)
        return self.layers[-1].scores.index(max(self.layers[-1].scores))
