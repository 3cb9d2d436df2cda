"""The named motions: how bodies and camera move, as closed forms of time.

Shapes:  n performances of one motion   T frames   2 bodies

Every motion is a function from a `Draw` (how many, how long, which chance) to a `Motion`. What
does not matter to the name (when it starts and ends, how fast, how far, which way it leans) is
drawn at random; what does matter is in the formula. Directions are those of the picture as its
viewer sees it: left is towards smaller x, up towards smaller y, clockwise as on a clock's face.
A camera that pans left turns to its left, so that the picture moves right.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Generator, Tensor

Profile = Tensor  # (n, T), 0 before the motion, rising to 1 when it is over


@dataclass(frozen=True, kw_only=True)
class Draw:
    """n performances of T frames, drawn from one generator."""

    count: int
    frames: int
    generator: Generator

    def uniform(self, low: float, high: float, *shape: int) -> Tensor:
        """(n, *shape) numbers between low and high."""
        return low + (high - low) * torch.rand(self.count, *shape, generator=self.generator)

    def sign(self) -> Tensor:
        """(n,) of -1 or 1."""
        return torch.where(self.uniform(0, 1) < 0.5, -1.0, 1.0)

    def phase(self) -> Tensor:
        """(n, T) time within the motion: 0 before its start, 1 after its end, linear between."""
        start = self.uniform(0.0, 0.25)[:, None]
        end = self.uniform(0.7, 1.0)[:, None]
        time = torch.linspace(0, 1, self.frames)[None]
        return ((time - start) / (end - start)).clamp(0, 1)

    def ease(self) -> Profile:
        """A phase that starts and stops anywhere between abruptly and smoothly."""
        phase = self.phase()
        smooth = phase * phase * (3 - 2 * phase)
        mix = self.uniform(0, 1)[:, None]
        return mix * smooth + (1 - mix) * phase


@dataclass(kw_only=True)
class Motion:
    """What moves, relative to where it rests; all (n, ...) tensors.

    Lengths are in units of the picture's longer side, seen at the body's own distance.
    """

    path: Tensor  # (n, 2, T, 3) x, y, and the logarithm of the distance's change
    turn: Tensor  # (n, 2, T) rotation in the picture's plane, radians, clockwise
    fold: Tensor  # (n, 2, T) rotation out of that plane about the body's hinge, radians
    camera: Tensor  # (n, T, 4) pan right, tilt up, roll clockwise (radians), log of the zoom
    bodies: Tensor  # (n, 2) bool: which bodies the motion needs
    hinge: Tensor  # (n, 2, 2) where the pivot is, in half extents of the body: (0, 0) its centre
    upright: Tensor  # (n,) bool: the body's own axes follow the picture's

    @classmethod
    def at_rest(cls, draw: Draw, *, bodies: int) -> "Motion":
        n, frames = draw.count, draw.frames
        return cls(
            path=torch.zeros(n, 2, frames, 3),
            turn=torch.zeros(n, 2, frames),
            fold=torch.zeros(n, 2, frames),
            camera=torch.zeros(n, frames, 4),
            bodies=torch.arange(2).expand(n, 2) < bodies,
            hinge=torch.zeros(n, 2, 2),
            upright=torch.zeros(n, dtype=torch.bool),
        )


Program = Callable[[Draw], Motion]


def _moving(x: float, y: float) -> Program:
    def program(draw: Draw) -> Motion:
        motion = Motion.at_rest(draw, bodies=1)
        angle = torch.atan2(torch.tensor(y), torch.tensor(x)) + draw.uniform(-0.3, 0.3)
        far = draw.uniform(0.2, 0.6)
        way = torch.stack([angle.cos(), angle.sin()], -1) * far[:, None]
        motion.path[:, 0, :, :2] = way[:, None] * draw.ease()[..., None]
        motion.turn[:, 0] = draw.uniform(-0.25, 0.25)[:, None] * draw.ease()
        return motion

    return program


def _approaching(sign: float) -> Program:
    def program(draw: Draw) -> Motion:
        motion = Motion.at_rest(draw, bodies=1)
        motion.path[:, 0, :, 2] = sign * draw.uniform(0.5, 1.1)[:, None] * draw.ease()
        motion.path[:, 0, :, :2] = draw.uniform(-0.08, 0.08, 1, 2) * draw.ease()[..., None]
        return motion

    return program


def _turning(sign: float) -> Program:
    def program(draw: Draw) -> Motion:
        motion = Motion.at_rest(draw, bodies=1)
        motion.turn[:, 0] = sign * draw.uniform(0.9, 4.5)[:, None] * draw.ease()
        motion.path[:, 0, :, :2] = draw.uniform(-0.06, 0.06, 1, 2) * draw.ease()[..., None]
        return motion

    return program


def _rolling(sign: float) -> Program:
    def program(draw: Draw) -> Motion:
        motion = Motion.at_rest(draw, bodies=1)
        ease, far = draw.ease(), draw.uniform(0.3, 0.65)
        motion.path[:, 0, :, 0] = sign * far[:, None] * ease
        motion.path[:, 0, :, 1] = draw.uniform(-0.04, 0.08)[:, None] * ease
        motion.turn[:, 0] = sign * (far / draw.uniform(0.09, 0.15))[:, None] * ease
        return motion

    return program


def _apart(draw: Draw, separation: Profile) -> Motion:
    """Two bodies on a line through the middle, from touching (0) to far apart (1)."""
    motion = Motion.at_rest(draw, bodies=2)
    angle = draw.uniform(0, 2 * torch.pi)
    axis = torch.stack([angle.cos(), angle.sin()], -1)
    gap = draw.uniform(0.14, 0.22)[:, None] + draw.uniform(0.22, 0.45)[:, None] * separation
    share = draw.uniform(0.3, 0.7)[:, None]  # how the way is divided between the two
    motion.path[:, 0, :, :2] = axis[:, None] * (gap * share)[..., None]
    motion.path[:, 1, :, :2] = -axis[:, None] * (gap * (1 - share))[..., None]
    return motion


def _moving_apart(draw: Draw) -> Motion:
    return _apart(draw, draw.ease())


def _coming_together(draw: Draw) -> Motion:
    return _apart(draw, 1 - draw.ease())


def _passing(draw: Draw) -> Motion:
    motion = Motion.at_rest(draw, bodies=2)
    angle = draw.uniform(-0.5, 0.5) + torch.where(draw.uniform(0, 1) < 0.3, torch.pi / 2, 0.0)
    along = torch.stack([angle.cos(), angle.sin()], -1)
    across = torch.stack([-angle.sin(), angle.cos()], -1)
    half = draw.uniform(0.2, 0.35)[:, None]
    lane = draw.uniform(0.02, 0.09)[:, None]
    for body, sign in enumerate((1.0, -1.0)):
        place = sign * half * (2 * draw.ease() - 1)
        motion.path[:, body, :, :2] = (
            along[:, None] * place[..., None] + sign * (across * lane)[:, None]
        )
    return motion


def _falling(draw: Draw) -> Motion:
    motion = Motion.at_rest(draw, bodies=1)
    phase = draw.phase() / draw.uniform(0.55, 1.0)[:, None]  # it may lie still at the end
    motion.path[:, 0, :, 1] = draw.uniform(0.35, 0.65)[:, None] * phase.clamp(max=1) ** 2
    motion.path[:, 0, :, 0] = draw.uniform(-0.05, 0.05)[:, None] * phase.clamp(max=1)
    motion.turn[:, 0] = draw.uniform(-0.6, 0.6)[:, None] * phase.clamp(max=1)
    return motion


def _bouncing(draw: Draw) -> Motion:
    motion = Motion.at_rest(draw, bodies=1)
    hops = torch.randint(2, 5, (draw.count,), generator=draw.generator)[:, None]
    phase = draw.phase() * hops * 0.9999
    within = phase - phase.floor()
    height = draw.uniform(0.15, 0.35)[:, None] * draw.uniform(0.6, 0.95)[:, None] ** phase.floor()
    motion.path[:, 0, :, 1] = -height * 4 * within * (1 - within)
    motion.path[:, 0, :, 0] = draw.uniform(-0.3, 0.3)[:, None] * draw.phase()
    return motion


def _tossed(draw: Draw) -> Motion:
    motion = Motion.at_rest(draw, bodies=1)
    phase = draw.phase()
    motion.path[:, 0, :, 1] = -draw.uniform(0.3, 0.5)[:, None] * 4 * phase * (1 - phase)
    motion.path[:, 0, :, 0] = draw.uniform(-0.25, 0.25)[:, None] * phase
    motion.turn[:, 0] = draw.uniform(-3, 3)[:, None] * phase
    return motion


def _about_pivot(draw: Draw, swing: Tensor, reach: Tensor) -> Motion:
    """Turn (n, T) about a point that lies `reach` (n,) below (or above) the body's centre."""
    motion = Motion.at_rest(draw, bodies=1)
    motion.turn[:, 0] = swing
    motion.path[:, 0, :, 0] = reach[:, None] * swing.sin()
    motion.path[:, 0, :, 1] = reach[:, None] * (1 - swing.cos())
    return motion


