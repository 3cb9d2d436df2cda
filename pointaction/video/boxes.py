"""The one thing an mp4 says about itself that its demuxer keeps to itself: how long it is.

FFmpeg corrects a header that promises more than the sample tables hold, silently. We want to know
about it: a file whose header is wrong was cut off, or made to deceive.
"""

from io import RawIOBase

_MOST_BOXES = 1000  # side by side; fragmented files have many, and have them behind the header
_UNKNOWN = {(1 << 32) - 1, (1 << 64) - 1}


def movie_duration(file: RawIOBase) -> float | None:
    """Seconds that the movie header of an mp4 or mov claims; None if it claims nothing.

    Fragmented files claim nothing: their header is written before the recording ends.
    """
    movie = _find(file, 0, file.seek(0, 2), b"moov")
    if movie is None or _find(file, *movie, b"mvex"):
        return None
    header = _find(file, *movie, b"mvhd")
    if header is None:
        return None
    file.seek(header[0])
    body = _read(file, 32)
    if len(body) < 32:
        return None
    if body[0] == 1:  # version 1: 64-bit times
        scale, duration = int.from_bytes(body[20:24]), int.from_bytes(body[24:32])
    else:
        scale, duration = int.from_bytes(body[12:16]), int.from_bytes(body[16:20])
    if not scale or not duration or duration in _UNKNOWN:
        return None
    return duration / scale


def _find(file: RawIOBase, start: int, end: int, name: bytes) -> tuple[int, int] | None:
    """Where the contents of the first box of this name begin and end, between start and end."""
    for _ in range(_MOST_BOXES):
        file.seek(start)
        head = _read(file, 16)
        size, body = int.from_bytes(head[:4]), start + 8
        if size == 1:
            size, body = int.from_bytes(head[8:16]), start + 16
        elif size == 0:
            size = end - start
        if len(head) < 8 or size < body - start:
            return None
        if head[4:8] == name:
            return body, min(start + size, end)
        start += size
        if start >= end:
            return None
    return None


def _read(file: RawIOBase, count: int) -> bytes:
    return file.read(count) or b""
