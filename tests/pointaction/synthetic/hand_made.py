"""Worlds of one or two parts, whose pictures can be checked in one's head."""

import torch

from pointaction.synthetic.scenes import PARTS, Scenes

BOX = 22  # a part that may be a box
BALL = 0


def world(
    solids: dict[int, tuple[tuple[float, float, float], float]], *, frames: int = 1
) -> Scenes:
    """A square picture, focal length 1, the camera at z = -1; solids {part: (centre, half)}.

    Parts from BOX on are boxes. The room's walls are 3 away on every side.
    """
    centre, half = torch.zeros(1, PARTS, frames, 3), torch.full((1, PARTS, frames, 3), 0.01)
    present = torch.zeros(1, PARTS, dtype=torch.bool)
    for part, (place, size) in solids.items():
        centre[0, part], half[0, part] = torch.tensor(place), size
        present[0, part] = True
    return Scenes(
        label=torch.zeros(1, dtype=torch.long),
        extent=torch.ones(1, 2),
        centre=centre,
        turn=torch.eye(3).repeat(1, PARTS, frames, 1, 1),
        half=half,
        box=(torch.arange(PARTS) >= BOX)[None],
        present=present,
        room=torch.tensor([[[-3.0, -3.0, -3.0], [3.0, 3.0, 3.0]]]),
        eye=torch.tensor([0.0, 0.0, -1.0]).repeat(1, frames, 1),
        rotation=torch.eye(3).repeat(1, frames, 1, 1),
        focal=torch.ones(1, frames),
        looks=torch.zeros(1, dtype=torch.long),
    )
