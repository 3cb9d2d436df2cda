"""TRX and STRM as matchers: what a query's pairs and triples of moments find in each class.

Shapes:  Q queries   n examples   T moments   D width   U tuples
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import ClassVar

from torch import Tensor
from torch.nn.functional import layer_norm

from pointaction.errors import InputError
from pointaction.fewshot.features import Features, Part, stacked
from pointaction.fewshot.matcher import Fitted, Match, Matcher
from pointaction.fewshot.support_set import SupportSet
from pointaction.models.strm import STRM, Enriched
from pointaction.models.trx import TRX, CrossTransformers, TRXConfig, Tuples, as_it_is

_untrained = cache(as_it_is)


@dataclass(frozen=True)
class TupleClasses(Fitted):
    """Scores are logits: minus a distance, in the units of what the head compares by."""

    head: TRX
    plain: bool  # whether the head was never trained, and so sees frames of like size
    support: SupportSet
    tuples: list[Tuples]  # of the examples, per cardinality

    def scores(self, queries: Sequence[Features]) -> Tensor:
        asked = self.head.transformers.embed(_frames(stacked(queries, "frames"), self.plain))
        return self.head.transformers.logits(asked, self.tuples, self.support.labels)

    def matches(self, query: Features, way: int) -> list[Match]:
        """For each tuple of the query what it reads most of, the greatest share first."""
        asked = self.head.transformers.embed(_frames(stacked([query], "frames"), self.plain))
        return read_most(self.head.transformers, asked, self.tuples, self.support, way)


@dataclass(frozen=True, kw_only=True)
class TupleMatching(Matcher):
    """Compares ordered tuples of moments: TRX.

    Without a trained head, tuples are found and compared as they are.
    """

    part: ClassVar[Part] = "frames"
    cardinalities: tuple[int, ...] = (2, 3)
    head: TRX | None = None  # a trained one; its cardinalities are its own

    def fit(self, support: SupportSet) -> TupleClasses:
        frames = support.part("frames")
        head = self.head or self._untrained(*frames.shape[1:])
        _expect(head.config.frames, head.config.width, frames)
        frames = _frames(frames, self.head is None)
        tuples = head.transformers.embed(frames)
        return TupleClasses(head, self.head is None, support, tuples)

    def _untrained(self, frames: int, width: int) -> TRX:
        most = max(self.cardinalities)
        if most > frames:
            raise InputError(
                f"clips of {frames} moments have no tuples of {most}; ask for fewer",
                limit=frames,
                value=most,
            )
        config = TRXConfig(
            frames=frames, width=width, projection=most * width, cardinalities=self.cardinalities
        )
        return _untrained(config)


@dataclass(frozen=True)
class EnrichedClasses(Fitted):
    """Scores are logits of both classifiers together."""

    head: STRM
    support: SupportSet
    enriched: Enriched  # the examples

    def scores(self, queries: Sequence[Features]) -> Tensor:
        asked = self.head.enrich(stacked(queries, "patches"))
        return self.head.compare(self.enriched, self.support.labels, asked).together()

    def matches(self, query: Features, way: int) -> list[Match]:
        """As `TupleClasses.matches`; nothing if the head has no tuples."""
        if not self.head.config.trm:
            return []
        asked, known = (
            self.head.transformers.embed(each.frames)
            for each in (self.head.enrich(stacked([query], "patches")), self.enriched)
        )
        return read_most(self.head.transformers, asked, known, self.support, way)


@dataclass(frozen=True)
class EnrichedMatching(Matcher):
    """Compares ordered tuples of frames that know their patches and each other: STRM."""

    part: ClassVar[Part] = "patches"
    head: STRM  # a trained one

    def fit(self, support: SupportSet) -> EnrichedClasses:
        patches = support.part("patches")
        config = self.head.config
        _expect(config.frames, config.inputs or config.width, patches)
        return EnrichedClasses(self.head, support, self.head.enrich(patches))


def read_most(
    transformers: CrossTransformers,
    query: list[Tuples],
    support: list[Tuples],
    labels: SupportSet,
    way: int,
) -> list[Match]:
    """For each tuple of one query the tuple of the class that it attends to most."""
    examples = labels.examples_of(way)
    matches = []
    for each, asked, known in zip(transformers, query, support, strict=True):
        attention = each.attention(asked, known.of(labels.labels == way))[0]  # (U, n, U)
        weights, best = attention.flatten(1).max(-1)
        moments = each.tuples.tolist()
        for own, weight, where in zip(moments, weights.tolist(), best.tolist(), strict=True):
            example, its = divmod(where, len(moments))
            matches.append(
                Match(
                    query=tuple(own),
                    example=examples[example],
                    moments=tuple(moments[its]),
                    weight=weight,
                )
            )
    return sorted(matches, key=lambda match: -match.weight)


def _frames(frames: Tensor, plain: bool) -> Tensor:
    return layer_norm(frames, frames.shape[-1:]) if plain else frames


def _expect(moments: int, width: int, given: Tensor) -> None:
    if (given.shape[1], given.shape[-1]) != (moments, width):
        raise InputError(
            f"this head compares {moments} moments of width {width}, but the examples have "
            f"{given.shape[1]} of width {given.shape[-1]}; describe them with the encoder that it "
            "was trained with"
        )
