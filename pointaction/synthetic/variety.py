"""How widely performances differ, and what stays the same for the same actor and place."""

from dataclasses import dataclass

from torch import Generator, Tensor

from pointaction.synthetic.score import Draw


@dataclass(frozen=True, kw_only=True)
class Variety:
    """How widely performances differ. Ranges are (low, high); lengths as on the stage."""

    start: float = 0.28  # latest start, as a share of the clip
    end: float = 0.67  # earliest end
    pause: float = 0.24  # longest pause, as a share of the action
    size: tuple[float, float] = (0.68, 1.4)
    figure: tuple[float, float] = (0.45, 1.02)  # height of a figure
    stretch: float = 0.24  # of a hand's and a thing's ways in x against y
    place: float = 0.18  # off the picture's middle
    roll: float = 0.29  # radians that the action leans in the picture's plane
    orbit: tuple[float, float] = (0.45, 0.28)  # radians of the viewpoint: sideways, from above
    tremor: float = 0.0095
    focal: tuple[float, float] = (0.7, 1.85)
    sway: float = 1.2  # of the camera: 1 is a hand-held one, or one on a head
    solids: float = 0.6  # how likely each thing is that has nothing to do with the action
    enter: float = 0.4  # how often a hand comes into the picture and leaves it


TRAINING = Variety()
WIDE = Variety(
    start=0.32,
    end=0.62,
    pause=0.28,
    size=(0.6, 1.5),
    figure=(0.4, 1.1),
    stretch=0.28,
    place=0.2,
    roll=0.32,
    orbit=(0.5, 0.32),
    tremor=0.011,
    focal=(0.65, 2.0),
    sway=1.4,
    solids=0.7,
)
"""Beyond what training shows, to see how far a model carries."""


class Looks:
    """Chance that belongs to an identity: rows of the same identity get the same numbers."""

    def __init__(self, identity: Tensor, generator: Generator) -> None:
        people, self._who = identity.unique(return_inverse=True)
        self._draw = Draw(count=len(people), generator=generator)

    def uniform(self, low: float, high: float, *shape: int) -> Tensor:
        return self._draw.uniform(low, high, *shape)[self._who]
