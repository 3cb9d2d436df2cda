"""Logistic regression, by Newton's method.

Shapes:  n rows   F facts
"""

import torch
from torch import Tensor

_STEPS = 30  # far more than a few facts ever take


def fit_logistic(facts: Tensor, labels: Tensor, *, ridge: float = 1e-3) -> tuple[Tensor, float]:
    """Weights (F,) and bias: sigmoid(facts @ weights + bias) is how probable labels (n,) are.

    `ridge` is what the squared weights cost, of facts brought to mean 0 and deviation 1, beside
    the mean loss; it keeps them finite where the facts part the labels, and 0 for facts that never
    differ.
    """
    wide, wanted = facts.double(), labels.double()
    middle, spread = wide.mean(0), wide.std(0, correction=0)
    spread = torch.where(spread > 0, spread, torch.inf)
    x = torch.cat([(wide - middle) / spread, torch.ones_like(wide[:, :1])], 1)
    cost = ridge * torch.eye(x.shape[1], dtype=x.dtype)
    weights = x.new_zeros(x.shape[1])
    for _ in range(_STEPS):
        likely = (x @ weights).sigmoid()
        slope = x.T @ (likely - wanted) / len(x) + cost @ weights
        bend = (x * (likely * (1 - likely))[:, None]).T @ x / len(x) + cost
        weights = weights - torch.linalg.solve(bend, slope)
    own = weights[:-1] / spread
    return own.to(facts.dtype), (weights[-1] - own @ middle).item()
