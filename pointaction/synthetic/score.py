"""A score: what is done, apart from who does it, how fast, where, and who looks on.

Shapes:  n performances   S samples of the action's own time, from its first moment to its last

The stage is x right, y down, z away from its viewer, with the origin in its middle. The unit of
length is the picture's longer side at the stage's distance; on a stage with a figure it is the
figure's height. Rotations are (yaw, pitch, roll) in radians, as the viewer sees them: yaw turns
what faces the viewer to the left of the picture, pitch tips the top towards the viewer, roll
turns clockwise. They are applied pitch first, roll last.

`pointaction.synthetic.stage` performs a score: it gives it a body, a speed, a place, a camera.
"""

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from enum import IntEnum

import torch
from torch import Generator, Tensor

SAMPLES = 64
SHOULDERS = 0.11  # of a figure: half of their width, in heights
CHEST = -0.31  # y of the shoulders when a figure stands upright
GROUND = 0.5  # y of the soles
REACH = 0.42  # from shoulder to the middle of the palm, arm stretched


_TIME = dict.fromkeys(("hand", "wrist", "grip", "thing", "turn", "stretch", "feet"), 2)
_TIME |= dict.fromkeys(("body", "facing", "lean", "tip", "other", "camera"), 1)


class Cast(IntEnum):
    """Who is on the stage."""

    NOBODY = 0  # things alone, or only a camera that moves
    HANDS = 1  # one or two hands whose arms reach in from outside the picture
    FIGURE = 2  # a whole body


@dataclass(frozen=True, kw_only=True)
class Draw:
    """n performances to be drawn from one generator."""

    count: int
    generator: Generator

    @property
    def time(self) -> Tensor:
        """(1, S) the action's own time, 0 to 1."""
        return torch.linspace(0, 1, SAMPLES)[None]

    def uniform(self, low: float, high: float, *shape: int) -> Tensor:
        """(n, *shape) numbers between low and high."""
        return low + (high - low) * torch.rand(self.count, *shape, generator=self.generator)

    def column(self, low: float, high: float) -> Tensor:
        """(n, 1) numbers between low and high, to be multiplied with profiles (n, S)."""
        return self.uniform(low, high, 1)

    def sign(self) -> Tensor:
        """(n, 1) of -1 or 1."""
        return torch.where(self.uniform(0, 1, 1) < 0.5, -1.0, 1.0)

    def whole(self, low: int, high: int) -> Tensor:
        """(n, 1) whole numbers from low to high, both included, as floats."""
        size = (self.count, 1)
        return torch.randint(low, high + 1, size, generator=self.generator).float()

    def wander(self, time: Tensor, cycles: tuple[float, ...], *shape: int, fall: float) -> Tensor:
        """To and fro at so many cycles at once, each of (n, *shape) with `time` broadcast to it.

        Quicker ones are smaller: by their number of cycles to the power of `fall`.
        """
        total = torch.zeros(())
        for count in cycles:
            phase = self.uniform(0, 2 * torch.pi, *shape)
            size = self.uniform(0, 1, *shape) / count**fall
            total = total + size * (2 * torch.pi * count * time + phase).sin()
        return total

    def chance(self, probability: float) -> Tensor:
        """(n, 1) bool."""
        return self.uniform(0, 1, 1) < probability


