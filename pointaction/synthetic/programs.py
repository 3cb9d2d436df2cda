"""Endless motion programs: actions without a name, composed at random, no two alike.

What few-shot learning needs is an eye for motion, not a list of names. A program fixes what an
action is (a path, who follows it, what is held, when it is let go); how it is performed is drawn
anew each time by `pointaction.synthetic.stage`. Half of the programs are siblings of others (the
same in reverse, or mirrored, or upside down), so that telling them apart takes more than the
shape of the picture.

Shapes:  n programs   S samples of an action's own time
"""

from collections.abc import Callable
from dataclasses import fields

import torch
from torch import Generator, Tensor

from pointaction.synthetic.paths import arc, polyline
from pointaction.synthetic.score import GROUND, REACH, SAMPLES, Cast, Draw, Score, ramp

Family = Callable[[Draw], Score]


def sample_programs(count: int, generator: Generator) -> Score:
    """`count` programs, one a row, no two the same; row 2i + 1 may be a sibling of row 2i."""
    half = (count + 1) // 2
    first = _composed(half, generator)
    both = Score.join([first, _siblings(first, _composed(half, generator), generator)])
    order = torch.arange(2 * half).view(2, -1).T.flatten()
    return both.rows(order[:count])


def _composed(count: int, generator: Generator) -> Score:
    """Programs that have nothing to do with each other."""
    chosen = torch.multinomial(_SHARES, count, replacement=True, generator=generator)
    scores, places = [], []
    for number, family in enumerate(_FAMILIES):
        rows = (chosen == number).nonzero()[:, 0]
        if len(rows):
            scores.append(family(Draw(count=len(rows), generator=generator)))
            places.append(rows)
    return Score.join(scores).rows(torch.cat(places).argsort())


def _siblings(score: Score, others: Score, generator: Generator) -> Score:
    """Every row in reverse, mirrored or upside down; or in its place that of `others`."""
    n = len(score)
    kind = torch.randint(4, (n,), generator=generator)
    # What is upside down must not stand on the ground, and a stroke and its reverse must differ.
    rooted = score.upright | score.grounded | (score.cast == Cast.FIGURE)
    kind = torch.where(rooted & (kind == 2), 0, kind)
    turned = [score.reversed(), flipped(score, axis=0), flipped(score, axis=1)]
    own = torch.stack([_same(score, each) for each in turned])  # (3, n) who is its own image
    kind = torch.where(own[kind.clamp(max=2), torch.arange(n)], 3, kind)
    joined = Score.join([*turned, others])
    return joined.rows(kind * n + torch.arange(n))


def _same(score: Score, other: Score) -> Tensor:
    """(n,) whether a row is the same program in both."""
    same = torch.ones(len(score), dtype=torch.bool)
    for part in fields(score):
        pair = (getattr(each, part.name).float() for each in (score, other))
        one, two = (each.reshape(len(score), -1) for each in pair)
        same &= torch.isclose(one, two, atol=1e-6).all(1)
    return same


def flipped(score: Score, *, axis: int) -> Score:
    """As in a mirror: axis 0 swaps left and right, axis 1 up and down (of hands and things)."""
    parts = {part.name: getattr(score, part.name) for part in fields(score)}
    sign = torch.ones(3)
    sign[axis] = -1
    # A mirror turns around every rotation but the one about its own normal.
    turns = torch.tensor([-1.0, 1.0, -1.0]) if axis == 0 else torch.tensor([1.0, -1.0, -1.0])
    hand = score.hand * sign
    if axis == 0:
        figure = (score.cast == Cast.FIGURE)[:, None, None, None]
        parts["hand"] = torch.where(figure, hand.flip(1), hand)
        parts["feet"] = (score.feet * sign).flip(1)
        parts["body"] = score.body * sign
        parts["other"] = score.other * sign
        parts["facing"] = -score.facing
        parts["lean"] = score.lean * torch.tensor([1.0, -1.0])
        parts["tip"] = score.tip * torch.tensor([1.0, -1.0])
        parts["camera"] = score.camera * torch.tensor([-1.0, 1, 1, -1, 1, -1, 1])
    else:
        parts["hand"] = hand
        parts["camera"] = score.camera * torch.tensor([1.0, -1, 1, 1, -1, -1, 1])
    parts["thing"] = score.thing * sign
    parts["turn"] = score.turn * turns
    return Score(**parts)


# ---- paths ---------------------------------------------------------------------------------


