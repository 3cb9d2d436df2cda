"""A file becomes a Clip: T frames, uniformly spaced in time."""

import hashlib
from dataclasses import asdict
from io import FileIO
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pointaction.clip import Clip, Source
from pointaction.errors import DecoderFailure, InputError, LimitExceeded, UnsupportedClip
from pointaction.tracks import MAX_FRAMES
from pointaction.video.container import HEAD_BYTES, NAMES, sniff
from pointaction.video.limits import LONGEST_SIDE, DecodeLimits
from pointaction.video.sandbox import Sandbox, frame_memory
from pointaction.video.stamps import Stamps, Surveyed

__all__ = ["DecodeLimits", "decode", "prepare", "survey"]

_MAX_SHORT_SIDE = 2160
_GLANCE_S = 0.1

_sandbox = Sandbox()  # costs nothing before the first clip


def prepare() -> None:
    """Start this process's decoder now, so that the first clip need not wait for it (0.3 s).

    To be called after a fork, not before: a decoder belongs to one process.
    """
    _sandbox.start()


def decode(
    path: Path,
    *,
    frames: int | None = 32,
    short_side: int = 256,
    enlarge: bool = True,
    start: float | None = None,
    end: float | None = None,
    limits: DecodeLimits | None = None,
    sha256: str | None = None,
    known: Surveyed | None = None,
    sandbox: Sandbox | None = None,
) -> Clip:
    """Decode a video file in a confined process.

    The clip has exactly T = `frames` frames. Their times are spaced evenly from the first frame
    of the file to its last, both included, and each is the frame nearest to its time; so a file
    with fewer than T frames repeats some. Frames are upright, have square pixels, even sides and
    a short side of `short_side` pixels, or of fewer where the file's have fewer and `enlarge` is
    False. With `frames` None there are as many as the file has. `sha256` is computed when it is not
    given.

    `start` and `end`, in seconds since the first frame, cut a piece out: the times are spaced from
    the one to the other, as far as the file goes, and the limits are still about the whole file.
    Whoever takes many pieces of a file gives what `survey` has told of it as `known`: all packets
    of the file are then not read again for each, save where its frames carry no time of their own.

    Raises, each with a stable `kind` and, where there is one, the limit and the value:

    UnsupportedClip  unsupported-clip, unsupported-codec, no-video-stream, undecodable
    LimitExceeded    file-too-large, frame-too-large, clip-too-long, frame-rate-too-high,
                     decoding-too-slow, decoding-needs-too-much-memory
    InputError       no-such-file, empty-file, too-few-frames, truncated-clip, forged-duration,
                     resolution-changed; unusable-input for a piece that is not there
    DecoderFailure   decoder-crashed, decoder-failed
    """
    limits = limits or DecodeLimits()
    if not (2 <= (frames or 2) <= MAX_FRAMES and 2 <= short_side <= _MAX_SHORT_SIDE):
        raise InputError(
            f"frames must be 2 to {MAX_FRAMES} and short_side 2 to {_MAX_SHORT_SIDE}, got "
            f"{frames} and {short_side}"
        )
    path = Path(path)
    if not path.is_file():
        raise InputError(f"there is no file {path.name!r}", kind="no-such-file")
    request: dict[str, Any] = {
        "frames": frames,
        "short_side": short_side,
        "enlarge": enlarge,
        "start": start,
        "end": end,
        "known": known and asdict(known),
        "frames_bytes": LONGEST_SIDE * short_side**2 * 3 * (frames or MAX_FRAMES),
    }
    seen = _seen(path, request, limits, sha256, sandbox or _sandbox)
    return Clip(
        frames=seen.frames, times=seen.times, sha256=seen.sha256, source=seen.surveyed.source
    )


