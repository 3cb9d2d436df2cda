"""One thing that moves by itself.

Shapes:  n performances   S samples; see `pointaction.synthetic.score`
"""

from functools import partial

import torch
from torch import Tensor

from pointaction.synthetic.acts import (
    Act,
    Action,
    about,
    anywhere,
    backwards,
    either,
    heading,
    oscillation,
)
from pointaction.synthetic.acts_gestures import waving_hand
from pointaction.synthetic.paths import arc
from pointaction.synthetic.score import Cast, Draw, Score

TURN = {"yaw": 0, "pitch": 1, "roll": 2}


def _thing(draw: Draw, *, upright: bool = False) -> Score:
    score = Score.at_rest(draw, Cast.NOBODY, things=1)
    score.upright[:] = upright
    return score


def _drift(draw: Draw) -> Tensor:
    """(n, S, 2) a little of any way, for acts in which going somewhere does not matter."""
    return anywhere(draw) * (draw.column(0, 0.08) * (draw.time - 0.5))[..., None]


def moving(x: float, y: float) -> Act:
    def act(draw: Draw) -> Score:
        score = _thing(draw, upright=True)
        far = draw.column(0.25, 0.6) * (draw.time - 0.5)
        score.thing[:, 0, :, :2] = heading(draw, x, y) * far[..., None]
        score.turn[:, 0, :, 2] = draw.column(-0.25, 0.25) * draw.time
        return score

    return act


def approaching(sign: float) -> Act:
    """Towards the camera where `sign` is -1."""

    def act(draw: Draw) -> Score:
        score = _thing(draw)
        score.thing[:, 0, :, :2] = _drift(draw)
        score.thing[:, 0, :, 2] = sign * draw.column(0.45, 0.9) * (draw.time - 0.5)
        return score

    return act


def turning(axis: str, sign: float) -> Act:
    def act(draw: Draw) -> Score:
        score = _thing(draw, upright=axis != "roll")
        score.thing[:, 0, :, :2] = _drift(draw)
        score.turn[:, 0, :, TURN[axis]] = sign * draw.column(1.0, 4.5) * draw.time
        return score

    return act


def rolling(sign: float) -> Act:
    def act(draw: Draw) -> Score:
        score = _thing(draw, upright=True)
        far, radius = draw.column(0.3, 0.65), draw.column(0.06, 0.12)
        score.box[:] = False
        score.grounded[:] = True
        score.size[:, 0, :2] = radius
        score.thing[:, 0, :, 0] = sign * far * (draw.time - 0.5)
        score.turn[:, 0, :, 2] = sign * far / radius * draw.time
        return score

    return act


def falling(draw: Draw) -> Score:
    score = _thing(draw, upright=True)
    score.steady[:] = True
    phase = (draw.time / draw.column(0.6, 1.0)).clamp(max=1)  # it may lie still at the end
    score.thing[:, 0, :, 0] = draw.column(-0.05, 0.05) * phase
    score.thing[:, 0, :, 1] = draw.column(0.35, 0.6) * (phase**2 - 0.5)
    score.turn[:, 0, :, 2] = draw.column(-0.6, 0.6) * phase
    return score


def bouncing(draw: Draw) -> Score:
    score = _thing(draw, upright=True)
    score.steady[:] = score.grounded[:] = True
    phase = draw.time * draw.whole(2, 4) * 0.9999
    hop = phase.floor()
    within = phase - hop
    height = draw.column(0.15, 0.35) * draw.column(0.6, 0.95) ** hop
    score.thing[:, 0, :, 0] = draw.column(-0.3, 0.3) * (draw.time - 0.5)
    score.thing[:, 0, :, 1] = 0.15 - height * 4 * within * (1 - within)
    return score


def tossed(draw: Draw) -> Score:
    score = _thing(draw, upright=True)
    score.steady[:] = True
    up = 4 * draw.time * (1 - draw.time)
    score.thing[:, 0, :, 0] = draw.column(-0.25, 0.25) * (draw.time - 0.5)
    score.thing[:, 0, :, 1] = 0.2 - draw.column(0.3, 0.45) * up
    score.turn[:, 0, :, 2] = draw.column(-3, 3) * draw.time
    return score


def _pivoting(draw: Draw, pivot: Tensor, angle: Tensor) -> Score:
    score = _thing(draw, upright=True)
    score.thing[:, 0, :, :2] = about(pivot, angle)
    score.turn[:, 0, :, 2] = angle
    return score


def swinging(draw: Draw) -> Score:
    """A pendulum."""
    angle = draw.column(0.4, 0.9) * oscillation(draw, 1.0, 2.2)
    above = torch.stack([torch.zeros(draw.count, 1), -draw.column(0.25, 0.45)], -1)
    return _pivoting(draw, above, angle)


def waving_thing(draw: Draw) -> Score:
    """A pendulum on its head, and faster."""
    angle = draw.column(0.3, 0.7) * oscillation(draw, 2.2, 4.0)
    below = torch.stack([torch.zeros(draw.count, 1), draw.column(0.12, 0.28)], -1)
    return _pivoting(draw, below, angle)