@dataclass(kw_only=True)
class Score:
    """What n performers do; every tensor's first axis is n."""

    cast: Tensor  # (n,) of Cast
    hands: Tensor  # (n, 2) bool: which hands take part; a figure always has both
    hand: Tensor  # (n, 2, S, 3) middle of the palm; for a figure relative to its chest, see below
    wrist: Tensor  # (n, 2, S, 3) the hand against its forearm: aside, bent, palm turned
    grip: Tensor  # (n, 2, S) 0 an open hand to 1 a fist
    pointing: Tensor  # (n, 2) bool: the forefinger stays stretched
    things: Tensor  # (n, 2) bool: which things are there
    box: Tensor  # (n, 2) bool: a box, else an ellipsoid
    size: Tensor  # (n, 2, 3) half extents
    thing: Tensor  # (n, 2, S, 3) centre
    turn: Tensor  # (n, 2, S, 3) yaw, pitch, roll about the centre
    stretch: Tensor  # (n, 2, S, 3) logarithm of the scale along the thing's own axes
    body: Tensor  # (n, S, 3) where a figure's pelvis goes from its rest at the origin
    facing: Tensor  # (n, S) yaw: 0 towards the viewer, pi/2 to the left of the picture
    lean: Tensor  # (n, S, 2) of the upper body: forward, and to its own left (picture right)
    tip: Tensor  # (n, S, 2) of the whole figure about its soles: forward, to its own left
    feet: Tensor  # (n, 2, S, 3) ankles, in the body's axes from the ground below the pelvis
    other: Tensor  # (n, S, 3) where a second figure stands, as `body`
    company: Tensor  # (n,) bool: the second figure is there
    camera: Tensor  # (n, S, 7) travel x, y, z; pan right, tilt up, roll clockwise; log of the zoom
    grounded: Tensor  # (n,) bool: there is a surface below the things where they first stand
    upright: Tensor  # (n,) bool: up and down matter, so that the view may lean but little
    steady: Tensor  # (n,) bool: the pace is nature's (a fall, a gait); no pauses, hardly eased

    def __len__(self) -> int:
        return len(self.cast)

    @classmethod
    def at_rest(cls, draw: Draw, cast: Cast, *, hands: int = 0, things: int = 0) -> "Score":
        """Nothing moves yet. A figure's arms hang, its feet stand; things are of middling size."""
        n = draw.count
        hand = torch.zeros(n, 2, SAMPLES, 3)
        if cast == Cast.FIGURE:
            hand[:, 0] = torch.tensor([SHOULDERS + 0.04, 0.38, -0.02])
            hand[:, 1] = torch.tensor([-SHOULDERS - 0.04, 0.38, -0.02])
        feet = torch.zeros(n, 2, SAMPLES, 3)
        feet[:, 0, :, 0], feet[:, 1, :, 0] = 0.07, -0.07
        number = torch.arange(2)
        return cls(
            cast=torch.full((n,), int(cast)),
            hands=(number < (2 if cast == Cast.FIGURE else hands)).repeat(n, 1),
            hand=hand,
            wrist=torch.zeros(n, 2, SAMPLES, 3),
            grip=torch.full((n, 2, SAMPLES), 0.3),
            pointing=torch.zeros(n, 2, dtype=torch.bool),
            things=(number < things).repeat(n, 1),
            box=draw.uniform(0, 1, 2) < 0.5,
            size=draw.uniform(0.05, 0.13, 2, 3),
            thing=torch.zeros(n, 2, SAMPLES, 3),
            turn=torch.zeros(n, 2, SAMPLES, 3),
            stretch=torch.zeros(n, 2, SAMPLES, 3),
            body=torch.zeros(n, SAMPLES, 3),
            facing=torch.zeros(n, SAMPLES),
            lean=torch.zeros(n, SAMPLES, 2),
            tip=torch.zeros(n, SAMPLES, 2),
            feet=feet,
            other=torch.zeros(n, SAMPLES, 3),
            company=torch.zeros(n, dtype=torch.bool),
            camera=torch.zeros(n, SAMPLES, 7),
            grounded=torch.zeros(n, dtype=torch.bool),
            upright=torch.zeros(n, dtype=torch.bool),
            steady=torch.zeros(n, dtype=torch.bool),
        )

    def rows(self, index: Tensor) -> "Score":
        """The performances number `index`, repeated as it repeats them."""
        return Score(**{part.name: getattr(self, part.name)[index] for part in fields(self)})

    @classmethod
    def join(cls, scores: list["Score"]) -> "Score":
        """One after the other."""
        return cls(
            **{
                part.name: torch.cat([getattr(score, part.name) for score in scores])
                for part in fields(cls)
            }
        )

    def reversed(self) -> "Score":
        """The same with time running backwards."""
        return self.in_time(lambda table, axis: table.flip(axis))

    def in_time(self, change: Callable[[Tensor, int], Tensor]) -> "Score":
        """With every table changed that goes along with time, given the axis of its samples."""
        return replace(
            self, **{name: change(getattr(self, name), axis) for name, axis in _TIME.items()}
        )

    def palms(self) -> Tensor:
        """(n, 2, S, 3) where the palms are on the stage, whoever they belong to.

        A figure's `hand` is relative to its chest, in axes that turn with `facing` and `lean`:
        what it holds or throws starts from here. Its `tip` is not looked at.
        """
        carried = self.hand + torch.tensor([0.0, CHEST, 0.0])
        leaned = lean_about_pelvis(carried, self.lean[:, None])
        turned = yaw(leaned, self.facing[:, None]) + self.body[:, None]
        figure = (self.cast == Cast.FIGURE)[:, None, None, None]
        return torch.where(figure, turned, self.hand)


def yaw(place: Tensor, angle: Tensor) -> Tensor:
    """Turn places (..., 3) about the vertical; what faces the viewer goes to the left."""
    x, y, z = place.unbind(-1)
    cos, sin = angle.cos(), angle.sin()
    return torch.stack([x * cos + z * sin, y.expand_as(x * cos), z * cos - x * sin], -1)


def lean_about_pelvis(place: Tensor, lean: Tensor) -> Tensor:
    """Bend places (..., 3) of an upper body that faces the viewer: forward, then sideways."""
    forward, aside = lean.unbind(-1)
    x, y, z = place.unbind(-1)
    y, z = y * forward.cos() - z * forward.sin(), y * forward.sin() + z * forward.cos()
    x, y = x * aside.cos() - y * aside.sin(), x * aside.sin() + y * aside.cos()
    return torch.stack([x, y, z], -1)


def ramp(time: Tensor, start: Tensor | float = 0.0, end: Tensor | float = 1.0) -> Tensor:
    """From 0 at `start` smoothly to 1 at `end`: arguments broadcast to (n, S)."""
    phase = ((time - start) / (end - start)).clamp(0, 1)
    return phase * phase * (3 - 2 * phase)
