"""When each frame of a file is shown, from its packets alone, and whether to believe the file.

Nothing is decoded here: packets are what is really there, headers are what the file says about
itself. A file that says ten hours is refused before its packets are read.

Shapes:  n frames in the file
"""

import statistics
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import av
import numpy as np
from av.container import InputContainer
from av.packet import Packet
from av.video.stream import VideoStream
from numpy.typing import NDArray

from pointaction.errors import InputError, LimitExceeded, UnsupportedClip
from pointaction.video.limits import DecodeLimits

_ENOUGH_THERE = 0.8  # of what the header promises; less is a file that was cut off
_TOO_MUCH_THERE = 1.25  # of what the header admits; more is a header that lies
_SLACK_S = 0.5  # headers round, and may end with the audio
_FEWEST_DISTINCT = 0.25  # share of distinct time stamps below which they tell no time


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    """When the n frames of a file are shown."""

    times: NDArray[np.float64]  # (n,) seconds since the first frame, not falling
    duration_s: float  # to the end of the last frame
    first_pts: int | None  # None: frames are timed by their order, not by their stamps


@dataclass(slots=True)
class _Packets:
    """What demuxing found of the video stream, in file order."""

    pts: list[int | None] = field(default_factory=list)
    dts: list[int | None] = field(default_factory=list)
    durations: list[int] = field(default_factory=list)  # 0: not said
    end_s: float = 0.0  # of the last packet of any stream, audio too


def read_timeline(
    container: InputContainer,
    stream: VideoStream,
    limits: DecodeLimits,
    *,
    by_order: bool = False,
    movie_s: float | None = None,
) -> Timeline:
    """Read the packets of an open file and judge them.

    With `by_order` the stamps of decoded frames are not believed (AVI stores none: they are the
    demuxer's guesses, and out of order where there are B-frames). `movie_s` is what the file says
    about its length beyond what its demuxer tells.

    Raises LimitExceeded (clip-too-long, frame-rate-too-high), InputError (too-few-frames,
    truncated-clip, forged-duration) or UnsupportedClip (undecodable: no time can be made out).
    """
    claims = _claims(container, stream, movie_s)
    _refuse_longer([*claims.stream, *claims.file], limits)
    packets = _read_packets(container, stream, limits)
    count = len(packets.pts)
    if count < limits.min_frames:
        _refuse_cut_off(packets.end_s, [*claims.stream, *claims.file])
        raise InputError(
            f"the clip has {count} frame{'' if count == 1 else 's'}; motion needs at least "
            f"{limits.min_frames}",
            kind="too-few-frames",
            limit=limits.min_frames,
            value=count,
        )
    stamps = _usable_stamps(packets)
    if stamps is None:
        timeline = _evenly_timed(packets, stream)
    else:
        timeline = _timed_by_stamps(stamps, packets, stream, by_order=by_order)
    _refuse_longer([timeline.duration_s], limits)
    _refuse_faster(timeline, limits)
    if stamps is not None:  # a header made from useless stamps has nothing to be compared with
        # Claimed anew: a demuxer gets to know the length of a fragmented file as it reads it.
        _compare(timeline, packets.end_s, _claims(container, stream, movie_s))
    return timeline


@dataclass(frozen=True, slots=True, kw_only=True)
class _Claims:
    """Seconds that the headers claim; those that say nothing are left out."""

    stream: list[float]  # for the pictures
    file: list[float]  # for pictures and sound


def _claims(container: InputContainer, stream: VideoStream, movie_s: float | None) -> _Claims:
    of_stream = [float(stream.duration * (stream.time_base or 0)) if stream.duration else 0.0]
    if container.format.name == "avi" and stream.frames and stream.average_rate:
        of_stream.append(float(stream.frames / stream.average_rate))
    of_file = [(container.duration or 0) / av.time_base, movie_s or 0.0]
    return _Claims(
        stream=[claim for claim in of_stream if claim > 0],
        file=[claim for claim in of_file if claim > 0],
    )


def is_whole(packet: "Packet[Any]") -> bool:
    """Whether it is as it was written, and meant to be shown."""
    return bool(packet.size) and not packet.is_corrupt and not packet.is_discard


