"""The stage: a score is performed, at some pace, by some body, somewhere, before some camera.

Shapes:  n performances   S samples of a score   T frames   P parts

Everything here is what does not matter to what an action is called.
"""

import torch
from torch import Generator, Tensor

from pointaction.synthetic.bodies import (
    BYSTANDER_PARTS,
    FIGURE_PARTS,
    HAND_PARTS,
    Build,
    FigurePose,
    HandPose,
    Posed,
    about_z,
    bystander,
    figure,
    hand,
    rotation,
)
from pointaction.synthetic.pace import at_pace
from pointaction.synthetic.scenery import ACTOR, FEW, room, solids
from pointaction.synthetic.scenes import PARTS, Scenes
from pointaction.synthetic.score import Cast, Draw, Score
from pointaction.synthetic.variety import TRAINING, Looks, Variety
from pointaction.synthetic.viewpoint import extents, viewpoint
from pointaction.synthetic.vocabulary import build

assert ACTOR + BYSTANDER_PARTS + 2 + FEW == PARTS


def sample_scenes(
    labels: Tensor,
    *,
    frames: int,
    generator: Generator,
    variety: Variety = TRAINING,
    identity: Tensor | None = None,
) -> Scenes:
    """A performance of each class in `labels` (B,), an index into the vocabulary's LABELS.

    Rows with the same number in `identity` (B,) share body, room, things at hand and textures.
    """
    return perform(
        build(labels, generator),
        frames=frames,
        generator=generator,
        variety=variety,
        identity=identity,
        label=labels,
    )


def perform(
    score: Score,
    *,
    frames: int,
    generator: Generator,
    variety: Variety = TRAINING,
    identity: Tensor | None = None,
    label: Tensor | None = None,
) -> Scenes:
    """Each row of `score` as a scene of its own; `label` (n,) goes along, else rows count up."""
    n = len(score)
    draw = Draw(count=n, generator=generator)
    looks = Looks(torch.arange(n) if identity is None else identity, generator)
    play = at_pace(score, frames, draw, variety)

    is_figure = (score.cast == Cast.FIGURE)[:, None]
    extent = extents(looks)
    scale = torch.where(is_figure, draw.uniform(*variety.figure, 1), draw.uniform(*variety.size, 1))
    # Narrow pictures are taken from farther away.
    scale = (scale * (0.4 + 0.8 * extent.amin(1, keepdim=True)).clamp(max=1))[..., None]
    physique = Build(
        thick=looks.uniform(0.8, 1.25),
        palm=looks.uniform(0.035, 0.09),
        head=looks.uniform(0.9, 1.15),
    )
    _vary_ways(play, draw, variety)
    cast, there = _embody(play, physique, draw, looks, variety)
    cast = _placed(cast, scale, extent, play, draw, variety)

    extras, extras_box, extras_there = solids(cast, there, play, draw, looks, variety)
    every = Posed.join([cast, extras])
    box = torch.cat([torch.zeros(n, ACTOR + BYSTANDER_PARTS, dtype=torch.bool), score.box], 1)
    camera = viewpoint(play, scale, draw, looks, variety)
    return Scenes(
        label=torch.arange(n) if label is None else label,
        extent=extent,
        centre=every.centre,
        turn=every.turn,
        half=every.half.clamp(min=2e-3),
        box=torch.cat([box, extras_box], 1),
        present=torch.cat([there, extras_there], 1),
        room=room(every, camera, play, looks),
        eye=camera.eye,
        rotation=camera.rotation,
        focal=camera.focal,
        looks=(looks.uniform(0, 1) * 2**31).long(),
    )


def _vary_ways(play: Score, draw: Draw, variety: Variety) -> None:
    """Ways of hands and things get other proportions; hands tremble, come in and leave."""
    # What is hinged, stacked or rolled must keep its proportions.
    loose = ((play.cast == Cast.HANDS) & ~play.things.any(1))[:, None]
    ratio = draw.column(-variety.stretch, variety.stretch) * loose
    aspect = torch.stack([ratio.exp(), (-ratio).exp(), torch.ones_like(ratio)], -1)[:, None]
    play.hand = play.hand * aspect

    time = torch.linspace(0, 1, play.facing.shape[1])[None, None, :, None]
    tremor = draw.wander(time, (0.7, 1.6, 3.7), 2, 1, 3, fall=0.5)
    tremor = tremor * variety.tremor * draw.uniform(0, 1, 1, 1, 1)
    # What is held trembles with the hand that holds it.
    near = (play.thing - play.hand[:, :1]).norm(dim=-1, keepdim=True) < 0.12
    holds = near & (play.cast == Cast.HANDS)[:, None, None, None]
    play.thing = play.thing + tremor[:, :1] * holds
    play.hand = play.hand + tremor


