"""The cache of answers and tracks: Redis, compressed, with a TTL, and never pickled.

A key is a digest of the whole question, with the model's digest and the versions of the code that
answers, so that a new model or a new release never serves an old answer. An entry that cannot be
read is a miss.
"""

import hashlib
import json
import struct
import zlib
from dataclasses import asdict, dataclass
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from redis import Redis

from pointaction.methods import Used
from pointaction.predictions import best
from pointaction.timelines.timeline import VERSION as TIMELINE_VERSION
from pointaction.timelines.timeline import Timeline
from pointaction.version import PIPELINE_VERSION
from workers.jobs import TimelineParams
from workers.making import Making
from workers.redis import connect_bytes
from workers.settings import Settings

_MAGIC = b"PAR5"  # changes with the layout below
_HEADER = struct.Struct(">4sI")  # magic, length of the JSON part


def result_key(content: str, making: Making, *, model_digest: str) -> str:
    """Key of the answer of one model for one upload; 64 hex digits, so also a file name."""
    return _digest("result", content, asdict(making), model_digest, PIPELINE_VERSION)


def described_by(model_digest: str) -> str:
    """In the place of a model's digest: the key of what it sees in a clip without naming it."""
    return f"{model_digest}:described"


def tracks_key(content: str, making: Making) -> str:
    """Key of the tracks of one upload, with their depth: the same whatever the model."""
    return _digest("tracks", content, asdict(making))


def followed_key(content: str, making: Making) -> str:
    """Key of whichever tracks one tracker has made of one upload: the same whatever the depth."""
    return _digest("followed", content, asdict(making) | {"depth": None})


def timeline_key(
    content: str, making: Making, params: TimelineParams, *, answered_by: str, head: Used | None
) -> str:
    """Key of the scores of all windows of one video, by a model or the classes of an episode."""
    asked = params.model_dump(include={"tracks", "window_s", "step_s", "episode", "examples"})
    by = {"model": answered_by, "head": head and head.to_json()}
    question = asdict(making) | asked | by
    return _digest("timeline", content, question, PIPELINE_VERSION, TIMELINE_VERSION)


