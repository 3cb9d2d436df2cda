"""A long video piece by piece, each a clip that holds a few windows whole.

Shapes:  T frames of a piece
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from pointaction.clip import Clip, Source
from pointaction.timelines.windows import Windows


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    clip: Clip  # its times are those of the video
    windows: range  # which of the video's windows lie in it
    starts: tuple[int, ...]  # in which of its frames each of them begins


def per_piece(windows: Windows) -> int:
    """How many windows share a piece: those that make it about twice as long as one window.

    What is followed for pieces that overlap is followed twice, so pieces should be long; but the
    points of a piece are spread over its time, so in long ones fewer of them begin in any window.
    """
    return max(1, round(windows.frames / windows.step) + 1)


def piece_count(windows: Windows) -> int:
    return -(-windows.count // per_piece(windows))


def pieces(
    frames: Iterator[NDArray[np.uint8]],
    windows: Windows,
    *,
    sha256: str,
    source: Source,
    since: int = 0,
) -> Iterator[Piece]:
    """The pieces of a video from its frames (H, W, 3) on the windows' clock, in order.

    Together they hold every window once. Those of the next piece that begin before this one ends
    are in both; of the frames no more than one piece is held. `since` is a window that a piece
    begins with: its frames and those of the pieces before it are left out.
    """
    held: list[NDArray[np.uint8]] = []
    reached = since * windows.step  # frames that were taken
    together = per_piece(windows)
    if since % together:
        raise ValueError(f"pieces begin with every {together}th window, got {since}")
    for first in range(since, windows.count, together):
        inside = range(first, min(first + together, windows.count))
        begin = first * windows.step
        end = inside[-1] * windows.step + windows.frames
        held = held[len(held) - max(0, reached - begin) :]
        for _ in islice(frames, max(0, begin - reached)):
            pass  # between windows that do not touch
        held += islice(frames, end - max(begin, reached))
        reached = end
        yield Piece(
            clip=Clip(
                frames=np.stack(held),
                times=np.arange(begin, end, dtype=np.float64) * windows.every_s,
                # Points are chosen by it; each piece has its own.
                sha256=hashlib.sha256(f"{sha256}:{begin}".encode()).hexdigest(),
                source=source,
            ),
            windows=inside,
            starts=tuple(window * windows.step - begin for window in inside),
        )
