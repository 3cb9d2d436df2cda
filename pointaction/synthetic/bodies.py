"""Bodies: hands with arms, whole figures and bystanders, posed as ellipsoids.

Shapes:  n performances   T frames   P parts of one body; all lengths on the stage (see score)

A body is posed from where its hands and feet are to be (two-bone inverse kinematics), so that a
score needs to say nothing about elbows and knees.
"""

from dataclasses import dataclass, fields

import torch
from torch import Tensor

from pointaction.synthetic.score import CHEST, GROUND, SHOULDERS, lean_about_pelvis, yaw

HAND_PARTS = 8
FIGURE_PARTS = 15
BYSTANDER_PARTS = 6
_ANKLE = 0.035  # above the ground
_ARM = (0.17, 0.16)  # upper arm and forearm of a figure
_LEG = (0.245, 0.235)  # thigh and shin


@dataclass(frozen=True, slots=True, kw_only=True)
class Posed:
    """Ellipsoids, not yet anywhere but on the stage."""

    centre: Tensor  # (n, P, T, 3)
    turn: Tensor  # (n, P, T, 3, 3) own axes as columns
    half: Tensor  # (n, P, T, 3)

    @classmethod
    def join(cls, bodies: "list[Posed]") -> "Posed":
        return cls(
            centre=torch.cat([body.centre for body in bodies], 1),
            turn=torch.cat([body.turn for body in bodies], 1),
            half=torch.cat([body.half for body in bodies], 1),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Build:
    """How bodies are built; factors about 1."""

    thick: Tensor  # (n,) limbs
    palm: Tensor  # (n,) half the length of a hand's palm, on the stage; of HANDS only
    head: Tensor  # (n,)

    def rows(self, index: Tensor) -> "Build":
        return Build(**{part.name: getattr(self, part.name)[index] for part in fields(self)})


@dataclass(frozen=True, slots=True, kw_only=True)
class HandPose:
    palm: Tensor  # (n, T, 3) its middle
    wrist: Tensor  # (n, T, 3) aside, bent, palm turned
    grip: Tensor  # (n, T) 0 open to 1 a fist
    pointing: Tensor  # (n,) bool
    arm: Tensor  # (n, T, 3) where the arm goes to: a far point towards the shoulder
    normal: Tensor  # (n, 3) where the back of the hand faces when the wrist is at rest
    thumb: Tensor  # (n,) -1 or 1: on which side

    def rows(self, index: Tensor) -> "HandPose":
        return HandPose(**{part.name: getattr(self, part.name)[index] for part in fields(self)})


@dataclass(frozen=True, slots=True, kw_only=True)
class FigurePose:
    hand: Tensor  # (n, 2, T, 3) relative to the chest
    feet: Tensor  # (n, 2, T, 3)
    body: Tensor  # (n, T, 3)
    facing: Tensor  # (n, T)
    lean: Tensor  # (n, T, 2)
    tip: Tensor  # (n, T, 2)


def hand(pose: HandPose, build: Build) -> Posed:
    """Upper arm, forearm, palm, thumb, forefinger (2), the other fingers as one (2)."""
    size = build.palm[:, None]  # (n, 1)
    back = _unit(pose.arm - pose.palm)
    frame = _axes(-back, pose.normal[:, None].expand_as(back))  # ahead, across, back of the hand
    frame = frame @ about_x(pose.wrist[..., 2])
    frame = frame @ about_y(pose.wrist[..., 1]) @ about_z(pose.wrist[..., 0])
    thickness = build.thick[:, None]

    root = pose.palm - frame[..., 0] * size[..., None]
    elbow = root + back * (6.0 * size)[..., None]
    # The upper arm goes on to where it is out of the picture, however small the hand.
    far = pose.arm + pose.normal[:, None] * 0.1 - elbow
    shoulder = elbow + _unit(far) * torch.maximum(far.norm(dim=-1), 6.5 * size)[..., None]
    upper = _limb(elbow, shoulder, 0.95 * size * thickness, pose.normal)
    lower = _limb(root, elbow, 0.68 * size * thickness, pose.normal)
    palm = _solid(pose.palm, frame, size, (1.0, 0.85, 0.3))

    def reach(across: float, ahead: float) -> Tensor:
        aside = pose.thumb[:, None] * across * size
        return (
            pose.palm + frame[..., 0] * (ahead * size)[..., None] + frame[..., 1] * aside[..., None]
        )

    def finger(start: Tensor, curl: Tensor, length: float, width: float) -> list[Posed]:
        joints = [start]
        bones = []
        bend = curl * 1.35
        for _ in range(2):
            bent = frame @ about_y(bend)
            end = joints[-1] + bent[..., 0] * (length * size)[..., None]
            middle = (joints[-1] + end) / 2
            bones.append(_solid(middle, bent, size, (length * 0.6, width, 0.24)))
            joints.append(end)
            bend = bend + curl * 1.5
        return bones

    fore = torch.where(pose.pointing[:, None], pose.grip.clamp(max=0.05), pose.grip)
    apart = (pose.thumb[:, None] * (0.9 - 0.7 * pose.grip))[..., None]
    aside = _unit(frame[..., 0] + frame[..., 1] * apart)
    thumb_root = reach(0.75, -0.3)
    thumb = _limb(thumb_root, thumb_root + aside * size[..., None] * 1.2, 0.26 * size, pose.normal)
    parts = [upper, lower, palm, thumb]
    parts += finger(reach(0.55, 0.95), fore, 0.85, 0.24)
    parts += finger(reach(-0.2, 0.95), pose.grip, 0.8, 0.55)
    return Posed.join(parts)


def figure(pose: FigurePose, build: Build) -> Posed:
    """Chest, hips, head, and per side upper arm, forearm, hand, thigh, shin and foot."""
    n, frames = pose.facing.shape
    thick = build.thick[:, None]

    def place(point: Tensor) -> Tensor:
        """From the figure's own axes (facing the viewer, origin at the pelvis) to the stage."""
        return _tipped(yaw(point, pose.facing) + pose.body, pose)

    def upper(x: float | Tensor, y: float) -> Tensor:
        point = torch.zeros(n, frames, 3)
        point[..., 0], point[..., 1] = x, y
        return lean_about_pelvis(point, pose.lean)

    neck, middle, crown = upper(0.0, CHEST - 0.02), upper(0.0, CHEST / 2), upper(0.0, -0.42)
    front = _unit(place(upper(0.0, 0.0) + torch.tensor([0.0, 0.0, -1.0])) - place(upper(0.0, 0.0)))
    chest = _limb(place(neck), place(middle), 0.085 * thick, front, flat=0.7)
    hips = _limb(place(middle), place(upper(0.0, 0.02)), 0.08 * thick, front, flat=0.75)
    height = 0.058 * build.head[:, None]
    rise = torch.tensor([0.0, 0.045, 0.0])
    head = _limb(place(crown - rise), place(crown + rise), height, front)
    parts = [chest, hips, head]
    for side, sign in enumerate((1.0, -1.0)):
        shoulder = upper(sign * SHOULDERS, CHEST)
        palm = lean_about_pelvis(pose.hand[:, side] + torch.tensor([0.0, CHEST, 0.0]), pose.lean)
        hint = torch.tensor([0.4 * sign, 0.7, 0.5])
        elbow, wrist = _two_bones(shoulder, palm, _ARM, hint)
        tip = wrist + _unit(wrist - elbow) * 0.07
        joints = [place(point) for point in (shoulder, elbow, wrist, tip)]
        parts += [
            _limb(joints[0], joints[1], 0.034 * thick, front),
            _limb(joints[1], joints[2], 0.027 * thick, front),
            _limb(joints[2], joints[3], 0.026 * thick, front),
        ]
        hip = torch.zeros(n, frames, 3)
        hip[..., 0] = sign * 0.05
        # Soles stay on the ground of the stage: the pelvis goes up and down without them.
        ankle = pose.feet[:, side] + torch.tensor([0.0, GROUND - _ANKLE, 0.0])
        ankle = ankle - pose.body * torch.tensor([0.0, 1.0, 0.0])
        knee, ankle = _two_bones(hip, ankle, _LEG, torch.tensor([0.15 * sign, 0.0, -1.0]))
        toe = ankle + torch.tensor([0.0, 0.02, -0.09])
        joints = [place(point) for point in (hip, knee, ankle, toe)]
        parts += [
            _limb(joints[0], joints[1], 0.05 * thick, front),
            _limb(joints[1], joints[2], 0.036 * thick, front),
            _limb(joints[2], joints[3], 0.028 * thick, front),
        ]
    return Posed.join(parts)


def bystander(body: Tensor, facing: Tensor, build: Build) -> Posed:
    """A figure from afar: trunk, head, two arms, two legs that step as it travels.

    body (n, T, 3) is where its pelvis is, facing (n, T) as for a figure.
    """
    step = torch.diff(body, dim=1, prepend=body[:, :1]).norm(dim=-1).cumsum(1)
    swing = 0.35 * (step * 18).sin() * (step[:, -1:] > 0.02)
    n, frames = facing.shape
    thick = build.thick[:, None]
    front = yaw(torch.tensor([0.0, 0.0, -1.0]).expand(n, frames, 3), facing)

    def place(x: float, y: float, forward: Tensor | float) -> Tensor:
        point = torch.zeros(n, frames, 3)
        point[..., 0], point[..., 1], point[..., 2] = x, y, forward
        return yaw(point, facing) + body

    parts = [
        _limb(place(0, CHEST - 0.02, 0), place(0, 0.02, 0), 0.09 * thick, front, flat=0.7),
        _limb(place(0, -0.465, 0), place(0, -0.375, 0), 0.058 * build.head[:, None], front),
    ]
    for sign in (1.0, -1.0):
        hand_place = place(sign * 0.14, 0.06, sign * 0.3 * swing)
        parts.append(_limb(place(sign * 0.12, CHEST, 0), hand_place, 0.03 * thick, front))
    for sign in (1.0, -1.0):
        foot = place(sign * 0.06, GROUND, -sign * 0.4 * swing)
        parts.append(_limb(place(sign * 0.05, 0, 0), foot, 0.045 * thick, front))
    return Posed.join(parts)


def _two_bones(
    root: Tensor, goal: Tensor, bones: tuple[float, float], hint: Tensor
) -> tuple[Tensor, Tensor]:
    """Where the joint between two bones is, and how near to its goal the end comes.

    root and goal (n, T, 3); the joint bends towards `hint` (3,). A goal out of reach is reached
    for with a straight limb.
    """
    first, second = bones
    way = goal - root
    distance = way.norm(dim=-1, keepdim=True).clamp(min=1e-6)
    reached = distance.clamp(abs(first - second) + 1e-3, (first + second) * 0.999)
    ahead = way / distance
    along = (first**2 - second**2 + reached**2) / (2 * reached)
    aside = (first**2 - along**2).clamp(min=0).sqrt()
    off = hint - ahead * (hint * ahead).sum(-1, keepdim=True)
    return root + ahead * along + _unit(off) * aside, root + ahead * reached


def _tipped(point: Tensor, pose: FigurePose) -> Tensor:
    """The whole figure falls about its soles: forward, then to its own left."""
    ground = pose.body * torch.tensor([1.0, 0.0, 1.0]) + torch.tensor([0.0, GROUND, 0.0])
    away = yaw(point - ground, -pose.facing)
    return yaw(lean_about_pelvis(away, pose.tip), pose.facing) + ground


def _limb(start: Tensor, end: Tensor, radius: Tensor, up: Tensor, *, flat: float = 1.0) -> Posed:
    """An ellipsoid from start to end (n, T, 3), a little beyond both; flatter along `up`."""
    if up.ndim == 2:
        up = up[:, None].expand_as(start)
    way = end - start
    length = way.norm(dim=-1)
    radius = radius.expand_as(length)
    half = torch.stack([length / 2 + 0.5 * radius, radius, radius * flat], -1)
    turn = _axes(way / length.clamp(min=1e-6)[..., None], up)
    return Posed(centre=((start + end) / 2)[:, None], turn=turn[:, None], half=half[:, None])


def _solid(centre: Tensor, frame: Tensor, size: Tensor, shape: tuple[float, float, float]) -> Posed:
    half = torch.tensor(shape) * size[..., None]
    half = half.expand(*centre.shape[:-1], 3)
    return Posed(centre=centre[:, None], turn=frame[:, None], half=half[:, None])


def _axes(ahead: Tensor, up: Tensor) -> Tensor:
    """Columns: ahead, across, and as near to `up` as is square to both; (..., 3, 3)."""
    # A limb that points along `up` has no side of its own: a little help keeps it from spinning.
    side = torch.linalg.cross(up + torch.tensor([0.013, 0.007, 0.011]), ahead)
    across = _unit(side)
    return torch.stack([ahead, across, torch.linalg.cross(ahead, across)], -1)


def _unit(x: Tensor) -> Tensor:
    return x / x.norm(dim=-1, keepdim=True).clamp(min=1e-6)


def rotation(angles: Tensor) -> Tensor:
    """(..., 3, 3) from (yaw, pitch, roll): pitch first, roll last, as a score means them."""
    aside, bent, turned = angles.unbind(-1)
    return about_z(turned) @ about_y(aside) @ about_x(bent)


def about_x(angle: Tensor) -> Tensor:
    """(..., 3, 3) by an angle (...), as pitch is meant; `about_y` as yaw, `about_z` as roll."""
    cos, sin, zero, one = angle.cos(), angle.sin(), torch.zeros_like(angle), torch.ones_like(angle)
    return torch.stack([one, zero, zero, zero, cos, -sin, zero, sin, cos], -1).unflatten(-1, (3, 3))


def about_y(angle: Tensor) -> Tensor:
    cos, sin, zero, one = angle.cos(), angle.sin(), torch.zeros_like(angle), torch.ones_like(angle)
    return torch.stack([cos, zero, sin, zero, one, zero, -sin, zero, cos], -1).unflatten(-1, (3, 3))


def about_z(angle: Tensor) -> Tensor:
    cos, sin, zero, one = angle.cos(), angle.sin(), torch.zeros_like(angle), torch.ones_like(angle)
    return torch.stack([cos, -sin, zero, sin, cos, zero, zero, zero, one], -1).unflatten(-1, (3, 3))
