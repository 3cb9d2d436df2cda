import numpy as np
import torch
from torch import Generator

from pointaction.synthetic.motions import LABELS
from pointaction.synthetic.render import render
from pointaction.synthetic.scenes import Scenes, follow, sample_scenes


def scene(name: str) -> Scenes:
    labels = torch.tensor([LABELS.index(name)])
    return sample_scenes(labels, frames=8, generator=Generator().manual_seed(2))


def test_frames_have_the_pictures_shape() -> None:
    scenes = scene("moving left")
    frames = render(scenes, 0, side=64, generator=Generator().manual_seed(0))
    width, height = (round(float(part) * 64) for part in scenes.extent[0])
    assert frames.shape == (8, height, width, 3)
    assert frames.std() > 10  # there is something to track


def test_a_point_keeps_its_colour_along_its_exact_track() -> None:
    scenes = scene("moving right")
    frames = render(scenes, 0, side=256, generator=Generator().manual_seed(0)).astype(float)
    tracks = follow(scenes, points=300, generator=Generator().manual_seed(1))
    body = (tracks.layer[0] == 1) & tracks.visible[0].all(-1)
    assert body.sum() >= 3
    xy = (tracks.xy[0, body] * 256 - 0.5).round().long().numpy()
    colour = np.stack([frames[t, xy[:, t, 1], xy[:, t, 0]] for t in range(8)], 1)  # (n, T, 3)
    along = np.abs(colour - colour.mean(1, keepdims=True)).mean()
    between = np.abs(colour - colour.mean(0, keepdims=True)).mean()
    assert along < 0.6 * between


def test_equal_seeds_give_equal_pixels() -> None:
    scenes = scene("bouncing")
    one, other = (render(scenes, 0, side=64, generator=Generator().manual_seed(5)) for _ in "ab")
    assert np.array_equal(one, other)
