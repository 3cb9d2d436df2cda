"""What a real tracker makes of exact tracks.

The model follows pyramidal Lucas-Kanade, our default: a point is tracked forward and backward
from where it was chosen, is lost for good in that direction when it is hidden, leaves the picture,
moves too fast or lies on weak texture, and keeps its last place from then on. Beside that it
trembles and drifts, and when something covers it, it may go on with whatever is there without
noticing. The numbers are fitted to what Lucas-Kanade does to rendered clips, and spread so that
real clips lie within (docs/decisions/0009-noise-fit.md, benchmarks/tracker_noise.py).

Shapes:  B clips   N points   T frames
"""

from dataclasses import dataclass

import torch
from torch import Generator, Tensor
from torch.nn.functional import pad

from pointaction.synthetic.scenes import ExactTracks

_CLIPS_DIFFER, _POINTS_DIFFER = 0.6, 0.5  # in the logarithm of their jitter and drift
_LIVES_DIFFER = 1.0  # points of one clip, in the logarithm of how long they live
_STEEPNESS = 2.3  # of the loss of fast points
_GOES_ON = 0.35  # share of the points that follow on behind what covers them
_NEIGHBOURS = 2  # points of which the nearer takes along what has lost its own


@dataclass(frozen=True, kw_only=True)
class TrackerNoise:
    """How badly it tracks; lengths are in units of the picture's longer side."""

    jitter: float = 0.0008  # typical standard deviation; differs between clips and points
    drift: float = 0.00006  # per frame, away from where it should be, likewise
    weak: float = 1.0  # up to this share of the points has little texture, drawn per clip
    weak_life: tuple[float, float] = (1.5, 70.0)  # frames such points live, typical of a clip
    fast: tuple[float, float] = (0.055, 0.15)  # speed that loses 63 % of the points, per clip
    sticking: float = 0.95  # up to this share of the hidden points does not notice, per clip
    stuck_life: float = 25.0  # frames until it does
    slipping: float = 0.5  # up to this share slips to what is beside it at some time, per clip


@dataclass(frozen=True, kw_only=True)
class NoisyTracks:
    xy: Tensor  # (B, N, T, 2) units of the longer side
    visible: Tensor  # (B, N, T) bool


def track_imperfectly(
    tracks: ExactTracks, noise: TrackerNoise, *, generator: Generator
) -> NoisyTracks:
    """Exact tracks as a Lucas-Kanade tracker might have seen them."""
    batch, points, frames = tracks.visible.shape
    time = torch.arange(frames)
    start = tracks.frame[..., None]
    shape = (batch, points, 1)

    # A point that slips is as good as hidden, and does not notice.
    moment = torch.randint(frames, shape, generator=generator)
    slips = torch.rand(shape, generator=generator) < _share(noise.slipping, batch, generator)
    slipped = slips & (time == moment) & (time != start)
    sticks = torch.rand(shape, generator=generator) < _share(noise.sticking, batch, generator)
    stuck = torch.where(sticks & _inside(tracks), 1 / noise.stuck_life, 1.0)
    loses = torch.where(tracks.visible, _hazard(tracks, noise, generator), stuck)
    fails = torch.rand(batch, points, frames, generator=generator) < loses

    believed = _carried_off(tracks, *_until(~tracks.visible | slipped, start), generator)
    believed += _error(tracks, noise, generator)
    first, last = _until(fails, start)
    held = time.clamp(min=first, max=last)
    return NoisyTracks(
        xy=believed.gather(2, held[..., None].expand(-1, -1, -1, 2)), visible=held == time
    )


def _at(xy: Tensor, frame: Tensor) -> Tensor:
    """(B, N, 1, 2): places (B, N, T, 2) in the frames (B, N, 1)."""
    return xy.gather(2, frame[..., None].expand(-1, -1, 1, 2))


def _share(most: float, batch: int, generator: Generator) -> Tensor:
    """(B, 1, 1) between 0 and `most`."""
    return most * torch.rand(batch, 1, 1, generator=generator)


