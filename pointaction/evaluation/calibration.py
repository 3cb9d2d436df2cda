"""Whether a model is right as often as it says, and the temperature that makes it so.

Temperature scaling and the expected calibration error: C. Guo, G. Pleiss, Y. Sun, K. Weinberger,
"On calibration of modern neural networks" (2017).

Shapes:  n clips   C classes
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Generator, Tensor
from torch.nn.functional import cross_entropy

from pointaction.evaluation.metrics import Accuracy, Estimate, bootstrap
from pointaction.evaluation.report import Table
from pointaction.models.calibration import sureness

BINS = 15
_COLDEST, _HOTTEST = 0.02, 50.0
_GOLDEN = (math.sqrt(5) - 1) / 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Bin:
    """The clips of which the model is about equally sure."""

    sureness: float  # their mean
    accuracy: Accuracy


@dataclass(frozen=True, slots=True, kw_only=True)
class Reliability:
    """How well sureness and accuracy agree."""

    bins: tuple[Bin, ...]  # of equal width, empty ones left out, the least sure first
    error: Estimate  # expected calibration error, 0 to 1
    temperature: float  # that the logits were divided by

    def __str__(self) -> str:
        return f"ECE {self.error}"


def fit_temperature(logits: Tensor, labels: Tensor) -> float:
    """The temperature under which logits (n, C) explain labels (n,) best.

    Golden section on its logarithm: the loss has one valley, because it is convex in 1/temperature.
    """
    wide = logits.double()

    def loss(log: float) -> float:
        return cross_entropy(wide / math.exp(log), labels).item()

    low, high = math.log(_COLDEST), math.log(_HOTTEST)
    while high - low > 1e-4:
        left, right = high - _GOLDEN * (high - low), low + _GOLDEN * (high - low)
        if loss(left) < loss(right):
            high = right
        else:
            low = left
    return math.exp((low + high) / 2)


def threshold_keeping(scores: Tensor, share: float = 0.95) -> float:
    """The highest threshold that at least `share` of the scores (n,) reach."""
    kept = math.ceil(share * len(scores) - 1e-9)
    return scores.sort(descending=True).values[max(kept, 1) - 1].item()


def reliability(
    logits: Tensor, labels: Tensor, *, temperature: float, generator: Generator
) -> Reliability:
    """Sureness against accuracy at one temperature; the generator is for the error's interval."""
    sure = sureness(logits, temperature)
    right = logits.argmax(-1) == labels
    which = _bin(sure)
    bins = (
        Bin(sureness=sure[which == n].mean().item(), accuracy=Accuracy.of(right[which == n]))
        for n in which.unique()
    )
    error = bootstrap(_error, torch.stack([sure, right.to(sure)], 1), generator=generator)
    return Reliability(bins=tuple(bins), error=error, temperature=temperature)


def calibration_error(sure: Tensor, right: Tensor) -> float:
    """Mean distance of sureness (n,) and accuracy, bin by bin, weighted by the clips in it."""
    which = _bin(sure)
    gap = torch.zeros(BINS, dtype=sure.dtype).index_add_(0, which, sure - right.to(sure))
    return gap.abs().sum().item() / len(sure)


def reliability_table(found: Mapping[str, Reliability]) -> Table:
    """For a report."""
    return Table(
        corner="shares",
        columns=("temperature", "expected calibration error"),
        rows={name: (figure.temperature, figure.error) for name, figure in found.items()},
    )


def _error(pairs: Tensor) -> float:
    return calibration_error(pairs[:, 0], pairs[:, 1])


def _bin(sure: Tensor) -> Tensor:
    return (sure * BINS).long().clamp(max=BINS - 1)
