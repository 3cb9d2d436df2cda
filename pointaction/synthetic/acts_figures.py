"""What whole bodies do: walk, bend, jump, use their arms and legs.

Shapes:  n performances   S samples; see `pointaction.synthetic.score`

Lengths are in heights of the figure. In its own axes the viewer's side is its front, so that
forward is towards smaller z; its first hand and foot are those on the picture's right when it
faces the viewer.
"""

from functools import partial

import torch
from torch import Tensor

from pointaction.synthetic.acts import ASIDE, Act, Action, backwards, bump, strokes
from pointaction.synthetic.score import REACH, SHOULDERS, Cast, Draw, Score, ramp, yaw

SIDES = (1.0, -1.0)  # of the first and the second hand and foot
ARM = 0.95 * REACH
LEG = 0.5


def _figure(draw: Draw, *, turned: float = 1.3) -> Score:
    """Faces the viewer, or aside by up to `turned` radians."""
    score = Score.at_rest(draw, Cast.FIGURE)
    score.upright[:] = True
    score.facing[:] = draw.column(-turned, turned)
    return score


def _ahead(side: float, angle: Tensor) -> Tensor:
    """(n, S, 3) the hand of an arm raised forwards by `angle`: 0 hangs, pi points up."""
    aside = torch.full_like(angle, 1.1 * side * SHOULDERS)
    return torch.stack([aside, ARM * angle.cos(), -ARM * angle.sin()], -1)


def _spread(side: float, angle: Tensor) -> Tensor:
    """(n, S, 3) the hand of an arm raised sideways by `angle`: 0 hangs, pi points up."""
    aside = side * (SHOULDERS + ARM * angle.sin())
    return torch.stack([aside, ARM * angle.cos(), torch.full_like(angle, -0.02)], -1)


def _limb(number: Tensor, path: Tensor, other: Tensor) -> Tensor:
    """(n, 2, S, 3) `path` for the hand or foot `number` (n, 1), mirrored for the second one."""
    mirror = torch.tensor([-1.0, 1.0, 1.0])
    chosen = (torch.arange(2) == number)[..., None, None]
    return torch.where(chosen, torch.stack([path, path * mirror], 1), other)


def _step(
    draw: Draw, score: Score, *, cycles: Tensor, stride: Tensor, lift: Tensor, swing: Tensor
) -> None:
    """Feet and arms of a gait of `cycles` double steps; all (n, 1), in heights and radians."""
    gait = cycles * draw.time + draw.column(0, 1)
    for number in (0, 1):
        phase = (gait + number / 2) % 1
        swung = ramp(phase, 0.5, 1.0)  # the foot is on the ground before, then swings forward
        place = torch.where(phase < 0.5, 2 * phase, 1 - swung) - 0.5
        score.feet[:, number, :, 2] = stride * place
        score.feet[:, number, :, 1] = -lift * bump(phase, 0.5, 1.0)
        forward = -swing * (2 * torch.pi * phase).cos()
        score.hand[:, number] = _ahead(SIDES[number], forward)
    score.body[..., 1] = 0.3 * lift * (0.5 - 0.5 * (4 * torch.pi * gait).cos())
    score.steady[:] = True


def _forward(score: Score, far: Tensor) -> Tensor:
    """(n, S, 3) `far` (n, S) the way that the figure faces."""
    ahead = torch.tensor([0.0, 0.0, -1.0])
    return yaw(ahead, score.facing) * far[..., None]


def _walk(draw: Draw, score: Score, far: Tensor) -> Tensor:
    """Step as often as it takes to cover `far` (n, 1); (n, S, 3) the way, its middle at rest."""
    stride, lift, swing = draw.column(0.22, 0.36), draw.column(0.04, 0.08), draw.column(0.2, 0.6)
    _step(draw, score, cycles=far / (2 * stride), stride=stride, lift=lift, swing=swing)
    return _forward(score, far * (draw.time - 0.5))


def walking(facing: float, low: float, high: float) -> Act:
    def act(draw: Draw) -> Score:
        score = _figure(draw)
        score.facing[:] = facing + draw.column(-ASIDE, ASIDE)
        score.body += _walk(draw, score, draw.column(low, high))
        return score

    return act


def walking_two(sign: float) -> Act:
    """Towards each other where `sign` is 1, else apart; each as far as the other."""

    def act(draw: Draw) -> Score:
        score, side = _figure(draw), draw.sign()  # the side on which the first figure is
        score.company[:] = True
        score.facing[:] = sign * side * torch.pi / 2
        score.facing += draw.column(-0.15, 0.15)
        gap, far = draw.column(0.12, 0.2), draw.column(0.2, 0.28)
        way = _walk(draw, score, far)
        middle = torch.zeros(draw.count, 1, 3)
        middle[:, 0, :1] = side * (gap + far / 2)
        score.other[:] = -(middle + way)
        score.body += middle + way
        return score

    return act