def _typical(low: float, high: float, batch: int, generator: Generator) -> Tensor:
    """(B, 1, 1) between two positive numbers, evenly in the logarithm."""
    return low * (high / low) ** torch.rand(batch, 1, 1, generator=generator)


def _until(ends: Tensor, start: Tensor) -> tuple[Tensor, Tensor]:
    """First and last frame (B, N, 1) about `start` before anything `ends` (B, N, T) a track."""
    frames = ends.shape[-1]
    time = torch.arange(frames)
    last = torch.where(ends & (time > start), time, frames).amin(-1, keepdim=True) - 1
    first = torch.where(ends & (time < start), time, -1).amax(-1, keepdim=True) + 1
    return first, last


def _inside(tracks: ExactTracks) -> Tensor:
    """(B, N, T) whether a place lies in the picture, which the chosen places fill."""
    extent = _at(tracks.xy, tracks.frame[..., None]).amax(1, keepdim=True)  # (B, 1, 1, 2)
    return ((tracks.xy >= 0) & (tracks.xy <= extent)).all(-1)


def _hazard(tracks: ExactTracks, noise: TrackerNoise, generator: Generator) -> Tensor:
    """(B, N, T) how likely the step to a frame, as seen from the start, loses a point."""
    batch, points, _ = tracks.visible.shape
    shape = (batch, points, 1)
    # Clips in which most points are weak are commoner than clips in which few are.
    share = noise.weak * torch.rand(batch, 1, 1, generator=generator).sqrt()
    weak = torch.rand(shape, generator=generator) < share
    spread = (_LIVES_DIFFER * torch.randn(shape, generator=generator)).exp()
    life = (_typical(*noise.weak_life, batch, generator) * spread).clamp(min=1)

    step = tracks.xy.diff(dim=2).norm(dim=-1)
    after = torch.arange(tracks.visible.shape[2]) > tracks.frame[..., None]
    speed = torch.where(after, pad(step, (1, 0)), pad(step, (0, 1)))
    too_fast = (speed / _typical(*noise.fast, batch, generator)) ** _STEEPNESS
    return 1 - (1 - weak / life) * (-too_fast).exp()


def _carried_off(tracks: ExactTracks, first: Tensor, last: Tensor, generator: Generator) -> Tensor:
    """Places (B, N, T, 2) if nobody notices that points are seen only from `first` to `last`.

    Some points go on as they did: they lie at an edge, and the edge goes on. The others
    move with the nearer of two other points.
    """
    batch, points, frames = tracks.visible.shape
    time = torch.arange(frames)
    moment = torch.where(last < frames - 1, last, first)
    rows = torch.arange(batch)[:, None, None]
    others = torch.randint(points, (batch, points, _NEIGHBOURS), generator=generator)
    away = (tracks.xy[rows, others, moment] - _at(tracks.xy, moment)).norm(dim=-1)  # (B, N, K)
    nearest = others.gather(2, away.argmin(-1, keepdim=True))
    other = tracks.xy[rows[..., 0], nearest[..., 0]]
    strays = torch.rand(batch, points, 1, 1, generator=generator) >= _GOES_ON
    apart = (other - tracks.xy).mul_(strays)
    held = time.clamp(min=first, max=last)[..., None].expand(-1, -1, -1, 2)
    return (apart - apart.gather(2, held)).add_(tracks.xy)


def _error(tracks: ExactTracks, noise: TrackerNoise, generator: Generator) -> Tensor:
    """(B, N, T, 2): trembling, and drifting from where each point was chosen."""
    batch, points, frames = tracks.visible.shape
    age = (torch.arange(frames) - tracks.frame[..., None])[..., None]
    clip = (_CLIPS_DIFFER * torch.randn(batch, 1, 1, 1, generator=generator)).exp()
    point = (_POINTS_DIFFER * torch.randn(batch, points, 1, 1, generator=generator)).exp()
    tremble = torch.randn(batch, points, frames, 2, generator=generator)
    way = torch.randn(batch, points, 1, 2, generator=generator) ** 3  # few points drift far
    scale = clip * point
    return tremble.mul_(noise.jitter * scale).add_(noise.drift * scale * way * age)