def _embody(
    play: Score, physique: Build, draw: Draw, looks: Looks, variety: Variety
) -> tuple[Posed, Tensor]:
    """Everyone and everything the score names, on the stage: parts and which of them are there."""
    n, frames = play.facing.shape
    actor = Posed(
        centre=torch.zeros(n, ACTOR, frames, 3),
        turn=torch.eye(3).repeat(n, ACTOR, frames, 1, 1),
        half=torch.full((n, ACTOR, frames, 3), 0.01),
    )
    there = torch.zeros(n, ACTOR, dtype=torch.bool)
    with_hands = (play.cast == Cast.HANDS).nonzero()[:, 0]
    poses, hands_there = _arms(play, draw, looks, variety)
    for side, pose in enumerate(poses):
        parts = slice(side * HAND_PARTS, (side + 1) * HAND_PARTS)
        arm = hand(pose.rows(with_hands), physique.rows(with_hands))
        _seat(actor, arm, with_hands, parts)
        there[with_hands, parts] = hands_there[with_hands, side, None]

    with_figure = (play.cast == Cast.FIGURE).nonzero()[:, 0]
    acting = play.rows(with_figure)
    body = FigurePose(
        hand=acting.hand,
        feet=acting.feet,
        body=acting.body,
        facing=acting.facing,
        lean=acting.lean,
        tip=acting.tip,
    )
    _seat(actor, figure(body, physique.rows(with_figure)), with_figure, slice(0, FIGURE_PARTS))
    there[with_figure, :FIGURE_PARTS] = True

    company, company_there = _company(play, physique, draw, variety)
    things = Posed(
        centre=play.thing,
        turn=rotation(play.turn),
        half=play.size[:, :, None] * play.stretch.exp(),
    )
    everyone = Posed.join([actor, company, things])
    there = torch.cat([there, company_there[:, None].expand(-1, BYSTANDER_PARTS), play.things], 1)
    return everyone, there


def _seat(whole: Posed, body: Posed, rows: Tensor, parts: slice) -> None:
    """Put the bodies of some rows where their parts are kept."""
    whole.centre[rows, parts] = body.centre
    whole.turn[rows, parts] = body.turn
    whole.half[rows, parts] = body.half


def _arms(play: Score, draw: Draw, looks: Looks, variety: Variety) -> tuple[list[HandPose], Tensor]:
    """Both arms of HANDS, whether or not they are used, and (n, 2) which are there."""
    there = play.hands.clone()
    # Now and then the other hand is about, with nothing to do.
    idle = (draw.uniform(0, 1) < 0.2 * variety.solids) & ~there[:, 1] & there[:, 0]
    rest = torch.stack(
        [draw.uniform(-0.45, 0.45), draw.uniform(0.25, 0.45), draw.uniform(-0.1, 0.15)], -1
    )
    other = torch.where(
        (there[:, 1])[:, None, None], play.hand[:, 1], play.hand[:, 1] + rest[:, None]
    )
    there[:, 1] |= idle
    hands = torch.stack([play.hand[:, 0], other], 1)

    # From where the arms come: mostly from below, with the elbow outside the picture.
    side = torch.where(looks.uniform(0, 1) < 0.65, 1.0, -1.0)
    sideways = looks.uniform(-0.3, 1.1) * side
    depth = torch.where(
        looks.uniform(0, 1) < 0.7, looks.uniform(-0.7, 0.1), looks.uniform(0.1, 0.6)
    )
    below = looks.uniform(0.35, 1.0)
    above = looks.uniform(0, 1) < 0.06
    height = torch.where(above, -below, below)
    follows = looks.uniform(0.15, 0.85)[:, None]
    turn_palm = looks.uniform(-1.2, 1.2)
    poses = []
    for number in range(2):
        mirror = 1.0 if number == 0 else -1.0
        anchor = torch.stack([mirror * sideways, height, depth], -1)[:, None]  # (n, 1, 3)
        palm = _with_entry(hands[:, number], anchor, play, draw, variety)
        middle = palm.mean(1, keepdim=True)
        # The far end goes along with the hand for a part of its way.
        arm = middle + anchor * 1.4 + follows[..., None] * (palm - middle)
        normal = torch.stack(
            [mirror * turn_palm.sin(), -0.5 * turn_palm.cos(), -turn_palm.cos().abs() - 0.1], -1
        )
        pose = HandPose(
            palm=palm,
            wrist=play.wrist[:, number] * torch.tensor([mirror, 1.0, 1.0]),
            grip=play.grip[:, number],
            pointing=play.pointing[:, number],
            arm=arm,
            normal=normal / normal.norm(dim=-1, keepdim=True),
            thumb=side * -mirror,
        )
        poses.append(pose)
    return poses, there