def _swinging(draw: Draw) -> Motion:
    cycles = draw.uniform(1.0, 2.2)[:, None]
    angle = 2 * torch.pi * (cycles * draw.phase() + draw.uniform(0, 1)[:, None])
    return _about_pivot(
        draw, draw.uniform(0.4, 0.9)[:, None] * angle.sin(), -draw.uniform(0.25, 0.45)
    )


def _waving(draw: Draw) -> Motion:
    cycles = draw.uniform(2.2, 4.0)[:, None]
    angle = 2 * torch.pi * (cycles * draw.phase() + draw.uniform(0, 1)[:, None])
    return _about_pivot(
        draw, draw.uniform(0.3, 0.7)[:, None] * angle.sin(), draw.uniform(0.12, 0.28)
    )


def _tipping(draw: Draw) -> Motion:
    phase = draw.phase() / draw.uniform(0.6, 1.0)[:, None]
    angle = draw.sign()[:, None] * draw.uniform(1.2, 1.6)[:, None] * phase.clamp(max=1) ** 2
    return _about_pivot(draw, angle, draw.uniform(0.14, 0.24))


def _shaking(draw: Draw) -> Motion:
    motion = Motion.at_rest(draw, bodies=1)
    phase, cycles = draw.phase(), draw.uniform(4.0, 7.0)[:, None]
    wave = (2 * torch.pi * cycles * phase).sin() * ((phase > 0) & (phase < 1))
    angle = draw.uniform(0, 2 * torch.pi)
    axis = torch.stack([angle.cos(), angle.sin()], -1) * draw.uniform(0.02, 0.06)[:, None]
    motion.path[:, 0, :, :2] = axis[:, None] * wave[..., None]
    return motion


