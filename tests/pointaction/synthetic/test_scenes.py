"""Who sees what, in worlds of one or two parts and in random ones."""

from dataclasses import replace

import pytest
import torch
from torch import Generator, Tensor

from pointaction.synthetic.programs import sample_programs
from pointaction.synthetic.scenes import Scenes, follow, look
from pointaction.synthetic.stage import perform
from tests.pointaction.synthetic.hand_made import BALL, BOX, world

MIDDLE = torch.tensor([[[0.5, 0.5]]])


def random_scenes(count: int, *, frames: int = 16) -> Scenes:
    generator = Generator().manual_seed(0)
    return perform(sample_programs(count, generator), frames=frames, generator=generator)


@pytest.mark.parametrize("part", [BALL, BOX])
def test_the_middle_of_the_picture_sees_the_front_of_what_is_there(part: int) -> None:
    hits = look(world({part: ((0, 0, 1), 0.5)}), MIDDLE, 0)
    assert hits.layer.item() == 1 + part
    assert hits.depth.item() == pytest.approx(1.5)  # from -1 to the front at 0.5
    assert hits.place[0, 0].tolist() == pytest.approx([0, 0, -1], abs=1e-5)


def test_beside_all_parts_there_is_the_room() -> None:
    hits = look(world({BALL: ((0, 0, 1), 0.5)}), torch.tensor([[[0.05, 0.5]]]), 0)
    assert hits.layer.item() == 0
    assert hits.place[0, 0].tolist() == pytest.approx([-1.8, 0, 3])  # the wall 4 ahead


def test_the_nearer_of_two_is_seen() -> None:
    scenes = world({BALL: ((0, 0, 1), 0.2), BOX: ((0, 0, 0.2), 0.1)})
    assert look(scenes, MIDDLE, 0).layer.item() == 1 + BOX


def test_a_hits_place_maps_back_to_its_pixel() -> None:
    scenes = random_scenes(6)
    xy = torch.rand(6, 200, 2, generator=Generator().manual_seed(1)) * scenes.extent[:, None]
    hits = look(scenes, xy, 7)
    rows, part = torch.arange(6)[:, None], (hits.layer - 1).clamp(min=0)
    turn, half = scenes.turn[rows, part, 7], scenes.half[rows, part, 7]
    on_part = (turn @ (hits.place * half)[..., None])[..., 0] + scenes.centre[rows, part, 7]
    point = torch.where((hits.layer == 0)[..., None], hits.place, on_part)
    camera = ((point - scenes.eye[:, 7, None]) @ scenes.rotation[:, 7].transpose(-1, -2)).unbind(-1)
    plane = torch.stack([camera[0], camera[1]], -1) / camera[2][..., None]
    back = plane * scenes.focal[:, 7, None, None] + scenes.extent[:, None] / 2
    torch.testing.assert_close(back, xy, atol=1e-3, rtol=0)


def _tracked(scenes: Scenes, layer: int) -> Tensor:
    """Visible shares (T,) of the points that were chosen on a layer in the first frame."""
    tracks = follow(scenes, points=2000, generator=Generator().manual_seed(0))
    chosen = (tracks.layer[0] == layer) & (tracks.frame[0] == 0)
    return tracks.visible[0, chosen].float().mean(0)


@pytest.mark.parametrize("part", [BALL, BOX])
def test_what_passes_behind_something_is_hidden_and_before_it_is_not(part: int) -> None:
    frames = 2
    for depth, hidden in ((1.0, True), (-0.3, False)):
        scenes = world({part: ((0, 0, 0.3), 0.25), 1: ((0, 0, depth), 0.05)}, frames=frames)
        scenes.centre[0, 1, 0, 0] = 0.6 * (1 + depth) / 1.3  # beside it in the first frame
        share = _tracked(scenes, 2)
        assert share[0] > 0.99
        assert share[1] == 0 if hidden else share[1] > 0.6  # its side has turned away


def test_the_far_side_of_a_ball_is_hidden() -> None:
    scenes = world({BALL: ((0, 0, 0), 0.3)}, frames=3)
    half_turn = torch.diag(torch.tensor([-1.0, 1.0, -1.0]))
    scenes.turn[0, BALL, 1] = half_turn
    assert _tracked(scenes, 1 + BALL)[1] == 0
    assert _tracked(replace(scenes, turn=torch.eye(3).expand_as(scenes.turn)), 1 + BALL)[1] == 1


