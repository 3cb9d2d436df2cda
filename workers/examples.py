"""Describing clips, and telling by the examples of an episode what one is."""

import hashlib
import io
from typing import Any

import numpy as np
import redis

from pointaction.choices import chosen
from pointaction.errors import InputError
from pointaction.fewshot.heads import HEADS
from pointaction.methods import Used
from pointaction.models.catalog import Entry
from pointaction.predictions import best
from pointaction.tracks import Tracks
from pointaction.version import PIPELINE_VERSION
from workers.blobs import example_tracks_name, features_name
from workers.classify import Film, cached_result, evidence, keep, key_of, making_of, tracks_of
from workers.episodes import Episode, EpisodeStore, Example
from workers.jobs import ExampleParams, Job, MatchParams
from workers.logs import logger
from workers.process import Classes, Description, Likeness, Process
from workers.progress import Progress
from workers.results import CachedResult, seen
from workers.settings import Settings

log = logger(__name__)


def example(process: Process, job: Job, progress: Progress) -> dict[str, Any]:
    """Describe an example and keep what its episode needs of it. For a job of kind "example"."""
    params = ExampleParams.model_validate(job.params)
    episode = episode_of(process.episodes, params.episode)
    known = process.episodes.example(episode.id, params.example)
    if known is None:
        raise _taken_out()
    # Both once: while this job runs the store may be given another version.
    entry, head = process.entry(params.model), head_of(process.settings, episode.head)
    description, result = describe(process, job, entry, head, progress)
    # The features last, since they are what makes an example one that can be used.
    tracks = example_tracks_name(episode.id, known.id)
    process.blobs.put(description.tracks.to_bytes(), tracks)
    features = features_name(episode.id, known.id, made_by=_made_by(entry, head))
    process.blobs.put(description.features, features)
    if not process.episodes.settle(episode.id, known.ready()):
        process.blobs.delete_example(episode.id, known.id)
        raise _taken_out()
    return {
        **seen(job.id, result, attention=True),
        "episode": episode.id,
        "example": known.id,
        "label": known.label,
    }


def match(process: Process, job: Job, progress: Progress) -> dict[str, Any]:
    """Tell which class of an episode a clip is. For a job of kind "match"."""
    params = MatchParams.model_validate(job.params)
    episode = episode_of(process.episodes, params.episode)
    entry, head = process.entry(params.model), head_of(process.settings, episode.head)
    features, result = _asked(process, job, entry, head, progress)
    progress("match", 0.95)
    examples = process.episodes.examples(episode.id)
    ready = [each for each in examples if each.state == "ready"]
    likeness = learnt(process, episode, entry, head, ready, progress).liken(features)
    progress.enter("")
    return {
        **seen(job.id, result, attention=params.attention),
        "timings_ms": dict(progress.timings_ms),
        "episode": episode.id,
        "head": head.to_json(),
        "predictions": best(likeness.scores, params.top_k),
        "none_of_these": likeness.none_of_these,
        "notes": [*result.notes, *_notes(examples)],
        **_parts(likeness, ready),
    }


def describe(
    process: Process, job: Job, entry: Entry, head: Used, progress: Progress
) -> tuple[Description, CachedResult]:
    """What the model sees in the job's clip; its attention and tracks are cached."""
    making = making_of(process, job, entry)
    tracks, clip = tracks_of(process, Film(process, job, making, progress))
    progress.enter("load")
    description = process.library.describe(
        process.recogniser(entry), tracks, process.head(head), report=progress
    )
    progress.enter("")
    result = CachedResult(
        scores={},
        none_of_these=None,
        branches={},
        attention=np.asarray(description.attention, np.float16),
        timings_ms=dict(progress.timings_ms),
        **evidence(job, entry, making, tracks, clip),
    )
    keep(process, job, entry, making, result, description.tracks)
    try:
        key = key_of(job, entry, making)
        process.cache.put_features(key, _made_by(entry, head), description.features)
    except redis.RedisError as error:  # it will be described again
        log.warning("cache not written", error=str(error))
    return description, result


