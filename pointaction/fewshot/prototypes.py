"""Nearest prototype: a class is the mean of its examples.

J. Snell, K. Swersky, R. Zemel, "Prototypical networks for few-shot learning" (2017), with cosine
similarity.

Shapes:  S shots   Q queries   D width
"""

from torch import Tensor
from torch.nn.functional import normalize


def similarities(support: Tensor, query: Tensor) -> Tensor:
    """Cosine similarity (Q, ways) of queries (Q, D) to the classes of support (ways, S, D)."""
    prototypes = normalize(support, dim=-1).mean(1)
    return normalize(query, dim=-1) @ normalize(prototypes, dim=-1).T
