"""Losses of class scores, and their gradients.

Scores have shape ``[n, classes]``, labels ``[n]``. Each function gives the loss of every sample,
shape ``[n]``, and its gradient with respect to the scores, shape ``[n, classes]``.
"""

from collections.abc import Callable
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

Real = NDArray[np.floating]
Labels = NDArray[np.integer]


class FloatLoss(StrEnum):
    """Losses that references can learn; the first three are those of the integer engine."""

    HINGE = "hinge"
    PAIRWISE_HINGE = "pairwise-hinge"
    SQUARED_HINGE = "squared-hinge"
    CROSS_ENTROPY = "cross-entropy"
    BINARY_CROSS_ENTROPY = "binary-cross-entropy"
    SQUARED_ERROR = "squared-error"


def _signs(scores: Real, labels: Labels) -> Real:
    """+1 for the label, -1 for all others."""
    signs = np.full_like(scores, -1)
    signs[np.arange(len(labels)), labels] = 1
    return signs


def hinge(scores: Real, labels: Labels, margin: float) -> tuple[Real, Real]:
    """``sum_c max(0, margin - y[c] * score[c])`` with y = +1 for the label, else -1."""
    signs = _signs(scores, labels)
    slack = margin - signs * scores
    return np.maximum(slack, 0).sum(axis=1), np.where(slack > 0, -signs, 0)


def squared_hinge(scores: Real, labels: Labels, margin: float) -> tuple[Real, Real]:
    """Half the sum of the hinge's squares."""
    signs = _signs(scores, labels)
    slack = np.maximum(margin - signs * scores, 0)
    return (slack**2).sum(axis=1) / 2, -signs * slack


def pairwise_hinge(scores: Real, labels: Labels, margin: float) -> tuple[Real, Real]:
    """``sum_c max(0, margin - score[label] + score[c])`` over all c but the label."""
    rows = np.arange(len(labels))
    slack = margin - scores[rows, labels][:, None] + scores
    slack[rows, labels] = 0
    gradient = (slack > 0).astype(scores.dtype)
    gradient[rows, labels] = -gradient.sum(axis=1)
    return np.maximum(slack, 0).sum(axis=1), gradient


def cross_entropy(scores: Real, labels: Labels, margin: float) -> tuple[Real, Real]:
    """``-log softmax(score)[label]``; knows no margin."""
    rows = np.arange(len(labels))
    shifted = scores - scores.max(axis=1, keepdims=True)
    exponentials = np.exp(shifted)
    total = exponentials.sum(axis=1, keepdims=True)
    gradient = exponentials / total
    gradient[rows, labels] -= 1
    return np.log(total[:, 0]) - shifted[rows, labels], gradient


def sigmoid(x: Real) -> Real:
    """``1 / (1 + exp(-x))``; as a tangent, which never overflows."""
    half: Real = 0.5 * np.tanh(0.5 * x)
    return 0.5 + half


def binary_cross_entropy(scores: Real, labels: Labels, margin: float) -> tuple[Real, Real]:
    """``-log`` of the share that each ``sigmoid(score)`` gives the truth; knows no margin."""
    signs = _signs(scores, labels)
    return np.logaddexp(0, -signs * scores).sum(axis=1), sigmoid(scores) - (signs > 0)


def squared_error(scores: Real, labels: Labels, margin: float) -> tuple[Real, Real]:
    """Half the squares of ``sigmoid(score)`` less 1 for the label, else 0; knows no margin."""
    answers = sigmoid(scores)
    errors = answers - (_signs(scores, labels) > 0)
    return (errors**2).sum(axis=1) / 2, errors * answers * (1 - answers)


LOSSES: dict[FloatLoss, Callable[[Real, Labels, float], tuple[Real, Real]]] = {
    FloatLoss.HINGE: hinge,
    FloatLoss.PAIRWISE_HINGE: pairwise_hinge,
    FloatLoss.SQUARED_HINGE: squared_hinge,
    FloatLoss.CROSS_ENTROPY: cross_entropy,
    FloatLoss.BINARY_CROSS_ENTROPY: binary_cross_entropy,
    FloatLoss.SQUARED_ERROR: squared_error,
}
