"""What a motion's name promises is what its points do; directions are the viewer's."""

import pytest
import torch
from torch import Generator, Tensor

from pointaction.synthetic.motions import LABELS
from pointaction.synthetic.scenes import (
    ExactTracks,
    Scenes,
    cast,
    follow,
    look,
    sample_scenes,
)


def perform(name: str, *, scenes: int = 8, points: int = 400) -> tuple[Scenes, ExactTracks]:
    generator = Generator().manual_seed(0)
    labels = torch.full((scenes,), LABELS.index(name))
    made = sample_scenes(labels, frames=32, generator=generator)
    return made, follow(made, points=points, generator=generator)


def change(name: str, layer: int) -> Tensor:
    """Mean displacement (scenes, 2) of a layer's points from the first to the last frame."""
    _, tracks = perform(name)
    on = (tracks.layer == layer)[..., None].float()
    way = tracks.xy[:, :, -1] - tracks.xy[:, :, 0]
    return (way * on).sum(1) / on.sum(1).clamp(min=1)


@pytest.mark.parametrize(
    ("name", "axis", "sign"),
    [
        ("moving left", 0, -1),
        ("moving right", 0, 1),
        ("moving up", 1, -1),
        ("moving down", 1, 1),
        ("falling", 1, 1),
        ("rolling left", 0, -1),
    ],
)
def test_a_body_goes_where_its_motion_says(name: str, axis: int, sign: int) -> None:
    assert (sign * change(name, layer=1)[:, axis] > 0.05).all()


@pytest.mark.parametrize(
    ("name", "axis", "sign"),
    [
        ("camera panning left", 0, 1),
        ("camera panning right", 0, -1),
        ("camera tilting up", 1, 1),
        ("camera tilting down", 1, -1),
    ],
)
def test_the_picture_moves_against_the_camera(name: str, axis: int, sign: int) -> None:
    assert (sign * change(name, layer=0)[:, axis] > 0.05).all()


@pytest.mark.parametrize(
    ("name", "layer", "sign"),
    [
        ("turning clockwise", 1, 1),
        ("turning anticlockwise", 1, -1),
        ("camera rolling clockwise", 0, -1),
        ("camera rolling anticlockwise", 0, 1),
    ],
)
def test_turning_has_the_sense_of_a_clock_on_the_screen(name: str, layer: int, sign: int) -> None:
    _, tracks = perform(name)
    for scene in range(len(tracks.xy)):
        points = tracks.xy[scene, tracks.layer[scene] == layer]  # (n, T, 2)
        arm = points - points.mean(0, keepdim=True)
        turn = arm[:, :-1, 0] * arm[:, 1:, 1] - arm[:, :-1, 1] * arm[:, 1:, 0]
        assert sign * turn.mean() > 0  # y points down: a positive cross product is clockwise


@pytest.mark.parametrize(
    ("name", "layer", "grows"),
    [
        ("moving towards the camera", 1, True),
        ("moving away from the camera", 1, False),
        ("camera zooming in", 0, True),
        ("camera zooming out", 0, False),
    ],
)
def test_what_comes_nearer_or_is_zoomed_in_grows(name: str, layer: int, grows: bool) -> None:
    _, tracks = perform(name)
    for scene in range(len(tracks.xy)):
        points = tracks.xy[scene, tracks.layer[scene] == layer]
        spread = points.std(0).mean(-1)
        assert (spread[-1] > spread[0]) == grows


def test_a_body_that_comes_nearer_has_falling_depth() -> None:
    _, tracks = perform("moving towards the camera")
    depth = tracks.depth[tracks.layer == 1]
    assert (depth[:, -1] < 0.75 * depth[:, 0]).all()


def test_a_point_is_found_again_by_looking_where_it_went() -> None:
    """Follow a visible point to frame 20, cast a ray there: the same layer at the same depth."""
    scenes, tracks = perform("passing each other", scenes=4, points=200)
    hits = cast(scenes, tracks.xy[:, :, 20], torch.full(tracks.frame.shape, 20))
    seen = tracks.visible[:, :, 20]
    assert torch.equal(hits.layer[seen], tracks.layer[seen])
    torch.testing.assert_close(hits.depth[seen], tracks.depth[:, :, 20][seen], rtol=1e-3, atol=0)


def test_looking_at_a_whole_frame_is_casting_every_ray() -> None:
    scenes, tracks = perform("opening", scenes=3, points=300)
    whole = look(scenes, tracks.xy[:, :, 7], 7)
    each = cast(scenes, tracks.xy[:, :, 7], torch.full(tracks.frame.shape, 7))
    assert torch.equal(whole.layer, each.layer)
    torch.testing.assert_close(whole.uv, each.uv)
    torch.testing.assert_close(whole.depth, each.depth)


def test_a_point_behind_a_body_is_not_visible() -> None:
    scenes, tracks = perform("moving left", scenes=8, points=600)
    hits = cast(scenes, tracks.xy[:, :, 9], torch.full(tracks.frame.shape, 9))
    covered = (tracks.layer == 0) & (hits.layer == 1)
    assert covered.any()
    assert not tracks.visible[:, :, 9][covered].any()


def test_every_point_is_visible_where_it_was_chosen() -> None:
    _, tracks = perform("opening", scenes=16)
    at_start = tracks.visible.gather(2, tracks.frame[..., None])
    assert at_start.float().mean() > 0.999  # rounding may lose a point on an edge


def test_equal_seeds_give_equal_scenes() -> None:
    _, one = perform("bouncing")
    _, other = perform("bouncing")
    assert torch.equal(one.xy, other.xy)


def test_all_motions_stay_finite() -> None:
    generator = Generator().manual_seed(1)
    labels = torch.arange(len(LABELS)).repeat(4)
    scenes = sample_scenes(labels, frames=32, generator=generator)
    tracks = follow(scenes, points=64, generator=generator)
    assert tracks.xy.isfinite().all()
    assert tracks.depth.isfinite().all()
