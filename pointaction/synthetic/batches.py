"""Endless batches of procedural clips, ready for the model.

Batch number `number` of seed `seed` is always the same batch, so that a run that was interrupted
goes on exactly where it was.
"""

from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from pointaction.depth.looming import looming
from pointaction.synthetic.noise import TrackerNoise, track_imperfectly
from pointaction.synthetic.programs import sample_programs
from pointaction.synthetic.scenes import follow
from pointaction.synthetic.score import Score
from pointaction.synthetic.stage import perform
from pointaction.synthetic.variety import TRAINING, Variety
from pointaction.synthetic.vocabulary import LABELS, build
from pointaction.tokens.normalise import geometry
from pointaction.training.augment import Augmentation, augment
from pointaction.training.batch import Batch
from pointaction.training.films import Films


@dataclass(frozen=True, kw_only=True)
class Mixture:
    """What a batch is made of."""

    named: int  # clips of named motions, drawn at random
    filmed: float = 0.25  # share of them that are films, where there are films
    programs: int = 0  # motions without a name, which no other batch has
    performances: int = 3  # clips of each program
    frames: int = 32
    tracks: tuple[int, ...] = (128,)  # per clip; batches take turns
    focus: float = 1.0  # at most so much more of the points for bodies, see `scenes.follow`
    variety: Variety = TRAINING
    noise: TrackerNoise = TrackerNoise()
    flawless: float = 0.2  # share of the clips whose tracks are exact
    augmentation: Augmentation = Augmentation()

    @property
    def clips(self) -> int:
        return self.named + self.programs * self.performances


class ProceduralBatches(torch.utils.data.Dataset[Batch]):
    """`batches[number]` for number in 0, 1, 2, ...; for a DataLoader with batch_size=None."""

    def __init__(self, mixture: Mixture, *, seed: int, films: Films | None = None) -> None:
        self.mixture = mixture
        self.seed = seed
        self.films = films

    def __getitem__(self, number: int) -> Batch:
        mixture = self.mixture
        generator = Generator().manual_seed(self.seed * 1_000_003 + number)
        filmed = round(mixture.filmed * mixture.named) if self.films else 0
        score, label, group = _draw(mixture, mixture.named - filmed, generator)
        scenes = perform(
            score, frames=mixture.frames, generator=generator, variety=mixture.variety, label=label
        )
        points = mixture.tracks[number % len(mixture.tracks)]
        focus = torch.rand(len(scenes.label), generator=generator) * mixture.focus
        exact = follow(scenes, points=points, generator=generator, focus=focus)
        seen = track_imperfectly(exact, mixture.noise, generator=generator)
        exactly = torch.rand(len(scenes.label), 1, 1, generator=generator) < mixture.flawless
        xy = torch.where(exactly[..., None], exact.xy, seen.xy)
        visible = torch.where(exactly, exact.visible, seen.visible)
        if self.films and filmed:
            also = self.films.sample(filmed, points=points, generator=generator)
            xy, visible = torch.cat([also[0], xy]), torch.cat([also[1], visible])
            label, group = torch.cat([also[2], label]), torch.cat([also[2], group])
        tracks = augment(xy, visible, mixture.augmentation, generator=generator)
        depth = looming(tracks.xy, tracks.visible)
        return Batch(
            geometry=geometry(tracks.xy, depth),
            visible=tracks.visible,
            present=tracks.present,
            label=label,
            group=group,
        )


def _draw(mixture: Mixture, named: int, generator: Generator) -> tuple[Score, Tensor, Tensor]:
    """Scores, labels (-1: none) and groups, the named clips first."""
    label = torch.randint(len(LABELS), (named,), generator=generator)
    group = torch.arange(mixture.programs).repeat_interleave(mixture.performances)
    scores = []
    if named:
        scores.append(build(label, generator))
    if mixture.programs:
        scores.append(sample_programs(mixture.programs, generator).rows(group))
    nameless = torch.full_like(group, -1)
    return Score.join(scores), torch.cat([label, nameless]), torch.cat([label, len(LABELS) + group])