def random_path(draw: Draw) -> Tensor:
    """(n, S, 3) ways of all kinds through the stage, from 0.12 to 0.4 across."""
    kinds = [
        _polyline(draw),
        _arc(draw),
        _line(draw),
        _weave(draw),
        _spiral(draw),
        _to_and_fro(draw),
    ]
    shares = torch.tensor([0.4, 0.2, 0.15, 0.1, 0.05, 0.1])
    chosen = torch.multinomial(shares, draw.count, replacement=True, generator=draw.generator)
    flat = torch.stack(kinds)[chosen, torch.arange(draw.count)]  # (n, S, 2)
    low, high = flat.amin(1, keepdim=True), flat.amax(1, keepdim=True)
    span = (high - low).amax(-1, keepdim=True).clamp(min=1e-3)
    flat = (flat - (low + high) / 2) / span * draw.uniform(0.14, 0.45, 1, 1)
    # Most ways lie in the plane of the picture; some lead towards the viewer and away.
    slope = draw.uniform(-1, 1, 1, 2) * draw.chance(0.35)[:, None]
    depth = (flat * slope).sum(-1, keepdim=True)
    return torch.cat([flat, depth], -1)


def _corners(draw: Draw, most: int) -> Tensor:
    """(n, most, 2) corners that lie well apart; a row's last ones may fall together."""
    # Each corner is a step at an angle from the one before, so that ways neither crowd nor stop.
    turn = draw.uniform(0.6, 2.6, most - 1) * torch.where(
        draw.uniform(0, 1, most - 1) < 0.5, -1.0, 1.0
    )
    same_sense = draw.chance(0.5)
    turn = torch.where(same_sense, turn.abs() * draw.sign(), turn)
    heading = (draw.uniform(0, 2 * torch.pi, 1) + turn.cumsum(1)).unsqueeze(-1)
    length = draw.uniform(0.5, 1.2, most - 1, 1)
    used = torch.arange(most - 1)[None, :, None] < draw.whole(2, most - 1)[..., None]
    step = torch.cat([heading.cos(), heading.sin()], -1) * length * used
    start = torch.zeros(draw.count, 1, 2)
    corners = torch.cat([start, step.cumsum(1)], 1)
    close = draw.chance(0.3)[..., None] & (torch.arange(most)[None, :, None] == most - 1)
    return torch.where(close, start, corners)


def _polyline(draw: Draw) -> Tensor:
    return polyline(_corners(draw, 6), smooth=draw.uniform(0, 1))


def _arc(draw: Draw) -> Tensor:
    sweep = draw.sign() * draw.column(1.5, 15.0)
    aspect = draw.uniform(-0.7, 0.7, 1).exp()
    return arc(draw.column(0, 2 * torch.pi), sweep, aspect=aspect)


def _line(draw: Draw) -> Tensor:
    angle = draw.column(0, 2 * torch.pi)
    way = torch.stack([angle.cos(), angle.sin()], -1)
    return draw.time[..., None] * way


def _to_and_fro(draw: Draw) -> Tensor:
    angle = draw.column(0, 2 * torch.pi)
    way = torch.stack([angle.cos(), angle.sin()], -1)
    waves = (torch.pi * draw.whole(2, 9) * draw.time + draw.column(0, 1.5)).sin()
    drift = draw.column(-0.6, 0.6) * draw.time
    across = torch.stack([-angle.sin(), angle.cos()], -1)
    return waves[..., None] * way + drift[..., None] * across


def _weave(draw: Draw) -> Tensor:
    """Lissajous figures: eights, bows, loops."""
    time = 2 * torch.pi * draw.time * draw.column(0.7, 1.6)
    x = (time * draw.whole(1, 2) + draw.column(0, 6.3)).sin()
    y = (time * draw.whole(1, 3) + draw.column(0, 6.3)).sin()
    return torch.stack([x, y * draw.column(0.4, 1.4)], -1)


def _spiral(draw: Draw) -> Tensor:
    angle = draw.column(0, 6.3) + draw.sign() * draw.column(6, 18) * draw.time
    inward = draw.chance(0.5)
    radius = 0.15 + 0.85 * torch.where(inward, 1 - draw.time, draw.time)
    return torch.stack([angle.cos(), angle.sin()], -1) * radius[..., None]


def random_profile(draw: Draw) -> Tensor:
    """(n, S) from one level to another, there and back, or several times."""
    steps = draw.uniform(0, 1, 4)
    once = ramp(draw.time, steps[:, :1] * 0.5, steps[:, :1] * 0.5 + 0.1 + 0.4 * steps[:, 1:2])
    waves = 0.5 - 0.5 * (2 * torch.pi * draw.whole(1, 4) * draw.time).cos()
    back = draw.chance(0.5)
    return torch.where(draw.chance(0.55), torch.where(back, 1 - once, once), waves)


# ---- families ------------------------------------------------------------------------------


