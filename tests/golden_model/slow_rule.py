"""The learning rule once more, in plain Python integers, as slow and as obvious as can be.

Written from the tables in golden_model/spec; shares nothing with golden_model but declarations.
"""

from golden_model.spec.formats import ConvFormat, FormattedNetwork, LayerFormat
from golden_model.spec.network import Feedback, Loss, Rounding


def xorshift(seed: int, count: int) -> list[int]:
    state, draws = seed, []
    for _ in range(count):
        state ^= (state << 13) & 0xFFFFFFFF
        state ^= state >> 17
        state ^= (state << 5) & 0xFFFFFFFF
        draws.append(state)
    return draws


def one(fmt: LayerFormat) -> int:
    """The input of the bias: 1.0 of pixels, of centred inputs, of activations."""
    if fmt.index:
        return 32
    return 64 if fmt.signed_input else 255


def half(shift: int) -> int:
    return 2 ** (shift - 1) if shift > 0 else 0


class SlowLayer:
    def __init__(self, fmt: LayerFormat) -> None:
        self.fmt = fmt
        self.readout = fmt.reads_out
        self.rate_shift, self.margin, self.learn = fmt.rate_shift, fmt.margin, True
        self.samples = self.updates = 0
        self.winners: list[int] = []
        draws = iter(xorshift(fmt.weight_seed, fmt.units * (fmt.inputs + 1)))
        self.weights = [[self.weight(next(draws)) for _ in range(fmt.inputs + 1)]
                        for _ in range(fmt.units)]  # fmt: skip
        rows = fmt.units * fmt.regions
        draws = iter(xorshift(fmt.classifier_seed, rows * fmt.classes))
        self.m: list[list[int]] = []
        self.k: list[list[int]] = []
        for _ in range(rows):
            row = [next(draws) for _ in range(fmt.classes)]
            signs = [-1 if draw & 0x80000000 else 1 for draw in row]
            sizes = [[1, 2, 3, 2][(draw >> 29) & 0b11] for draw in row]
            self.m.append(signs)
            concordant = fmt.feedback == Feedback.SIGN_CONCORDANT
            self.k.append(
                [s * n for s, n in zip(signs, sizes, strict=True)] if concordant else signs
            )

    def weight(self, draw: int) -> int:
        places = 2 ** (self.fmt.init_bits - 1)
        top = draw * places // 2**32
        return 2 * (top - places if top >= places // 2 else top) + 1

    def send(self, x: list[int], label: int | None) -> list[int]:
        fmt = self.fmt
        x = [*x, one(fmt)]
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
        shift, rounding = self.rate_shift, half(self.rate_shift)
        if self.fmt.rounding == Rounding.STOCHASTIC:
            word = xorshift(self.fmt.rounding_seed, self.updates + 1)[-1] if self.pending else 0
            word ^= int(f"{i ^ j:032b}"[::-1], 2)
            shift += max(0, 13 - self.fmt.weight_fraction)
            rounding = word >> (32 - shift)
        step = (self.d[j] * x + rounding) >> shift
        high = 2 ** (self.fmt.weight_bits - 1)
        self.weights[j][i] = min(max(self.weights[j][i] - step, -high), high - 1)


class SlowConv(SlowLayer):
    """A convolution, one place, one tap and one filter after the other."""

    fmt: ConvFormat

    def send(self, x: list[int], label: int | None) -> list[int]:
        fmt = self.fmt
        height, width, channels = fmt.image
        n, s, pool, parts = fmt.kernel, fmt.activation_shift, fmt.pool, fmt.regions_across
        rows, columns = height - n + 1, width - n + 1
        bias = one(fmt)
        self.samples += 1

        def seen(row: int, column: int) -> list[int]:
            return [
                x[((row + a) * width + column + b) * channels + c]
                for a in range(n) for b in range(n) for c in range(channels)
            ]  # fmt: skip

        taps = [[seen(row, column) for column in range(columns)] for row in range(rows)]
        sums = [
            [
                [sum(w * v for w, v in zip(self.weights[o], [*place, bias], strict=True))
                 for o in range(fmt.units)]
                for place in line
            ]
            for line in taps
        ]  # fmt: skip
        self.acc = [value for line in sums for place in line for value in place]
        self.h, self.winners, winners, regions = [], [], [], []
        for q in range(rows // pool):
            for r in range(columns // pool):
                region = q * parts // (rows // pool) * parts + r * parts // (columns // pool)
                for o in range(fmt.units):
                    window = [
                        (q * pool + a, r * pool + b) for a in range(pool) for b in range(pool)
                    ]
                    values = [min(max((sums[a][b][o] + half(s)) >> s, 0), 255) for a, b in window]
                    self.h.append(max(values))
                    winners.append(window[values.index(max(values))])
                    self.winners.append(winners[-1][0] * columns + winners[-1][1])
                    regions.append(region * fmt.units + o)
        self.scores = [
            sum(self.m[row][c] * h for row, h in zip(regions, self.h, strict=True))
            for c in range(fmt.classes)
        ]
        self.e = [0] * fmt.classes
        if label is not None and self.learn:
            self.e = self.error(label)
        self.pending = any(self.e)
        self.updates += self.pending
        self.d = [
            sum(k * e for k, e in zip(self.k[row], self.e, strict=True)) if 0 < h < 255 else 0
            for row, h in zip(regions, self.h, strict=True)
        ]
        for o in range(fmt.units):
            mine = [
                (d, taps[a][b])
                for d, row, (a, b) in zip(self.d, regions, winners, strict=True)
                if row % fmt.units == o
            ]
            for k in range(fmt.inputs):
                self.move(o, k, sum(d * place[k] for d, place in mine), self.rate_shift)
            total = sum(d for d, _ in mine) * bias
            self.move(o, fmt.inputs, total, self.rate_shift + fmt.bias_shift)
        return self.h

    def move(self, o: int, k: int, total: int, shift: int) -> None:
        high = 2 ** (self.fmt.weight_bits - 1)
        moved = self.weights[o][k] - ((total + half(shift)) >> shift)
        self.weights[o][k] = min(max(moved, -high), high - 1)


class SlowNetwork:
    def __init__(self, formats: FormattedNetwork) -> None:
        self.layers = [
            (SlowConv if isinstance(fmt, ConvFormat) else SlowLayer)(fmt) for fmt in formats.layers
        ]

    def send(self, sample: list[int], label: int | None) -> int:
        """The class."""
        x = sample
        for layer in self.layers:
            x = layer.send(x, label)
        return self.layers[-1].scores.index(max(self.layers[-1].scores))
