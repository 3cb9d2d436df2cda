"""OTAM: clips are near if their moments are, in order.

K. Cao et al., "Few-Shot Video Classification via Temporal Alignment" (CVPR 2020): dynamic time
warping with a smooth minimum (equation 7), whose path may begin and end anywhere in the query
(equation 8), in both directions.

Shapes:  Q queries   n examples   T, S moments   D width
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn.functional import normalize, pad

from pointaction.fewshot.features import Features, Part, stacked
from pointaction.fewshot.matcher import Fitted, Match, Matcher
from pointaction.fewshot.support_set import SupportSet

SMOOTHING = 0.1  # lambda of equation 7


def alignment_cost(distances: Tensor, *, smoothing: float = SMOOTHING) -> Tensor:
    """What the cheapest way (...) through distances (..., T, S) costs, all ways softly together.

    Rows outside of where the way begins and ends cost nothing: a column that is free stands before
    the first and one behind the last. In those, and in the first, a way may stay in its column from
    row to row; elsewhere it goes on by a column with each step.
    """
    distances = pad(distances, (1, 1))  # (..., T, S + 2)
    rows, columns = distances.shape[-2:]
    above: list[Tensor] = []
    for row in range(rows):
        here = [distances[..., row, 0]]
        for column in range(1, columns):
            ways = [here[-1]]
            if above:
                ways.append(above[column - 1])
                if column in (1, columns - 1):
                    ways.append(above[column])
            here.append(distances[..., row, column] + _smooth_minimum(ways, smoothing))
        above = here
    return above[-1]


def aligned(distances: Tensor) -> Tensor:
    """Mean cost (...) of distances (..., T, S) per moment, in both directions."""
    across = alignment_cost(distances) / distances.shape[-1]
    along = alignment_cost(distances.transpose(-2, -1)) / distances.shape[-2]
    return (across + along) / 2


def _smooth_minimum(costs: list[Tensor], smoothing: float) -> Tensor:
    if len(costs) == 1:
        return costs[0]
    return -smoothing * torch.logsumexp(-torch.stack(costs) / smoothing, 0)


@dataclass(frozen=True)
class Alignment(Fitted):
    """Scores are minus the cost of alignment per moment, in cosine distances, mean over examples.

    A smooth minimum is below the minimum, so a score may be above 0.
    """

    support: SupportSet
    frames: Tensor  # (n, S, D) of length 1

    def scores(self, queries: Sequence[Features]) -> Tensor:
        costs = aligned(self._distances(stacked(queries, "frames")))  # (Q, n)
        return -self.support.means(costs.T).T

    def matches(self, query: Features, way: int) -> list[Match]:
        """For each moment of the query the one of the class's nearest example.

        The weight is the share of all ways, each by what it costs, that meet there: the slope of
        the cost in that distance. No match where hardly any way comes by.
        """
        with torch.inference_mode(False), torch.enable_grad():
            distances = self._distances(stacked([query], "frames"))[0].clone().requires_grad_()
            costs = aligned(distances)
            (slopes,) = torch.autograd.grad(costs.sum(), distances)  # (n, T, S)
        examples = self.support.examples_of(way)
        example = min(examples, key=lambda each: costs[each].item())
        # Every moment costs half of 1 / S one way, and half of 1 / T the other.
        slope = slopes[example]
        moments, other = slope.shape
        weights, best = (slope * 2 / (1 / moments + 1 / other)).clamp(0, 1).max(-1)
        return [
            Match(query=(moment,), example=example, moments=(int(best[moment]),), weight=weight)
            for moment, weight in enumerate(weights.tolist())
            if weight > 0.1
        ]

    def _distances(self, queries: Tensor) -> Tensor:
        """Cosine distances (Q, n, T, S)."""
        return 1 - torch.einsum("qtd,nsd->qnts", normalize(queries, dim=-1), self.frames)


@dataclass(frozen=True)
class OTAM(Matcher):
    """Compares clips moment by moment, in the order of time."""

    part: ClassVar[Part] = "frames"

    def fit(self, support: SupportSet) -> Alignment:
        return Alignment(support, normalize(support.part("frames"), dim=-1))
