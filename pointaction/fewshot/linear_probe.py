"""A linear classifier, fitted in closed form: ridge regression onto the classes.

As in L. Bertinetto et al., "Meta-learning with differentiable closed-form solvers" (2019), by
Woodbury's identity, so that the matrix to invert is as large as the examples are many.

Shapes:  n examples   Q queries   D width
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn.functional import normalize, one_hot

from pointaction.fewshot.features import Features, Part, stacked
from pointaction.fewshot.matcher import Fitted, Matcher
from pointaction.fewshot.support_set import SupportSet


@dataclass(frozen=True)
class Probe(Fitted):
    """Scores are regressions onto 1 for the class and 0 for all others."""

    middle: Tensor  # (D,)
    weights: Tensor  # (D, ways)
    bias: Tensor  # (ways,)

    def scores(self, queries: Sequence[Features]) -> Tensor:
        x = normalize(stacked(queries, "clip"), dim=-1)
        return (x - self.middle) @ self.weights + self.bias


@dataclass(frozen=True, kw_only=True)
class LinearProbe(Matcher):
    """Compares whole clips, of length 1. Classes weigh the same, however many examples they have.

    `ridge` is how much the squared weights cost beside the squared error of one example per class.
    """

    part: ClassVar[Part] = "clip"
    ridge: float = 0.5

    def fit(self, support: SupportSet) -> Probe:
        x = normalize(support.part("clip"), dim=-1)  # (n, D)
        wanted = one_hot(support.labels, support.ways).to(x.dtype)  # (n, ways)
        middle, bias = support.means(x).mean(0), support.means(wanted).mean(0)
        # An example counts by the root of its weight on either side of the regression.
        root = support.labels.bincount()[support.labels].to(x.dtype).rsqrt()[:, None]
        rows = root * (x - middle)
        inner = rows @ rows.T + self.ridge * torch.eye(len(x), dtype=x.dtype, device=x.device)
        weights = rows.T @ torch.linalg.solve(inner, root * (wanted - bias))
        return Probe(middle, weights, bias)
