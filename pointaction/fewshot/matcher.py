"""The seam for few-shot matchers: examples in, a score for each class out.

Shapes:  Q queries
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol

from torch import Tensor

from pointaction.fewshot.features import Features, Part
from pointaction.fewshot.support_set import SupportSet


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """A part of the query, and the part of an example that it was matched with."""

    query: tuple[int, ...]  # moments of the query, rising: one, or as many as a tuple has
    example: int  # index into the support set
    moments: tuple[int, ...]  # of that example, as many
    weight: float  # 0 to 1: how much of the query's part was matched with this


class Fitted(Protocol):
    """A matcher that knows its classes."""

    def scores(self, queries: Sequence[Features]) -> Tensor:
        """(Q, ways), the nearer the greater. Of which scale, each matcher says."""
        ...

    def matches(self, query: Features, way: int) -> list[Match]:
        """What of the query was matched with what of a class; nothing where time plays no part."""
        return []


class Matcher(Protocol):
    part: ClassVar[Part]  # the one of each clip's features that it compares

    def fit(self, support: SupportSet) -> Fitted:
        """Learn the classes from their examples; InputError where a part that it needs is missing.

        What comes back keeps what it needs, so `support` may be forgotten.
        """
        ...
