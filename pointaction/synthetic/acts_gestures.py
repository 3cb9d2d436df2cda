"""Hands that speak: gestures, and shapes drawn in the air.

Shapes:  n performances   S samples; see `pointaction.synthetic.score`
"""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from pointaction.synthetic.acts import (
    Act,
    Action,
    about,
    anywhere,
    backwards,
    heading,
    oscillation,
    rotated,
    strokes,
    turn_hand,
)
from pointaction.synthetic.paths import SQUARE, STAR, TICK, TRIANGLE, arc, polyline, shape
from pointaction.synthetic.score import Cast, Draw, Score

Path = Callable[[Draw], Tensor]  # (n, S, 2) within about -1 to 1


def _hand(draw: Draw, *, hands: int = 1) -> Score:
    score = Score.at_rest(draw, Cast.HANDS, hands=hands)
    score.upright[:] = True
    score.grip[:] = draw.uniform(0, 0.4, 1, 1)
    return score


def _hold(draw: Draw) -> Tensor:
    """(n, S, 2) a hand that stays drifts a little nevertheless."""
    return anywhere(draw) * (draw.column(0, 0.05) * (draw.time - 0.5))[..., None]


def waving_hand(draw: Draw) -> Score:
    score = _hand(draw)
    angle = draw.column(0.3, 0.7) * oscillation(draw, 2.2, 4.0)
    elbow = torch.stack([torch.zeros(draw.count, 1), draw.column(0.12, 0.28)], -1)
    score.hand[:, 0, :, :2] = about(elbow, angle)
    turn_hand(score, draw.column(0.2, 0.7) * angle)
    return score


def swiping(x: float, y: float) -> Act:
    """Along a way that may be bowed a little."""

    def act(draw: Draw) -> Score:
        score = _hand(draw)
        along = heading(draw, x, y)
        across = rotated(along, torch.tensor(torch.pi / 2))
        far = draw.column(0.35, 0.65) * (draw.time - 0.5)
        bow = draw.column(-0.06, 0.06) * 4 * draw.time * (1 - draw.time)
        score.hand[:, 0, :, :2] = along * far[..., None] + across * bow[..., None]
        turn_hand(score, draw.column(-0.4, 0.4) * (draw.time - 0.5))
        return score

    return act


def drawing(path: Path) -> Act:
    """With the forefinger, or with the whole hand."""

    def act(draw: Draw) -> Score:
        score = _hand(draw)
        score.pointing[:, :1] = draw.chance(0.6)
        score.grip[:] = torch.where(score.pointing[:, :1, None], 0.9, score.grip)
        size = draw.column(0.12, 0.24)
        size = torch.stack([size, size * draw.column(0.8, 1.25)], -1)
        score.hand[:, 0, :, :2] = path(draw) * size
        return score

    return act


def circle(sign: float) -> Path:
    def path(draw: Draw) -> Tensor:
        sweep = sign * 2 * torch.pi * draw.column(0.95, 2.2)
        return arc(draw.column(0, 2 * torch.pi), sweep)

    return path


def outline(corners: list[tuple[float, float]]) -> Path:
    """A closed shape, begun at any corner and drawn either way round."""

    def path(draw: Draw) -> Tensor:
        sides = len(corners) - 1
        order = (draw.whole(0, sides - 1) + draw.sign() * torch.arange(sides + 1)) % sides
        uneven = shape(corners[:-1], draw.count) + draw.uniform(-0.08, 0.08, sides, 2)
        ordered = uneven.gather(1, order.long()[..., None].expand(-1, -1, 2))
        return polyline(ordered, smooth=draw.uniform(0, 0.8))

    return path


def tick(draw: Draw) -> Tensor:
    uneven = shape(TICK, draw.count) + draw.uniform(-0.15, 0.15, len(TICK), 2)
    return polyline(uneven, smooth=draw.uniform(0, 0.8))


def cross(draw: Draw) -> Tensor:
    """An upright stroke and a level one, in any order, with a way through the air between them."""
    ends = shape([(0.0, -0.9), (0.0, 0.9), (-0.8, 0.0), (0.8, 0.0)], draw.count)
    flips = torch.stack([draw.sign(), draw.sign()], -1)
    ordered = torch.where(draw.chance(0.5)[..., None], ends, ends.flip(1))
    uneven = ordered * flips + draw.uniform(-0.1, 0.1, 4, 2)
    return polyline(uneven, smooth=draw.uniform(0, 0.6))


