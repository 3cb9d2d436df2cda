from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch.nn.functional import interpolate

from pointaction.models.motionnet import MotionNet, MotionNetConfig
from pointaction.training.loop import Run
from pointaction.training.motion import MotionRecipe, compare, explain, train_motion
from pointaction.training.reel_batches import Cutting, whole
from pointaction.training.reels import Reels
from tests.pointaction.training.drawn import FRAMES, sliding

CONFIG = MotionNetConfig(frames=2, width=8, levels=2)


def silent(step: int, told: dict[str, float]) -> None:
    """A report that nobody reads."""


def test_a_network_that_says_nothing_moves_is_as_far_as_no_motion() -> None:
    """All pixels of `sliding` are said to move by one, but of first and last frames."""
    agreement = compare(MotionNet(CONFIG), sliding(4), batch=3)
    assert agreement.network == agreement.none == pytest.approx(5 / 6, abs=1e-3)


def test_batches_take_turns_in_where_their_stacks_begin() -> None:
    """Six frames have five pairs; the sixth batch begins again."""
    shots = whole(sliding(2), slice(0, 2))
    measured = [explain(MotionNet(CONFIG))(shots, number)["loss"].item() for number in (0, 1, 5)]
    assert measured[0] == measured[2] != measured[1]


def gliding(clips: int) -> Reels:
    """As `sliding`, but all of the picture moves, by two, and comes back on the other side."""
    reels, chance = sliding(clips), torch.Generator().manual_seed(0)
    coarse = torch.rand(clips, 3, 8, 8, generator=chance)
    texture = interpolate(coarse, scale_factor=2, mode="bilinear").permute(0, 2, 3, 1)
    for clip, way in enumerate((2 * reels.label - 1).tolist()):
        for time in range(FRAMES):
            reels.frames[clip, time] = 255 * texture[clip].roll(2 * way * time, dims=1)
    return replace(reels, motion=2 * reels.motion)


def test_training_finds_which_way_clips_go(tmp_path: Path) -> None:
    recipe = MotionRecipe(
        builder="", steps=50, batch=4, learning_rate=4e-3, config=CONFIG, cutting=Cutting(cells=8)
    )
    reels = gliding(8)
    told: list[dict[str, float]] = []
    run = Run(recipe=recipe, folder=tmp_path, workers=0)
    network, steps = train_motion(run, lambda step, each: told.append(each), reels=reels)
    assert steps == 50
    assert set(told[0]) == {"loss", "photometric", "structure", "smoothness"}
    found = compare(network, reels)
    assert found.network < 0.9 * found.none
