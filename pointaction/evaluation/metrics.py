"""Figures with the interval that their number of clips allows.

Shapes:  n clips   C classes
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Generator, Tensor

_Z = 1.96  # standard deviations of a 95 % interval


@dataclass(frozen=True, slots=True, kw_only=True)
class Accuracy:
    """A share of clips."""

    right: int
    total: int

    @classmethod
    def of(cls, right: Tensor) -> "Accuracy":
        """How many of the flags (n,) are set."""
        return cls(right=int(right.sum()), total=right.numel())

    @property
    def share(self) -> float:
        return self.right / self.total

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson's 95 % interval, which stays within 0 and 1 (E. B. Wilson, 1927)."""
        z, n, p = _Z, self.total, self.share
        middle = (p + z * z / (2 * n)) / (1 + z * z / n)
        half = z / (1 + z * z / n) * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
        return max(0.0, middle - half), min(1.0, middle + half)

    def __str__(self) -> str:
        low, high = self.interval
        return f"{self.share:.1%} [{low:.1%}, {high:.1%}] of {self.total}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A figure that is no share of clips, with its 95 % interval."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"


def bootstrap(
    statistic: Callable[..., float], *samples: Tensor, generator: Generator, rounds: int = 400
) -> Estimate:
    """`statistic` of the samples, and where it falls when each is drawn anew with replacement.

    Every sample (n, ...) is drawn along its first axis, apart from the others. Percentile
    interval (B. Efron, 1979).
    """
    drawn = torch.tensor(
        [
            statistic(*(s[torch.randint(len(s), (len(s),), generator=generator)] for s in samples))
            for _ in range(rounds)
        ]
    )
    low, high = drawn.quantile(torch.tensor([0.025, 0.975])).tolist()
    return Estimate(value=statistic(*samples), low=low, high=high)


def hits(logits: Tensor, labels: Tensor, *, k: int = 1) -> Tensor:
    """(n,) whether the label is among the k best of logits (n, C)."""
    best = logits.topk(min(k, logits.shape[1]), dim=1).indices
    return (best == labels[:, None]).any(1)


def confusion(labels: Tensor, answers: Tensor, *, classes: int) -> Tensor:
    """How often class i was answered with class j, (C, C)."""
    return (labels * classes + answers).bincount(minlength=classes**2).view(classes, classes)


def auroc(positive: Tensor, negative: Tensor) -> float:
    """How likely a score out of `positive` (n,) exceeds one out of `negative` (m,); ties are half.

    That is the area under the ROC curve (J. A. Hanley, B. J. McNeil, 1982).
    """
    ranked = negative.sort().values
    below = torch.searchsorted(ranked, positive)
    not_above = torch.searchsorted(ranked, positive, right=True)
    return ((below + not_above).double() / (2 * len(negative))).mean().item()
