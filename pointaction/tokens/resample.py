"""Tracks of any length on the model's own clock.

Shapes:  N tracks   T frames of the file   F frames of the model
"""

from dataclasses import replace

import numpy as np

from pointaction.tracks import Tracks


def resample(tracks: Tracks, frames: int) -> Tracks:
    """Tracks at `frames` times, uniform from first to last (TrAction, appendix E: interpolated).

    Positions and depth are interpolated linearly, visibility and confidence taken from the
    nearest frame. Tracks that are on this clock already come back as they are.
    """
    times = np.linspace(tracks.times[0], tracks.times[-1], frames)
    if len(tracks.times) == frames and np.allclose(times, tracks.times, rtol=0, atol=1e-4):
        return tracks
    position = np.interp(times, tracks.times, np.arange(len(tracks.times)))
    before = np.floor(position).astype(int).clip(0, len(tracks.times) - 2)
    share = (position - before).astype(np.float32)
    nearest = np.where(share < 0.5, before, before + 1)
    xy = tracks.xy[:, before] * (1 - share)[:, None] + tracks.xy[:, before + 1] * share[:, None]
    depth = tracks.depth
    if depth is not None:
        depth = depth[:, before] * (1 - share) + depth[:, before + 1] * share
    query = tracks.query.copy()
    query[:, 0] = np.interp(query[:, 0], position, np.arange(frames))
    return replace(
        tracks,
        xy=xy,
        visible=tracks.visible[:, nearest],
        confidence=tracks.confidence[:, nearest],
        depth=depth,
        query=query,
        times=times,
    )
