"""Who looks on: a camera on an orbit about the stage, what a score does with it, and its sway.

Shapes:  n performances   T frames
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from pointaction.synthetic.bodies import about_x, about_y, about_z
from pointaction.synthetic.score import Cast, Draw, Score
from pointaction.synthetic.variety import Looks, Variety


@dataclass(frozen=True, slots=True, kw_only=True)
class Viewpoint:
    eye: Tensor  # (n, T, 3)
    rotation: Tensor  # (n, T, 3, 3) world to camera
    focal: Tensor  # (n, T)


def viewpoint(play: Score, scale: Tensor, draw: Draw, looks: Looks, variety: Variety) -> Viewpoint:
    """A viewpoint on an orbit about the stage, what the score does with it, and its sway."""
    focal = looks.uniform(*variety.focal, 1)
    sideways = draw.column(-variety.orbit[0], variety.orbit[0]) * draw.chance(0.7)
    above = draw.column(-0.4 * variety.orbit[1], variety.orbit[1])
    # A row of moves: pan right, tilt up, roll clockwise; what a score pans, it pans from here.
    motion = play.camera + _sway(play, draw, variety)
    base = torch.cat([-sideways, -above, draw.column(-0.06, 0.06)], -1)[:, None]
    angles = motion[..., 3:6] + base
    turned = _world_to_camera(angles)

    at_rest = _world_to_camera(base)  # (n, 1, 3, 3)
    back = at_rest.transpose(-1, -2)[..., 2]  # where the camera looks, in the world
    # A score takes the stage to be one unit away; it is as many as the focal length has.
    travel = (at_rest.transpose(-1, -2) @ motion[..., :3, None])[..., 0] * focal[..., None]
    eye = -back * focal[..., None] + travel * torch.where(
        (play.cast == Cast.FIGURE)[:, None, None], scale, torch.ones_like(scale)
    )
    zoom = (motion[..., 6]).exp()
    return Viewpoint(eye=eye, rotation=turned, focal=focal * zoom)


def _sway(play: Score, draw: Draw, variety: Variety) -> Tensor:
    """(n, T, 7) what nobody meant: a tripod's nothing, a hand's, a walker's, a head's."""
    time = torch.linspace(0, 1, play.facing.shape[1])[None, :, None]
    slow = draw.wander(time, (0.5, 1.1, 2.3), 1, 7, fall=1.0)
    hand_held = torch.tensor([0.008, 0.008, 0.008, 0.012, 0.012, 0.012, 0.006])
    head = torch.tensor([0.015, 0.015, 0.015, 0.035, 0.035, 0.02, 0.0])
    steps = draw.uniform(3, 6, 1, 1)
    phase = 2 * math.pi * (steps * time + draw.uniform(0, 1, 1, 1))
    step = torch.cat([(phase / 2).sin(), phase.sin()], -1) * torch.tensor([0.010, 0.014])
    walk = torch.nn.functional.pad(step, (0, 5))
    kind = draw.uniform(0, 1, 1, 1)
    sway = slow * hand_held * (kind >= 0.35)
    sway = torch.where(kind > 0.72, slow * head, sway)
    sway = torch.where(kind > 0.9, slow * hand_held + walk, sway)
    return sway * variety.sway * draw.uniform(0.2, 1, 1, 1)


def _world_to_camera(angles: Tensor) -> Tensor:
    """(..., 3, 3) for pan right, tilt up and roll clockwise (..., 3)."""
    pan, tilt, roll = angles.unbind(-1)
    # The world turns against the camera: yaw to the left, tops away, anticlockwise.
    return about_z(-roll) @ about_x(-tilt) @ about_y(-pan)


def extents(looks: Looks) -> Tensor:
    """(n, 2) of pictures from 16:9 through 4:3 to upright, the longer side 1."""
    ratios = torch.tensor([16 / 9, 16 / 9, 4 / 3, 4 / 3, 1.0, 3 / 4, 9 / 16])
    ratio = ratios[(looks.uniform(0, 1) * len(ratios)).long().clamp(max=len(ratios) - 1)]
    return torch.stack([ratio.clamp(max=1), (1 / ratio).clamp(max=1)], -1)
