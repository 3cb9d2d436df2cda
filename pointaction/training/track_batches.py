"""Endless batches out of a set of followed clips, as `synthetic.batches` makes them of motions.

Shapes:  B clips   N tracks   T frames
"""

from collections.abc import Sequence

import torch
from torch import Generator, Tensor
from torch.utils.data import Dataset

from pointaction.depth.looming import looming
from pointaction.tokens.normalise import geometry
from pointaction.tokens.resample import resample
from pointaction.tokens.units import to_units
from pointaction.tracks import Tracks
from pointaction.training.augment import Augmentation, augment
from pointaction.training.batch import Batch


class TrackBatches(Dataset[Batch]):
    """`batches[number]`: random subsets of the tracks of the clips that are next in turn.

    Every clip is seen once before any is seen again. Depth is that of the subset, as looming tells
    it after the augmentations; batch `number` of a seed is always the same batch.
    """

    def __init__(
        self,
        tracks: Sequence[Tracks],
        label: Sequence[int],
        *,
        batch: int,
        frames: int,
        sizes: tuple[int, ...],
        seed: int,
    ) -> None:
        """Batches take turns with the numbers of tracks in `sizes`."""
        self.clips = [_on_clock(each, frames) for each in tracks]
        self.label = torch.tensor(label)
        self.batch = batch
        self.sizes = sizes
        self.seed = seed

    def __getitem__(self, number: int) -> Batch:
        generator = Generator().manual_seed(self.seed * 1_000_003 + number)
        rows = [self._clip(number * self.batch + place) for place in range(self.batch)]
        size = self.sizes[number % len(self.sizes)]
        chosen = [choose(*self.clips[row], size, generator=generator) for row in rows]
        xy, visible, real = (torch.stack(parts) for parts in zip(*chosen, strict=True))
        seen = augment(xy, visible, Augmentation(), generator=generator)
        present = seen.present & real
        shown = seen.visible & real[..., None]
        return Batch(
            geometry=geometry(seen.xy, looming(seen.xy, shown)),
            visible=shown,
            present=present,
            label=self.label[rows],
        )

    def _clip(self, turn: int) -> int:
        """Which clip has its turn: each round goes through all of them in another order."""
        round_, place = divmod(turn, len(self.clips))
        order = Generator().manual_seed(self.seed * 1_000_003 + round_)
        return int(torch.randperm(len(self.clips), generator=order)[place])


def choose(
    xy: Tensor, visible: Tensor, size: int, *, generator: Generator
) -> tuple[Tensor, Tensor, Tensor]:
    """`size` tracks of a clip at random, and which of them are real: a clip with fewer repeats
    some to fill the place.
    """
    order = torch.randperm(len(xy), generator=generator)
    rows = order[torch.arange(size) % len(order)]
    return xy[rows], visible[rows], torch.arange(size) < len(order)


def _on_clock(tracks: Tracks, frames: int) -> tuple[Tensor, Tensor]:
    xy, visible = to_units(resample(tracks, frames))
    return xy[0].float(), visible[0]
