"""Performances that were drawn and followed by the real tracker, kept for training.

A noise model says what a tracker does to points as far as we have understood it; films hold what
it does. To draw and follow a clip costs a hundred times as much as to spoil exact tracks, so films
are made once and each is seen several times, in part, among endless others.

    FOLDER/films-SEED-NUMBER.safetensors   16 clips of named motions

Chance begins far from that of training (`seed * 1_000_003 + step`) and of held-out tests.

Shapes:  B clips   N tracks   T frames
"""

from concurrent.futures import Executor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Generator, Tensor

from pointaction.count import Count
from pointaction.synthetic.filming import film
from pointaction.synthetic.stage import sample_scenes
from pointaction.synthetic.vocabulary import LABELS
from pointaction.tracking.queries import random_queries
from pointaction.training import shelf
from pointaction.training.shelf import fill_shelf, read_shelf, shelf_file
from pointaction.whole import written_whole

POINTS = 256  # followed in each clip
FRAMES = 32
_KIND = "films"
_SEED = 8_000_000_000
_STEPS = 32  # per pixel: Lucas-Kanade rounds to these


@dataclass(frozen=True, slots=True, kw_only=True)
class Films:
    """Clips of named motions as the tracker saw them."""

    xy: Tensor  # (B, N, T, 2) int16, 1/32 pixel
    visible: Tensor  # (B, N, T) bool
    label: Tensor  # (B,) indices into LABELS
    side: Tensor  # (B,) pixels of the clip's longer side
    name: str  # changes with the clips

    @classmethod
    def read(cls, folder: Path) -> "Films":
        """All films in a folder; InputError where there are none."""
        found, name = read_shelf(folder, _KIND, made_by=f"pointaction film --out {folder}")
        return cls(**found, name=name)

    def __len__(self) -> int:
        return len(self.label)

    def sample(
        self, count: int, *, points: int, generator: Generator
    ) -> tuple[Tensor, Tensor, Tensor]:
        """`count` clips by chance with `points` of their tracks each.

        xy (count, points, T, 2) from the corner in units of the longer side, visible
        (count, points, T), labels (count,).
        """
        clips = torch.randint(len(self), (count,), generator=generator)
        chance = torch.rand(count, self.xy.shape[1], generator=generator)
        rows = clips[:, None], chance.topk(points, dim=1).indices
        side = self.side[clips].view(-1, 1, 1, 1)
        return (self.xy[rows] / _STEPS + 0.5) / side, self.visible[rows], self.label[clips]


def make_films(
    folder: Path,
    *,
    clips: int,
    seed: int,
    progress: Count,
    pool: Executor | None = None,
) -> None:
    """Draw and follow clips, 16 to a file; files that are there already are left as they are."""
    make = partial(_make_file, folder, seed)
    fill_shelf(folder, make, clips=clips, progress=progress, pool=pool)


def _make_file(folder: Path, seed: int, number: int) -> None:
    from pointaction.tracking.lucas_kanade import LucasKanade  # OpenCV: not where we only train

    path = shelf_file(folder, _KIND, seed=seed, number=number)
    if path.exists():
        return
    generator = Generator().manual_seed(_SEED + seed * 1_000_003 + number)
    label = torch.randint(len(LABELS), (shelf.CLIPS,), generator=generator)
    scenes = sample_scenes(label, frames=FRAMES, generator=generator)
    xy, visible, side = [], [], []
    for row in range(shelf.CLIPS):
        clip = film(scenes, row, generator=generator)
        tracks = LucasKanade().track(clip, random_queries(clip, POINTS))
        xy.append(torch.from_numpy((tracks.xy * _STEPS).round().astype(np.int16)))
        visible.append(torch.from_numpy(tracks.visible))
        side.append(max(clip.size))
    whole = {
        "xy": torch.stack(xy),
        "visible": torch.stack(visible),
        "label": label,
        "side": torch.tensor(side),
    }
    with written_whole(path) as unfinished:  # an interrupted run leaves no half of a film
        save_file(whole, unfinished)
