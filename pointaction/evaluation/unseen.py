"""Classes that nobody was taught: several performances of each of many motion programs.

Training makes programs too, but never these: their seeds are far from those of training, of films
and of held-out performances.

Shapes:  n clips   B clips of a chunk   N tracks   T frames
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from pointaction.count import Count
from pointaction.evaluation.fewshot import label_numbers
from pointaction.evaluation.followed import Followed
from pointaction.evaluation.performances import (
    FRAMES,
    Sight,
    look_at_pixels,
    look_at_tracks,
)
from pointaction.fewshot.features import Features, Part
from pointaction.fewshot.track_features import describe, embed_moments, motion_patches
from pointaction.models.traction import TrackEncoder
from pointaction.synthetic.programs import sample_programs
from pointaction.synthetic.scenes import Scenes
from pointaction.synthetic.stage import perform

_SEED = 7_000_000_000
_FAMILY = 2  # programs of a chunk: one, and perhaps its sibling


@dataclass(frozen=True, slots=True, kw_only=True)
class Repertoire:
    """What is performed; equal ones are the same clips."""

    programs: int  # each is a class
    performances: int  # of each
    seed: int = 0

    @property
    def chunks(self) -> range:
        return range(-(-self.programs // _FAMILY))

    def stage(self, chunk: int) -> tuple[Scenes, Generator]:
        """The scenes of one chunk, labelled, and the chance that is left for looking at them."""
        generator = Generator().manual_seed(_SEED + self.seed * 1_000_003 + chunk)
        count = min(_FAMILY, self.programs - chunk * _FAMILY)
        own = torch.arange(count).repeat_interleave(self.performances)
        score = sample_programs(count, generator).rows(own)
        label = chunk * _FAMILY + own
        return perform(score, frames=FRAMES, generator=generator, label=label), generator


@dataclass(frozen=True, slots=True, kw_only=True)
class Described:
    """What matchers compare of n clips."""

    clips: tuple[Features, ...]
    labels: Tensor  # (n,) integers


def describe_repertoire(
    encoder: TrackEncoder,
    repertoire: Repertoire,
    sight: Sight,
    *,
    parts: Collection[Part],
    progress: Count,
) -> Described:
    """Every performance, as the encoder describes it."""
    look = look_at_tracks if sight.side is None else look_at_pixels
    clips: list[Features] = []
    labels = []
    for chunk in repertoire.chunks:
        scenes, generator = repertoire.stage(chunk)
        with torch.inference_mode():
            seen = look(scenes, sight, clock=encoder.config.frames, generator=generator)
            clips += _describe(encoder, seen.geometry, seen.visible, parts)
        labels.append(scenes.label)
        progress(len(clips), repertoire.programs * repertoire.performances)
    return Described(clips=tuple(clips), labels=torch.cat(labels))


def describe_followed(
    encoder: TrackEncoder, clips: Sequence[Followed], *, parts: Collection[Part], progress: Count
) -> Described:
    """Real clips, likewise."""
    described = []
    for clip in clips:
        described.append(describe(encoder, clip.tracks, parts))
        progress(len(described), len(clips))
    return Described(clips=tuple(described), labels=label_numbers(clips)[0])


_PARTS: dict[Part, Callable[[TrackEncoder, Tensor, Tensor], Tensor]] = {
    "clip": lambda encoder, geometry, visible: encoder.embed(geometry, visible),
    "frames": embed_moments,
    "patches": lambda _, geometry, visible: motion_patches(geometry, visible),
}


def _describe(
    encoder: TrackEncoder, geometry: Tensor, visible: Tensor, parts: Collection[Part]
) -> list[Features]:
    """Geometry (B, N, T, 3) and visibility (B, N, T), as `track_features.describe` has one clip."""
    found = {part: _PARTS[part](encoder, geometry, visible) for part in parts}
    return [
        Features(**{part: rows[clip].clone() for part, rows in found.items()})
        for clip in range(len(geometry))
    ]
