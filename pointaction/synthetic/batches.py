"""Endless batches of procedural clips, ready for the model.

Batch number `step` of seed `seed` is always the same batch, so that a run that was interrupted
goes on exactly where it was.
"""

from dataclasses import dataclass, fields

import torch
from torch import Generator, Tensor

from pointaction.depth.looming import looming
from pointaction.synthetic.motions import LABELS
from pointaction.synthetic.noise import TrackerNoise, track_imperfectly
from pointaction.synthetic.scenes import follow, sample_scenes
from pointaction.tokens.normalise import geometry
from pointaction.training.augment import Augmentation, augment


@dataclass(frozen=True, kw_only=True)
class Batch:
    geometry: Tensor  # (B, N, T, 3)
    visible: Tensor  # (B, N, T) bool
    present: Tensor  # (B, N) bool
    label: Tensor  # (B,) index into LABELS

    def to(self, device: torch.device) -> "Batch":
        return Batch(**{part.name: getattr(self, part.name).to(device) for part in fields(self)})


class ProceduralBatches(torch.utils.data.Dataset[Batch]):
    """`batches[step]` for step in 0, 1, 2, ...; for a DataLoader with batch_size=None."""

    def __init__(self, *, batch: int, frames: int, tracks: tuple[int, ...], seed: int) -> None:
        """Batches take turns with the numbers of `tracks`: the model is to take any number."""
        self.batch = batch
        self.frames = frames
        self.tracks = tracks
        self.seed = seed

    def __getitem__(self, step: int) -> Batch:
        generator = Generator().manual_seed(self.seed * 1_000_003 + step)
        labels = torch.randint(len(LABELS), (self.batch,), generator=generator)
        scenes = sample_scenes(labels, frames=self.frames, generator=generator)
        points = self.tracks[step % len(self.tracks)]
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
