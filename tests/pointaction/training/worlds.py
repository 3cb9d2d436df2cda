"""A world of two motions, left and right, and a model small enough for it."""

from pathlib import Path

import torch
from torch import Generator
from torch.utils.data import Dataset

from pointaction.models.traction import TrackEncoder, TrAction, TrActionConfig
from pointaction.training.batch import Batch
from pointaction.training.loop import Run
from pointaction.training.recipes import Recipe

FRAMES = 8


class LeftOrRight(Dataset[Batch]):
    """`batches[number]`: clips of tracks that all go left (0) or right (1)."""

    def __getitem__(self, number: int) -> Batch:
        chance = Generator().manual_seed(number)
        label = torch.randint(2, (4,), generator=chance)
        way = torch.linspace(0, 0.3, FRAMES) * (2 * label[:, None] - 1)  # (B, T)
        geometry = torch.rand(4, 6, 1, 3, generator=chance).repeat(1, 1, FRAMES, 1)
        geometry[..., 0] += way[:, None]
        return Batch(
            geometry=geometry,
            visible=torch.ones(4, 6, FRAMES).bool(),
            present=torch.ones(4, 6).bool(),
            label=label,
        )


def tiny(*, dropout: float = 0.1) -> TrAction:
    torch.manual_seed(0)
    config = TrActionConfig(
        frames=FRAMES, bands=4, width=24, layers=1, heads=2, registers=1, dropout=dropout
    )
    return TrAction(TrackEncoder(config), classes=2)


def recipe(steps: int, *, accumulate: int = 1) -> Recipe:
    return Recipe(builder="", steps=steps, batch=4, learning_rate=1e-2, accumulate=accumulate)


def small_run(folder: Path, steps: int, *, accumulate: int = 1) -> Run:
    return Run(
        recipe=recipe(steps, accumulate=accumulate), folder=folder, seed=3, workers=0, save_every=3
    )