def _with_entry(palm: Tensor, anchor: Tensor, play: Score, draw: Draw, variety: Variety) -> Tensor:
    """A hand that gestures may come from its anchor before the action, and go back after it."""
    frames = palm.shape[1]
    free = ~play.things.any(1)[:, None]
    time = torch.linspace(0, 1, frames)[None]
    rest = (palm - palm[:, :1]).norm(dim=-1) < 0.02
    done = (palm - palm[:, -1:]).norm(dim=-1) < 0.02
    first = rest.to(palm.dtype).cumprod(1).sum(1, keepdim=True) / frames  # share of rest before
    last = 1 - done.flip(1).to(palm.dtype).cumprod(1).sum(1, keepdim=True) / frames
    comes = draw.chance(variety.enter) & free & (first > 0.08)
    goes = draw.chance(variety.enter) & free & (last < 0.92)
    away = torch.where(comes, 1 - (time / first.clamp(min=0.05)).clamp(0, 1), 0.0)
    away = away + torch.where(goes, ((time - last) / (1 - last).clamp(min=0.05)).clamp(0, 1), 0.0)
    return palm + away[..., None] * anchor * 0.9


def _company(play: Score, physique: Build, draw: Draw, variety: Variety) -> tuple[Posed, Tensor]:
    """The second figure of the score, or a passer-by in the background."""
    n, frames = play.facing.shape
    passes_by = draw.uniform(0, 1) < 0.25 * variety.solids
    time = torch.linspace(-0.5, 0.5, frames)[None]
    way = draw.column(-0.8, 0.8) * draw.chance(0.6)
    stroll = torch.stack(
        [
            draw.column(-0.7, 0.7) + way * time,
            draw.column(-0.1, 0.1).expand(-1, frames),
            draw.column(0.7, 1.6).expand(-1, frames),
        ],
        -1,
    )
    place = torch.where(play.company[:, None, None], play.other, stroll)
    step = place[:, -1] - place[:, 0]
    travels = step[:, [0, 2]].norm(dim=-1) > 0.05
    along = torch.atan2(-step[:, 0], -step[:, 2])
    facing = torch.where(travels, along, draw.uniform(-3.1, 3.1))
    body = bystander(place, facing[:, None].expand(-1, frames), physique)
    return body, play.company | passes_by


def _placed(
    cast: Posed, scale: Tensor, extent: Tensor, play: Score, draw: Draw, variety: Variety
) -> Posed:
    """From the stage to the world: leaning, larger or smaller, off the middle."""
    lean = draw.uniform(-variety.roll, variety.roll)
    lean = torch.where(play.upright | (play.cast == Cast.FIGURE), 0.2 * lean, lean)
    turn = about_z(lean)[:, None, None]  # (n, 1, 1, 3, 3)
    offset = draw.uniform(-variety.place, variety.place, 1, 1, 3)
    offset = offset * torch.nn.functional.pad(extent, (0, 1), value=1.0)[:, None, None]
    centre = (turn @ cast.centre[..., None])[..., 0] * scale[..., None] + offset
    return Posed(centre=centre, turn=turn @ cast.turn, half=cast.half * scale[..., None])
