"""Named motions: what one is, and the few shapes of time and plane that they are made of.

Shapes:  n performances   S samples of the action's own time; see `pointaction.synthetic.score`

An act is a function from a `Draw` to a `Score`. What does not matter to its name (how far, which
hand, how often) is drawn at random; what does matter is in the formula. Directions are those of
the picture as its viewer sees it: left is towards smaller x, up towards smaller y, clockwise as
on a clock's face.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from pointaction.synthetic.score import Cast, Draw, Score, ramp

Act = Callable[[Draw], Score]
ASIDE = 0.26  # radians: how far a named direction may be off, 15 degrees


@dataclass(frozen=True)
class Action:
    """A named motion."""

    build: Act
    group: str
    says: str  # what it is, in one sentence
    reverse: str | None = None  # its name when time runs backwards, None where it has none
    lopsided: bool = False  # its mirror image is neither itself nor another named motion


def backwards(act: Act) -> Act:
    """The same act with time running backwards."""
    return lambda draw: act(draw).reversed()


def either(one: Act, other: Act) -> Act:
    """Each performance is one or the other."""

    def act(draw: Draw) -> Score:
        both = Score.join([one(draw), other(draw)])
        return both.rows(torch.arange(draw.count) + draw.count * draw.chance(0.5)[:, 0])

    return act


def still(cast: Cast, *, hands: int = 0, things: int = 0) -> Act:
    """Nobody does anything."""
    return lambda draw: Score.at_rest(draw, cast, hands=hands, things=things)


def heading(draw: Draw, x: float, y: float) -> Tensor:
    """(n, 1, 2) unit vectors within 15 degrees of the direction (x, y)."""
    angle = torch.atan2(torch.tensor(y), torch.tensor(x)) + draw.column(-ASIDE, ASIDE)
    return torch.stack([angle.cos(), angle.sin()], -1)


def anywhere(draw: Draw) -> Tensor:
    """(n, 1, 2) unit vectors in any direction."""
    angle = draw.column(0, 2 * torch.pi)
    return torch.stack([angle.cos(), angle.sin()], -1)


def rotated(place: Tensor, angle: Tensor) -> Tensor:
    """Turn places (..., 2 or 3) clockwise about the origin of the picture's plane."""
    x, y = place[..., 0], place[..., 1]
    turned = [x * angle.cos() - y * angle.sin(), x * angle.sin() + y * angle.cos()]
    depth = [place[..., 2].expand_as(turned[0])] if place.shape[-1] == 3 else []
    return torch.stack(turned + depth, -1)


def about(pivot: Tensor, angle: Tensor) -> Tensor:
    """(n, S, 2) where a thing's centre goes that turns by `angle` (n, S) about `pivot` (n, 1, 2).

    Both are measured from where the centre is before it turns.
    """
    return pivot - rotated(pivot, angle)


def bump(time: Tensor, start: Tensor | float = 0.0, end: Tensor | float = 1.0) -> Tensor:
    """From 0 at `start` smoothly to 1 half-way and back to 0 at `end`."""
    return (torch.pi * ((time - start) / (end - start)).clamp(0, 1)).sin() ** 2


def strokes(draw: Draw, low: int, high: int) -> Tensor:
    """(n, S) from 0 to 1 and back, smoothly, a whole number of times."""
    return 0.5 - 0.5 * (2 * torch.pi * draw.whole(low, high) * draw.time).cos()


def oscillation(draw: Draw, low: float, high: float) -> Tensor:
    """(n, S) a sine of `low` to `high` periods that begins at any phase."""
    periods = draw.column(low, high) * draw.time + draw.column(0, 1)
    return (2 * torch.pi * periods).sin()


def turn_hand(score: Score, angle: Tensor) -> None:
    """The first hand turns clockwise in the picture by `angle` (n, S) against its forearm.

    The wrist's own "aside" goes the other way, since the stage shows the back of the hand.
    """
    score.wrist[:, 0, :, 0] = -angle


@dataclass(frozen=True)
class Contact:
    """A hand comes to a thing, moves it, and leaves."""

    away: Tensor  # (n, S) 1 far from the thing, 0 on it, 1 again when all is over
    progress: Tensor  # (n, S) of what is done to the thing, 0 to 1

    @classmethod
    def drawn(cls, draw: Draw) -> "Contact":
        """The same read forwards and backwards, so that an act's reverse is an act, too."""
        begin, end = draw.column(0.1, 0.3), 1 - draw.column(0.1, 0.3)
        apart = 1 - ramp(draw.time, 0.0, begin) + ramp(draw.time, end, 1.0)
        return cls(away=apart, progress=ramp(draw.time, begin, end))
