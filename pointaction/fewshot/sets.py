"""Set matching: clips are near if each moment of one has its like somewhere in the other.

The bi-directional mean Hausdorff distance of HyRSM (X. Wang et al., CVPR 2022), which TATs and
Trokens use. The order of time plays no part.

Shapes:  Q queries   n examples   T, S moments   D width
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn.functional import normalize

from pointaction.fewshot.features import Features, Part, stacked
from pointaction.fewshot.matcher import Fitted, Match, Matcher
from pointaction.fewshot.support_set import SupportSet


def mean_hausdorff(distances: Tensor) -> Tensor:
    """Distance (...) of two sets from those of their members (..., T, S).

    The mean over one set of the distance to the nearest of the other, both ways added.
    """
    return distances.amin(-1).mean(-1) + distances.amin(-2).mean(-1)


@dataclass(frozen=True)
class Sets(Fitted):
    """Scores are minus the distance of a query to all of a class's moments: -4 to 0."""

    support: SupportSet
    frames: Tensor  # (n, S, D) of length 1

    def scores(self, queries: Sequence[Features]) -> Tensor:
        distances = 1 - self._similarities(stacked(queries, "frames"))  # (Q, n, T, S)
        to_class = [
            mean_hausdorff(distances[:, self.support.labels == way].transpose(1, 2).flatten(2))
            for way in range(self.support.ways)
        ]
        return -torch.stack(to_class, -1)

    def matches(self, query: Features, way: int) -> list[Match]:
        """For each moment of the query the nearest of all of the class's; the weight is the cosine.

        No match where that is below 0.
        """
        similar = self._similarities(stacked([query], "frames"))[0]  # (n, T, S)
        examples = self.support.examples_of(way)
        weights, best = similar[examples].transpose(0, 1).flatten(1).max(-1)
        return [
            Match(
                query=(moment,),
                example=examples[where // similar.shape[-1]],
                moments=(where % similar.shape[-1],),
                weight=min(weight, 1.0),
            )
            for moment, (weight, where) in enumerate(
                zip(weights.tolist(), best.tolist(), strict=True)
            )
            if weight > 0
        ]

    def _similarities(self, queries: Tensor) -> Tensor:
        return torch.einsum("qtd,nsd->qnts", normalize(queries, dim=-1), self.frames)


@dataclass(frozen=True)
class SetMatching(Matcher):
    """Compares clips moment by moment, in any order."""

    part: ClassVar[Part] = "frames"

    def fit(self, support: SupportSet) -> Sets:
        return Sets(support, normalize(support.part("frames"), dim=-1))
