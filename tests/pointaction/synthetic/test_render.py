import numpy as np
import torch
from torch import Generator

from pointaction.synthetic.programs import sample_programs
from pointaction.synthetic.raster import rasterise, size
from pointaction.synthetic.render import render
from pointaction.synthetic.scenes import Scenes, follow, look
from pointaction.synthetic.stage import perform
from tests.pointaction.synthetic.hand_made import BALL, world


def some_scenes(count: int = 4, *, frames: int = 4, one_identity: bool = False) -> Scenes:
    generator = Generator().manual_seed(2)
    identity = torch.zeros(count, dtype=torch.long) if one_identity else None
    score = sample_programs(count, generator)
    return perform(score, frames=frames, generator=generator, identity=identity)


def test_frames_have_the_pictures_shape() -> None:
    scenes = some_scenes()
    for row in range(4):
        frames = render(scenes, row, side=64, generator=Generator().manual_seed(0))
        width, height = (round(float(part) * 64) for part in scenes.extent[row])
        assert frames.shape == (4, height, width, 3)
        assert frames.std() > 5  # there is something to track


def test_every_pixel_sees_what_a_ray_through_it_meets() -> None:
    scenes = some_scenes()
    for row in range(4):
        one = scenes.only(row)
        height, width = size(one, side=96)
        y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
        pixels = (torch.stack([x, y], -1).flatten(0, 1)[None] + 0.5) / 96
        for time, raster in enumerate(rasterise(scenes, row, side=96)):
            hits = look(one, pixels, time)
            same = hits.layer[0].view(height, width).numpy() == raster.layer
            assert same.mean() > 0.999
            places = hits.place[0].view(height, width, 3).numpy()[same]
            drawn = np.stack(raster.place, -1)[same]
            np.testing.assert_allclose(drawn, places, atol=0.02)


def test_a_point_keeps_its_colour_along_its_exact_track() -> None:
    scenes = world({BALL: ((0, 0, 0), 0.3)}, frames=6)
    scenes.centre[0, BALL, :, 0] = torch.linspace(-0.1, 0.1, 6)
    frames = render(scenes, 0, side=256, generator=Generator().manual_seed(0)).astype(float)
    tracks = follow(scenes, points=600, generator=Generator().manual_seed(1))
    on = tracks.visible[0].all(-1)
    xy = (tracks.xy[0, on] * 256 - 0.5).round().long().clamp(0, 255).numpy()
    colour = np.stack([frames[t, xy[:, t, 1], xy[:, t, 0]] for t in range(6)], 1)  # (n, T, 3)
    along = np.abs(colour - colour.mean(1, keepdims=True)).mean()
    between = np.abs(colour - colour.mean(0, keepdims=True)).mean()
    assert along < 0.4 * between


def test_what_faces_away_from_the_light_is_darker() -> None:
    scenes = world({BALL: ((0, 0, 0), 0.4)}, frames=2)
    scenes.turn[0, BALL, 1] = torch.diag(torch.tensor([-1.0, -1.0, 1.0]))  # upside down
    frames = render(scenes, 0, side=128, generator=Generator().manual_seed(0)).astype(float)
    # The same two patches of the ball have been above and below.
    assert frames[:, 36:50, 54:74].mean() > frames[:, 78:92, 54:74].mean() + 2


def test_one_identity_looks_alike_and_another_does_not() -> None:
    for alike in (True, False):
        scenes = some_scenes(2, one_identity=alike)
        assert (scenes.looks[0] == scenes.looks[1]) == alike


def test_looks_alone_decide_the_colours() -> None:
    scenes = world({BALL: ((0, 0, 0), 0.3)})
    one, other = (
        render(scenes, 0, side=64, generator=Generator().manual_seed(seed)).astype(float)
        for seed in (0, 1)
    )
    scenes.looks[:] = 1
    stranger = render(scenes, 0, side=64, generator=Generator().manual_seed(0)).astype(float)
    assert np.abs(one - other).mean() < 12  # grain and flicker
    assert np.abs(one - stranger).mean() > 25


def test_equal_seeds_give_equal_pixels() -> None:
    scenes = some_scenes()
    one, other = (render(scenes, 0, side=64, generator=Generator().manual_seed(5)) for _ in "ab")
    assert np.array_equal(one, other)


def test_frames_that_are_kept_are_those_of_the_whole_clip() -> None:
    scenes = some_scenes()
    whole, some = (
        render(scenes, 1, side=64, generator=Generator().manual_seed(3), kept=kept)
        for kept in (None, [3, 1])
    )
    assert np.array_equal(some, whole[[3, 1]])
