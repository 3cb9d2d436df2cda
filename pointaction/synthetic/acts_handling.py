"""Hands that work on a thing which stays about where it is: pour, twist, open, stir, strike.

Shapes:  n performances   S samples; see `pointaction.synthetic.score`

The first thing is the one that is handled; the second, where there is one, stands still.
"""

from functools import partial

import torch

from pointaction.synthetic.acts import (
    ASIDE,
    Act,
    Action,
    Contact,
    about,
    backwards,
    heading,
    rotated,
    strokes,
    turn_hand,
)
from pointaction.synthetic.acts_hands import FIRM, LOOSE, TABLE, carry, coming_from, place, scene
from pointaction.synthetic.paths import arc
from pointaction.synthetic.score import Draw, Score, ramp


def pouring(draw: Draw) -> Score:
    """Over a second vessel: tilted, held, tilted back."""
    score, side = scene(draw, things=2), draw.sign()
    begin, end = draw.column(0.1, 0.35), 1 - draw.column(0.1, 0.35)
    tilted = ramp(draw.time, 0.0, begin) - ramp(draw.time, end, 1.0)
    roll = side * draw.column(1.3, 2.1) * tilted
    near = draw.column(0.02, 0.06) * tilted
    score.size[:, 0] = draw.uniform(0.05, 0.07, 3) * torch.tensor([1, 1.6, 1])
    score.size[:, 1] = draw.uniform(0.06, 0.08, 3)
    score.thing[:, 0] = place(side * (near - 0.13), -0.12 - near)
    score.thing[:, 1] = place(side * 0.02, TABLE + 0.02)
    score.turn[:, 0, :, 2] = roll
    hold = place(-side * (score.size[:, 0, :1] + 0.01), 0.0, -0.01)
    score.hand[:, 0] = score.thing[:, 0] + rotated(hold, roll)
    turn_hand(score, 0.6 * roll)
    return score


def turning_over(draw: Draw) -> Score:
    """Half a turn, head over heels, lifted meanwhile so that it clears the table."""
    score, contact = scene(draw), Contact.drawn(draw)
    half_turn = draw.sign() * torch.pi
    lift = draw.column(0.06, 0.14) * (torch.pi * contact.progress).sin()
    hold = place(draw.sign() * (score.size[:, 0, :1] + 0.01), 0.0, -0.03)
    score = carry(score, contact, place(0.0, TABLE - lift), hold, coming_from(draw))
    score.turn[:, 0, :, 1] = half_turn * contact.progress
    score.wrist[:, 0, :, 2] = 0.7 * half_turn * (contact.progress - 0.5)
    return score


def twisting(sign: float) -> Act:
    """The hand, before the thing, turns with it."""

    def act(draw: Draw) -> Score:
        score, contact = scene(draw), Contact.drawn(draw)
        angle = sign * draw.column(0.9, 2.2) * (contact.progress - 0.5)
        hold = place(0.0, 0.0, -score.size[:, 0, 2:] - 0.01)
        score = carry(score, contact, place(0.0, draw.column(-0.02, 0.02)), hold, coming_from(draw))
        score.turn[:, 0, :, 2] = angle
        turn_hand(score, angle)
        score.grounded[:] = False
        return score

    return act


def opening_a_lid(draw: Draw) -> Score:
    """Hinged at the far edge of a box; the hand lifts its near edge."""
    score, contact = scene(draw, things=2), Contact.drawn(draw)
    wide, tall, deep = draw.column(0.1, 0.16), draw.column(0.05, 0.09), draw.column(0.07, 0.11)
    score.box[:] = True
    score.size[:, 0] = torch.cat([wide, torch.full_like(wide, 0.012), deep], 1)
    score.size[:, 1] = torch.cat([wide, tall, deep], 1)
    score.thing[:, 1] = place(0.0, TABLE)
    angle = draw.column(1.1, 1.9) * contact.progress
    hinge, way = place(0.0, TABLE - tall, deep), place(0.0, -angle.sin(), -angle.cos())
    score.thing[:, 0] = hinge + way * deep[..., None]
    score.turn[:, 0, :, 1] = -angle
    edge = hinge + way * 2 * deep[..., None]
    score.hand[:, 0] = edge + place(0, 0, -0.02) + coming_from(draw) * contact.away[..., None]
    score.grip[:, 0] = LOOSE + (FIRM - LOOSE) * (1 - contact.away)
    return score


def stirring(sign: float) -> Act:
    """Round and round, quickly and not wide, with a stick in a vessel."""

    def act(draw: Draw) -> Score:
        score = scene(draw, things=2)
        score.size[:, 0] = torch.tensor([0.012, 0.1, 0.012])
        score.size[:, 1] = draw.uniform(0.1, 0.13, 3) * torch.tensor([1, 0.6, 1])
        score.thing[:, 1] = place(0.0, TABLE)
        sweep = sign * 2 * torch.pi * draw.column(2.5, 4.5)
        ring = arc(draw.column(0, 2 * torch.pi), sweep) * draw.uniform(0.04, 0.065, 1, 1)
        tall = draw.column(0.4, 0.7)  # a ring seen from above aslant
        stick = place(ring[..., 0], ring[..., 1] * tall, -ring[..., 1] * (1 - tall**2).sqrt())
        score.thing[:, 0] = stick
        score.hand[:, 0] = stick + place(0.0, -0.1)
        return score

    return act