def _circling(sign: float) -> Program:
    def program(draw: Draw) -> Motion:
        motion = Motion.at_rest(draw, bodies=1)
        around = draw.uniform(1.0, 2.3)[:, None] * draw.ease() + draw.uniform(0, 1)[:, None]
        angle = sign * 2 * torch.pi * around
        radius = draw.uniform(0.08, 0.22)[:, None]
        motion.path[:, 0, :, 0] = radius * angle.cos()
        motion.path[:, 0, :, 1] = radius * angle.sin()
        return motion

    return program


def _doors(draw: Draw, openness: Profile) -> Motion:
    """One lid, or two wings, hinged at the outer edge; 0 flat in the picture, 1 edge-on."""
    motion = Motion.at_rest(draw, bodies=2)
    motion.upright[:] = True
    angle = draw.sign()[:, None] * draw.uniform(1.1, 1.5)[:, None] * openness
    wings = draw.uniform(0, 1) < 0.6
    motion.bodies[:, 1] = wings
    motion.fold[:, 0], motion.fold[:, 1] = angle, -angle
    sideways = (draw.uniform(0, 1) < 0.7)[:, None]  # hinges left and right, else above and below
    hinge = torch.where(sideways, torch.tensor([[-1.0, 0.0]]), torch.tensor([[0.0, -1.0]]))
    hinge = hinge * torch.where(wings, torch.ones(()), draw.sign())[:, None]
    motion.hinge = torch.stack([hinge, -hinge], 1)
    return motion


