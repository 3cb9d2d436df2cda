"""Endless batches of pictures: a few identities, each in several performances.

What is drawn of an identity differs in what is done and from where it is seen; what stays are its
body, room, things, and all their colours and textures.

Shapes:  K identities   V views of each   B = K * V pictures
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Generator, Tensor
from torch.utils.data import Dataset

from pointaction.models.dinov2 import DEVIATION, MEAN
from pointaction.synthetic.render import render
from pointaction.synthetic.stage import sample_scenes
from pointaction.synthetic.vocabulary import LABELS

_SEED = 4_000_000_000  # far from those of motion, films and tests
_MOMENTS = 8  # of a performance, of which one is drawn


@dataclass(frozen=True, kw_only=True)
class Pictures:
    """A batch."""

    pictures: Tensor  # (B, 3, h, w) with ImageNet's mean and deviation taken out
    identity: Tensor  # (B,) who and where: 0 to K - 1

    def to(self, device: torch.device) -> "Pictures":
        return Pictures(pictures=self.pictures.to(device), identity=self.identity.to(device))


@dataclass(frozen=True, kw_only=True)
class Album:
    """What a batch is made of."""

    identities: int = 16
    views: int = 4  # of each, from different performances
    drawn: int = 160  # pixels of a frame's longer side
    sides: tuple[int, ...] = (112, 98, 126)  # of the square that is seen; batches take turns
    window: float = 0.6  # the least share of width and of height that is seen
    exposure: float = 0.25  # at most so much lighter or darker


class LooksBatches(Dataset[Pictures]):
    """`batches[number]` for number in 0, 1, 2, ...: always the same of a seed, in any order."""

    def __init__(self, album: Album, *, seed: int) -> None:
        self.album = album
        self.seed = seed

    def __getitem__(self, number: int) -> Pictures:
        album = self.album
        generator = Generator().manual_seed(_SEED + self.seed * 1_000_003 + number)
        identity = torch.arange(album.identities).repeat_interleave(album.views)
        label = torch.randint(len(LABELS), identity.shape, generator=generator)
        moment = torch.randint(_MOMENTS, identity.shape, generator=generator)
        scenes = sample_scenes(label, frames=_MOMENTS, generator=generator, identity=identity)
        side = album.sides[number % len(album.sides)]
        seen = []
        for row, time in enumerate(moment.tolist()):
            (frame,) = render(scenes, row, side=album.drawn, generator=generator, kept=[time])
            seen.append(_seen(frame, side, album, generator))
        values = torch.from_numpy(np.stack(seen)).permute(0, 3, 1, 2)
        mean, deviation = (torch.tensor(each).view(3, 1, 1) for each in (MEAN, DEVIATION))
        return Pictures(pictures=(values / 255 - mean) / deviation, identity=identity)


def _seen(
    frame: NDArray[np.uint8], side: int, album: Album, generator: Generator
) -> NDArray[np.float32]:
    """A part of the frame as a square (side, side, 3), perhaps mirrored, lighter or darker.

    Colours keep their hue: they are what tells identities apart.
    """
    import cv2

    share, place = torch.rand(2, 2, generator=generator).numpy()
    mirror, light = torch.rand(2, generator=generator).tolist()
    size = np.array(frame.shape[:2])
    extent = np.round(size * (album.window + (1 - album.window) * share)).astype(int)
    top, left = np.floor((size - extent + 1) * place).astype(int)
    window = frame[top : top + extent[0], left : left + extent[1]]
    square = cv2.resize(window, (side, side), interpolation=cv2.INTER_AREA).astype(np.float32)
    lit = square * np.float32(1 + album.exposure * (2 * light - 1))
    return np.ascontiguousarray((lit[:, ::-1] if mirror < 0.5 else lit).clip(0, 255))