def zigzag(draw: Draw) -> Tensor:
    """A triangle wave that goes sideways, either way."""
    up_and_down = draw.whole(4, 7) * draw.time / 2 + draw.whole(0, 1) / 2
    height = 4 * (up_and_down - (up_and_down + 0.5).floor()).abs() - 1
    along = draw.sign() * (2 * draw.time - 1)
    return torch.stack([along, height * draw.column(0.3, 0.7)], -1)


def figure_of_eight(draw: Draw) -> Tensor:
    """Gerono's curve, lying or standing, once or twice round, from any point of it."""
    angle = draw.sign() * 2 * torch.pi * (draw.column(1, 2) * draw.time + draw.column(0, 1))
    long, short = angle.sin(), 1.2 * angle.sin() * angle.cos()
    lying = torch.stack([long, short], -1)
    return torch.where(draw.chance(0.5)[..., None], lying, lying.flip(-1))


def opening_the_hand(draw: Draw) -> Score:
    score = _hand(draw)
    score.hand[:, 0, :, :2] = _hold(draw)
    score.grip[:, 0] = draw.column(0.85, 1.0) * (1 - draw.time) + draw.column(0, 0.1)
    return score


def turning_the_palm_over(draw: Draw) -> Score:
    score = _hand(draw)
    score.hand[:, 0, :, :2] = _hold(draw)
    score.wrist[:, 0, :, 2] = draw.sign() * draw.column(2.2, 3.1) * (draw.time - 0.5)
    return score


def beckoning(draw: Draw) -> Score:
    """Hand and fingers bend together, again and again."""
    score = _hand(draw)
    bent = strokes(draw, 2, 4)
    score.hand[:, 0, :, :2] = _hold(draw)
    score.wrist[:, 0, :, 1] = draw.column(0.5, 0.9) * bent
    score.grip[:, 0] = draw.column(0.4, 0.7) * bent
    return score


def clapping(draw: Draw) -> Score:
    score = _hand(draw, hands=2)
    gap = 0.025 + draw.column(0.08, 0.16) * (1 - strokes(draw, 3, 5))
    axis = heading(draw, 1, 0)
    score.hand[:, 0, :, :2] = axis * gap[..., None]
    score.hand[:, 1, :, :2] = -axis * gap[..., None]
    return score


_named = partial(Action, group="gestures")


def _drawn(path: Path, what: str, reverse: str) -> Action:
    return _named(drawing(path), says=f"A hand draws {what} in the air.", reverse=reverse)


GESTURES: dict[str, Action] = {
    "swiping to the left": _named(
        swiping(-1, 0),
        says="A hand sweeps to the left of the picture.",
        reverse="swiping to the right",
    ),
    "swiping to the right": _named(
        swiping(1, 0),
        says="A hand sweeps to the right of the picture.",
        reverse="swiping to the left",
    ),
    "swiping up": _named(swiping(0, -1), says="A hand sweeps upwards.", reverse="swiping down"),
    "swiping down": _named(swiping(0, 1), says="A hand sweeps downwards.", reverse="swiping up"),
    "drawing a circle clockwise": _drawn(
        circle(1), "one circle or two clockwise", "drawing a circle anticlockwise"
    ),
    "drawing a circle anticlockwise": _drawn(
        circle(-1), "one circle or two anticlockwise", "drawing a circle clockwise"
    ),
    "drawing a triangle": _drawn(outline(TRIANGLE), "a triangle", "drawing a triangle"),
    "drawing a square": _drawn(outline(SQUARE), "a square", "drawing a square"),
    "drawing a star": _drawn(outline(STAR), "a five-pointed star in one line", "drawing a star"),
    "drawing a cross": _drawn(
        cross, "an upright stroke and a level one that cross", "drawing a cross"
    ),
    "drawing a zigzag": _drawn(zigzag, "a zigzag sideways", "drawing a zigzag"),
    "drawing a figure of eight": _drawn(
        figure_of_eight, "an eight, lying or standing", "drawing a figure of eight"
    ),
    "drawing a tick": _named(
        drawing(tick),
        says="A hand draws a tick in the air: shortly down, then far up, from left to right.",
        lopsided=True,
    ),
    "opening the hand": _named(opening_the_hand, says="A fist opens.", reverse="closing the hand"),
    "closing the hand": _named(
        backwards(opening_the_hand), says="An open hand becomes a fist.", reverse="opening the hand"
    ),
    "turning the palm over": _named(
        turning_the_palm_over,
        says="A hand that stays where it is turns about its own length.",
        reverse="turning the palm over",
    ),
    "beckoning": _named(
        beckoning,
        says="A hand that stays where it is bends with its fingers, again and again.",
        reverse="beckoning",
    ),
    "clapping": _named(
        clapping, says="Two hands meet and part, again and again.", reverse="clapping"
    ),
}
