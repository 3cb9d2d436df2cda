"""From an upload to its answer, taking from the cache what is there."""

import io
from collections.abc import Callable
from typing import Any

import numpy as np
import redis

from pointaction.clip import Clip
from pointaction.errors import InputError
from pointaction.models.catalog import Entry
from pointaction.tracks import Tracks
from workers.blobs import clip_name
from workers.jobs import ClassifyParams, Job
from workers.logs import logger
from workers.making import Making
from workers.process import Process
from workers.progress import Progress
from workers.results import (
    CachedResult,
    answer,
    described_by,
    followed_key,
    result_key,
    tracks_key,
)

log = logger(__name__)

Description = dict[str, Any]  # `clip` of an answer: sha256, duration_s, frames, width, height


class ContentGone(InputError):
    """The upload was swept or deleted before the job came to it."""

    default_kind = "content-gone"


def classify(process: Process, job: Job, progress: Progress) -> dict[str, Any]:
    """The `Result` of the HTTP contract for a job of kind "classify"."""
    params = ClassifyParams.model_validate(job.params)
    entry, making = process.entry(params.model), making_of(process, job)
    found = cached_result(process, job, entry, making)
    result = found or recognise(process, job, entry, making, progress)[0]
    return answer(
        job.id,
        result,
        top_k=params.top_k,
        attention=params.attention,
        cached=found is not None,
    )


def making_of(process: Process, job: Job) -> Making:
    """How the tracks of the job are to be made; NotInstalled where weights are missing."""
    by = job.seen_by
    return Making.of(
        process.settings, job.media, points=by.points, tracker=by.tracker, depth=by.depth
    )


def cached_result(process: Process, job: Job, entry: Entry, making: Making) -> CachedResult | None:
    """What another job has answered already."""
    try:
        return process.cache.get(key_of(job, entry, making))
    except redis.RedisError as error:
        log.warning("cache not read", error=str(error))
        return None


def cached_tracks(read: Callable[[str], bytes | None], key: str) -> Tracks | None:
    """Tracks that another job has made; an entry that cannot be read is a miss."""
    try:
        file = read(key)
    except redis.RedisError as error:
        log.warning("cache not read", error=str(error))
        return None
    try:
        return Tracks.load(io.BytesIO(file)) if file else None
    except InputError as error:
        log.warning("cached tracks unreadable", key=key, error=str(error))
        return None


def key_of(job: Job, entry: Entry, making: Making) -> str:
    """The key of what this model says of the job's clip: of its answer, or of its description."""
    digest = entry.digest if job.kind == "classify" else described_by(entry.digest)
    return result_key(job.content, making, model_digest=digest)


def recognise(
    process: Process, job: Job, entry: Entry, making: Making, progress: Progress
) -> tuple[CachedResult, Tracks]:
    """Answer afresh, from cached tracks if there are any, and cache the answer."""
    tracks, clip = tracks_of(process, job, making, progress)
    progress.enter("load")
    seen = process.recogniser(entry).recognise(tracks, report=progress)
    progress.enter("")
    result = CachedResult(
        scores=dict(seen.scores),
        none_of_these=seen.none_of_these,
        attention=np.asarray(seen.attention, np.float16),
        timings_ms=dict(progress.timings_ms),
        **evidence(job, entry, making, tracks, clip),
    )
    keep(process, job, entry, making, result, seen.tracks)
    return result, seen.tracks


def evidence(
    job: Job, entry: Entry, making: Making, tracks: Tracks, clip: Description
) -> dict[str, Any]:
    """What a `CachedResult` says of where it comes from; `tracks` are as they were sent or made."""
    depth = making.depth if making.tracker or tracks.depth is None else None  # as uploads may lack
    return {
        "tracks_key": tracks_key(job.content, making),
        "clip": clip,
        "model": entry.told(),
        "points": making.points.to_json() if making.points else None,
        "tracker": making.tracker.to_json() if making.tracker else None,
        "depth": depth.to_json() if depth else None,
        "notes": entry.notes(depth.name if depth else None),
    }


def keep(
    process: Process, job: Job, entry: Entry, making: Making, result: CachedResult, tracks: Tracks
) -> None:
    """Cache what a model says of a clip, and uploaded tracks with the depth that they may lack."""
    try:
        if job.media == "tracks":
            process.cache.put_tracks(result.tracks_key, tracks.to_bytes(), clip=result.clip)
        process.cache.put(key_of(job, entry, making), result)
    except redis.RedisError as error:  # the answer stands; only its maps are lost
        log.warning("cache not written", error=str(error))


def tracks_of(
    process: Process, job: Job, making: Making, progress: Progress
) -> tuple[Tracks, Description]:
    """The tracks of an upload, and what its clip looks like in an answer."""
    if making.tracker is None:
        progress("decode", 0.0)
        tracks = _uploaded_tracks(process, job.content)
        return tracks, _describe_tracks(job.content, tracks)
    key = tracks_key(job.content, making)
    if held := _cached_tracks_of_clip(process, key):
        return held
    clip = decode(process, job.content, making.tracker.name, progress)
    tracks = _made(process, job, clip, making, progress)
    description = _describe_clip(clip)
    try:
        process.cache.put_tracks(
            key,
            tracks.to_bytes(),
            clip=description,
            followed=followed_key(job.content, making),
        )
    except redis.RedisError as error:
        log.warning("cache not written", error=str(error))
    return tracks, description


def _made(process: Process, job: Job, clip: Clip, making: Making, progress: Progress) -> Tracks:
    """Tracks with depth; where only the depth is another than before, it alone is made anew."""
    assert making.points  # it is a clip
    assert making.tracker
    known = cached_tracks(process.cache.get_followed, followed_key(job.content, making))
    if known is None:
        progress.enter("load")
        choose, tracker = process.points(making.points), process.tracker(making.tracker)
        known = process.library.follow(clip, choose, tracker, report=progress)
    progress.enter("load")
    lifter = process.lifter(making.depth)
    tracks = process.library.lift(clip, known, lifter, report=progress)
    progress.enter("")
    return tracks


def decode(process: Process, content: str, tracker: str, progress: Progress) -> Clip:
    """The frames of an uploaded clip as a tracker wants them; ContentGone when it is not stored."""
    progress("decode", 0.0)
    try:
        with process.blobs.local_path(clip_name(content)) as path:
            return process.library.decode(path, tracker, sha256=content)
    except FileNotFoundError:
        raise _gone(content) from None


def _uploaded_tracks(process: Process, content: str) -> Tracks:
    try:
        with process.blobs.open(clip_name(content)) as file:
            return Tracks.load(file)
    except FileNotFoundError:
        raise _gone(content) from None


def _cached_tracks_of_clip(process: Process, key: str) -> tuple[Tracks, Description] | None:
    tracks = cached_tracks(process.cache.get_tracks, key)
    clip = process.cache.get_clip(key) if tracks else None
    return (tracks, clip) if tracks and clip else None


def _describe_clip(clip: Clip) -> Description:
    source = clip.source
    return {
        "sha256": clip.sha256,
        "duration_s": source.duration_s,
        "frames": source.frames,
        "width": source.width,
        "height": source.height,
    }


def _describe_tracks(content: str, tracks: Tracks) -> Description:
    height, width = tracks.size
    return {
        "sha256": content,
        "duration_s": tracks.duration_s,
        "frames": len(tracks.times),
        "width": width,
        "height": height,
    }


def _gone(content: str) -> ContentGone:
    return ContentGone(
        f"the upload {content[:12]} is no longer stored; send it again", value=content
    )
