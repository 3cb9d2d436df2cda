"""Trokens as a matcher: the network sees some tracks of each clip, and frames are compared as sets.

Shapes:  Q queries   n examples   N tracks   T frames of the clock   S frames compared   D width
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn.functional import normalize

from pointaction.errors import InputError
from pointaction.fewshot.features import Features, Part, stacked
from pointaction.fewshot.matcher import Match, Matcher
from pointaction.fewshot.sets import Sets
from pointaction.fewshot.support_set import SupportSet
from pointaction.models.trokens import Trokens, episode_logits, frame_vectors, on_clock

_AT_ONCE = 16  # clips


@dataclass(frozen=True)
class TrokensClasses(Sets):
    """Scores are `episode_logits`: minus 8 times a distance; matches are those of sets."""

    model: Trokens
    raw: Tensor  # (n, S, D) as the network has them

    def scores(self, queries: Sequence[Features]) -> Tensor:
        asked = embed_frames(self.model, stacked(queries, "motion"))
        return episode_logits(self.raw, self.support.labels, asked)

    def matches(self, query: Features, way: int) -> list[Match]:
        frames = embed_frames(self.model, stacked([query], "motion"))[0]
        return super().matches(Features(frames=frames), way)


@dataclass(frozen=True)
class TrokensMatching(Matcher):
    """Compares how tracks turn, and how they move against each other, moment by moment."""

    part: ClassVar[Part] = "motion"
    model: Trokens  # a trained one, of motion alone

    def __post_init__(self) -> None:
        if self.model.config.appearance is not None:
            raise InputError(
                "this Trokens wants patch features beside tracks; heads of episodes see tracks "
                "alone, so give weights that were trained on motion"
            )

    def fit(self, support: SupportSet) -> TrokensClasses:
        frames = embed_frames(self.model, support.part("motion"))
        return TrokensClasses(support, normalize(frames, dim=-1), self.model, frames)


def embed_frames(model: Trokens, motion: Tensor) -> Tensor:
    """What happens in each frame, (B, S, D), from tracks (B, N, T, 3) as `some_tracks` has them."""
    with torch.inference_mode():
        parts = [
            frame_vectors(model(*on_clock(few, few[..., 2] > 0.5, model.config.frames)))
            for few in motion.split(_AT_ONCE)
        ]
    return torch.cat(parts)
