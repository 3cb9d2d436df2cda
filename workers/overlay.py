"""The drawing of a finished job: its tracks on its clip, coloured by one head's weights."""

import re
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pointaction.errors import InputError, UnknownModel
from pointaction.fewshot.heads import DEFAULT_HEAD
from pointaction.models.catalog import Entry
from pointaction.tracks import Tracks
from workers.blobs import overlay_name
from workers.classify import (
    cached_result,
    cached_tracks,
    decode,
    key_of,
    making_of,
    recognise,
)
from workers.examples import describe, head_of
from workers.jobs import Job, OverlayParams
from workers.making import Making
from workers.process import Process
from workers.progress import Progress
from workers.results import CachedResult

_HEAD = re.compile("mean|[0-9]{1,3}")


def overlay(process: Process, job: Job, progress: Progress) -> dict[str, Any]:
    """`{"blob": name}` of the drawing that a job of kind "overlay" asks for."""
    params = OverlayParams.model_validate(job.params)
    of = process.jobs.get(params.of)
    if of is None:
        raise InputError(f"the job {params.of} is gone; classify the clip again", kind="job-gone")
    entry = _entry_behind(process, of)
    making = making_of(process, of)
    name = overlay_name(key_of(of, entry, making), head=params.head, format=params.format)
    if _HEAD.fullmatch(params.head) and process.blobs.exists(name):
        return {"blob": name}
    result, tracks = _evidence(process, of, entry, making, progress)
    weights = head_weights(result.attention, params.head)
    by = making.tracker
    frames = decode(process, of.content, by.name, progress).frames if by else None
    progress("draw", 0.5)
    with tempfile.TemporaryDirectory(prefix="pointaction-") as folder:
        path = Path(folder) / f"overlay.{params.format}"
        process.library.draw(path, frames, tracks, weights, format=params.format)
        process.blobs.put_file(path, name)
    progress.enter("")
    return {"blob": name}


def _entry_behind(process: Process, of: Job) -> Entry:
    """The model that answered, whatever its name means by now; where it is gone, what is there."""
    told = of.result["model"] if of.result else None
    try:
        return process.entry(f"{told['name']}@{told['version']}" if told else of.seen_by.model)
    except UnknownModel:
        return process.entry(of.seen_by.model)


def head_weights(attention: NDArray[np.float16], head: str) -> NDArray[np.float32]:
    """One weight per track, (N,), from attention (heads, N): a head by its number, or the mean."""
    heads = len(attention)
    if head == "mean":
        return attention.astype(np.float32).mean(axis=0)
    if not _HEAD.fullmatch(head) or int(head) >= heads:
        raise InputError(
            f'head must be "mean" or 0 to {heads - 1}, got {head!r}',
            kind="unknown-head",
            limit=heads - 1,
            value=head,
        )
    return attention[int(head)].astype(np.float32)


def _evidence(
    process: Process, of: Job, entry: Entry, making: Making, progress: Progress
) -> tuple[CachedResult, Tracks]:
    """The answer and tracks of the job drawn, made again where they have left the cache."""
    result = cached_result(process, of, entry, making)
    tracks = cached_tracks(process.cache.get_tracks, result.tracks_key) if result else None
    if result and tracks:
        return result, tracks
    if of.kind == "classify":
        return recognise(process, of, entry, making, progress)
    description, result = describe(process, of, entry, head_of(process, DEFAULT_HEAD), progress)
    return result, description.tracks