def _opening(draw: Draw) -> Motion:
    return _doors(draw, draw.ease())


def _closing(draw: Draw) -> Motion:
    return _doors(draw, 1 - draw.ease())


def _camera(axis: int, sign: float, low: float, high: float) -> Program:
    def program(draw: Draw) -> Motion:
        motion = Motion.at_rest(draw, bodies=0)
        motion.camera[:, :, axis] = sign * draw.uniform(low, high)[:, None] * draw.ease()
        return motion

    return program


def _still(draw: Draw) -> Motion:
    return Motion.at_rest(draw, bodies=1)


MOTIONS: dict[str, Program] = {
    "moving left": _moving(-1, 0),
    "moving right": _moving(1, 0),
    "moving up": _moving(0, -1),
    "moving down": _moving(0, 1),
    "moving towards the camera": _approaching(-1),
    "moving away from the camera": _approaching(1),
    "turning clockwise": _turning(1),
    "turning anticlockwise": _turning(-1),
    "rolling left": _rolling(-1),
    "rolling right": _rolling(1),
    "moving apart": _moving_apart,
    "coming together": _coming_together,
    "passing each other": _passing,
    "falling": _falling,
    "bouncing": _bouncing,
    "being tossed up": _tossed,
    "swinging": _swinging,
    "waving": _waving,
    "tipping over": _tipping,
    "shaking": _shaking,
    "circling clockwise": _circling(1),
    "circling anticlockwise": _circling(-1),
    "opening": _opening,
    "closing": _closing,
    "camera panning left": _camera(0, -1, 0.15, 0.5),
    "camera panning right": _camera(0, 1, 0.15, 0.5),
    "camera tilting up": _camera(1, 1, 0.12, 0.4),
    "camera tilting down": _camera(1, -1, 0.12, 0.4),
    "camera rolling clockwise": _camera(2, 1, 0.2, 1.2),
    "camera rolling anticlockwise": _camera(2, -1, 0.2, 1.2),
    "camera zooming in": _camera(3, 1, 0.3, 0.8),
    "camera zooming out": _camera(3, -1, 0.3, 0.8),
    "standing still": _still,
}
LABELS: tuple[str, ...] = tuple(MOTIONS)


def mirrored(label: str) -> str:
    """What a motion is called when the picture is mirrored left to right."""
    swaps = {"left": "right", "right": "left", "clockwise": "anticlockwise"}
    swaps |= {after: before for before, after in swaps.items()}
    return " ".join(swaps.get(word, word) for word in label.split())


_REVERSES = [
    ("moving left", "moving right"),
    ("moving up", "moving down"),
    ("moving towards the camera", "moving away from the camera"),
    ("turning clockwise", "turning anticlockwise"),
    ("rolling left", "rolling right"),
    ("moving apart", "coming together"),
    ("circling clockwise", "circling anticlockwise"),
    ("opening", "closing"),
    ("camera panning left", "camera panning right"),
    ("camera tilting up", "camera tilting down"),
    ("camera rolling clockwise", "camera rolling anticlockwise"),
    ("camera zooming in", "camera zooming out"),
]
REVERSED: dict[str, str] = (
    dict(_REVERSES)
    | {other: one for one, other in _REVERSES}
    | {same: same for same in ("passing each other", "being tossed up", "swinging", "waving")}
    | {same: same for same in ("shaking", "standing still")}
)
"""What a motion is called when time runs backwards; those left out have no name in reverse."""
