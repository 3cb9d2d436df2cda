"""Bodies have the lengths they are said to have, and reach for what is in reach."""

from dataclasses import replace

import torch
from torch import Tensor

from pointaction.synthetic.bodies import Build, FigurePose, HandPose, Posed, figure, hand, rotation
from pointaction.synthetic.score import CHEST, GROUND, SHOULDERS

FRAMES = 3
BUILD = Build(thick=torch.ones(1), palm=torch.full((1,), 0.05), head=torch.ones(1))
UPPER_ARM, FOREARM, PALM, THIGH, SHIN, FOOT = range(3, 9)  # of the first side


def standing() -> FigurePose:
    hands = torch.tensor([[SHOULDERS, 0.25, -0.1], [-SHOULDERS, 0.25, -0.1]])
    feet = torch.tensor([[0.07, 0.0, 0.0], [-0.07, 0.0, 0.0]])
    return FigurePose(
        hand=hands[None, :, None].expand(1, 2, FRAMES, 3),
        feet=feet[None, :, None].expand(1, 2, FRAMES, 3),
        body=torch.zeros(1, FRAMES, 3),
        facing=torch.zeros(1, FRAMES),
        lean=torch.zeros(1, FRAMES, 2),
        tip=torch.zeros(1, FRAMES, 2),
    )


def ends(body: Posed, part: int) -> tuple[Tensor, Tensor]:
    """Joints (FRAMES, 3) at both ends of a limb, which goes half its radius beyond them."""
    half = body.half[0, part]
    reach = body.turn[0, part, ..., 0] * (half[:, :1] - 0.5 * half[:, 1:2])
    return body.centre[0, part] - reach, body.centre[0, part] + reach


def length(body: Posed, part: int) -> Tensor:
    start, end = ends(body, part)
    return (end - start).norm(dim=-1)


def test_limbs_have_the_lengths_of_a_figure() -> None:
    body = figure(standing(), BUILD)
    for part, long in ((UPPER_ARM, 0.17), (FOREARM, 0.16), (THIGH, 0.245), (SHIN, 0.235)):
        torch.testing.assert_close(length(body, part), torch.full((FRAMES,), long))


def test_limbs_hang_together() -> None:
    body = figure(standing(), BUILD)
    for inner, outer in ((UPPER_ARM, FOREARM), (FOREARM, PALM), (THIGH, SHIN), (SHIN, FOOT)):
        torch.testing.assert_close(ends(body, inner)[1], ends(body, outer)[0])


def test_a_hand_reaches_what_is_in_reach() -> None:
    wrist = ends(figure(standing(), BUILD), FOREARM)[1]
    torch.testing.assert_close(wrist[0], torch.tensor([SHOULDERS, CHEST + 0.25, -0.1]))


def test_a_hand_points_straight_at_what_is_out_of_reach() -> None:
    goal = torch.tensor([1.0, 0.0, 0.0])  # to the side, level with the shoulder
    body = figure(replace(standing(), hand=goal.expand(1, 2, FRAMES, 3)), BUILD)
    wrist = ends(body, FOREARM)[1]
    torch.testing.assert_close(
        wrist[0], torch.tensor([SHOULDERS + 0.33, CHEST, 0.0]), atol=1e-3, rtol=0
    )


def test_feet_stay_on_the_ground_when_the_pelvis_sinks() -> None:
    pose = standing()
    pose.body[0, :, 1] = torch.linspace(0, 0.2, FRAMES)
    ankle = ends(figure(pose, BUILD), SHIN)[1]
    expected = torch.tensor([0.07, GROUND - 0.035, 0.0]).expand(FRAMES, 3)
    torch.testing.assert_close(ankle, expected, atol=1e-5, rtol=0)


def test_a_knee_bends_forward() -> None:
    pose = standing()
    pose.body[..., 1] = 0.2
    knee = ends(figure(pose, BUILD), THIGH)[1]
    assert (knee[:, 2] < -0.05).all()  # towards the viewer, whom the figure faces


def test_a_figure_that_faces_left_has_its_left_side_towards_the_viewer() -> None:
    pose = standing()
    pose.facing[:] = torch.pi / 2
    body = figure(pose, BUILD)
    shoulder = ends(body, UPPER_ARM)[0]
    torch.testing.assert_close(
        shoulder[0], torch.tensor([0.0, CHEST, -SHOULDERS]), atol=1e-5, rtol=0
    )
    assert (ends(body, FOOT)[1][:, 0] < ends(body, FOOT)[0][:, 0]).all()  # toes to the left


def test_a_figure_that_has_tipped_forward_lies_before_its_feet() -> None:
    pose = standing()
    pose.tip[..., 0] = torch.pi / 2
    head = figure(pose, BUILD).centre[0, 2]
    assert (head[:, 1] - GROUND).abs().max() < 0.01
    assert (head[:, 2] < -0.8).all()


def grasping(grip: float) -> Posed:
    pose = HandPose(
        palm=torch.tensor([0.1, -0.1, 0.0]).expand(1, FRAMES, 3),
        wrist=torch.zeros(1, FRAMES, 3),
        grip=torch.full((1, FRAMES), grip),
        pointing=torch.zeros(1, dtype=torch.bool),
        arm=torch.tensor([0.1, 1.0, 0.0]).expand(1, FRAMES, 3),
        normal=torch.tensor([[0.0, 0.0, -1.0]]),
        thumb=torch.ones(1),
    )
    return hand(pose, BUILD)


def test_a_palm_is_where_it_should_be_and_its_arm_below() -> None:
    body = grasping(0.0)
    torch.testing.assert_close(body.centre[0, 2], torch.tensor([[0.1, -0.1, 0.0]] * FRAMES))
    assert (body.centre[0, 0, :, 1] > body.centre[0, 1, :, 1]).all()  # upper arm below forearm
    assert (body.centre[0, 1, :, 1] > body.centre[0, 2, :, 1]).all()  # forearm below palm


def test_fingers_stretch_ahead_and_curl_up_in_a_fist() -> None:
    reach = [
        (grasping(grip).centre[0, 7, 0] - torch.tensor([0.1, -0.1, 0.0])).norm()
        for grip in (0.0, 1.0)
    ]
    assert reach[0] > 1.5 * reach[1]


def test_rotations_are_what_the_viewer_sees() -> None:
    quarter = torch.pi / 2
    toward, right, up = torch.eye(3)[2] * -1, torch.eye(3)[0], torch.eye(3)[1] * -1
    cases = (
        ((quarter, 0.0, 0.0), toward, -right),  # what faces the viewer turns to the left
        ((0.0, quarter, 0.0), up, toward),  # the top tips towards the viewer
        ((0.0, 0.0, quarter), up, right),  # clockwise
    )
    for angles, before, after in cases:
        turned = rotation(torch.tensor(angles)) @ before
        torch.testing.assert_close(turned, after, atol=1e-6, rtol=0)
