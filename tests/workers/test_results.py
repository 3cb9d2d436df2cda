import dataclasses
import json
import pickle
import zlib

import numpy as np
import pytest

from pointaction.methods import Used
from tests.conftest import RedisServers
from workers.making import Making
from workers.redis import connect_bytes
from workers.results import (
    CachedResult,
    ResultCache,
    answer,
    followed_key,
    result_key,
    tracks_key,
)

CLIP = {"sha256": "c" * 64, "duration_s": 1.5, "frames": 30, "width": 320, "height": 240}
RESULT = CachedResult(
    scores={"waving": 0.7, "falling": 0.2, "still": 0.1},
    none_of_these=False,
    branches={"motion": {"waving": 0.6, "still": 0.4}},
    attention=np.array([[0.25, 0.75], [1, 0]], np.float16),
    tracks_key="t" * 64,
    clip=CLIP,
    model={"name": "m", "version": "1", "digest": "d" * 64, "licence": "MIT"},
    points={"name": "p", "version": "3", "digest": None, "licence": "MIT"},
    tracker={"name": "t", "version": "2", "digest": None, "licence": "MIT"},
    depth=None,
    notes=["a word of caution"],
    timings_ms={"track": 12.5},
)


@pytest.fixture
def cache(redis_servers: RedisServers) -> ResultCache:
    return ResultCache(connect_bytes(redis_servers.cache_url), ttl_s=60)


def test_an_answer_comes_back_as_it_was_put(cache: ResultCache) -> None:
    assert cache.get("k") is None
    cache.put("k", RESULT)
    found = cache.get("k")
    assert found is not None
    for field in dataclasses.fields(CachedResult):
        if field.name != "attention":
            assert getattr(found, field.name) == getattr(RESULT, field.name)
    np.testing.assert_array_equal(found.attention, RESULT.attention)
    assert found.attention.dtype == np.float16
    cache.delete("k")
    assert cache.get("k") is None


def test_the_largest_attention_is_kept(cache: ResultCache) -> None:
    attention = np.random.default_rng(0).random((8, 10_000)).astype(np.float16)
    cache.put("k", dataclasses.replace(RESULT, attention=attention))
    found = cache.get("k")
    assert found is not None
    np.testing.assert_array_equal(found.attention, attention)


@pytest.mark.parametrize(
    "damaged",
    [
        b"",
        b"\x00\x01",
        b"half",
        RESULT.to_bytes()[:-9],
        pickle.dumps(RESULT.scores),
        zlib.compress(b"PAR4"),
        zlib.compress(b"PAR4\xff\xff\xff\x7f{}"),
        zlib.compress(b"PAR9\x02\x00\x00\x00{}"),
        zlib.compress(b"PAR4\x02\x00\x00\x00{}"),
        zlib.compress(b"PAR4\x02\x00\x00\x00[]"),
        zlib.compress(zlib.decompress(RESULT.to_bytes())[:-1]),
    ],
)
def test_a_damaged_entry_is_a_miss(cache: ResultCache, damaged: bytes) -> None:
    cache.redis.set("result:k", damaged)
    assert cache.get("k") is None


def test_an_entry_of_the_layout_before_is_a_miss(cache: ResultCache) -> None:
    """It did not say what had chosen the points."""
    plain = zlib.decompress(RESULT.to_bytes())
    told = f', "points": {json.dumps(RESULT.points)}'.encode()
    assert told in plain
    length = int.from_bytes(plain[4:8], "little") - len(told)
    before = b"PAR3" + length.to_bytes(4, "little") + plain[8:].replace(told, b"")
    cache.redis.set("result:k", zlib.compress(before))
    assert cache.get("k") is None


def test_tracks_are_kept_byte_for_byte_with_what_is_known_of_their_clip(
    cache: ResultCache,
) -> None:
    assert cache.get_tracks("t") is None
    assert cache.get_clip("t") is None
    cache.put_tracks("t", b"PK\x03\x04\xff", clip=CLIP)
    assert cache.get_tracks("t") == b"PK\x03\x04\xff"
    assert cache.get_clip("t") == CLIP
    cache.delete_tracks("t")
    assert cache.get_tracks("t") is None
    assert cache.get_clip("t") is None


