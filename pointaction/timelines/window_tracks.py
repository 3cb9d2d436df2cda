"""A window's tracks, out of those of the piece that it shares with others.

Shapes:  N tracks   F frames of a window
"""

from dataclasses import replace

import numpy as np

from pointaction.tracks import Tracks


def window_tracks(tracks: Tracks, start: int, frames: int, *, count: int) -> Tracks:
    """`count` tracks as they are in `frames` frames from frame `start` on.

    Only those that are seen in there, which are no fewer than began in there: every so many of
    them, and if they are fewer some come again, so that all windows have as many.
    """
    part = slice(start, start + frames)
    seen = np.flatnonzero(tracks.visible[:, part].any(1))
    rows = seen if len(seen) else np.arange(len(tracks.xy))
    rows = rows[np.linspace(0, len(rows) - 1, count).round().astype(int)]
    return replace(
        tracks,
        xy=tracks.xy[rows, part],
        visible=tracks.visible[rows, part],
        confidence=tracks.confidence[rows, part],
        depth=None if tracks.depth is None else tracks.depth[rows, part],
        query=tracks.query[rows] - np.array([start, 0, 0], np.float32),
        times=tracks.times[part],
    )
