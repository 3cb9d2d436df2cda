"""Endless batches out of a set of followed clips, as `synthetic.batches` makes them of motions.

Shapes:  B clips   N tracks   T frames
"""

from collections.abc import Sequence

import torch
from torch import Generator, Tensor
from torch.utils.data import Dataset

from pointaction.depth.looming import looming
from pointaction.errors import InputError
from pointaction.tokens.normalise import geometry
from pointaction.tokens.resample import resample
from pointaction.tokens.units import to_units
from pointaction.tracks import Tracks
from pointaction.training.augment import Augmentation, augment
from pointaction.training.batch import Batch


class TrackBatches(Dataset[Batch]):
    """`batches[number]`: random subsets of the tracks of the clips that are next in turn.

    Every clip is seen once before any is seen again. Batch `number` of a seed is always the same
    batch.
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
        own_depth: bool = False,
    ) -> None:
        """Batches take turns with the numbers of tracks in `sizes`.

        own_depth: take the depth that clips come with, InputError where one has none; else it is
        that of the subset, as looming tells it after the augmentations.
        """
        self.clips = [on_clock(each, frames, own_depth=own_depth) for each in tracks]
        self.label = torch.tensor(label)
        self.batch = batch
        self.sizes = sizes
        self.seed = seed
        self.own_depth = own_depth

    def __getitem__(self, number: int) -> Batch:
        return self.made(
            number, [self._clip(number * self.batch + place) for place in range(self.batch)]
        )

    def made(self, number: int, rows: Sequence[int]) -> Batch:
        """Batch `number` out of these clips, in this order."""
        generator = Generator().manual_seed(self.seed * 1_000_003 + number)
        size = self.sizes[number % len(self.sizes)]
        chosen = [choose(*self.clips[row], size, generator=generator) for row in rows]
        told, visible, real = (torch.stack(parts) for parts in zip(*chosen, strict=True))
        seen = augment(
            told[..., :2],
            visible,
            Augmentation(),
            generator=generator,
            depth=told[..., 2] if self.own_depth else None,
        )
        present = seen.present & real
        shown = seen.visible & real[..., None]
        depth = looming(seen.xy, shown) if seen.depth is None else seen.depth
        return Batch(
            geometry=geometry(seen.xy, depth),
            visible=shown,
            present=present,
            label=self.label[list(rows)],
        )

    def _clip(self, turn: int) -> int:
        """Which clip has its turn: each round goes through all of them in another order."""
        round_, place = divmod(turn, len(self.clips))
        order = Generator().manual_seed(self.seed * 1_000_003 + round_)
        return int(torch.randperm(len(self.clips), generator=order)[place])


def choose(
    told: Tensor, visible: Tensor, size: int, *, generator: Generator
) -> tuple[Tensor, Tensor, Tensor]:
    """`size` tracks of a clip at random, and which of them are real: a clip with fewer repeats
    some to fill the place.

    told (N, T, ...) and visible (N, T).
    """
    order = torch.randperm(len(told), generator=generator)
    rows = order[torch.arange(size) % len(order)]
    return told[rows], visible[rows], torch.arange(size) < len(order)


def on_clock(tracks: Tracks, frames: int, *, own_depth: bool) -> tuple[Tensor, Tensor]:
    """xy (N, F, 2) in units of the longer side, or with their depth (N, F, 3), and which are seen.

    Raises InputError where the depth is asked for and there is none.
    """
    tracks = resample(tracks, frames)
    xy, visible = to_units(tracks)
    told = xy[0].float()
    if own_depth:
        if tracks.depth is None:
            raise InputError("a clip comes without the depth that the others have")
        depth = torch.from_numpy(tracks.depth.copy())
        told = torch.cat([told, depth[..., None]], -1)
    return told, visible[0]
