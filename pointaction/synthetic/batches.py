"""Endless batches of procedural clips, ready for the model.

Batch number `step` of seed `seed` is always the same batch, so that a run that was interrupted
goes on exactly where it was.
"""

from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from pointaction.depth.looming import looming
from pointaction.synthetic.motions import LABELS
from pointaction.synthetic.noise import TrackerNoise, track_imperfectly
from pointaction.synthetic.scenes import follow, sample_scenes
from pointaction.tokens.normalise import geometry
from pointaction.training.augment import Augmentation, augment

TRACK_COUNTS = (48, 96, 192)  # one of these per batch: the model is to take any number


@dataclass(frozen=True, kw_only=True)
class Batch:
    geometry: Tensor  # (B, N, T, 3)
    visible: Tensor  # (B, N, T) bool
    present: Tensor  # (B, N) bool
    label: Tensor  # (B,) index into LABELS


class ProceduralBatches(torch.utils.data.Dataset[Batch]):
    """`batches[step]` for step in 0, 1, 2, ...; for a DataLoader with batch_size=None."""

    def __init__(self, *, batch: int, frames: int, seed: int) -> None:
        self.batch = batch
        self.frames = frames
        self.seed = seed

    def __getitem__(self, step: int) -> Batch:
        generator = Generator().manual_seed(self.seed * 1_000_003 + step)
        labels = torch.randint(len(LABELS), (self.batch,), generator=generator)
        scenes = sample_scenes(labels, frames=self.frames, generator=generator)
        points = TRACK_COUNTS[step % len(TRACK_COUNTS)]
        exact = follow(scenes, points=points, generator=generator)
        seen = track_imperfectly(exact, TrackerNoise(), generator=generator)
        tracks = augment(seen.xy, seen.visible, Augmentation(), generator=generator)
        depth = looming(tracks.xy, tracks.visible)
        return Batch(
            geometry=geometry(tracks.xy, depth),
            visible=tracks.visible,
            present=tracks.present,
            label=labels,
        )