def _finger(draw: Draw) -> Score:
    """A hand follows a path in the air."""
    score = Score.at_rest(draw, Cast.HANDS, hands=1)
    score.hand[:, 0] = random_path(draw)
    score.pointing[:, 0] = draw.chance(0.6)[:, 0]
    level = torch.where(draw.chance(0.6), draw.column(0.8, 1.0), draw.column(0.0, 0.4))
    moves = draw.chance(0.15)
    score.grip[:, 0] = torch.where(moves, random_profile(draw), level)
    wrist = random_profile(draw)[..., None] * draw.uniform(-1.2, 1.2, 1, 3)
    score.wrist[:, 0] = wrist * draw.chance(0.2)[..., None]
    return score


def _handwork(draw: Draw) -> Score:
    """A hand that stays about where it is: it opens, closes, bends and turns."""
    score = Score.at_rest(draw, Cast.HANDS, hands=1)
    score.hand[:, 0] = random_path(draw) * draw.uniform(0, 0.25, 1, 1)
    score.grip[:, 0] = torch.where(draw.chance(0.6), random_profile(draw), draw.column(0, 1))
    turns = draw.uniform(-1, 1, 1, 3) * torch.tensor([0.8, 1.1, 2.6])
    keep = draw.uniform(0, 1, 1, 3) < 0.55
    score.wrist[:, 0] = random_profile(draw)[..., None] * turns * keep
    score.pointing[:, 0] = draw.chance(0.3)[:, 0]
    return score


def _carrying(draw: Draw) -> Score:
    """A hand comes to a thing, takes it along for a while, and lets it go, stand or fall."""
    score = Score.at_rest(draw, Cast.HANDS, hands=1, things=1)
    way = random_path(draw)
    take = draw.column(0.0, 0.5) * draw.chance(0.6)
    leave = torch.where(draw.chance(0.5), draw.column(0.6, 0.95), 1.0)
    score.hand[:, 0] = way
    offset = draw.uniform(-0.05, 0.05, 1, 3) + torch.tensor([0.0, -0.03, 0.0])
    held = draw.time.clamp(min=take, max=leave)
    place = (held * (SAMPLES - 1)).round().long()[..., None].expand(-1, -1, 3)
    score.thing[:, 0] = way.gather(1, place) + offset
    since = (draw.time - leave).clamp(min=0)
    fall = draw.chance(0.5) * (4.0 * since**2)
    score.thing[:, 0, :, 1] += fall
    carried = ((draw.time - take) / (leave - take)).clamp(0, 1)
    turn = draw.uniform(-2.4, 2.4, 1, 3) * draw.chance(0.5)[..., None]
    score.turn[:, 0] = carried[..., None] * turn
    score.wrist[:, 0] = score.turn[:, 0] * torch.tensor([0.3, 0.3, 0.3])
    closed = ramp(draw.time, take - 0.1, take + 0.02) - ramp(draw.time, leave, leave + 0.08)
    score.grip[:, 0] = 0.15 + 0.55 * closed.clamp(0, 1)
    score.size[:, 0] = draw.uniform(0.03, 0.1, 3)
    score.grounded = draw.chance(0.3)[:, 0]
    return score


def _things(draw: Draw) -> Score:
    """One or two things move by themselves: along paths, turning, changing their shape."""
    score = Score.at_rest(draw, Cast.NOBODY, things=2)
    score.things[:, 1] = draw.chance(0.4)[:, 0]
    first, second = random_path(draw), random_path(draw)
    mirrored = first * torch.tensor([-1.0, 1.0, 1.0])
    together = draw.chance(0.5)[..., None]
    apart = draw.uniform(-0.3, 0.3, 1, 3) * torch.tensor([1.0, 1.0, 0.3])
    still = draw.chance(0.25)[..., None]
    score.thing[:, 0] = torch.where(still, 0.0, first)
    score.thing[:, 1] = torch.where(together, mirrored, second) + apart
    turns = draw.uniform(-4.5, 4.5, 2, 1, 3) * (draw.uniform(0, 1, 2, 1, 3) < 0.4)
    turns = torch.where(still[:, None], turns + draw.sign()[:, None, None] * 1.5, turns)
    score.turn = random_profile(draw)[:, None, :, None] * turns
    stretch = draw.uniform(-0.7, 0.7, 2, 1, 3) * draw.chance(0.2)[:, None, None]
    score.stretch = random_profile(draw)[:, None, :, None] * stretch
    score.size = draw.uniform(0.04, 0.16, 2, 3)
    return score


def _both_hands(draw: Draw) -> Score:
    """Two hands, together, mirrored or each on its own; perhaps with a thing between them."""
    score = Score.at_rest(draw, Cast.HANDS, hands=2, things=1)
    score.things[:, 0] = draw.chance(0.3)[:, 0]
    first, second = random_path(draw), random_path(draw)
    apart = draw.uniform(0.08, 0.2, 1, 1) * torch.tensor([1.0, 0.0, 0.0])
    mirrored = first * torch.tensor([-1.0, 1.0, 1.0])
    kind = draw.uniform(0, 1, 1, 1)
    other = torch.where(kind < 0.4, mirrored, torch.where(kind < 0.7, first, second))
    score.hand[:, 0], score.hand[:, 1] = 0.7 * first + apart, 0.7 * other - apart
    score.thing[:, 0] = score.hand.mean(1)
    grip = torch.where(draw.chance(0.4), random_profile(draw), draw.column(0, 1))
    score.grip = grip[:, None].expand(-1, 2, -1).clone()
    return score