def survey(path: Path, limits: DecodeLimits) -> Surveyed:
    """What a file holds, at the cost of its packets and a few frames. Raises what `decode` does."""
    request: dict[str, Any] = {
        "frames": 2,
        "short_side": 16,
        "enlarge": True,
        "start": None,
        "end": _GLANCE_S,
        "known": None,
        "frames_bytes": LONGEST_SIDE * 16**2 * 3 * 2,
    }
    return _seen(path, request, limits, "not asked for", _sandbox).surveyed


class _Seen(NamedTuple):
    frames: NDArray[np.uint8]  # (T, H, W, 3)
    times: NDArray[np.float64]  # (T,)
    sha256: str
    surveyed: Surveyed


def _seen(
    path: Path, request: dict[str, Any], limits: DecodeLimits, sha256: str | None, sandbox: Sandbox
) -> _Seen:
    """What the decoder makes of a file, as far as it can be believed."""
    with path.open("rb", buffering=0) as clip, frame_memory() as memory:
        request = {"container": container_of(clip, limits), **request}
        clip.seek(0)
        digest = sha256 or hashlib.file_digest(clip, "sha256").hexdigest()
        clip.seek(0)
        answer = sandbox.run(clip, memory, request, limits)
        shape, times, surveyed = _believable(answer, request)
        return _Seen(_collect(memory, shape), times, digest, surveyed)


def container_of(clip: FileIO, limits: DecodeLimits) -> str:
    """The container's name, if the file is one that is worth opening; errors as of `decode`."""
    size = clip.seek(0, 2)
    clip.seek(0)
    if size == 0:
        raise InputError("the file is empty", kind="empty-file", limit=1, value=0)
    if size > limits.max_file_bytes:
        raise LimitExceeded(
            f"the file has {size} bytes; at most {limits.max_file_bytes} are accepted",
            kind="file-too-large",
            limit=limits.max_file_bytes,
            value=size,
        )
    container = sniff(clip.read(HEAD_BYTES))
    if container is None:
        raise UnsupportedClip(
            f"this is not a video file in a container that is read here: {', '.join(NAMES)}"
        )
    return container


def _believable(
    answer: dict[str, Any], request: dict[str, Any]
) -> tuple[tuple[int, int, int, int], NDArray[np.float64], Surveyed]:
    """Shape (T, H, W, 3), times (T,) and what the file holds, as far as they can be true.

    A decoder that a clip has taken over may say anything.
    """
    try:
        count, height, width = (int(side) for side in answer["shape"][:3])
        times = np.array(answer["times"], np.float64)
        told = answer["source"]
        source = Source(
            duration_s=float(told["duration_s"]),
            **{name: int(told[name]) for name in ("frames", "width", "height")},
        )
        read = answer["stamps"]
        stamps = (
            Stamps(first_pts=int(read["first_pts"]), last_s=float(read["last_s"])) if read else None
        )
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise _unbelievable(f"it lacks something: {error!r}"[:200]) from error
    if min(count, height, width, source.frames, source.width, source.height) < 1:
        raise _unbelievable("something in it has no size")
    if count * height * width * 3 > request["frames_bytes"]:
        raise _unbelievable("there is no room for that many frames")
    ends = [source.duration_s, stamps.last_s if stamps else source.duration_s]
    if times.shape != (count,) or not np.isfinite([*times, *ends]).all():
        raise _unbelievable("its times are none")
    return (count, height, width, 3), times, Surveyed(source=source, stamps=stamps)


def _unbelievable(why: str) -> DecoderFailure:
    return DecoderFailure(
        f"what the decoder says of this clip cannot be true ({why}); export it anew with another "
        "program",
        kind="decoder-failed",
    )


def _collect(memory: FileIO, shape: tuple[int, int, int, int]) -> NDArray[np.uint8]:
    """The frames (T, H, W, 3) that the decoder left behind."""
    frames: NDArray[np.uint8] = np.empty(shape, np.uint8)
    memory.seek(0)
    left = memoryview(frames.data).cast("B")
    while left:
        got = memory.readinto(left)
        if not got:
            raise DecoderFailure("the decoder left fewer frames than it said")
        left = left[got:]
    return frames
