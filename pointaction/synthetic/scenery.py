"""What has nothing to do with the action: solids before and behind it, a table, a room.

Shapes:  n performances   T frames   P parts
"""

import torch
from torch import Tensor

from pointaction.synthetic.bodies import BYSTANDER_PARTS, FIGURE_PARTS, HAND_PARTS, Posed, rotation
from pointaction.synthetic.score import Cast, Draw, Score
from pointaction.synthetic.variety import Looks, Variety
from pointaction.synthetic.viewpoint import Viewpoint

ACTOR = 2 * HAND_PARTS  # parts of whoever acts; a figure leaves the last one unused
FEW = 7  # two solids that drift, one before the action, four behind


def solids(
    cast: Posed, there: Tensor, play: Score, draw: Draw, looks: Looks, variety: Variety
) -> tuple[Posed, Tensor, Tensor]:
    """Two solids that drift or stand, one before the action, four behind; or a table below."""
    n, frames = play.facing.shape
    time = torch.linspace(-0.5, 0.5, frames)[None, None, :, None]
    drift = draw.uniform(-0.25, 0.25, 2, 1, 3) * (draw.uniform(0, 1, 2, 1, 1) < 0.4)
    place = draw.uniform(-0.7, 0.7, 2, 1, 3) + torch.tensor([0.0, 0.0, 0.8])
    drifting = place + drift * time
    drift_half = looks.uniform(0.04, 0.14, 2, 1, 3)

    # Before the action, at a border of the picture, so that it hides little.
    edge = torch.where(looks.uniform(0, 1, 1) < 0.5, 1.0, -1.0)
    before = torch.stack(
        [
            edge * looks.uniform(0.35, 0.6, 1),
            looks.uniform(-0.3, 0.4, 1),
            looks.uniform(-0.5, -0.25, 1),
        ],
        -1,
    )[:, :, None]
    before_half = looks.uniform(0.03, 0.1, 1, 1, 3)
    behind = torch.stack(
        [looks.uniform(-1.3, 1.3, 4), looks.uniform(-0.7, 0.7, 4), looks.uniform(0.35, 2.2, 4)], -1
    )[:, :, None]
    behind_half = looks.uniform(0.06, 0.4, 4, 1, 3)

    # A table: its top at the lowest point that the things ever reach.
    things = slice(ACTOR + BYSTANDER_PARTS, ACTOR + BYSTANDER_PARTS + 2)
    below = (cast.turn[:, things, :, 1].abs() * cast.half[:, things]).sum(-1)
    low = (cast.centre[:, things, :, 1] + below).amax(2)
    low = torch.where(there[:, things], low, -9.0).amax(1)  # (n,)
    middle = cast.centre[:, things, 0].mean(1)
    thickness = looks.uniform(0.01, 0.3)
    table = torch.stack([middle[:, 0], low + thickness + 0.003, middle[:, 2]], -1)
    table_half = torch.stack([looks.uniform(0.3, 0.9), thickness, looks.uniform(0.2, 0.45)], -1)
    stands = (play.grounded & there[:, things].any(1))[:, None]
    behind[:, 0, 0] = torch.where(stands, table, behind[:, 0, 0])
    behind_half[:, 0, 0] = torch.where(stands, table_half, behind_half[:, 0, 0])

    def still(part: Tensor) -> Tensor:
        return part.expand(-1, -1, frames, -1)

    turn = rotation(looks.uniform(-0.6, 0.6, FEW, 3) * torch.tensor([1.0, 0.3, 0.3]))
    turn[:, 3] = torch.where(stands[..., None], torch.eye(3), turn[:, 3])
    posed = Posed(
        centre=torch.cat([drifting, still(before), still(behind)], 1),
        turn=turn[:, :, None].expand(-1, -1, frames, -1, -1),
        half=still(torch.cat([drift_half, before_half, behind_half], 1)),
    )
    likely = torch.tensor([0.4, 0.4, 0.4, 1.0, 1.0, 1.0, 1.0]) * variety.solids
    present = looks.uniform(0, 1, FEW) < likely
    present[:, 3] |= stands[:, 0]
    box = looks.uniform(0, 1, FEW) < 0.6
    box[:, 3] |= stands[:, 0]
    return posed, box, present


def room(every: Posed, camera: Viewpoint, play: Score, looks: Looks) -> Tensor:
    """(n, 2, 3): walls around everything there is, near or far."""
    reach = every.half.amax(-1, keepdim=True)
    low = torch.minimum((every.centre - reach).amin((1, 2)), camera.eye.amin(1))
    high = torch.maximum((every.centre + reach).amax((1, 2)), camera.eye.amax(1))
    near = torch.stack(
        [looks.uniform(0.3, 3.0), looks.uniform(0.3, 2.0), looks.uniform(1.0, 3.0)], -1
    )
    far = torch.stack(
        [looks.uniform(0.3, 3.0), looks.uniform(0.05, 1.2), looks.uniform(0.02, 3.0)], -1
    )
    # A figure stands on the floor.
    soles = (every.centre + reach)[:, :FIGURE_PARTS, :, 1].amax((1, 2))
    floor = torch.where(play.cast == Cast.FIGURE, soles, high[:, 1] + far[:, 1])
    walls = torch.stack([low - near, high + far], 1)
    walls[:, 1, 1] = torch.maximum(floor, camera.eye[..., 1].amax(1) + 0.05)
    return walls
