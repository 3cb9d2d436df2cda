"""Hands that take things somewhere: reach, push, carry, throw, stack.

Shapes:  n performances   S samples; see `pointaction.synthetic.score`

The first thing is the one that is handled; the second, where there is one, stands still.
"""

from functools import partial

import torch
from torch import Tensor

from pointaction.synthetic.acts import Act, Action, Contact, anywhere, backwards, heading, rotated
from pointaction.synthetic.score import Cast, Draw, Score, ramp

TABLE = 0.15  # y of what stands on the table, about
LOOSE, FIRM = 0.15, 0.7  # grips


def scene(draw: Draw, *, hands: int = 1, things: int = 1) -> Score:
    """Hands, closed round what they hold, and things on a table."""
    score = Score.at_rest(draw, Cast.HANDS, hands=hands, things=things)
    score.upright[:] = score.grounded[:] = True
    score.grip[:] = FIRM
    return score


def place(x: Tensor | float, y: Tensor | float, z: Tensor | float = 0.0) -> Tensor:
    """Coordinates that broadcast to (n, S), as places (n, S, 3)."""
    parts = [torch.as_tensor(part, dtype=torch.float) for part in (x, y, z)]
    return torch.stack(torch.broadcast_tensors(*parts), -1)


def above(draw: Draw, score: Score) -> Tensor:
    """(n, 1, 3) from a thing's middle to a hand that holds its top, a little before it."""
    return place(draw.column(-0.02, 0.02), -score.size[:, 0, 1:2] - 0.01, -0.03)


def coming_from(draw: Draw) -> Tensor:
    """(n, 1, 3) from where, above or aside, a hand comes to a thing."""
    way = rotated(torch.tensor([0.0, -1.0]), draw.column(-1.8, 1.8))
    return torch.cat([way, torch.zeros(draw.count, 1, 1)], -1) * draw.uniform(0.15, 0.28, 1, 1)


def carry(score: Score, contact: Contact, path: Tensor, hold: Tensor, coming: Tensor) -> Score:
    """A hand comes, takes the thing along `path` (n, S, 3) and leaves."""
    score.thing[:, 0] = path
    score.hand[:, 0] = path + hold + coming * contact.away[..., None]
    score.grip[:, 0] = LOOSE + (FIRM - LOOSE) * (1 - contact.away)
    return score


def reaching(draw: Draw) -> Score:
    score = scene(draw)
    coming = torch.cat([anywhere(draw), torch.zeros(draw.count, 1, 1)], -1)
    far = draw.column(0.25, 0.4) * (1 - draw.time)
    score.hand[:, 0] = above(draw, score) + coming * far[..., None]
    score.grip[:] = LOOSE
    return score


def picking_up(draw: Draw) -> Score:
    """The hand comes, takes, lifts, and does not let go."""
    score, contact = scene(draw), Contact.drawn(draw)
    contact = Contact(away=contact.away * (draw.time < 0.5), progress=contact.progress)
    lifted = TABLE - draw.column(0.2, 0.35) * contact.progress
    aside = draw.column(-0.04, 0.04) * contact.progress
    return carry(score, contact, place(aside, lifted), above(draw, score), coming_from(draw))


def shoving(sign: float, *, hand: float) -> Act:
    """The thing goes to the side `sign`, a hand on its side `hand`: -1 left, 1 right."""

    def act(draw: Draw) -> Score:
        score, contact = scene(draw), Contact.drawn(draw)
        far = draw.column(0.25, 0.45) * (contact.progress - 0.5)
        along = heading(draw, sign, 0) * far[..., None]
        path = torch.cat([along, torch.zeros_like(along[..., :1])], -1)
        side = place(hand * (score.size[:, 0, :1] + 0.03), draw.column(-0.03, 0.03), -0.02)
        coming = place(hand * draw.column(0.12, 0.2), draw.column(-0.05, 0.05))
        return carry(score, contact, path, side, coming)

    return act


def carrying(sign: float) -> Act:
    """Up, over and down again."""

    def act(draw: Draw) -> Score:
        score, contact = scene(draw), Contact.drawn(draw)
        x = sign * draw.column(0.3, 0.5) * (contact.progress - 0.5)
        lift = draw.column(0.12, 0.25) * 4 * contact.progress * (1 - contact.progress)
        path = place(x, TABLE - lift)
        return carry(score, contact, path, above(draw, score), coming_from(draw))

    return act


def dropping(draw: Draw) -> Score:
    """The hand that let go stays where it is."""
    score = scene(draw)
    score.grounded[:], score.steady[:] = False, True
    release = draw.column(0.2, 0.5)
    fall = ((draw.time - release) / draw.column(0.3, 0.5)).clamp(0, 1)
    path = place(draw.column(-0.04, 0.04) * fall, -0.2 + draw.column(0.3, 0.45) * fall**2)
    score.thing[:, 0] = path
    score.turn[:, 0, :, 2] = draw.column(-0.5, 0.5) * fall
    score.hand[:, 0] = path[:, :1] + above(draw, score)
    score.grip[:, 0] = FIRM + (LOOSE - FIRM) * ramp(draw.time, release - 0.05, release + 0.1)
    return score


