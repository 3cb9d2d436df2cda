"""The five augmentations of TrAction's appendix B, on whole batches of tracks.

Each keeps what the label means: everything moves together, or hardly at all.

Shapes:  B clips   N tracks   T frames; xy in units of the longer side
"""

from dataclasses import dataclass

import torch
from torch import Generator, Tensor


@dataclass(frozen=True, kw_only=True)
class Augmentation:
    """The paper names the augmentations and leaves their ranges open; these are ours."""

    translation: float = 0.1  # of the longer side, either way
    rotation: float = 0.17  # radians, either way
    shift: int = 3  # frames, either way
    jitter: float = 0.001  # standard deviation per frame and coordinate
    crop: float = 0.7  # smallest side of the cropped region; 1 leaves the picture whole


@dataclass(frozen=True, kw_only=True)
class TrackBatch:
    xy: Tensor  # (B, N, T, 2)
    visible: Tensor  # (B, N, T) bool
    present: Tensor  # (B, N) bool, False for tracks that a crop has discarded
    depth: Tensor | None = None  # (B, N, T), where there was one


def augment(
    xy: Tensor,
    visible: Tensor,
    augmentation: Augmentation,
    *,
    generator: Generator,
    depth: Tensor | None = None,
) -> TrackBatch:
    """Crop, shift in time, rotate, translate and jitter xy (B, N, T, 2), visible (B, N, T).

    A depth (B, N, T) is shifted in time along with them.
    """
    batch = len(xy)
    xy, present = crop(xy, _uniform(augmentation.crop, 1.0, batch, 1, generator)[:, 0], generator)
    amount = torch.randint(
        -augmentation.shift, augmentation.shift + 1, (batch,), generator=generator
    )
    if depth is not None:
        depth, _ = shift_in_time(depth, visible, amount)
    xy, visible = shift_in_time(xy, visible, amount)
    xy = rotate(xy, _uniform(-augmentation.rotation, augmentation.rotation, batch, 1, generator))
    way = _uniform(-augmentation.translation, augmentation.translation, batch, 2, generator)
    noise = torch.randn(xy.shape, generator=generator) * augmentation.jitter
    xy = xy + way[:, None, None] + noise
    seen = visible & present[..., None]
    return TrackBatch(xy=xy, visible=seen, present=present, depth=depth)


def crop(xy: Tensor, side: Tensor, generator: Generator) -> tuple[Tensor, Tensor]:
    """Keep the tracks whose middle lies in a random square window; `side` (B,) is its width.

    What is kept moves so that the window's middle becomes the picture's. At least one track
    always stays.
    """
    corner = torch.rand(len(xy), 1, 2, generator=generator) * (1 - side[:, None, None])
    middle = xy.mean(2)  # (B, N, 2)
    window = side[:, None, None]
    present = ((middle >= corner) & (middle <= corner + window)).all(-1) | (window == 1)[..., 0]
    present[:, 0] |= ~present.any(1)
    return xy - (corner + window / 2 - 0.5)[:, :, None], present


def shift_in_time(xy: Tensor, visible: Tensor, frames: Tensor) -> tuple[Tensor, Tensor]:
    """Shift xy (B, N, T, ...) by `frames` (B,); emptied frames repeat the nearest place, unseen."""
    count = xy.shape[2]
    source = torch.arange(count)[None] - frames[:, None]  # (B, T)
    inside = (source >= 0) & (source < count)
    source = source.clamp(0, count - 1)
    rows = torch.arange(len(xy))[:, None]
    moved = xy.transpose(1, 2)[rows, source].transpose(1, 2)
    seen = visible.transpose(1, 2)[rows, source].transpose(1, 2)
    return moved, seen & inside[:, None]


def rotate(xy: Tensor, angle: Tensor) -> Tensor:
    """Turn about the picture's middle by angle (B, 1) radians, clockwise on the screen."""
    cos, sin = angle.cos()[..., None], angle.sin()[..., None]
    x, y = (xy - 0.5).unbind(-1)
    return torch.stack([x * cos - y * sin, x * sin + y * cos], -1) + 0.5


def _uniform(low: float, high: float, batch: int, columns: int, generator: Generator) -> Tensor:
    return low + (high - low) * torch.rand(batch, columns, generator=generator)
