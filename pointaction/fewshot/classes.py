"""A user's own classes, learnt from a few examples each, and what a clip looks like among them."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch.nn.functional import cosine_similarity

from pointaction.errors import InputError
from pointaction.fewshot.calibration import EpisodeCalibration
from pointaction.fewshot.closeness import Closeness
from pointaction.fewshot.features import Features
from pointaction.fewshot.matcher import Fitted, Match, Matcher
from pointaction.fewshot.support_set import SupportSet


@dataclass(frozen=True, slots=True, kw_only=True)
class Neighbour:
    example: int  # in the order in which the examples were given
    similarity: float  # cosine of the clips as wholes, -1 to 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Likeness:
    """What a clip is, as far as the examples tell."""

    scores: dict[str, float]  # every class, the best first; they sum to 1
    none_of_these: bool | None  # None: nobody knows
    neighbours: list[Neighbour]  # the nearest first
    matches: list[Match]  # with examples of the best class; empty where time plays no part


class Classes:
    """Learnt once, asked often."""

    def __init__(
        self,
        labels: tuple[str, ...],
        support: SupportSet,
        fitted: Fitted,
        calibration: EpisodeCalibration,
    ) -> None:
        self.labels = labels
        self.fitted = fitted
        self.calibration = calibration
        self._wholes = support.part("clip")  # (n, D)
        self._closeness = Closeness.of(fitted, support) if calibration.belonging else None

    @classmethod
    def learn(
        cls,
        matcher: Matcher,
        clips: Sequence[Features],
        labels: Sequence[str],
        calibration: EpisodeCalibration,
    ) -> "Classes":
        """From one example or more of each class. InputError for fewer than two classes."""
        names = tuple(dict.fromkeys(labels))
        if len(names) < 2:
            raise InputError(
                f"classes are told apart by their examples; got those of {len(names)}, give two",
                kind="too-few-classes",
                limit=2,
                value=len(names),
            )
        numbers = torch.tensor([names.index(label) for label in labels])
        support = SupportSet(tuple(clips), numbers)
        with torch.inference_mode():
            return cls(names, support, matcher.fit(support), calibration)

    def liken(self, query: Features, *, neighbours: int = 5) -> Likeness:
        """Say what the clip is."""
        assert query.clip is not None  # every encoder gives the whole
        with torch.inference_mode():
            scores = self.fitted.scores([query])
            shares = self.calibration.shares(scores)[0].tolist()
            similar = cosine_similarity(self._wholes, query.clip[None])
            known = self._closeness
            strange = self.calibration.none_of_these(scores, known) if known else None
        pairs = zip(self.labels, shares, strict=True)
        return Likeness(
            scores=dict(sorted(pairs, key=lambda pair: -pair[1])),
            none_of_these=None if strange is None else bool(strange.item()),
            neighbours=[
                Neighbour(example=each, similarity=similar[each].item())
                for each in similar.argsort(descending=True)[:neighbours].tolist()
            ],
            matches=self.fitted.matches(query, int(scores.argmax())),
        )
