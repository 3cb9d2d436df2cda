"""Batches of drawn clips, each seen in another way every time.

Where a motion has a name when it is played backwards or mirrored, half of its clips are, and take
that name. All are cut out somewhere, and lighter or darker.

Shapes:  B clips   T frames   H, W pixels   h, w cells of motion   C channels
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Generator, Tensor
from torch.utils.data import Dataset

from pointaction.models.symmetry import UNNAMED, Symmetry
from pointaction.synthetic.vocabulary import VOCABULARY, mirrored, reversed_name
from pointaction.training.reels import Reels

_SEED = 3_000_000_000  # far from those of motion, films, looks, reels and tests


@dataclass(frozen=True, kw_only=True)
class Shots:
    """A batch, or the whole of some clips."""

    clip: Tensor  # (B, 3, T, H, W) RGB in 0..1
    motion: Tensor  # (B, 4, T, h, w) in pixels of the clip, see `motion.MotionSource`
    label: Tensor  # (B,)

    def to(self, device: torch.device) -> "Shots":
        return Shots(
            clip=self.clip.to(device),
            motion=self.motion.to(device),
            label=self.label.to(device),
        )


@dataclass(frozen=True, kw_only=True)
class Cutting:
    """How clips are varied."""

    cells: int = 28  # of motion, a side of the square that is cut out
    exposure: float = 0.25  # at most so much lighter or darker


class ReelBatches(Dataset[Shots]):
    """`batches[number]` for number in 0, 1, 2, ...: always the same of a seed, in any order."""

    def __init__(self, reels: Reels, cutting: Cutting, *, batch: int, seed: int) -> None:
        self.reels = reels
        self.cutting = cutting
        self.batch = min(batch, len(reels))
        self.seed = seed
        self.symmetry = symmetry_of(reels.labels)

    def __getitem__(self, number: int) -> Shots:
        generator = Generator().manual_seed(_SEED + self.seed * 1_000_003 + number)
        rows = torch.randperm(len(self.reels), generator=generator)[: self.batch]
        seen = [self._seen(row, generator) for row in rows.tolist()]
        clips, motions, labels = zip(*seen, strict=True)
        return Shots(
            clip=torch.stack(clips), motion=torch.stack(motions), label=torch.tensor(labels)
        )

    def _seen(self, row: int, generator: Generator) -> tuple[Tensor, Tensor, int]:
        """One clip (3, T, H, W), its motion (4, T, h, w) and its label."""
        reels, cutting = self.reels, self.cutting
        clip = reels.frames[row].permute(3, 0, 1, 2)
        motion, label = reels.motion[row].float(), int(reels.label[row])
        backwards, mirror, light, down, across = torch.rand(5, generator=generator).tolist()
        if backwards < 0.5 and self.symmetry.reverse[label] != UNNAMED:
            clip, motion = in_reverse(clip, motion)
            label = self.symmetry.reverse[label]
        if mirror < 0.5 and self.symmetry.mirror[label] != UNNAMED:
            clip, motion = in_a_mirror(clip, motion)
            label = self.symmetry.mirror[label]
        clip, motion = cut(clip, motion, cutting.cells, (down, across))
        lit = clip / 255 * (1 + cutting.exposure * (2 * light - 1))
        return lit.clamp(max=1), motion, label


def symmetry_of(labels: Sequence[str]) -> Symmetry:
    """What becomes of labels, as far as they are those of the vocabulary."""

    def numbers(names: Sequence[str | None]) -> tuple[int, ...]:
        return tuple(labels.index(name) if name in labels else UNNAMED for name in names)

    return Symmetry(
        reverse=numbers([reversed_name(name) if name in VOCABULARY else None for name in labels]),
        mirror=numbers([mirrored(name) if name in VOCABULARY else None for name in labels]),
    )


def in_reverse(clip: Tensor, motion: Tensor) -> tuple[Tensor, Tensor]:
    """A clip (C, T, H, W) and its motion (4, T, h, w), played backwards."""
    ahead, behind = motion.chunk(2)
    return clip.flip(1), torch.cat([behind, ahead]).flip(1)


def in_a_mirror(clip: Tensor, motion: Tensor) -> tuple[Tensor, Tensor]:
    """Likewise, left and right exchanged."""
    sign = motion.new_tensor([-1, 1, -1, 1]).view(4, 1, 1, 1)
    return clip.flip(3), motion.flip(3) * sign


def cut(
    clip: Tensor, motion: Tensor, cells: int, place: tuple[float, float]
) -> tuple[Tensor, Tensor]:
    """A square of so many cells of motion a side, and its pixels.

    place: how far down and to the right, 0 to 1, of where it may be.
    """
    height, width = motion.shape[2:]
    pixels = clip.shape[2] // height  # of a cell
    cells = min(cells, height, width)
    top, left = int(place[0] * (height - cells + 1)), int(place[1] * (width - cells + 1))
    rows, columns = slice(top, top + cells), slice(left, left + cells)
    seen = [slice(part.start * pixels, part.stop * pixels) for part in (rows, columns)]
    return clip[:, :, seen[0], seen[1]], motion[:, :, rows, columns]


def whole(reels: Reels, rows: slice) -> Shots:
    """Some clips as they were drawn."""
    return Shots(
        clip=reels.frames[rows].permute(0, 4, 1, 2, 3) / 255,
        motion=reels.motion[rows].float(),
        label=reels.label[rows],
    )
