"""What a real tracker makes of exact tracks.

The model follows pyramidal Lucas-Kanade, our default: a point is tracked forward and backward
from where it was chosen, is lost for good in that direction when it is hidden or leaves the
picture, and keeps its last place from then on. Beside that it drifts, trembles, gives up on weak
texture, and now and then sticks to what covers it without noticing.

Shapes:  B clips   N points   T frames
"""

from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from pointaction.synthetic.scenes import ExactTracks


@dataclass(frozen=True, kw_only=True)
class TrackerNoise:
    """How badly it tracks; lengths are in units of the picture's longer side."""

    jitter: float = 0.001  # up to this much per frame, drawn per clip
    drift: float = 0.0008  # random walk per frame, likewise
    weak: float = 0.8  # up to this share of the points has little texture, drawn per clip
    weak_life: tuple[float, float] = (2.0, 30.0)  # frames that such a point lives, likewise
    sticking: float = 0.15  # share of the lost points that do not notice


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

    share = noise.weak * torch.rand(batch, 1, 1, generator=generator)
    weak = torch.rand(batch, points, 1, generator=generator) < share
    shortest, longest = noise.weak_life
    life = shortest * (longest / shortest) ** torch.rand(batch, 1, 1, generator=generator)
    gives_up = torch.rand(batch, points, frames, generator=generator) < 1 / life
    fails = (~tracks.visible | (weak & gives_up)) & (time != start)

    # The first failure on either side of the start ends the track on that side.
    last = torch.where(fails & (time > start), time, frames).amin(-1, keepdim=True) - 1
    first = torch.where(fails & (time < start), time, -1).amax(-1, keepdim=True) + 1
    alive = (time >= first) & (time <= last)
    held = time.clamp(min=first, max=last)
    xy = tracks.xy.gather(2, held[..., None].expand(-1, -1, -1, 2))

    amount = torch.rand(batch, 2, 1, 1, 1, generator=generator).unbind(1)
    tremble = torch.randn(batch, points, frames, 2, generator=generator)
    walk = torch.randn(batch, points, frames, 2, generator=generator).cumsum(2)
    walk = walk - walk.gather(2, start[..., None].expand(-1, -1, -1, 2))
    error = amount[0] * noise.jitter * tremble + amount[1] * noise.drift * walk
    xy = xy + error.gather(2, held[..., None].expand(-1, -1, -1, 2))

    sticks = torch.rand(batch, points, 1, generator=generator) < noise.sticking
    return NoisyTracks(xy=xy, visible=alive | sticks)