def throwing(sign: float) -> Act:
    """The hand draws back, swings forward, lets go half-way through and follows through."""

    def act(draw: Draw) -> Score:
        score = scene(draw)
        score.grounded[:], score.steady[:] = False, True
        release = draw.column(0.35, 0.5)
        back, forth, rise = draw.column(0.05, 0.1), draw.column(0.2, 0.3), draw.column(0.05, 0.12)

        def swing(time: Tensor) -> Tensor:
            forward = ramp(time, 0.5 * release, 1.2 * release)
            x = -0.15 - back * ramp(time, 0.0, 0.5 * release) + forth * forward
            return place(sign * x, 0.05 - rise * forward)

        flight = ((draw.time - release) / (1 - release)).clamp(0, 1)
        bow = draw.column(0.08, 0.2) * 4 * flight * (1 - flight)
        flown = place(sign * draw.column(0.3, 0.42) * flight, draw.column(0, 0.15) * flight - bow)
        score.hand[:, 0] = swing(draw.time)
        score.thing[:, 0] = swing(draw.time.minimum(release)) + flown + place(0, -0.02, -0.02)
        score.turn[:, 0, :, 2] = draw.column(-3, 3) * flight
        score.size[:, 0] *= 0.6
        score.grip[:, 0] = FIRM + (LOOSE - FIRM) * ramp(draw.time, release - 0.05, release + 0.1)
        return score

    return act


def _beside(draw: Draw, contact: Contact, lift: Tensor) -> tuple[Tensor, Tensor]:
    """(n, S) x and y of a thing that is carried from the table's side to its middle, lifted."""
    x = draw.sign() * draw.column(0.22, 0.32) * (1 - ramp(contact.progress, 0.1, 0.7))
    return x, TABLE - lift * ramp(contact.progress, 0.0, 0.5)


def stacking(draw: Draw) -> Score:
    """Lifted a little higher than the top of the other, and set down on it."""
    score, contact = scene(draw, things=2), Contact.drawn(draw)
    score.box[:] = True
    score.size[:, :, 1] = draw.uniform(0.05, 0.08, 1)
    score.thing[:, 1] = place(0.0, TABLE)
    height, extra = 2 * score.size[:, 0, 1:2], draw.column(0.03, 0.08)
    x, y = _beside(draw, contact, height + extra)
    path = place(x, y + extra * ramp(contact.progress, 0.7, 1.0))
    return carry(score, contact, path, above(draw, score), coming_from(draw))


def putting_in(draw: Draw) -> Score:
    """Lifted over the rim of a box and let down until it cannot be seen."""
    score, contact = scene(draw, things=2), Contact.drawn(draw)
    score.size[:, 0] = draw.uniform(0.04, 0.055, 3)
    score.size[:, 1] = draw.uniform(0.09, 0.12, 3)
    score.box[:, 1] = True
    score.thing[:, 1] = place(0.0, TABLE)
    lift = draw.column(0.22, 0.28)
    x, y = _beside(draw, contact, lift)
    path = place(x, y + (lift + 0.02) * ramp(contact.progress, 0.7, 1.0))
    return carry(score, contact, path, above(draw, score), coming_from(draw))


_named = partial(Action, group="hands and things")

HANDS: dict[str, Action] = {
    "reaching for a thing": _named(
        reaching,
        says="A hand comes to a thing that stays where it is.",
        reverse="withdrawing from a thing",
    ),
    "withdrawing from a thing": _named(
        backwards(reaching),
        says="A hand leaves a thing that stays where it is.",
        reverse="reaching for a thing",
    ),
    "picking up a thing": _named(
        picking_up, says="A hand comes to a thing and lifts it.", reverse="putting down a thing"
    ),
    "putting down a thing": _named(
        backwards(picking_up),
        says="A hand lowers a thing and leaves it.",
        reverse="picking up a thing",
    ),
    "pushing a thing to the left": _named(
        shoving(-1, hand=1),
        says="A hand at a thing's right side slides it to the left.",
        reverse="pulling a thing to the right",
    ),
    "pushing a thing to the right": _named(
        shoving(1, hand=-1),
        says="A hand at a thing's left side slides it to the right.",
        reverse="pulling a thing to the left",
    ),
    "pulling a thing to the left": _named(
        shoving(-1, hand=-1),
        says="A hand at a thing's left side slides it to the left, going before it.",
        reverse="pushing a thing to the right",
    ),
    "pulling a thing to the right": _named(
        shoving(1, hand=1),
        says="A hand at a thing's right side slides it to the right, going before it.",
        reverse="pushing a thing to the left",
    ),
    "carrying a thing to the left": _named(
        carrying(-1),
        says="A hand lifts a thing, takes it over to the left and sets it down.",
        reverse="carrying a thing to the right",
    ),
    "carrying a thing to the right": _named(
        carrying(1),
        says="A hand lifts a thing, takes it over to the right and sets it down.",
        reverse="carrying a thing to the left",
    ),
    "dropping a thing": _named(
        dropping, says="A hand lets go of a thing, stays where it is, and the thing falls."
    ),
    "throwing a thing to the left": _named(
        throwing(-1),
        says="A hand swings to the left and lets a thing fly on.",
        reverse="catching a thing from the left",
    ),
    "throwing a thing to the right": _named(
        throwing(1),
        says="A hand swings to the right and lets a thing fly on.",
        reverse="catching a thing from the right",
    ),
    "catching a thing from the left": _named(
        backwards(throwing(-1)),
        says="A thing flies from the left into a hand, which gives way.",
        reverse="throwing a thing to the left",
    ),
    "catching a thing from the right": _named(
        backwards(throwing(1)),
        says="A thing flies from the right into a hand, which gives way.",
        reverse="throwing a thing to the right",
    ),
    "stacking": _named(
        stacking, says="A hand sets a thing on top of another one.", reverse="unstacking"
    ),
    "unstacking": _named(
        backwards(stacking),
        says="A hand takes a thing off another one and sets it down beside.",
        reverse="stacking",
    ),
    "putting a thing into a box": _named(
        putting_in,
        says="A hand lets a thing down into a box, where it cannot be seen.",
        reverse="taking a thing out of a box",
    ),
    "taking a thing out of a box": _named(
        backwards(putting_in),
        says="A hand lifts a thing out of a box, where it could not be seen.",
        reverse="putting a thing into a box",
    ),
}
