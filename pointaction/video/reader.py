"""A video file becomes T frames. This is the code that runs inside the sandbox.

The file is read twice: once for its packets alone (`timeline`), which is cheap and shows whether
it is worth decoding, and once to decode, keeping only what is nearest to the T times asked for. Who
knows from an earlier reading what the packets tell spares the first, and reads no more of the file
than from the key frame before a piece to its end.

Shapes:  T frames   H, W pixels
"""

import io
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from typing import Any, NoReturn

import av
import numpy as np
from av.container import InputContainer
from av.stream import Disposition
from av.video.frame import VideoFrame
from av.video.reformatter import VideoReformatter
from av.video.stream import VideoStream
from numpy.typing import NDArray

from pointaction.clip import Source
from pointaction.errors import InputError, LimitExceeded, UnsupportedClip
from pointaction.tracks import MAX_FRAMES
from pointaction.video.boxes import movie_duration
from pointaction.video.container import DEMUXERS
from pointaction.video.limits import LONGEST_SIDE, DecodeLimits
from pointaction.video.stamps import Stamps, Surveyed
from pointaction.video.timeline import Timeline, is_whole, read_timeline

# What people's cameras, browsers and editors write. FFmpeg knows hundreds of other decoders,
# old and hardly ever fuzzed; a clip has no business with them.
VIDEO_CODECS = (
    *("h264", "hevc", "vp8", "vp9", "libdav1d", "av1"),
    *("mpeg4", "msmpeg4v2", "msmpeg4", "h263", "flv", "wmv1", "wmv2", "theora"),
    *("mpeg1video", "mpeg2video", "mjpeg", "dvvideo", "prores", "dnxhd"),
    *("ffv1", "huffyuv", "ffvhuff", "utvideo", "qtrle", "png", "rawvideo"),
)
_AUDIO_CODECS = (
    *("aac", "mp3", "mp3float", "opus", "vorbis", "flac", "alac", "ac3", "eac3"),
    *("pcm_s16le", "pcm_s16be", "pcm_u8"),
)
_MOST_SQUEEZED = 4  # sample aspect ratios beyond it are taken for mistakes
_MOST_UNDECODABLE = 0.5  # share of the frames
# Demuxers look for when pictures are decoded, which may lead to one that is shown too late; and
# some files cannot be entered at all but at their beginning.
_STEPS_BACK_S = (0.0, 2.0, 20.0, math.inf)
_THREADS = 2  # measured: frame threads save a fifth to a third; more gain nothing on two cores


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """All there is to say about a decoded clip except its pixels."""

    shape: tuple[int, int, int, int]  # (T, H, W, 3)
    times: tuple[float, ...]  # (T,) seconds since the first frame
    source: Source
    stamps: Stamps | None  # None: frames are timed by their order


Write = Callable[[int, NDArray[np.uint8]], None]


def read_clip(
    file: io.RawIOBase,
    write: Write,
    *,
    container: str,
    frames: int | None,
    short_side: int,
    enlarge: bool = True,
    limits: DecodeLimits,
    start: float | None = None,
    end: float | None = None,
    since: int = 0,
    known: Surveyed | None = None,
) -> Reading:
    """Decode `file`, which `sniff` calls a `container`, into `frames` pictures.

    They are of the piece from `start` to `end`, seconds since the first frame; None: all there is.
    Without `frames` there are as many as the file has in it.
    `write(t, picture)` is called for every t in `since`..T-1 in rising order, with RGB uint8
    (H, W, 3), whose short side is `short_side`, or less where `enlarge` is False. `known` is what a
    reading of the same file has found: where its frames carry time and `frames` are given, the
    packets are not read first. Raises what `pointaction.video.decode.decode` documents.
    """
    if known and known.stamps and frames:
        timeline, count = _remembered(known.stamps, known.source.duration_s), known.source.frames
    else:
        timeline = _timeline(file, container, limits)
        count = len(timeline.times)
    first_s, last_s = _piece(timeline, start, end)
    targets = np.linspace(first_s, last_s, frames or _frame_count(timeline, first_s, last_s))
    shape = (0, 0)
    until = math.inf if end is None else last_s
    entered = _entered(file, container, timeline, limits, at=first_s, since=first_s, until=until)
    with entered as (stream, timed):
        painter = _Painter(stream, short_side, enlarge=enlarge)
        for first, last, frame in _nearest(timed, targets):
            if last <= since:
                continue
            picture = painter.paint(frame)
            shape = picture.shape[:2]
            for t in range(max(first, since), last):
                write(t, picture)
    width, height = painter.upright
    return Reading(
        shape=(len(targets), *shape, 3),
        times=tuple(targets.tolist()),
        source=Source(
            duration_s=round(timeline.duration_s, 6),
            frames=count,
            width=width,
            height=height,
        ),
        stamps=None
        if timeline.first_pts is None
        else Stamps(first_pts=timeline.first_pts, last_s=float(timeline.times[-1])),
    )