def test_tracks_are_found_by_who_followed_them_as_long_as_they_are_there(
    cache: ResultCache,
) -> None:
    assert cache.get_followed("f") is None
    cache.put_tracks("t", b"PK", followed="f")
    assert cache.get_followed("f") == b"PK"
    cache.delete_tracks("t")
    assert cache.get_followed("f") is None


def test_all_entries_expire(cache: ResultCache) -> None:
    cache.put("k", RESULT)
    cache.put_tracks("t", b"PK", clip=CLIP, followed="f")
    assert cache.redis.dbsize() == 4
    for key in cache.redis.scan_iter():
        assert 0 < cache.redis.ttl(key) <= 60


POINTS = Used(name="p", version="1", digest=None, licence="MIT")
TRACKER = Used(name="t", version="1", digest=None, licence="MIT")
DEPTH = Used(name="d", version="1", digest="2" * 64, licence="MIT")
MAKING = Making(points=POINTS, tracker=TRACKER, depth=DEPTH, tracks=512)
OTHER_DEPTHS = [
    dataclasses.replace(MAKING, depth=dataclasses.replace(DEPTH, **change))
    for change in ({"name": "x"}, {"version": "2"}, {"digest": "3" * 64})
]
OTHER_TRACKS = [
    dataclasses.replace(MAKING, tracks=100),
    dataclasses.replace(MAKING, points=None),
    dataclasses.replace(MAKING, tracker=None),
    *(
        dataclasses.replace(MAKING, points=dataclasses.replace(POINTS, **change))
        for change in ({"name": "x"}, {"version": "2"}, {"digest": "3" * 64})
    ),
    *(
        dataclasses.replace(MAKING, tracker=dataclasses.replace(TRACKER, **change))
        for change in ({"name": "x"}, {"version": "2"}, {"digest": "3" * 64})
    ),
]


def test_the_key_covers_the_whole_question(monkeypatch: pytest.MonkeyPatch) -> None:
    def key(content: str = "c", making: Making = MAKING, model_digest: str = "m") -> str:
        return result_key(content, making, model_digest=model_digest)

    keys = {key(), key(content="other"), key(model_digest="other")}
    keys |= {key(making=making) for making in OTHER_DEPTHS + OTHER_TRACKS}
    monkeypatch.setattr("workers.results.PIPELINE_VERSION", "next")
    keys.add(key())
    assert len(keys) == 3 + 12 + 1
    assert key() == key()


def test_tracks_are_the_same_for_all_models_and_those_of_one_tracker_for_all_depths() -> None:
    makings = [MAKING, *OTHER_DEPTHS, *OTHER_TRACKS]
    assert len({tracks_key("c", making) for making in makings} | {tracks_key("d", MAKING)}) == 14
    assert len({followed_key("c", making) for making in [MAKING, *OTHER_DEPTHS]}) == 1
    assert len({followed_key("c", making) for making in [MAKING, *OTHER_TRACKS]}) == 10


def test_the_answer_shows_what_was_asked_for() -> None:
    assert answer("j", RESULT, top_k=2, attention=True, cached=False) == {
        "job": "j",
        "clip": CLIP,
        "model": RESULT.model,
        "points": RESULT.points,
        "tracker": RESULT.tracker,
        "depth": None,
        "predictions": [{"label": "waving", "score": 0.7}, {"label": "falling", "score": 0.2}],
        "none_of_these": False,
        "notes": ["a word of caution"],
        "branches": {
            "motion": [{"label": "waving", "score": 0.6}, {"label": "still", "score": 0.4}]
        },
        "attention": {"heads": 2, "tracks": 2, "maps": None, "href": "/jobs/j/attention"},
        "timings_ms": {"track": 12.5},
        "cached": False,
    }
    brief = answer("j", RESULT, top_k=100, attention=False, cached=True)
    assert len(brief["predictions"]) == 3
    assert brief["attention"] is None
    assert brief["cached"]
