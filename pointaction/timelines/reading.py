"""The frames of a long video in their order, decoded once, in a confined process.

`decode` gives the frames of a piece together. Here `reading` goes through a whole file, or from any
frame on, with as little of it in memory, and waits where nobody takes its frames. What `survey` of
`video.decode` has found of its packets spares it to read them all first.

Shapes:  T frames   H, W pixels
"""

import atexit
import json
import math
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from io import FileIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pointaction.errors import DecoderFailure, PointActionError
from pointaction.timelines.reading_child import HEAD_BYTES
from pointaction.video.cut import LONG
from pointaction.video.decode import container_of
from pointaction.video.limits import LONGEST_SIDE, DecodeLimits
from pointaction.video.sandbox import Sandbox
from pointaction.video.stamps import Stamps

_CHILD = ("-m", "pointaction.timelines.reading_child")
_WEEK_S = 7 * 86_400.0  # reading waits for whoever looks at the frames; only computing is limited
_LAST_WORD_S = 5.0
_idle: list[Sandbox] = []  # helpers between two videos; each costs 0.3 s to start


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which frames of a video, and how large."""

    frames: int  # T, evenly from the first frame of the file to `end_s`
    end_s: float
    short_side: int  # pixels, as for `decode`
    enlarge: bool = True
    since: int = 0  # the first of the T that is wanted
    stamps: Stamps | None = None  # of the same file; None: its packets are read first


@contextmanager
def reading(
    path: Path, wanted: Wanted, limits: DecodeLimits = LONG
) -> Iterator[Iterator[NDArray[np.uint8]]]:
    """The T frames (H, W, 3) RGB of a video file, one by one; to be left when enough are seen.

    From frame `since` on they are those that a reading from the first one gives. Raises, here or at
    any frame, what `decode` does, save that decoding may take as long as the video lasts, twice.
    """
    with path.open("rb", buffering=0) as clip:
        container = container_of(clip, limits)
        clip.seek(0)
        sandbox = _idle.pop() if _idle else Sandbox(_CHILD)
        sandbox.start()
        out, into = os.pipe()
        cpu_s = limits.cpu_s + math.ceil(2 * wanted.end_s)
        limits = replace(limits, cpu_s=cpu_s, wall_s=_WEEK_S)
        talk = _Talk(sandbox, clip, into, container, wanted, limits)
        # Whoever leaves without closing: the helper ends at once when nobody can read any more.
        # Registered after the sandbox's own, so that this one comes first.
        frames = FileIO(out)
        atexit.register(frames.close)
        try:
            talk.start()
            yield _frames(frames, talk, wanted)
        finally:
            atexit.unregister(frames.close)
            frames.close()
            talk.end()
            _idle.append(sandbox)


class _Talk(threading.Thread):
    """Waits for the helper's last word while others read its frames."""

    def __init__(
        self,
        sandbox: Sandbox,
        clip: FileIO,
        into: int,
        container: str,
        wanted: Wanted,
        limits: DecodeLimits,
    ) -> None:
        super().__init__(daemon=True)
        self.sandbox = sandbox
        self.clip = clip
        self.into = into
        self.request: dict[str, Any] = {
            "container": container,
            "frames": wanted.frames,
            "end": wanted.end_s,
            "short_side": wanted.short_side,
            "enlarge": wanted.enlarge,
            "since": wanted.since,
            "stamps": wanted.stamps and asdict(wanted.stamps),
            "frames_bytes": 0,  # in files: it writes to a pipe alone
        }
        self.limits = limits
        self.problem: PointActionError | None = None

    def run(self) -> None:
        try:
            with FileIO(self.into, "w") as into:  # the last of our ends: then reading comes to one
                self.sandbox.run(self.clip, into, self.request, self.limits)
        except PointActionError as problem:
            self.problem = problem

    def end(self) -> None:
        """Wait for the last word. A helper that nobody reads from ends at its next frame; one that
        comes to none is killed, and so is the one that the sandbox then starts in its place.
        """
        self.join(_LAST_WORD_S)
        while self.is_alive():
            if pid := self.sandbox.pid:
                with suppress(ProcessLookupError):
                    os.killpg(pid, signal.SIGKILL)
            self.join(0.1)


def _frames(pipe: FileIO, talk: _Talk, wanted: Wanted) -> Iterator[NDArray[np.uint8]]:
    shape: tuple[int, int] | None = None
    for number in range(wanted.since, wanted.frames):
        head = bytearray(HEAD_BYTES)
        _fill(memoryview(head), pipe, talk)
        size = _size(bytes(head), number, wanted.short_side)
        shape = shape or size
        if size != shape:
            raise DecoderFailure(f"the decoder sent frames of {shape} and of {size} pixels")
        frame = np.empty((*shape, 3), np.uint8)
        _fill(memoryview(frame.data).cast("B"), pipe, talk)
        if number == wanted.frames - 1:
            _expect_end(pipe, talk)  # how much was damaged is known at the end
        yield frame


def _fill(room: memoryview, pipe: FileIO, talk: _Talk) -> None:
    """Read until there is no more room; raises what ended the helper where it ends before."""
    while room:
        got = pipe.readinto(room)
        if not got:
            talk.join()
            raise talk.problem or DecoderFailure("the decoder sent fewer frames than it was asked")
        room = room[got:]


def _expect_end(pipe: FileIO, talk: _Talk) -> None:
    """Raise what ended the helper, if that was no good end."""
    if pipe.read(1):
        raise DecoderFailure("the decoder sent more frames than it was asked for")
    talk.join()
    if talk.problem:
        raise talk.problem


def _size(head: bytes, number: int, short_side: int) -> tuple[int, int]:
    """Height and width of a frame, as far as it can be true: a decoder may have been taken over.

    The number tells a decoder that had to begin anew in the middle.
    """
    with suppress(ValueError, TypeError):
        told, height, width = (int(part) for part in json.loads(head))
        if told == number and height > 0 < width and height * width <= LONGEST_SIDE * short_side**2:
            return height, width
    raise DecoderFailure(f"what the decoder says of frame {number} cannot be true: {head!r}")