def read_on(
    file: io.RawIOBase,
    write: Write,
    *,
    container: str,
    frames: int,
    since: int,
    stamps: Stamps,
    short_side: int,
    enlarge: bool,
    limits: DecodeLimits,
    end: float,
) -> None:
    """The frames `since`..T-1 that `read_clip` gives of the T up to `end`, without what it costs to
    come there: the packets are not read first, and the file is entered shortly before.

    What cannot be decoded is left out as there, but not counted.
    """
    timeline = _remembered(stamps, stamps.last_s)
    first_s, last_s = _piece(timeline, None, end)
    targets = np.linspace(first_s, last_s, frames)[since:]
    at = float(targets[0])
    # From `inf` on: nothing is counted.
    entered = _entered(file, container, timeline, limits, at=at, since=math.inf, until=last_s)
    with entered as (stream, timed):
        painter = _Painter(stream, short_side, enlarge=enlarge)
        for first, last, frame in _nearest(timed, targets):
            picture = painter.paint(frame)
            for t in range(first, last):
                write(since + t, picture)


def _timeline(file: io.RawIOBase, container: str, limits: DecodeLimits) -> Timeline:
    """By all packets of the file."""
    movie_s = movie_duration(file) if container in ("mp4", "mov") else None
    file.seek(0)
    with _open(file, container) as opened:
        stream = _video_stream(opened, limits)
        return read_timeline(opened, stream, limits, by_order=container == "avi", movie_s=movie_s)


def _remembered(stamps: Stamps, duration_s: float) -> Timeline:
    """As far as an earlier reading has told; of the times only the first and the last."""
    times = np.array([0.0, stamps.last_s])
    return Timeline(times=times, duration_s=duration_s, first_pts=stamps.first_pts)


@contextmanager
def _entered(
    file: io.RawIOBase,
    container: str,
    timeline: Timeline,
    limits: DecodeLimits,
    *,
    at: float,
    since: float,
    until: float,
) -> Iterator[tuple[VideoStream, Iterator[tuple[float, VideoFrame]]]]:
    """The stream, and its frames as `_decoded` tells them: from one that is shown `at` that time
    or before, and that needs no other, they are those of a reading from the beginning.
    """
    for back_s in _STEPS_BACK_S:
        enter_s = 0.0 if timeline.first_pts is None else at - back_s
        file.seek(0)
        with _open(file, container) as opened:
            stream = _video_stream(opened, limits)
            if enter_s > 0 and not _sought(opened, stream, timeline, enter_s):
                continue
            timed = _decoded(opened, stream, timeline, limits, since=since, until=until)
            if enter_s > 0:
                begun = _begun(timed)
                if begun is None or begun[0] > at or not begun[1].key_frame:
                    continue
                timed = chain([begun], timed)
            yield stream, timed
            return


def _sought(
    opened: InputContainer, stream: VideoStream, timeline: Timeline, enter_s: float
) -> bool:
    """Whether the file could be entered there."""
    try:
        _seek(opened, stream, timeline, enter_s)
    except MemoryError:
        raise
    except (av.FFmpegError, OSError):
        return False
    return True


def _begun(timed: Iterator[tuple[float, VideoFrame]]) -> tuple[float, VideoFrame] | None:
    """The first frame; None where there is none from here on, or all is damaged."""
    try:
        return next(timed, None)
    except UnsupportedClip:
        return None


def _piece(timeline: Timeline, start: float | None, end: float | None) -> tuple[float, float]:
    """From when to when frames are wanted; the whole file where nobody says otherwise."""
    last = float(timeline.times[-1])
    first_s, last_s = start or 0.0, last if end is None else min(end, last)
    if not 0 <= first_s < last_s:
        raise InputError(
            f"there is no piece from {start} s to {end} s in a clip of {timeline.duration_s:.1f} s",
            limit=round(timeline.duration_s, 3),
            value=[start, end],
        )
    return first_s, last_s