def _digest(*parts: str | dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CachedResult:
    """Everything an answer is made of, but for what the caller chose to see."""

    scores: dict[str, float]  # every label, the best first
    none_of_these: bool | None  # None: the model is not calibrated
    branches: dict[str, dict[str, float]]  # the same of each branch alone, where there are any
    attention: NDArray[np.float16]  # (heads, N) or (heads, T, h, w), each head's sums to 1
    tracks_key: str | None  # None: no points were followed
    clip: dict[str, Any]  # sha256, duration_s, frames, width, height
    model: dict[str, Any]  # name, version, digest, licence
    points: dict[str, Any] | None  # the same of what chose them; None: not chosen here
    tracker: dict[str, Any] | None  # the same; None: nothing was followed here
    depth: dict[str, Any] | None  # None: it came with uploaded tracks, or there are none
    notes: list[str]
    timings_ms: dict[str, float]  # of the job that made it

    def to_bytes(self) -> bytes:
        head = {
            "scores": self.scores,
            "none_of_these": self.none_of_these,
            "branches": self.branches,
            "shape": self.attention.shape,
            "tracks_key": self.tracks_key,
            "clip": self.clip,
            "model": self.model,
            "points": self.points,
            "tracker": self.tracker,
            "depth": self.depth,
            "notes": self.notes,
            "timings_ms": self.timings_ms,
        }
        text = json.dumps(head).encode()
        weights = np.ascontiguousarray(self.attention, dtype="<f2").tobytes()
        return zlib.compress(_HEADER.pack(_MAGIC, len(text)) + text + weights, level=1)

    @classmethod
    def from_bytes(cls, data: bytes) -> "CachedResult":
        """Raises ValueError, KeyError, zlib.error or struct.error on bytes of another make."""
        plain = zlib.decompress(data)
        magic, length = _HEADER.unpack_from(plain)
        if magic != _MAGIC:
            raise ValueError(f"expected {_MAGIC!r}, got {magic!r}")
        head = json.loads(plain[_HEADER.size : _HEADER.size + length])
        weights = np.frombuffer(plain, "<f2", offset=_HEADER.size + length)
        shape = head.pop("shape")
        return cls(attention=weights.reshape(shape).astype(np.float16), **head)


class ResultCache:
    """Answers and tracks by key. Raises redis.RedisError when Redis is away.

    `redis` is a client for bytes (`workers.redis.connect_bytes`).
    """

    def __init__(self, redis: Redis, *, ttl_s: int) -> None:
        self.redis = redis
        self.ttl_s = ttl_s

    @classmethod
    def open(cls, settings: Settings) -> "ResultCache":
        """The cache of these settings; connects when it is first used."""
        # Tracks run to megabytes: more patience than for a record.
        redis = connect_bytes(settings.require("cache_url"), timeout_s=5.0)
        return cls(redis, ttl_s=settings.result_ttl_s)

    def get(self, key: str) -> CachedResult | None:
        data = cast("bytes | None", self.redis.get(f"result:{key}"))
        if data is None:
            return None
        try:
            return CachedResult.from_bytes(data)
        except (ValueError, KeyError, TypeError, zlib.error, struct.error):
            return None

    def put(self, key: str, result: CachedResult) -> None:
        self.redis.set(f"result:{key}", result.to_bytes(), ex=self.ttl_s)

    def delete(self, key: str) -> None:
        self.redis.delete(f"result:{key}", f"features:{key}")

    def get_features(self, key: str, made_by: str) -> bytes | None:
        """What a clip is compared by, beside the result of the key."""
        return cast("bytes | None", self.redis.hget(f"features:{key}", made_by))

    def put_features(self, key: str, made_by: str, features: bytes) -> None:
        """To be forgotten with the result of the key."""
        with self.redis.pipeline(transaction=True) as pipe:
            pipe.hset(f"features:{key}", made_by, features)
            pipe.expire(f"features:{key}", self.ttl_s)
            pipe.execute()

    def get_tracks(self, key: str) -> bytes | None:
        """A whole `.tracks.npz`, or None."""
        return cast("bytes | None", self.redis.get(f"tracks:{key}"))

    def get_clip(self, key: str) -> dict[str, Any] | None:
        """What `put_tracks` was told of the clip that the tracks were made from."""
        data = cast("bytes | None", self.redis.get(f"clip:{key}"))
        return None if data is None else cast("dict[str, Any]", json.loads(data))

    def get_followed(self, key: str) -> bytes | None:
        """A `.tracks.npz` that was put as `followed` by this key, with whatever depth, or None."""
        name = cast("bytes | None", self.redis.get(f"followed:{key}"))
        return None if name is None else self.get_tracks(name.decode())

    def put_tracks(
        self,
        key: str,
        file: bytes,
        *,
        clip: dict[str, Any] | None = None,
        followed: str | None = None,
    ) -> None:
        """Keep a `.tracks.npz`, and a description of its clip, which the file itself lacks.

        `followed` is a key that leads to it too, by name alone.
        """
        with self.redis.pipeline(transaction=True) as pipe:
            pipe.set(f"tracks:{key}", file, ex=self.ttl_s)
            if clip is not None:
                pipe.set(f"clip:{key}", json.dumps(clip), ex=self.ttl_s)
            if followed is not None:
                pipe.set(f"followed:{followed}", key, ex=self.ttl_s)
            pipe.execute()

    def delete_tracks(self, key: str) -> None:
        self.redis.delete(f"tracks:{key}", f"clip:{key}")


def answer(
    job_id: str, result: CachedResult, *, top_k: int, attention: bool, cached: bool
) -> dict[str, Any]:
    """The `Result` of the HTTP contract, as plain JSON values."""
    return {
        **seen(job_id, result, attention=attention),
        "predictions": best(result.scores, top_k),
        "none_of_these": result.none_of_these,
        "branches": {name: best(scores, top_k) for name, scores in result.branches.items()},
        "cached": cached,
    }


def seen(job_id: str, result: CachedResult, *, attention: bool) -> dict[str, Any]:
    """What every answer about a clip has: who looked at it, and how."""
    heads, *over = result.attention.shape
    link = {
        "heads": heads,
        "tracks": over[0] if len(over) == 1 else None,
        "maps": dict(zip(("frames", "rows", "columns"), over, strict=True))
        if len(over) == 3
        else None,
        "href": f"/jobs/{job_id}/attention",
    }
    return {
        "job": job_id,
        "clip": result.clip,
        "model": result.model,
        "points": result.points,
        "tracker": result.tracker,
        "depth": result.depth,
        "notes": result.notes,
        "attention": link if attention else None,
        "timings_ms": result.timings_ms,
    }


def timeline_answer(job_id: str, found: Timeline, *, cached: bool) -> dict[str, Any]:
    """The `TimelineFound` of the HTTP contract, as plain JSON values."""
    return {
        "job": job_id,
        **found.made,
        "window_s": round(found.window_s, 4),
        "step_s": round(found.step_s, 4),
        "windows": found.windows,
        "labels": list(found.labels),
        "href": f"/jobs/{job_id}/segments",
        "cached": cached,
    }
