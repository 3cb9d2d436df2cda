"""From an upload to its answer, taking from the cache what is there."""

import io
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
from workers.process import Process, Recognition
from workers.progress import Progress
from workers.results import CachedResult, answer, result_key, tracks_key

log = logger(__name__)

Description = dict[str, Any]  # `clip` of an answer: sha256, duration_s, frames, width, height


class ContentGone(InputError):
    """The upload was swept or deleted before the job came to it."""

    default_kind = "content-gone"


def classify(process: Process, job: Job, progress: Progress) -> dict[str, Any]:
    """The `Result` of the HTTP contract for a job of kind "classify"."""
    params = ClassifyParams.model_validate(job.params)
    entry = process.entry(params.model)
    found = cached_result(process, job, entry)
    result = found or recognise(process, job, entry, progress)[0]
    return answer(
        job.id,
        result,
        top_k=params.top_k,
        attention=params.attention,
        cached=found is not None,
    )


def cached_result(process: Process, job: Job, entry: Entry) -> CachedResult | None:
    """What another job has answered already."""
    try:
        return process.cache.get(key_of(process, job, entry))
    except redis.RedisError as error:
        log.warning("cache not read", error=str(error))
        return None


def cached_tracks(process: Process, key: str) -> Tracks | None:
    """Tracks that another job has made; an entry that cannot be read is a miss."""
    try:
        file = process.cache.get_tracks(key)
    except redis.RedisError as error:
        log.warning("cache not read", error=str(error))
        return None
    try:
        return Tracks.load(io.BytesIO(file)) if file else None
    except InputError as error:
        log.warning("cached tracks unreadable", key=key, error=str(error))
        return None


def key_of(process: Process, job: Job, entry: Entry) -> str:
    """The key of the job's answer by this model."""
    count = process.settings.tracks
    return result_key(job.content, media=job.media, model_digest=entry.digest, tracks=count)


def recognise(
    process: Process, job: Job, entry: Entry, progress: Progress
) -> tuple[CachedResult, Tracks]:
    """Answer afresh, from cached tracks if there are any, and cache the answer."""
    tracks, clip = tracks_of(process, job, progress)
    progress.enter("load")
    seen = process.recogniser(entry).recognise(tracks, report=progress)
    progress.enter("")
    result = _result(process, job, entry, seen, clip, progress.timings_ms)
    try:
        if job.media == "tracks":  # with the depth that the upload may lack
            process.cache.put_tracks(result.tracks_key, seen.tracks.to_bytes(), clip=clip)
        process.cache.put(key_of(process, job, entry), result)
    except redis.RedisError as error:  # the answer stands; only its maps are lost
        log.warning("cache not written", error=str(error))
    return result, seen.tracks


def _result(
    process: Process,
    job: Job,
    entry: Entry,
    seen: Recognition,
    clip: Description,
    timings_ms: dict[str, float],
) -> CachedResult:
    return CachedResult(
        scores=dict(seen.scores),
        none_of_these=seen.none_of_these,
        attention=np.asarray(seen.attention, np.float16),
        tracks_key=tracks_key(job.content, process.settings.tracks),
        clip=clip,
        model={
            "name": entry.name,
            "version": entry.version,
            "digest": entry.digest,
            "licence": entry.licence,
        },
        timings_ms=dict(timings_ms),
    )


def tracks_of(process: Process, job: Job, progress: Progress) -> tuple[Tracks, Description]:
    """The tracks of an upload, and what its clip looks like in an answer."""
    if job.media == "tracks":
        progress("decode", 0.0)
        tracks = _uploaded_tracks(process, job.content)
        return tracks, _describe_tracks(job.content, tracks)
    key = tracks_key(job.content, process.settings.tracks)
    if held := _cached_tracks_of_clip(process, key):
        return held
    clip = decode(process, job.content, progress)
    tracks = process.library.track(clip, report=progress)
    progress.enter("")
    description = _describe_clip(clip)
    try:
        process.cache.put_tracks(key, tracks.to_bytes(), clip=description)
    except redis.RedisError as error:
        log.warning("cache not written", error=str(error))
    return tracks, description


def decode(process: Process, content: str, progress: Progress) -> Clip:
    """The frames of an uploaded clip; ContentGone when it is no longer stored."""
    progress("decode", 0.0)
    try:
        with process.blobs.local_path(clip_name(content)) as path:
            return process.library.decode(path, sha256=content)
    except FileNotFoundError:
        raise _gone(content) from None


def _uploaded_tracks(process: Process, content: str) -> Tracks:
    try:
        with process.blobs.open(clip_name(content)) as file:
            return Tracks.load(file)
    except FileNotFoundError:
        raise _gone(content) from None


def _cached_tracks_of_clip(process: Process, key: str) -> tuple[Tracks, Description] | None:
    tracks = cached_tracks(process, key)
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