def _asked(
    process: Process, job: Job, entry: Entry, head: Used, progress: Progress
) -> tuple[bytes, CachedResult]:
    """What a query is compared by; at once where the clip has been described so before."""
    making = making_of(process, job, entry)
    try:
        key = key_of(job, entry, making)
        features = process.cache.get_features(key, _made_by(entry, head))
    except redis.RedisError as error:
        log.warning("cache not read", error=str(error))
        features = None
    process.tally.looked_up("features", found=features is not None)
    if features and (known := cached_result(process, job, entry, making)):
        return features, known
    description, result = describe(process, job, entry, head, progress)
    return description.features, result


def head_of(settings: Settings, name: str) -> Used:
    """By what an episode compares; UnknownModel where its weights are missing."""
    return chosen(name, HEADS).used(settings.model_store, settings.running)


def learnt(
    process: Process,
    episode: Episode,
    entry: Entry,
    head: Used,
    ready: list[Example],
    progress: Progress,
) -> Classes:
    """The episode's classes by the examples that are ready."""
    labels = [each.label for each in ready]
    if len(set(labels)) < 2:
        raise InputError(
            f"the examples that could be read are of {len(set(labels))} classes, and two are "
            "needed; GET /episodes/{id} says what was wrong with the others",
            kind="too-few-classes",
            limit=2,
            value=len(set(labels)),
        )
    made_by = _made_by(entry, head)
    key = " ".join([episode.id, made_by, *(each.id for each in ready)])

    def learn() -> Classes:
        features = [_features(process, episode, each, entry, head, progress) for each in ready]
        return process.library.learn(entry, head.name, process.head(head), features, labels)

    return process.classes(key, learn)


def _features(
    process: Process,
    episode: Episode,
    example: Example,
    entry: Entry,
    head: Used,
    progress: Progress,
) -> bytes:
    """Those of an example, made again from its tracks when they are another model's."""
    name = features_name(episode.id, example.id, made_by=_made_by(entry, head))
    if known := process.blobs.get(name):
        return known
    tracks = process.blobs.get(example_tracks_name(episode.id, example.id))
    if tracks is None:
        raise InputError(
            f"what was kept of the example {example.name or example.id!r} is gone; send it again",
            kind="content-gone",
            value=example.id,
        )
    description = process.library.describe(
        process.recogniser(entry),
        Tracks.load(io.BytesIO(tracks)),
        process.head(head),
        report=progress,
    )
    process.blobs.put(description.features, name)
    return description.features


def episode_of(episodes: EpisodeStore, episode_id: str) -> Episode:
    """An episode by its id; InputError when it is gone."""
    episode = episodes.get(episode_id)
    if episode is None:
        raise InputError("the episode has been deleted", kind="episode-gone", value=episode_id)
    return episode


def _taken_out() -> InputError:
    return InputError("the example was taken out of its episode", kind="example-gone")


def _made_by(entry: Entry, head: Used) -> str:
    """A digest of all that features depend on, apart from the tracks."""
    parts = f"{entry.digest} {head.name} {head.version} {head.digest} {PIPELINE_VERSION}"
    return hashlib.sha256(parts.encode()).hexdigest()


def _parts(likeness: Likeness, ready: list[Example]) -> dict[str, Any]:
    """The nearest examples, and which part of the clip matched which part of an example."""
    return {
        "nearest": [
            {"similarity": round(each.similarity, 4), **_told(ready[each.example])}
            for each in likeness.neighbours
        ],
        "matches": [
            {
                "query": list(each.query),
                "moments": list(each.moments),
                "weight": round(each.weight, 4),
                **_told(ready[each.example]),
            }
            for each in likeness.matches
        ],
    }


def _told(example: Example) -> dict[str, str]:
    return {"example": example.id, "label": example.label, "name": example.name}


def _notes(examples: list[Example]) -> list[str]:
    """What the answer lacks because examples could not be read."""
    notes = []
    failed = sum(each.state == "failed" for each in examples)
    if failed:
        notes.append(f"{failed} of {len(examples)} examples could not be read and play no part")
    ready = {each.label for each in examples if each.state == "ready"}
    if lost := [label for label in dict.fromkeys(e.label for e in examples) if label not in ready]:
        notes.append(f"no example of {', '.join(map(repr, lost))} could be read")
    return notes
