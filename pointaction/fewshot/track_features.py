"""What matchers compare, from tracks: no picture needed.

Shapes:  B clips   N tracks   T frames   M moments   P * P cells   D width of the encoder   H heads
"""

from collections.abc import Collection
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import normalize

from pointaction.fewshot.features import Features, Part
from pointaction.models.traction import TrackEncoder, relative_motion
from pointaction.models.trokens import Trokens, frame_vectors, on_clock
from pointaction.pipeline import inputs
from pointaction.tokens.grid import pool_on_grid
from pointaction.tokens.hod import oriented_displacements
from pointaction.tracks import Tracks

MOMENTS = 8  # per clip, as the papers have frames
PATCH_WIDTH = 38  # channels of `motion_patches`
TRACKS = 96  # of a clip that are kept as they are; Trokens was trained on 32 and 48
ALL: tuple[Part, ...] = ("clip", "frames", "points", "patches", "motion")
"""`clip` is always there; the others only where they are asked for."""


@dataclass(frozen=True, slots=True)
class Description:
    """A clip as matchers compare it, and where the encoder looked."""

    features: Features
    attention: Tensor  # (H, N), each row sums to 1


def describe(encoder: TrackEncoder, tracks: Tracks, parts: Collection[Part] = ALL) -> Features:
    """What TrAction's encoder makes of a clip's tracks; only what is asked for takes time."""
    return look(encoder, tracks, parts).features


def look(encoder: TrackEncoder, tracks: Tracks, parts: Collection[Part] = ALL) -> Description:
    """As `describe`, with the attention of each head."""
    geometry, visible = inputs(tracks, encoder.config.frames)
    with torch.inference_mode():
        encoded = encoder(geometry, visible)
        features = Features(
            clip=encoded.cls[0] - encoder.middle,
            frames=embed_moments(encoder, geometry, visible)[0] if "frames" in parts else None,
            points=encoded.tracks[0] if "points" in parts else None,
            patches=motion_patches(geometry, visible)[0] if "patches" in parts else None,
            motion=some_tracks(geometry, visible)[0] if "motion" in parts else None,
        )
    return Description(features, encoded.attention[0])


def describe_by_trokens(model: Trokens, tracks: Tracks, *, frames: int = 32) -> Features:
    """What Trokens, of motion alone, makes of a clip's tracks.

    `frames` are those of the clock on which it was trained; it looks at some of them.
    """
    geometry, visible = inputs(tracks, frames)
    with torch.inference_mode():
        encoded = model(*on_clock(geometry, visible, model.config.frames))
        return Features(
            clip=encoded.cls[0],
            frames=frame_vectors(encoded)[0],
            points=normalize(encoded.points[0].mean(1), dim=-1),
            patches=motion_patches(geometry, visible)[0],
        )


def some_tracks(geometry: Tensor, visible: Tensor, *, count: int = TRACKS) -> Tensor:
    """Every so many tracks as (B, count, T, 3): x and y in units of the longer side, 1 where seen.

    geometry (B, N, T, 3) and visible (B, N, T) as TrAction takes them. Of fewer some come again.
    """
    rows = torch.linspace(0, geometry.shape[1] - 1, count).round().long()
    seen = visible[:, rows, :, None].to(geometry.dtype)
    return torch.cat([geometry[:, rows, :, :2], seen], -1)


def embed_moments(
    encoder: TrackEncoder,
    geometry: Tensor,
    visible: Tensor,
    present: Tensor | None = None,
    *,
    moments: int = MOMENTS,
    share: float = 0.5,
) -> Tensor:
    """What happens around each moment, (B, M, D): windows of the clip, embedded as clips are.

    geometry (B, N, T, 3), visible (B, N, T) and present (B, N) as the encoder takes them. Its
    tokens are whole tracks, so there is none for a moment; instead windows, each `share` of the
    clip, evenly from its beginning to its end, are stretched to its T frames.
    """
    frames = geometry.shape[2]
    span = (frames - 1) * share
    begin = torch.linspace(0, frames - 1 - span, moments, device=geometry.device)
    when = begin[:, None] + torch.linspace(0, span, frames, device=geometry.device)  # (M, T)
    before = when.floor().long().clamp(max=frames - 2)
    part = (when - before)[..., None]
    moved = torch.lerp(geometry[:, :, before], geometry[:, :, before + 1], part)
    seen = visible[:, :, when.round().long()]
    moved, seen = (each.transpose(1, 2).flatten(0, 1) for each in (moved, seen))
    if present is not None:
        present = present.repeat_interleave(moments, 0)
    windows = encoder.embed(moved, seen, present)  # of (B * M, N, T, ...)
    return windows.unflatten(0, (-1, moments))


def motion_patches(
    geometry: Tensor, visible: Tensor, *, moments: int = MOMENTS, cells: int = 4
) -> Tensor:
    """How tracks move in each cell of a grid around each moment, (B, M, P * P, 38).

    In the place of an appearance backbone's maps for STRM. geometry (B, N, T, 3) and visible
    (B, N, T) as TrAction takes them. The grid is laid over where the clip's points are ever seen. A
    cell tells the mean of its tracks' oriented displacements against the picture (32 bins), of
    their step and way against it (4), of their depth against their own mean (1), and its share of
    all tracks, 1 being the mean over cells (1).
    """
    xy = geometry[..., :2]
    motion = relative_motion(xy, visible).tracks
    turned = oriented_displacements(motion[..., :2].cumsum(2))
    depth = geometry[..., 2:] - geometry[..., 2:].mean(2, keepdim=True)
    told = torch.cat([turned, motion, depth], -1)
    hidden = ~visible[..., None]
    low = xy.masked_fill(hidden, torch.inf).amin((1, 2), keepdim=True)
    high = xy.masked_fill(hidden, -torch.inf).amax((1, 2), keepdim=True)
    # A hair more than there is, so that what is farthest right is still in the last cell.
    place = (xy - low) / (1.0001 * (high - low)).clamp(min=1e-6)
    maps, count = pool_on_grid(told, place, visible, moments=moments, cells=cells)
    share = count / count.mean(-1, keepdim=True).clamp(min=1e-6)
    return torch.cat([maps, share[..., None]], -1)