def test_a_point_keeps_its_place_on_a_part_that_moves_and_stretches() -> None:
    scenes = world({BALL: ((0, 0, 0), 0.2)}, frames=2)
    scenes.centre[0, BALL, 1] = torch.tensor([0.1, -0.05, 0.0])
    scenes.half[0, BALL, 1] = 0.1
    tracks = follow(scenes, points=500, generator=Generator().manual_seed(0))
    on = (tracks.layer[0] == 1) & tracks.visible[0].all(-1)
    places = [look(scenes, tracks.xy[:, on, time], time).place for time in (0, 1)]
    assert on.sum() > 20
    torch.testing.assert_close(places[0], places[1], atol=2e-3, rtol=0)


def test_visible_points_of_random_programs_are_where_they_are_said_to_be() -> None:
    scenes = random_scenes(12)
    tracks = follow(scenes, points=200, generator=Generator().manual_seed(1))
    for time in (0, 7, 15):
        seen = tracks.visible[:, :, time]
        layer = look(scenes, tracks.xy[:, :, time], time).layer
        assert (layer == tracks.layer)[seen].float().mean() > 0.99


def test_hidden_points_of_random_programs_have_something_before_them() -> None:
    scenes = random_scenes(12)
    tracks = follow(scenes, points=200, generator=Generator().manual_seed(1))
    inside = ((tracks.xy > 0) & (tracks.xy < scenes.extent[:, None, None])).all(-1)[:, :, 7]
    hidden = ~tracks.visible[:, :, 7] & inside
    depth = look(scenes, tracks.xy[:, :, 7], 7).depth
    assert hidden.sum() > 20
    assert (depth < tracks.depth[:, :, 7])[hidden].float().mean() > 0.99


def test_zooming_by_two_doubles_distances_from_the_middle() -> None:
    scenes = world({BALL: ((0.1, 0.1, 0), 0.2)}, frames=2)
    scenes.focal[:, 1] = 2.0
    xy = follow(scenes, points=300, generator=Generator().manual_seed(0)).xy[0] - 0.5
    torch.testing.assert_close(xy[:, 1], 2 * xy[:, 0])


def test_a_camera_that_goes_right_moves_near_things_left_farther_than_walls() -> None:
    scenes = world({BALL: ((0, 0, 0), 0.2)}, frames=2)
    scenes.eye[:, 1, 0] = 0.1
    tracks = follow(scenes, points=300, generator=Generator().manual_seed(0))
    way = (tracks.xy[0, :, 1] - tracks.xy[0, :, 0])[:, 0]
    near, far = way[tracks.layer[0] == 1], way[tracks.layer[0] == 0]
    assert (way < 0).all()
    assert near.max() < far.min()
    assert far.max() == pytest.approx(-0.025)  # 0.1 at a distance of 4


def test_equal_seeds_give_equal_tracks() -> None:
    one, other = (
        follow(random_scenes(3), points=50, generator=Generator().manual_seed(5)) for _ in "ab"
    )
    assert torch.equal(one.xy, other.xy)
    assert torch.equal(one.visible, other.visible)


def test_points_are_chosen_in_all_frames_alike() -> None:
    tracks = follow(random_scenes(2), points=48, generator=Generator().manual_seed(0))
    for frames in tracks.frame:
        assert frames.bincount(minlength=16).tolist() == [3] * 16


def test_focus_chooses_more_of_the_bodies() -> None:
    scenes = random_scenes(20)
    evenly, keenly = (
        follow(scenes, points=64, generator=Generator().manual_seed(0), focus=torch.full((20,), f))
        for f in (0.0, 1.0)
    )
    assert (keenly.layer > 0).sum() > 1.3 * (evenly.layer > 0).sum()


def test_a_frame_of_scenes_is_a_clip_of_it_alone() -> None:
    scenes = random_scenes(3)
    xy = torch.rand(3, 50, 2, generator=Generator().manual_seed(1)) * scenes.extent[:, None]
    assert scenes.at(5).frames == 1
    assert torch.equal(look(scenes, xy, 5).layer, look(scenes.at(5), xy, 0).layer)