def _figure(draw: Draw) -> Score:
    """A figure moves its arms, its trunk, its legs, or travels and turns."""
    score = Score.at_rest(draw, Cast.FIGURE)
    rest = score.hand.clone()

    def reaching(side: int) -> Tensor:
        to = draw.uniform(-1, 1, 1, 3) * torch.tensor([0.7, 0.8, 0.3])
        to = to + torch.tensor([0.35 * (1 - 2 * side), -0.1, -0.5])
        to = to / to.norm(dim=-1, keepdim=True) * draw.uniform(0.6, 1, 1, 1) * REACH * 0.8
        waving = random_path(draw) * draw.uniform(0.2, 1, 1, 1) * draw.chance(0.6)[..., None]
        used = draw.chance(0.75)[..., None]
        share = random_profile(draw)[..., None]
        return rest[:, side] + used * share * (to + waving - rest[:, side])

    score.hand = torch.stack([reaching(0), reaching(1)], 1)
    both = draw.chance(0.4)[:, None, None]
    mirrored = score.hand[:, 0] * torch.tensor([-1.0, 1.0, 1.0])
    score.hand[:, 1] = torch.where(both[:, 0], mirrored, score.hand[:, 1])
    lean = draw.uniform(-1, 1, 1, 2) * torch.tensor([0.9, 0.4]) * draw.chance(0.35)[..., None]
    score.lean = random_profile(draw)[..., None] * lean
    down = draw.column(0, 0.25) * draw.chance(0.35)
    score.body[..., 1] = random_profile(draw) * down

    travel = draw.uniform(-0.5, 0.5, 1, 2) * draw.chance(0.35)[..., None]
    way = ramp(draw.time)[..., None] * travel
    score.body[..., 0], score.body[..., 2] = way[..., 0], way[..., 1]
    heading = torch.atan2(-travel[..., 0], -travel[..., 1])
    score.facing = torch.where(travel.abs().sum(-1) > 0, heading, draw.column(-1.2, 1.2)).expand(
        -1, SAMPLES
    )
    spin = draw.column(-4, 4) * draw.chance(0.2)
    score.facing = score.facing + random_profile(draw) * spin
    # Legs step as far as the way asks for, and now and then on the spot.
    distance = (travel.square().sum(-1).sqrt() * 2.4 + draw.whole(0, 3) * draw.chance(0.2)) * 2
    phase = torch.pi * distance * draw.time
    for side, sign in enumerate((1.0, -1.0)):
        walks = travel.abs().sum(-1) > 0
        score.feet[:, side, :, 2] += torch.where(walks, 0.12 * sign * phase.sin(), 0.0)
        score.feet[:, side, :, 1] -= 0.08 * (sign * phase.cos()).clamp(min=0) * (distance > 0)
    kick = draw.uniform(-1, 1, 1, 3) * torch.tensor([0.15, 0.0, 0.2])
    kick = kick + torch.tensor([0.0, -0.22, -0.12])
    score.feet[:, 0] += random_profile(draw)[..., None] * kick * draw.chance(0.2)[..., None]
    score.feet[..., 1] = score.feet[..., 1].clamp(min=-GROUND, max=0)
    score.upright[:] = True
    return score


def _camera(draw: Draw) -> Score:
    """The camera itself moves along a path, or turns."""
    score = Score.at_rest(draw, Cast.NOBODY, things=1)
    score.things[:, 0] = draw.chance(0.6)[:, 0]
    range_ = torch.tensor([0.4, 0.3, 0.5, 0.4, 0.3, 0.9, 0.6])
    used = draw.uniform(0, 1, 1, 7) < 0.25
    amount = draw.uniform(-1, 1, 1, 7) * used * range_
    score.camera = random_profile(draw)[..., None] * amount
    path = random_path(draw)[..., :2] * draw.chance(0.5)[..., None]
    score.camera[..., 3:5] += path
    return score


_WEIGHTED: list[tuple[Family, float]] = [
    (_finger, 0.38),
    (_handwork, 0.08),
    (_carrying, 0.16),
    (_things, 0.13),
    (_both_hands, 0.08),
    (_figure, 0.12),
    (_camera, 0.05),
]
_FAMILIES = [family for family, _ in _WEIGHTED]
_SHARES = torch.tensor([share for _, share in _WEIGHTED])