def _read_packets(container: InputContainer, stream: VideoStream, limits: DecodeLimits) -> _Packets:
    """All packets, or as many as it takes to know that there are too many."""
    packets = _Packets()
    most = int(limits.max_duration_s * limits.max_fps) + limits.min_frames
    try:
        for packet in container.demux():
            if not is_whole(packet):
                continue
            stamp = packet.pts if packet.pts is not None else packet.dts
            if stamp is not None:
                end = float((stamp + (packet.duration or 0)) * packet.time_base)
                packets.end_s = max(packets.end_s, end)
            if packet.stream.index != stream.index:
                continue
            packets.pts.append(packet.pts)
            packets.dts.append(packet.dts)
            packets.durations.append(packet.duration or 0)
            if len(packets.pts) > most:
                break
    except MemoryError:
        raise
    except (av.FFmpegError, OSError):
        pass  # the file ends in the middle of a packet; what is missing is judged later
    return packets


def _usable_stamps(packets: _Packets) -> NDArray[np.int64] | None:
    """Time stamps in the order of showing, or None when they tell no time.

    Some writers give every frame the same stamp; players then show nothing, but the frames and
    their nominal rate are there.
    """
    count = len(packets.pts)
    for stamps in (packets.pts, packets.dts):
        if None not in stamps and len(set(stamps)) > max(1, _FEWEST_DISTINCT * count):
            return np.sort(np.array(stamps, np.int64))
    return None


def _timed_by_stamps(
    stamps: NDArray[np.int64], packets: _Packets, stream: VideoStream, *, by_order: bool
) -> Timeline:
    unit = float(stream.time_base or 1)
    times = (stamps - stamps[0]) * unit
    # The duration of the frame shown last; the usual step where the file does not say.
    usual = statistics.median(np.diff(times).tolist())
    shown_last = max(range(len(packets.pts)), key=lambda i: packets.pts[i] or 0)
    last = packets.durations[shown_last] * unit or usual
    trusted = None not in packets.pts and not by_order
    return Timeline(
        times=times,
        duration_s=float(times[-1] + last),
        first_pts=int(stamps[0]) if trusted else None,
    )


def _evenly_timed(packets: _Packets, stream: VideoStream) -> Timeline:
    unit = float(stream.time_base or 1)
    step = statistics.median(packets.durations) * unit
    if step <= 0 and stream.guessed_rate:
        step = float(1 / stream.guessed_rate)
    if step <= 0:
        raise UnsupportedClip(
            "the frames of this clip carry no time and no frame rate; write it anew with both",
            kind="undecodable",
        )
    count = len(packets.pts)
    return Timeline(
        times=np.arange(count, dtype=np.float64) * step, duration_s=count * step, first_pts=None
    )


def _refuse_longer(durations_s: Iterable[float], limits: DecodeLimits) -> None:
    longest = max(durations_s, default=0.0)
    if longest > limits.max_duration_s:
        raise LimitExceeded(
            f"the clip lasts {longest:.1f} s; at most {limits.max_duration_s:g} s are accepted. "
            "Cut out the action",
            kind="clip-too-long",
            limit=limits.max_duration_s,
            value=round(longest, 3),
        )


def _refuse_faster(timeline: Timeline, limits: DecodeLimits) -> None:
    rate = (len(timeline.times) - 1) / float(timeline.times[-1])
    if rate > limits.max_fps:
        raise LimitExceeded(
            f"the clip has {rate:.0f} frames per second; at most {limits.max_fps:g} are accepted",
            kind="frame-rate-too-high",
            limit=limits.max_fps,
            value=round(rate, 1),
        )


def _compare(timeline: Timeline, end_s: float, claims: _Claims) -> None:
    """A file may hold less than its header says (cut off) or more (forged).

    Headers that say nothing, as browsers' recorders write them, are fine.
    """
    longest = max(end_s, timeline.duration_s)
    for there, promises in ((timeline.duration_s, claims.stream), (longest, claims.file)):
        _refuse_cut_off(there, promises)
    admitted = max([*claims.stream, *claims.file], default=longest)
    if timeline.duration_s > _TOO_MUCH_THERE * admitted + _SLACK_S:
        raise InputError(
            f"the header says {admitted:.1f} s, but the frames last {timeline.duration_s:.1f} s; "
            "write the file anew (for example with ffmpeg -i in.mp4 -c copy out.mp4)",
            kind="forged-duration",
            limit=round(admitted, 3),
            value=round(timeline.duration_s, 3),
        )


def _refuse_cut_off(there: float, promises: list[float]) -> None:
    promised = max(promises, default=0.0)
    if there < _ENOUGH_THERE * promised and promised - there > _SLACK_S:
        raise InputError(
            f"the clip should last {promised:.1f} s, but it ends after {there:.1f} s: the "
            "file was cut off; send it again",
            kind="truncated-clip",
            limit=round(promised, 3),
            value=round(there, 3),
        )
