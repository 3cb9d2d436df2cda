"""Clips without end, no two of the same content, from a few that decode alike."""

import secrets
import struct
from collections.abc import Iterator
from itertools import cycle
from pathlib import Path

from pointaction.synthetic.sample import write_sample
from pointaction.synthetic.vocabulary import LABELS

# Seconds, frames and longer side of the procedural ones.
_KINDS = [(1.5, 24, 240), (3.0, 48, 320), (3.0, 90, 320), (6.0, 96, 480)]
_UNIQUE_BYTES = 16
_BOUNDARY = b"one-clip-and-no-more"


def mixed(folder: Path, *, real: Path | None, count: int = 12) -> list[Path]:
    """Procedural clips of several lengths and sizes and, of the mp4 files below `real`, as many."""
    paths = []
    for number in range(count):
        seconds, frames, side = _KINDS[number % len(_KINDS)]
        path = folder / f"{number}.mp4"
        label = LABELS[number * 7 % len(LABELS)]
        write_sample(label, path, seed=number, side=side, seconds=seconds, frames=frames)
        paths.append(path)
    found = sorted(real.rglob("*.mp4")) if real else []
    return paths + found[:: max(len(found) // count, 1)][:count]


def endless(paths: list[Path]) -> Iterator[bytes]:
    """The clips in turn, each time as a file that was never seen before."""
    contents = [path.read_bytes() for path in paths]
    for content in cycle(contents):
        yield distinct(content)


def distinct(mp4: bytes) -> bytes:
    """The same pictures under another SHA-256: a box that readers skip is at the end."""
    return mp4 + struct.pack(">I", 8 + _UNIQUE_BYTES) + b"free" + secrets.token_bytes(_UNIQUE_BYTES)


def request(mp4: bytes, *, wait_s: int, name: str = "") -> bytes:
    """POST /classify with the clip, whole, as it goes over the wire; a name is its idempotency key,
    under which a place in the queue is kept.
    """
    part = b'\r\nContent-Disposition: form-data; name="clip"; filename="clip.mp4"\r\n\r\n'
    body = b"--" + _BOUNDARY + part + mp4 + b"\r\n--" + _BOUNDARY + b"--\r\n"
    head = (
        "POST /classify HTTP/1.1\r\nHost: localhost\r\n"
        f"Content-Type: multipart/form-data; boundary={_BOUNDARY.decode()}\r\n"
        f"Content-Length: {len(body)}\r\nPrefer: wait={wait_s}\r\n"
    )
    if name:
        head += f"Idempotency-Key: {name}\r\n"
    head += "\r\n"
    return head.encode() + body