def _frame_count(timeline: Timeline, first_s: float, last_s: float) -> int:
    """How many frames the file has from `first_s` to `last_s`."""
    inside = (timeline.times >= first_s) & (timeline.times <= last_s)
    count = int(inside.sum())
    if count > MAX_FRAMES:
        raise LimitExceeded(
            f"the clip has {count} frames, more than the {MAX_FRAMES} that are taken; say how many "
            "to look at",
            limit=MAX_FRAMES,
            value=count,
        )
    return max(count, 2)


def _seek(opened: InputContainer, stream: VideoStream, timeline: Timeline, first_s: float) -> None:
    """Go to the last picture before `first_s` that can be decoded without others, as far as the
    file's index knows it.
    """
    if timeline.first_pts is not None and stream.time_base:
        stamp = timeline.first_pts + int(first_s / stream.time_base)
        opened.seek(stamp, stream=stream, backward=True)


def _open(file: io.RawIOBase, container: str) -> InputContainer:
    """Open with the one demuxer that the magic bytes name, and nothing else within reach."""
    demuxer = DEMUXERS[container]
    options = {
        "format_whitelist": demuxer,
        "protocol_whitelist": "",
        "codec_whitelist": ",".join((*VIDEO_CODECS, *_AUDIO_CODECS)),
    }
    try:
        return av.open(
            file,
            "r",
            format=demuxer.split(",")[0],
            container_options=options,
            metadata_errors="ignore",
            io_open=_refuse_to_open,
        )
    except MemoryError:
        raise
    except (av.FFmpegError, ValueError) as error:
        raise UnsupportedClip(
            f"this begins like {container}, but cannot be read as one ({_reason(error)}); the file "
            "is damaged, or was cut off before its index. Send it again or export it anew",
            kind="undecodable",
        ) from error


def _refuse_to_open(url: str, flags: int, options: dict[str, str]) -> NoReturn:
    raise PermissionError("a clip may not open other files")


def _video_stream(opened: InputContainer, limits: DecodeLimits) -> VideoStream:
    """The first stream of moving pictures; the cover of an album is none."""
    if not (opened.streams.video or opened.streams.audio):
        raise UnsupportedClip(
            "the file begins like a video, but nothing in it can be read; it was cut off or its "
            "index is damaged: send it again or export it anew",
            kind="undecodable",
        )
    for stream in opened.streams.video:
        if not stream.disposition & Disposition.attached_pic:
            break
    else:
        raise UnsupportedClip(
            "the file has no video stream, only sound or other data", kind="no-video-stream"
        )
    if stream.codec_context is None or stream.codec_context.name not in VIDEO_CODECS:
        name = stream.codec_context.name if stream.codec_context else "an unknown codec"
        raise UnsupportedClip(
            f"the video is coded as {name}, which is not read here; export it as H.264 or VP9",
            kind="unsupported-codec",
            value=name,
        )
    _check_side(stream.width, stream.height, limits)
    stream.thread_type = "FRAME"
    stream.codec_context.thread_count = _THREADS
    return stream


def _check_side(width: int, height: int, limits: DecodeLimits) -> None:
    if max(width, height) > limits.max_side:
        raise LimitExceeded(
            f"frames are {width} x {height} pixels; neither side may be longer than "
            f"{limits.max_side}. Scale the clip down",
            kind="frame-too-large",
            limit=limits.max_side,
            value=max(width, height),
        )


