"""Scores as answers tell them."""

from collections.abc import Mapping
from typing import Any


def best(scores: Mapping[str, float], top_k: int) -> list[dict[str, Any]]:
    """The labels that are most likely, the best first."""
    pairs = sorted(scores.items(), key=lambda pair: -pair[1])[:top_k]
    return [{"label": label, "score": score} for label, score in pairs]