def hammering(draw: Draw) -> Score:
    """The hand is the pivot of the hammer, and goes up and down with it."""
    score, side = scene(draw, things=2), draw.sign()
    raised = strokes(draw, 3, 5)
    roll = -side * draw.column(0.6, 1.1) * raised
    long = draw.column(0.08, 0.11)
    score.box[:] = True
    score.size[:, 0] = torch.tensor([1.0, 0.2, 0.2]) * long
    score.size[:, 1] = draw.uniform(0.03, 0.06, 3)
    score.thing[:, 1] = place(side * 0.12, TABLE)
    score.hand[:, 0] = place(-side * 0.06, 0.06 - draw.column(0.04, 0.09) * raised, -0.02)
    score.thing[:, 0] = score.hand[:, 0] + rotated(place(side * 1.1 * long, 0.0), roll)
    score.turn[:, 0, :, 2] = roll
    turn_hand(score, roll)
    return score


def pulling_apart(draw: Draw) -> Score:
    """Two things that touch, a hand at the outer side of each."""
    score = scene(draw, hands=2, things=2)
    score.grounded[:] = False
    axis = heading(draw, 1, 0)
    far = draw.column(0.1, 0.2) * draw.time
    for number, sign in enumerate((1.0, -1.0)):
        half = score.size[:, number, :1]
        score.thing[:, number, :, :2] = sign * axis * (half + far)[..., None]
        score.hand[:, number, :, :2] = sign * axis * (2 * half + 0.01 + far)[..., None]
        score.hand[:, number, :, 2] = -0.02
    return score


def knocking_over(draw: Draw) -> Score:
    """The hand runs into the upper part of a tall thing, which falls away from it."""
    score, side = scene(draw), draw.sign()
    score.box[:] = score.steady[:] = True
    wide, tall, hit = draw.column(0.04, 0.06), draw.column(0.1, 0.15), draw.column(0.3, 0.5)
    score.size[:, 0, :2] = torch.cat([wide, tall], 1)
    fallen = ((draw.time - hit) / draw.column(0.3, 0.45)).clamp(0, 1) ** 2
    roll = side * torch.pi / 2 * fallen
    score.thing[:, 0, :, :2] = about(torch.stack([side * wide, tall], -1), roll)
    score.turn[:, 0, :, 2] = roll
    before = draw.column(0.2, 0.35) * (1 - draw.time / hit).clamp(min=0)
    after = draw.column(0.05, 0.12) * ramp(draw.time, hit, hit + 0.25)
    reach = draw.column(-0.8, -0.4) * tall + draw.column(-ASIDE, ASIDE) * (after - before)
    score.hand[:, 0] = place(side * (after - before - wide - 0.03), reach)
    return score


_named = partial(Action, group="hands and things")

HANDLING: dict[str, Action] = {
    "pouring": _named(
        pouring,
        says="A hand tilts a vessel over another one, holds it so, and tilts it back.",
        reverse="pouring",
    ),
    "turning a thing over": _named(
        turning_over,
        says="A hand lifts a thing and sets it down with its underside up.",
        reverse="turning a thing over",
    ),
    "twisting a thing clockwise": _named(
        twisting(1),
        says="A hand takes a thing that stays where it is and turns it clockwise.",
        reverse="twisting a thing anticlockwise",
    ),
    "twisting a thing anticlockwise": _named(
        twisting(-1),
        says="A hand takes a thing that stays where it is and turns it anticlockwise.",
        reverse="twisting a thing clockwise",
    ),
    "opening a lid by hand": _named(
        opening_a_lid,
        says="A hand lifts the near edge of a box's lid.",
        reverse="closing a lid by hand",
    ),
    "closing a lid by hand": _named(
        backwards(opening_a_lid),
        says="A hand lets down the near edge of a box's lid.",
        reverse="opening a lid by hand",
    ),
    "stirring clockwise": _named(
        stirring(1),
        says="A hand leads a stick round and round in a vessel, clockwise as seen.",
        reverse="stirring anticlockwise",
    ),
    "stirring anticlockwise": _named(
        stirring(-1),
        says="A hand leads a stick round and round in a vessel, anticlockwise as seen.",
        reverse="stirring clockwise",
    ),
    "hammering": _named(
        hammering,
        says="A hand swings a tool down on a thing again and again.",
        reverse="hammering",
    ),
    "pulling apart with two hands": _named(
        pulling_apart,
        says="Two hands move two things that touch away from each other.",
        reverse="bringing together with two hands",
    ),
    "bringing together with two hands": _named(
        backwards(pulling_apart),
        says="Two hands move two things towards each other until they touch.",
        reverse="pulling apart with two hands",
    ),
    "knocking over": _named(
        knocking_over, says="A hand runs into a tall thing, which tips over away from it."
    ),
}