def tipping_over(draw: Draw) -> Score:
    """About a lower corner, faster and faster."""
    wide, tall, side = draw.column(0.04, 0.08), draw.column(0.1, 0.16), draw.sign()
    fallen = (draw.time / draw.column(0.6, 1.0)).clamp(max=1) ** 2
    corner = torch.stack([side * wide, tall], -1)
    score = _pivoting(draw, corner, side * torch.pi / 2 * fallen)
    score.size[:, 0, :2] = torch.cat([wide, tall], 1)
    score.box[:] = score.grounded[:] = score.steady[:] = True
    return score


def shaking(draw: Draw) -> Score:
    score = _thing(draw)
    wave = draw.column(0.02, 0.06) * (2 * torch.pi * draw.whole(4, 7) * draw.time).sin()
    score.thing[:, 0, :, :2] = anywhere(draw) * wave[..., None]
    return score


def circling(sign: float) -> Act:
    def act(draw: Draw) -> Score:
        score = _thing(draw)
        sweep = sign * 2 * torch.pi * draw.column(1.0, 2.3)
        circle = arc(draw.column(0, 2 * torch.pi), sweep)
        score.thing[:, 0, :, :2] = circle * draw.uniform(0.08, 0.22, 1, 1)
        return score

    return act


def being_stretched(draw: Draw) -> Score:
    """Longer along one of its axes, thinner along the others: its volume stays."""
    score = _thing(draw)
    longer = draw.column(0.7, 1.3) * (draw.time - 0.5)
    share = torch.where(
        draw.chance(0.5), torch.tensor([1, -0.5, -0.5]), torch.tensor([-0.5, 1, -0.5])
    )
    score.stretch[:, 0] = longer[..., None] * share[:, None]
    score.thing[:, 0, :, :2] = _drift(draw)
    return score


_named = partial(Action, group="things")

THINGS: dict[str, Action] = {
    "moving left": _named(
        moving(-1, 0), says="A thing moves to the left of the picture.", reverse="moving right"
    ),
    "moving right": _named(
        moving(1, 0), says="A thing moves to the right of the picture.", reverse="moving left"
    ),
    "moving up": _named(
        moving(0, -1), says="A thing moves up at an even pace.", reverse="moving down"
    ),
    "moving down": _named(
        moving(0, 1), says="A thing moves down at an even pace.", reverse="moving up"
    ),
    "moving towards the camera": _named(
        approaching(-1),
        says="A thing comes nearer and looks larger and larger.",
        reverse="moving away from the camera",
    ),
    "moving away from the camera": _named(
        approaching(1),
        says="A thing recedes and looks smaller and smaller.",
        reverse="moving towards the camera",
    ),
    "turning clockwise": _named(
        turning("roll", 1),
        says="A thing turns in the picture's plane as a clock's hands do.",
        reverse="turning anticlockwise",
    ),
    "turning anticlockwise": _named(
        turning("roll", -1),
        says="A thing turns in the picture's plane against a clock's hands.",
        reverse="turning clockwise",
    ),
    "spinning to the left": _named(
        turning("yaw", 1),
        says="A thing turns about its upright axis, its near side going left.",
        reverse="spinning to the right",
    ),
    "spinning to the right": _named(
        turning("yaw", -1),
        says="A thing turns about its upright axis, its near side going right.",
        reverse="spinning to the left",
    ),
    "flipping forwards": _named(
        turning("pitch", 1),
        says="A thing turns head over heels, its top coming towards the viewer.",
        reverse="flipping backwards",
    ),
    "flipping backwards": _named(
        turning("pitch", -1),
        says="A thing turns head over heels, its top going away from the viewer.",
        reverse="flipping forwards",
    ),
    "rolling left": _named(
        rolling(-1), says="A round thing rolls along to the left.", reverse="rolling right"
    ),
    "rolling right": _named(
        rolling(1), says="A round thing rolls along to the right.", reverse="rolling left"
    ),
    "falling": _named(falling, says="A thing drops, faster and faster, and may lie still then."),
    "bouncing": _named(
        bouncing, says="A thing leaps off the ground again and again, each time no higher."
    ),
    "being tossed up": _named(
        tossed, says="A thing flies up and comes down again.", reverse="being tossed up"
    ),
    "swinging": _named(
        swinging,
        says="A thing swings to and fro about a point above it.",
        reverse="swinging",
    ),
    "waving": _named(
        either(waving_thing, waving_hand),
        says="A hand, or a thing held upright, goes quickly to and fro about a point below it.",
        reverse="waving",
    ),
    "tipping over": _named(
        tipping_over,
        says="A tall thing topples about its lower edge and lies on its side.",
        reverse="being set upright",
    ),
    "being set upright": _named(
        backwards(tipping_over),
        says="A thing that lies on its side comes to stand on its lower edge.",
        reverse="tipping over",
    ),
    "shaking": _named(
        shaking, says="A thing goes to and fro quickly and not far.", reverse="shaking"
    ),
    "circling clockwise": _named(
        circling(1),
        says="A thing goes round in a circle clockwise without turning itself.",
        reverse="circling anticlockwise",
    ),
    "circling anticlockwise": _named(
        circling(-1),
        says="A thing goes round in a circle anticlockwise without turning itself.",
        reverse="circling clockwise",
    ),
    "being stretched": _named(
        being_stretched,
        says="A thing grows longer one way and thinner the others.",
        reverse="being squeezed",
    ),
    "being squeezed": _named(
        backwards(being_stretched),
        says="A thing grows shorter one way and thicker the others.",
        reverse="being stretched",
    ),
}