def marching(draw: Draw) -> Score:
    """Knees up, on the spot."""
    score = _figure(draw)
    lift, swing = draw.column(0.12, 0.22), draw.column(0.3, 0.8)
    _step(draw, score, cycles=draw.whole(2, 4), stride=0 * lift, lift=lift, swing=swing)
    score.body[..., 1] = 0
    score.feet[..., 2] = 0.6 * score.feet[..., 1]
    return score


def turning_round(sign: float) -> Act:
    """To the left where `sign` is 1, with little steps."""

    def act(draw: Draw) -> Score:
        score = _figure(draw)
        lift, swing = draw.column(0.02, 0.05), draw.column(0, 0.15)
        _step(draw, score, cycles=draw.whole(2, 3), stride=0 * lift, lift=lift, swing=swing)
        score.facing += sign * draw.column(2.2, 3.6) * (draw.time - 0.5)
        score.steady[:] = False
        return score

    return act


def jumping(draw: Draw) -> Score:
    """Bend, fly with the arms thrown up, land and bend: the same in reverse."""
    score = _figure(draw)
    score.steady[:] = True
    phase = (draw.whole(1, 3) * draw.time * 0.9999) % 1
    flight = ((phase - 0.3) / 0.4).clamp(0, 1)
    height = draw.column(0.1, 0.2) * 4 * flight * (1 - flight)
    bent = draw.column(0.06, 0.14) * (bump(phase, 0.0, 0.3) + bump(phase, 0.7, 1.0))
    score.body[..., 1] = bent - height
    score.feet[..., 1] -= height[:, None]
    score.lean[..., 0] = 2 * bent
    raised = draw.column(0.6, 2.6) * bump(phase, 0.2, 0.8)
    for number, side in enumerate(SIDES):
        score.hand[:, number] = _ahead(side, raised)
    return score


def jumping_jacks(draw: Draw) -> Score:
    """Legs apart and arms up together, and back."""
    score = _figure(draw, turned=0.8)
    score.steady[:] = True
    cycles = draw.whole(2, 4)
    spread = 0.5 - 0.5 * (2 * torch.pi * cycles * draw.time).cos()
    hop = draw.column(0.02, 0.06) * (2 * torch.pi * cycles * draw.time).sin() ** 2
    wide, raised = draw.column(0.1, 0.18), 0.2 + draw.column(2.0, 2.7) * spread
    for number, side in enumerate(SIDES):
        score.feet[:, number, :, 0] += side * wide * spread
        score.hand[:, number] = _spread(side, raised)
    score.body[..., 1] = 0.3 * wide * spread - hop
    score.feet[..., 1] -= hop[:, None]
    return score


def squatting(draw: Draw) -> Score:
    score = _figure(draw)
    score.body[..., 1] = draw.column(0.2, 0.3) * draw.time
    score.lean[..., 0] = draw.column(0.3, 0.7) * draw.time
    raised = draw.column(0.3, 1.4) * draw.time
    for number, side in enumerate(SIDES):
        score.hand[:, number] = _ahead(side, raised)
    return score


def bowing(draw: Draw) -> Score:
    score = _figure(draw)
    score.lean[..., 0] = draw.column(0.8, 1.4) * draw.time
    return score


def falling_over(draw: Draw) -> Score:
    """Stiffly, any way, faster and faster."""
    score = _figure(draw)
    score.steady[:] = True
    fallen = (draw.time / draw.column(0.6, 1.0)).clamp(max=1) ** 2
    aside = draw.chance(0.6)
    angle = draw.sign() * draw.column(1.35, 1.55) * fallen
    score.tip[..., 0] = torch.where(aside, 0.0, angle)
    score.tip[..., 1] = torch.where(aside, angle, 0.0)
    return score


def kicking(draw: Draw) -> Score:
    """One leg swings forward from the hip and back."""
    score = _figure(draw)
    score.steady[:] = True
    angle = draw.column(0.8, 1.5) * strokes(draw, 1, 2)
    foot = torch.stack(
        [torch.full_like(angle, 0.07), -LEG * (1 - angle.cos()), -LEG * angle.sin()], -1
    )
    score.feet[:] = _limb(draw.whole(0, 1), foot, score.feet)
    score.lean[..., 0] = -0.2 * angle
    return score


