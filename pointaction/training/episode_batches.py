"""Batches of clips for episodes, class by class, out of a part of the procedural world.

Motions without a name are endless: the parts have seeds that are far from each other. Motions with
a name are shared out.

Shapes:  B clips of a batch
"""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Generator, Tensor
from torch.utils.data import Dataset

from pointaction.depth.looming import looming
from pointaction.synthetic.batches import Mixture
from pointaction.synthetic.noise import track_imperfectly
from pointaction.synthetic.programs import sample_programs
from pointaction.synthetic.scenes import follow
from pointaction.synthetic.score import Score
from pointaction.synthetic.stage import perform
from pointaction.synthetic.vocabulary import LABELS, OPPOSITES, build
from pointaction.tokens.normalise import geometry
from pointaction.training.augment import augment
from pointaction.training.batch import Batch

Split = Literal["train", "validation", "test"]

_FILMED = (
    "drawing a circle anticlockwise",
    "drawing a star",
    "drawing a tick",
    "swiping to the left",
    "swiping up",
)
"""What the real clips show on which the weights are measured: nothing like it is trained on."""

_FROM = {"train": 0, "validation": 5_000_000_000, "test": 6_000_000_000}


def named_classes(split: Split) -> list[int]:
    """Named motions of a split, as indices into LABELS: some three fifths, one fifth, one fifth.

    A motion and its opposites are in the same split.
    """
    head = list(range(len(LABELS)))
    for one, other in OPPOSITES:
        here, there = head[LABELS.index(one)], head[LABELS.index(other)]
        head = [min(here, there) if each in (here, there) else each for each in head]
    families = sorted(set(head))
    turns: tuple[Split, ...] = ("train", "validation", "train", "test", "train")
    splits = {first: turns[turn % 5] for turn, first in enumerate(families)}
    splits |= {head[LABELS.index(label)]: "test" for label in _FILMED}
    return [label for label, first in enumerate(head) if splits[first] == split]


@dataclass(frozen=True, kw_only=True)
class Show:
    """What a batch of episodes is made of."""

    named: int  # classes with a name
    programs: int  # classes without one, which no other batch has
    performances: int  # of each class


class EpisodeBatches(Dataset[Batch]):
    """`batches[number]`: classes of one split, each performed several times, class by class.

    `group` is the class within the batch, 0 and up.
    """

    def __init__(self, show: Show, mixture: Mixture, *, split: Split, seed: int) -> None:
        self.show = show
        self.mixture = mixture
        self.names = torch.tensor(named_classes(split))
        self.first = _FROM[split] + seed * 1_000_003

    def __getitem__(self, number: int) -> Batch:
        show, mixture = self.show, self.mixture
        generator = Generator().manual_seed(self.first + number)
        score, label = self._draw(generator)
        scenes = perform(
            score, frames=mixture.frames, generator=generator, variety=mixture.variety, label=label
        )
        points = mixture.tracks[number % len(mixture.tracks)]
        focus = torch.rand(len(label), generator=generator) * mixture.focus
        exact = follow(scenes, points=points, generator=generator, focus=focus)
        seen = track_imperfectly(exact, mixture.noise, generator=generator)
        exactly = torch.rand(len(label), 1, 1, generator=generator) < mixture.flawless
        tracks = augment(
            torch.where(exactly[..., None], exact.xy, seen.xy),
            torch.where(exactly, exact.visible, seen.visible),
            mixture.augmentation,
            generator=generator,
        )
        return Batch(
            geometry=geometry(tracks.xy, looming(tracks.xy, tracks.visible)),
            visible=tracks.visible,
            present=tracks.present,
            label=label,
            group=torch.arange(show.named + show.programs).repeat_interleave(show.performances),
        )

    def _draw(self, generator: Generator) -> tuple[Score, Tensor]:
        """Scores and labels (-1: none) of all clips, the named ones first."""
        show, scores, labels = self.show, [], []
        if show.named:
            order = torch.randperm(len(self.names), generator=generator)[: show.named]
            labels.append(self.names[order].repeat_interleave(show.performances))
            scores.append(build(labels[0], generator))
        if show.programs:
            rows = torch.arange(show.programs).repeat_interleave(show.performances)
            labels.append(torch.full_like(rows, -1))
            scores.append(sample_programs(show.programs, generator).rows(rows))
        return Score.join(scores), torch.cat(labels)