def _decoded(
    opened: InputContainer,
    stream: VideoStream,
    timeline: Timeline,
    limits: DecodeLimits,
    *,
    since: float = 0.0,
    until: float = math.inf,
) -> Iterator[tuple[float, VideoFrame]]:
    """Every frame that can be decoded, with its time; damaged ones are left out.

    Ends with the first frame after `until`; only from `since` on it counts what is damaged.
    """
    found, time, stamps = 0, 0.0, list[int]()
    size = (stream.width, stream.height)
    unit = float(stream.time_base or 1)
    for count, frame in enumerate(_undamaged(opened, stream, stamps)):
        if count == 0:
            size = (frame.width, frame.height)
            _check_side(*size, limits)  # the file's header may have said something else
        elif (frame.width, frame.height) != size:
            raise InputError(
                f"the resolution changes from {size[0]} x {size[1]} to {frame.width} x "
                f"{frame.height} within the clip; points cannot be followed across that",
                kind="resolution-changed",
                limit=list(size),
                value=[frame.width, frame.height],
            )
        if timeline.first_pts is None or frame.pts is None:
            shown = float(timeline.times[min(count, len(timeline.times) - 1)])
        else:
            shown = (frame.pts - timeline.first_pts) * unit
        time = max(time, shown)
        found += since <= time <= until
        yield time, frame
        if time > until:
            break
    due: NDArray[Any] = timeline.times  # all that there are, or those whose packets were met
    if timeline.first_pts is not None:
        due = (np.array(stamps, np.int64) - timeline.first_pts) * unit
    expected = int(((due >= since) & (due <= until)).sum())
    if found < (1 - _MOST_UNDECODABLE) * expected:
        raise UnsupportedClip(
            f"only {found} of {expected} frames can be decoded; the file is damaged",
            kind="undecodable",
            limit=expected,
            value=found,
        )


def _undamaged(
    opened: InputContainer, stream: VideoStream, stamps: list[int]
) -> Iterator[VideoFrame]:
    """Frames as they come out of the decoder; those of the packets that go in are put to `stamps`,
    as `timeline` counts them.
    """
    packets = opened.demux(stream)
    while True:
        try:
            packet = next(packets, None)
        except MemoryError:
            raise
        except (av.FFmpegError, OSError):
            packet = None  # cut off; the timeline has already judged how much is missing
        if packet is not None and is_whole(packet) and packet.pts is not None:
            stamps.append(packet.pts)
        try:
            yield from stream.decode(packet)  # None brings out what the decoder still holds
        except MemoryError:
            raise
        except av.FFmpegError:
            pass  # one damaged frame; `_decoded` counts what comes out
        if packet is None or not packet.size:
            return


def _nearest(
    timed: Iterator[tuple[float, VideoFrame]], targets: NDArray[np.float64]
) -> Iterator[tuple[int, int, VideoFrame]]:
    """(first, last, frame): the frame is the nearest to the targets first..last-1.

    Only one frame is held at a time, however long the clip is.
    """
    done, held_at, held = 0, 0.0, None
    for time, frame in timed:
        if held is not None:
            until = int(np.searchsorted(targets, (held_at + time) / 2))
            if until > done:
                yield done, until, held
                done = until
        held_at, held = time, frame
    if held is not None and done < len(targets):
        yield done, len(targets), held


class _Painter:
    """Turns decoded frames into upright RGB pictures with square pixels."""

    def __init__(self, stream: VideoStream, short_side: int, *, enlarge: bool) -> None:
        self.short_side = short_side
        self.enlarge = enlarge
        self.squeeze = _squeeze(stream)
        self.upright = (0, 0)  # (width, height) as stored, turned the way it is shown
        self._scaler = VideoReformatter()  # making one per frame would triple the cost

    def paint(self, frame: VideoFrame) -> NDArray[np.uint8]:
        """RGB (H, W, 3) of a decoded frame."""
        quarter_turns = round(frame.rotation / 90) % 4
        width, height = frame.width * self.squeeze, float(frame.height)
        side = self.short_side if self.enlarge else min(self.short_side, width, height)
        width, height = scaled_size(width, height, short_side=side)
        scaled = self._scaler.reformat(frame, width=width, height=height, format="rgb24", threads=1)
        stored = (frame.width, frame.height)
        self.upright = stored[::-1] if quarter_turns % 2 else stored
        picture: NDArray[Any] = np.rot90(scaled.to_ndarray(), quarter_turns)
        return np.ascontiguousarray(picture)


def scaled_size(width: float, height: float, *, short_side: float) -> tuple[int, int]:
    """(width, height), even, with the short side as asked unless the other would be absurd."""
    scale = min(short_side / min(width, height), LONGEST_SIDE * short_side / max(width, height))
    return max(2, 2 * round(width * scale / 2)), max(2, 2 * round(height * scale / 2))


def _squeeze(stream: VideoStream) -> float:
    """Width over height of one stored pixel."""
    ratio = stream.sample_aspect_ratio
    if not ratio or not 1 / _MOST_SQUEEZED <= ratio <= _MOST_SQUEEZED:
        return 1.0
    return float(ratio)


def _reason(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or error)
