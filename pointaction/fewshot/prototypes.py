"""Nearest prototype: a class is the mean of its examples.

J. Snell, K. Swersky, R. Zemel, "Prototypical networks for few-shot learning" (2017), with cosine
similarity.

Shapes:  S shots   Q queries   D width
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor
from torch.nn.functional import normalize

from pointaction.fewshot.features import Features, Part, stacked
from pointaction.fewshot.matcher import Fitted, Matcher
from pointaction.fewshot.support_set import SupportSet


def similarities(support: Tensor, query: Tensor) -> Tensor:
    """Cosine similarity (Q, ways) of queries (Q, D) to the classes of support (ways, S, D)."""
    return _similarities(normalize(support, dim=-1).mean(1), query)


@dataclass(frozen=True)
class Prototypes(Fitted):
    """Scores are cosine similarities, -1 to 1."""

    means: Tensor  # (ways, D)

    def scores(self, queries: Sequence[Features]) -> Tensor:
        return _similarities(self.means, stacked(queries, "clip"))


@dataclass(frozen=True)
class NearestPrototype(Matcher):
    """Compares whole clips."""

    part: ClassVar[Part] = "clip"

    def fit(self, support: SupportSet) -> Prototypes:
        return Prototypes(support.means(normalize(support.part("clip"), dim=-1)))


def _similarities(means: Tensor, query: Tensor) -> Tensor:
    return normalize(query, dim=-1) @ normalize(means, dim=-1).T
