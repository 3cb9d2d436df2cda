"""The drawing of a finished job: its tracks on its clip, coloured by one head's weights."""

import re
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pointaction.errors import InputError, UnknownModel
from pointaction.fewshot.heads import DEFAULT_HEAD
from pointaction.models.catalog import TORCH, Entry
from pointaction.tracks import Tracks
from workers.blobs import overlay_name
from workers.classify import (
    Film,
    cached_result,
    cached_tracks,
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
    making = making_of(process, of, entry)
    name = overlay_name(key_of(of, entry, making), head=params.head, format=params.format)
    if _HEAD.fullmatch(params.head) and process.blobs.exists(name):
        return {"blob": name}
    result, tracks = _evidence(process, of, entry, making, progress)
    weights = head_weights(result.attention, params.head)
    clip = Film(process, of, making, progress).clip if of.media == "clip" else None
    progress("draw", 0.5)
    with tempfile.TemporaryDirectory(prefix="pointaction-") as folder:
        path = Path(folder) / f"overlay.{params.format}"
        if tracks:
            frames = clip.frames if clip else None
            process.library.draw(path, frames, tracks, weights, format=params.format)
        else:
            assert clip  # its pixels were looked at
            process.library.draw_heat(path, clip, weights, format=params.format)
        process.blobs.put_file(path, name)
    progress.enter("")
    return {"blob": name}


def _entry_behind(process: Process, of: Job) -> Entry:
    """The model that answered, whatever its name means by now; where it is gone, what is there."""
    told = of.result["model"] if of.result else None
    if told is None:
        return process.entry(of.seen_by.model)
    try:
        entry = process.entry(f"{told['name']}@{told['version']}")
    except UnknownModel:
        return process.entry(of.seen_by.model)
    return replace(entry, backend=told.get("backend", TORCH))


def head_weights(attention: NDArray[np.float16], head: str) -> NDArray[np.float32]:
    """A head by its number, or the mean: (N,) of attention (heads, N), and maps of maps."""
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
) -> tuple[CachedResult, Tracks | None]:
    """The answer and tracks of the job drawn, made again where they have left the cache."""
    result = cached_result(process, of, entry, making)
    if result and result.tracks_key is None:
        return result, None
    key = result.tracks_key if result else None
    tracks = cached_tracks(process.cache.get_tracks, key) if key else None
    if result and tracks:
        return result, tracks
    if of.kind == "classify":
        return recognise(process, of, entry, making, progress)
    description, result = describe(
        process, of, entry, head_of(process.settings, DEFAULT_HEAD), progress
    )
    return result, description.tracks