def punching(draw: Draw) -> Score:
    """One fist goes straight forward and back to the chest, where the other one stays."""
    score = _figure(draw)
    score.grip[:] = 1.0
    out = strokes(draw, 1, 3)
    forward = -0.12 - draw.column(0.22, 0.27) * out
    fist = torch.stack([0.09 - 0.06 * out, 0.02 - 0.02 * out, forward], -1)
    guard = torch.tensor([[0.09, 0.02, -0.12], [-0.09, 0.02, -0.12]])[:, None]
    score.hand[:] = _limb(draw.whole(0, 1), fist, guard)
    return score


def waving_an_arm(draw: Draw) -> Score:
    """One hand above its shoulder goes from side to side."""
    score = _figure(draw, turned=0.8)
    aside = (2 * torch.pi * draw.whole(2, 5) * draw.time).sin()
    angle = draw.column(2.3, 2.8) + draw.column(0.3, 0.5) * aside
    score.grip[:] = 0.1
    score.hand[:] = _limb(draw.whole(0, 1), _spread(1.0, angle), score.hand)
    return score


def raising_the_arms(draw: Draw) -> Score:
    """Both, sideways or forwards, as high as the shoulders or up."""
    score = _figure(draw)
    raised, sideways = draw.column(1.4, 2.9) * draw.time, draw.chance(0.5)[..., None]
    for number, side in enumerate(SIDES):
        score.hand[:, number] = torch.where(sideways, _spread(side, raised), _ahead(side, raised))
    return score


_named = partial(Action, group="bodies")

FIGURES: dict[str, Action] = {
    "walking left": _named(
        walking(torch.pi / 2, 0.5, 0.85), says="A person walks to the left of the picture."
    ),
    "walking right": _named(
        walking(-torch.pi / 2, 0.5, 0.85), says="A person walks to the right of the picture."
    ),
    "walking towards the camera": _named(
        walking(0.0, 0.6, 1.2), says="A person walks towards the viewer, facing them."
    ),
    "walking away from the camera": _named(
        walking(torch.pi, 0.6, 1.2), says="A person walks away from the viewer, back to them."
    ),
    "walking up to each other": _named(
        walking_two(1), says="Two people walk towards each other and stop face to face."
    ),
    "walking away from each other": _named(
        walking_two(-1), says="Two people who stand back to back walk apart."
    ),
    "marching on the spot": _named(
        marching,
        says="A person lifts one knee after the other and stays where they are.",
        reverse="marching on the spot",
    ),
    "turning round to the left": _named(
        turning_round(1),
        says="A person turns on the spot, the side near the viewer going left.",
        reverse="turning round to the right",
    ),
    "turning round to the right": _named(
        turning_round(-1),
        says="A person turns on the spot, the side near the viewer going right.",
        reverse="turning round to the left",
    ),
    "jumping on the spot": _named(
        jumping, says="A person jumps up and lands again.", reverse="jumping on the spot"
    ),
    "doing jumping jacks": _named(
        jumping_jacks,
        says="A person hops legs apart with arms up, and back, again and again.",
        reverse="doing jumping jacks",
    ),
    "squatting down": _named(
        squatting,
        says="A person bends the knees and goes down.",
        reverse="standing up from a squat",
    ),
    "standing up from a squat": _named(
        backwards(squatting),
        says="A person with bent knees straightens them and goes up.",
        reverse="squatting down",
    ),
    "bowing": _named(
        bowing, says="A person bends forward from the hips.", reverse="straightening up"
    ),
    "straightening up": _named(
        backwards(bowing),
        says="A person who is bent forward straightens at the hips.",
        reverse="bowing",
    ),
    "falling over": _named(
        falling_over,
        says="A person falls to the ground, stiffly, any way.",
        reverse="getting up from the ground",
    ),
    "getting up from the ground": _named(
        backwards(falling_over),
        says="A person who lies on the ground comes to stand.",
        reverse="falling over",
    ),
    "kicking": _named(kicking, says="A person swings one leg forward and back.", reverse="kicking"),
    "punching": _named(
        punching,
        says="A person thrusts one fist straight forward and draws it back.",
        reverse="punching",
    ),
    "waving an arm": _named(
        waving_an_arm,
        says="A person holds one arm up and moves it from side to side.",
        reverse="waving an arm",
    ),
    "raising both arms": _named(
        raising_the_arms,
        says="A person lifts both arms, sideways or forwards.",
        reverse="lowering both arms",
    ),
    "lowering both arms": _named(
        backwards(raising_the_arms),
        says="A person lets both arms down, sideways or forwards.",
        reverse="raising both arms",
    ),
}
