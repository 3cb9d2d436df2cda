"""From an upload to its answer, taking from the cache what is there."""

import io
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import redis

from pointaction.clip import Clip
from pointaction.errors import InputError
from pointaction.models.catalog import TORCH, Entry
from pointaction.tracking.trackers import DEFAULT_TRACKER
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
    entry = process.entry(params.model)
    making = making_of(process, job, entry)
    found = cached_result(process, job, entry, making)
    result = found or recognise(process, job, entry, making, progress)[0]
    return answer(
        job.id,
        result,
        top_k=params.top_k,
        attention=params.attention,
        cached=found is not None,
    )


def making_of(process: Process, job: Job, entry: Entry) -> Making:
    """How the tracks of the job are to be made; NotInstalled where weights are missing."""
    by = job.seen_by
    if not entry.follows:
        return Making.none()
    return Making.of(
        process.settings, job.media, points=by.points, tracker=by.tracker, depth=by.depth
    )


def cached_result(process: Process, job: Job, entry: Entry, making: Making) -> CachedResult | None:
    """What another job has answered already."""
    try:
        found = process.cache.get(key_of(job, entry, making))
    except redis.RedisError as error:
        log.warning("cache not read", error=str(error))
        found = None
    process.tally.looked_up("result", found=found is not None)
    return found


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
    digest = entry.answers if job.kind == "classify" else described_by(entry.digest)
    return result_key(job.cached_as, making, model_digest=digest)


def recognise(
    process: Process, job: Job, entry: Entry, making: Making, progress: Progress
) -> tuple[CachedResult, Tracks | None]:
    """Answer afresh, from cached tracks if there are any, and cache the answer."""
    film = Film(process, job, making, progress)
    if entry.follows:
        tracks, clip = tracks_of(process, film)
    else:
        tracks, clip = None, _describe_clip(film.clip)
    pixels = film.clip if entry.looks and job.media == "clip" else None
    progress.enter("load")
    seen = process.recogniser(entry).recognise(tracks, pixels, report=progress)
    progress.enter("")
    result = CachedResult(
        scores=dict(seen.scores),
        none_of_these=seen.none_of_these,
        branches=dict(seen.branches),
        attention=np.asarray(seen.attention, np.float16),
        timings_ms=dict(progress.timings_ms),
        **evidence(job, entry, making, tracks, clip),
    )
    keep(process, job, entry, making, result, seen.tracks)
    return result, seen.tracks


def evidence(
    job: Job, entry: Entry, making: Making, tracks: Tracks | None, clip: Description
) -> dict[str, Any]:
    """What a `CachedResult` says of where it comes from; `tracks` are as they were sent or made."""
    lacking = tracks is not None and tracks.depth is None  # as uploads may
    depth = making.depth if making.tracker or lacking else None
    if job.kind != "classify":  # whatever answers, torch describes: examples are compared for long
        entry = replace(entry, backend=TORCH)
    return {
        "tracks_key": tracks_key(job.cached_as, making) if tracks else None,
        "clip": clip,
        "model": entry.told(),
        "points": making.points.to_json() if making.points else None,
        "tracker": making.tracker.to_json() if making.tracker else None,
        "depth": depth.to_json() if depth else None,
        "notes": entry.notes(depth.name if depth else None),
    }


def keep(
    process: Process,
    job: Job,
    entry: Entry,
    making: Making,
    result: CachedResult,
    tracks: Tracks | None,
) -> None:
    """Cache what a model says of a clip, and uploaded tracks with the depth that they may lack."""
    try:
        if job.media == "tracks" and tracks and result.tracks_key:
            process.cache.put_tracks(result.tracks_key, tracks.to_bytes(), clip=result.clip)
        process.cache.put(key_of(job, entry, making), result)
    except redis.RedisError as error:  # the answer stands; only its maps are lost
        log.warning("cache not written", error=str(error))


@dataclass
class Film:
    """The upload of a job; a clip is decoded when it is first asked for, and once."""

    process: Process
    job: Job
    making: Making
    progress: Progress

    @cached_property
    def clip(self) -> Clip:
        """As its tracker wants it. Raises ContentGone when it is no longer stored."""
        by = self.making.tracker.name if self.making.tracker else DEFAULT_TRACKER
        self.progress("decode", 0.0)
        content = self.job.content
        try:
            with self.process.blobs.local_path(clip_name(content)) as path:
                return self.process.library.decode(path, by, sha256=content)
        except FileNotFoundError:
            raise gone(content) from None


def tracks_of(process: Process, film: Film) -> tuple[Tracks, Description]:
    """The tracks of an upload, and what its clip looks like in an answer."""
    job, making = film.job, film.making
    if making.tracker is None:
        film.progress("decode", 0.0)
        tracks = _uploaded_tracks(process, job.content)
        return tracks, _describe_tracks(job.content, tracks)
    key = tracks_key(job.cached_as, making)
    if held := _cached_tracks_of_clip(process, key):
        return held
    tracks = _made(process, film)
    description = _describe_clip(film.clip)
    try:
        process.cache.put_tracks(
            key,
            tracks.to_bytes(),
            clip=description,
            followed=followed_key(job.cached_as, making),
        )
    except redis.RedisError as error:
        log.warning("cache not written", error=str(error))
    return tracks, description


def _made(process: Process, film: Film) -> Tracks:
    """Tracks with depth; where only the depth is another than before, it alone is made anew."""
    job, clip, making, progress = film.job, film.clip, film.making, film.progress
    assert making.points  # it is a clip, and its points are followed
    assert making.tracker
    assert making.depth
    known = cached_tracks(process.cache.get_followed, followed_key(job.cached_as, making))
    process.tally.looked_up("followed", found=known is not None)
    if known is None:
        progress.enter("load")
        choose, tracker = process.points(making.points), process.tracker(making.tracker)
        known = process.library.follow(clip, choose, tracker, report=progress)
    progress.enter("load")
    lifter = process.lifter(making.depth)
    tracks = process.library.lift(clip, known, lifter, report=progress)
    progress.enter("")
    return tracks


def _uploaded_tracks(process: Process, content: str) -> Tracks:
    try:
        with process.blobs.open(clip_name(content)) as file:
            return Tracks.load(file)
    except FileNotFoundError:
        raise gone(content) from None


def _cached_tracks_of_clip(process: Process, key: str) -> tuple[Tracks, Description] | None:
    tracks = cached_tracks(process.cache.get_tracks, key)
    clip = process.cache.get_clip(key) if tracks else None
    process.tally.looked_up("tracks", found=clip is not None)
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


def gone(content: str) -> ContentGone:
    """For an upload that is no longer stored."""
    return ContentGone(
        f"the upload {content[:12]} is no longer stored; send it again", value=content
    )
