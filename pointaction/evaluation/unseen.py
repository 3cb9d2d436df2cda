"""Classes that nobody was taught: several performances of each of many motion programs.

Training makes programs too, but never these: their seeds are far from those of training, of films
and of held-out performances.

Shapes:  n clips
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from pointaction.count import Count
from pointaction.evaluation.describers import ByTrAction, describe_all
from pointaction.evaluation.fewshot import label_numbers
from pointaction.evaluation.followed import Followed
from pointaction.evaluation.performances import FRAMES, Sight, Staged, watch
from pointaction.fewshot.features import Features, Part
from pointaction.fewshot.track_features import describe
from pointaction.models.traction import TrackEncoder
from pointaction.synthetic.programs import sample_programs
from pointaction.synthetic.scenes import Scenes
from pointaction.synthetic.stage import perform
from pointaction.synthetic.variety import TRAINING, WIDE

_SEED = 7_000_000_000
_FAMILY = 2  # programs of a chunk: one, and perhaps its sibling


@dataclass(frozen=True, slots=True, kw_only=True)
class Repertoire(Staged):
    """Programs to perform. Equal ones are the same clips; more leave the first as they were."""

    programs: int  # each is a class
    performances: int  # of each
    seed: int = 0
    wide: bool = False  # more widely varied than in training

    @property
    def labels(self) -> Tensor:
        """(n,) which program each clip is of, in order."""
        return torch.arange(self.programs).repeat_interleave(self.performances)

    @property
    def chunks(self) -> range:
        return range(-(-self.programs // _FAMILY))

    def stage(self, chunk: int) -> tuple[Scenes, Generator]:
        generator = Generator().manual_seed(_SEED + self.seed * 1_000_003 + chunk)
        count = min(_FAMILY, self.programs - chunk * _FAMILY)
        own = torch.arange(count).repeat_interleave(self.performances)
        scenes = perform(
            sample_programs(count, generator).rows(own),
            frames=FRAMES,
            variety=WIDE if self.wide else TRAINING,
            generator=generator,
        )
        return scenes, generator


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
    clips = describe_all(
        watch(repertoire, sight, clock=encoder.config.frames),
        {"": ByTrAction(encoder)},
        parts=parts,
        total=len(repertoire.labels),
        progress=progress,
    )
    return Described(clips=tuple(clips[""]), labels=repertoire.labels)


def describe_followed(
    encoder: TrackEncoder, clips: Sequence[Followed], *, parts: Collection[Part], progress: Count
) -> Described:
    """Real clips, likewise."""
    described = []
    for clip in clips:
        described.append(describe(encoder, clip.tracks, parts))
        progress(len(described), len(clips))
    return Described(clips=tuple(described), labels=label_numbers(clips)[0])
