"""Two things that move by themselves, and plates on hinges.

Shapes:  n performances   S samples; see `pointaction.synthetic.score`
"""

from functools import partial

import torch
from torch import Tensor

from pointaction.synthetic.acts import Action, anywhere, backwards, heading, rotated
from pointaction.synthetic.score import Cast, Draw, Score, yaw


def _pair(draw: Draw) -> Score:
    return Score.at_rest(draw, Cast.NOBODY, things=2)


def _rounded(score: Score, radius: Tensor) -> None:
    """Both things are balls of this radius (n, 1)."""
    score.box[:] = False
    score.size[:] = radius[..., None]


def moving_apart(draw: Draw) -> Score:
    """From touching to far apart; the way is divided between the two at random."""
    score = _pair(draw)
    radius, share = draw.column(0.05, 0.09), draw.column(0.3, 0.7)
    _rounded(score, radius)
    axis = anywhere(draw)
    gap = 2.1 * radius + draw.column(0.22, 0.42) * draw.time
    score.thing[:, 0, :, :2] = axis * (gap * share)[..., None]
    score.thing[:, 1, :, :2] = -axis * (gap * (1 - share))[..., None]
    return score


def passing_each_other(draw: Draw) -> Score:
    """On two lanes, of which either may be the nearer one to the viewer."""
    score = _pair(draw)
    along = heading(draw, 1, 0)
    across = rotated(along, torch.tensor(torch.pi / 2))
    side, nearer = draw.sign() * draw.column(0.02, 0.09), draw.sign() * 0.1
    for number, sign in enumerate((1.0, -1.0)):
        place = sign * draw.column(0.2, 0.35) * (2 * draw.time - 1)
        score.thing[:, number, :, :2] = along * place[..., None] + sign * across * side[..., None]
        score.thing[:, number, :, 2] = sign * nearer
    return score


def colliding(draw: Draw) -> Score:
    """The first comes and stops where the second starts off, at the moment `hit`."""
    score = _pair(draw)
    radius, hit = draw.column(0.05, 0.09), draw.column(0.35, 0.65)
    _rounded(score, radius)
    axis, far = anywhere(draw), draw.column(0.2, 0.3)
    before = -radius - far * (1 - draw.time / hit).clamp(min=0)
    after = radius + far * ((draw.time - hit) / (1 - hit)).clamp(min=0)
    score.thing[:, 0, :, :2] = axis * before[..., None]
    score.thing[:, 1, :, :2] = axis * after[..., None]
    score.steady[:] = True
    return score


def hiding(draw: Draw) -> Score:
    """Behind a wide screen that stands nearer to the viewer."""
    score = _pair(draw)
    score.size[:, 0] = draw.uniform(0.05, 0.08, 3)
    score.size[:, 1, :2] = draw.uniform(0.13, 0.18, 2)
    score.size[:, 1, 2] = 0.015
    score.box[:, 1] = True
    far = draw.column(0.3, 0.4) * (1 - draw.time)
    score.thing[:, 0, :, :2] = anywhere(draw) * far[..., None]
    score.thing[:, 1, :, 2] = -0.12
    return score


def _plates(draw: Draw) -> tuple[Score, Tensor]:
    """Two upright boards of half width (n, 1)."""
    score = _pair(draw)
    score.upright[:] = score.box[:] = True
    wide = draw.column(0.07, 0.13)
    score.size[..., 0] = wide
    score.size[..., 1] = draw.column(0.08, 0.2)
    score.size[..., 2] = 0.012
    return score, wide


def _swing(score: Score, number: int, *, hinge: Tensor, spread: Tensor, angle: Tensor) -> None:
    """Board `number` turns by `angle` (n, S) about an upright hinge at x = `hinge` (n, 1).

    Its middle lies at `spread` (n, 1) to the right of the hinge before it turns.
    """
    middle = torch.zeros(*spread.shape, 3)
    middle[..., 0] = spread
    score.thing[:, number] = yaw(middle, angle)
    score.thing[:, number, :, 0] += hinge
    score.turn[:, number, :, 0] = angle


def opening(draw: Draw) -> Score:
    """Two wings hinged at their outer edges, or one lid hinged at any side."""
    score, wide = _plates(draw)
    angle = draw.sign() * draw.column(1.1, 1.5) * draw.time
    single = draw.chance(0.4)
    score.things[:, 1:] = ~single
    outer = torch.where(single, wide, 2 * wide)
    _swing(score, 0, hinge=-outer, spread=wide, angle=angle)
    _swing(score, 1, hinge=outer, spread=-wide, angle=-angle)
    _stand(score, draw.whole(0, 3) * torch.pi / 2)
    return score


def _stand(score: Score, angle: Tensor) -> None:
    """Roll all things together clockwise by `angle` (n, 1) about the middle."""
    score.thing[:] = rotated(score.thing, angle[..., None])
    score.turn[..., 2] += angle[..., None]


def folding(draw: Draw) -> Score:
    """Two boards hinged where they meet, like a book's, their outer edges coming together."""
    score, wide = _plates(draw)
    angle = draw.sign() * draw.column(1.1, 1.5) * draw.time
    _swing(score, 0, hinge=torch.zeros_like(wide), spread=-wide, angle=-angle)
    _swing(score, 1, hinge=torch.zeros_like(wide), spread=wide, angle=angle)
    _stand(score, draw.whole(0, 1) * torch.pi / 2)
    return score


_named = partial(Action, group="pairs of things")

PAIRS: dict[str, Action] = {
    "moving apart": _named(
        moving_apart, says="Two things that touch move apart.", reverse="coming together"
    ),
    "coming together": _named(
        backwards(moving_apart), says="Two things meet and touch.", reverse="moving apart"
    ),
    "passing each other": _named(
        passing_each_other,
        says="Two things cross the picture in opposite directions, side by side in the middle.",
        reverse="passing each other",
    ),
    "colliding": _named(
        colliding,
        says="A thing runs into another and stops, and the other moves on.",
        reverse="colliding",
    ),
    "hiding behind another thing": _named(
        hiding,
        says="A thing moves behind another one, which stays, until it cannot be seen.",
        reverse="coming out from behind another thing",
    ),
    "coming out from behind another thing": _named(
        backwards(hiding),
        says="A thing appears from behind another one, which stays.",
        reverse="hiding behind another thing",
    ),
    "opening": _named(
        opening,
        says="One lid or two wings swing on hinges at their outer edges until seen edge-on.",
        reverse="closing",
    ),
    "closing": _named(
        backwards(opening),
        says="One lid or two wings swing on hinges at their outer edges into the picture's plane.",
        reverse="opening",
    ),
    "folding": _named(
        folding,
        says="Two boards hinged in the middle swing together as a book's covers do.",
        reverse="unfolding",
    ),
    "unfolding": _named(
        backwards(folding),
        says="Two boards hinged in the middle swing apart as a book's covers do.",
        reverse="folding",
    ),
}
