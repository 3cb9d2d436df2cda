"""Which frames of a video file make the clip, where it is not 32 spread over the whole of it.

Lists of data sets name pieces of hours of video, and papers say how densely they looked.
"""

from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path

from pointaction.clip import Clip
from pointaction.models.digests import digest
from pointaction.stamp import Stamp, stamp
from pointaction.video.decode import DecodeLimits, decode, survey
from pointaction.video.stamps import Surveyed

FRAMES = 32
_MOST = 256  # frames of a clip that is taken whole
_FILES = 4096  # whose pieces may come in any order, and are not to be read whole for each
# For files of one's own, not for what strangers send: a kitchen filmed for hours.
LONG = DecodeLimits(max_duration_s=6 * 3600, max_file_bytes=1 << 36, cpu_s=300, wall_s=600)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """A piece of a file, and how densely it is looked at."""

    start: float | None = None  # seconds since the first frame; None: from the beginning
    end: float | None = None  # likewise; None: to the end
    every: bool = False  # every frame of the piece instead of 32
    stride: int | None = None  # frames of the file from one to the next at most; the middle is kept

    def __str__(self) -> str:
        """The cut in a word, empty for the whole."""
        piece = "" if self == WHOLE else f"-{self.start or 0}-{self.end or 'end'}"
        return piece + "-every" * self.every + (f"-by{self.stride}" if self.stride else "")


WHOLE = Cut()


def decode_cut(
    path: Path,
    cut: Cut,
    *,
    short_side: int = 256,
    enlarge: bool = True,
    sha256: str | None = None,
) -> Clip:
    """The clip that a cut of a file makes; sizes and errors as those of `decode`."""
    seen = partial(decode, path, short_side=short_side, enlarge=enlarge, sha256=sha256)
    if cut == WHOLE:
        return seen()
    known = glance(path)
    source = known.source
    rate = source.frames / source.duration_s
    start, end = cut.start or 0.0, min(cut.end or source.duration_s, source.duration_s - 1 / rate)
    frames = FRAMES
    if cut.every:
        frames = min(max(2, round((end - start) * rate) + 1), _MOST)
    if cut.stride:
        spare = max(0.0, end - start - (frames - 1) * cut.stride / rate)
        start, end = start + spare / 2, end - spare / 2
    # Hours of video are not to be read again for the digest of each piece.
    digested = sha256 or file_digest(path)
    return seen(frames=frames, start=start, end=end, limits=LONG, sha256=digested, known=known)


def glance(path: Path) -> Surveyed:
    """What a file holds, at the cost of its packets and a few frames, once for all its pieces."""
    return _glance(path, stamp(path))


def file_digest(path: Path) -> str:
    """The SHA-256 of a file's bytes."""
    return _digest(path, stamp(path))


@lru_cache(maxsize=_FILES)
def _glance(path: Path, stamp: Stamp) -> Surveyed:
    return survey(path, LONG)


@lru_cache(maxsize=_FILES)
def _digest(path: Path, stamp: Stamp) -> str:
    return digest(path)
