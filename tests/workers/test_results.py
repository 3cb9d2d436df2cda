import dataclasses
import pickle
import zlib

import numpy as np
import pytest

from tests.conftest import RedisServers
from workers.redis import connect_bytes
from workers.results import CachedResult, Media, ResultCache, answer, result_key, tracks_key

CLIP = {"sha256": "c" * 64, "duration_s": 1.5, "frames": 30, "width": 320, "height": 240}
RESULT = CachedResult(
    scores={"waving": 0.7, "falling": 0.2, "still": 0.1},
    none_of_these=False,
    attention=np.array([[0.25, 0.75], [1, 0]], np.float16),
    tracks_key="t" * 64,
    clip=CLIP,
    model={"name": "m", "version": "1", "digest": "d" * 64, "licence": "MIT"},
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
    for field in ("scores", "none_of_these", "tracks_key", "clip", "model", "timings_ms"):
        assert getattr(found, field) == getattr(RESULT, field)
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
        zlib.compress(b"PAR2"),
        zlib.compress(b"PAR2\xff\xff\xff\x7f{}"),
        zlib.compress(b"PAR9\x02\x00\x00\x00{}"),
        zlib.compress(b"PAR2\x02\x00\x00\x00{}"),
        zlib.compress(b"PAR2\x02\x00\x00\x00[]"),
        zlib.compress(zlib.decompress(RESULT.to_bytes())[:-1]),
    ],
)
def test_a_damaged_entry_is_a_miss(cache: ResultCache, damaged: bytes) -> None:
    cache.redis.set("result:k", damaged)
    assert cache.get("k") is None


def test_an_entry_of_the_layout_before_is_a_miss(cache: ResultCache) -> None:
    """It did not say whether the clip was none of the labels."""
    plain = zlib.decompress(RESULT.to_bytes())
    told = b', "none_of_these": false'
    assert told in plain
    length = int.from_bytes(plain[4:8], "little") - len(told)
    before = b"PAR1" + length.to_bytes(4, "little") + plain[8:].replace(told, b"")
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


def test_all_entries_expire(cache: ResultCache) -> None:
    cache.put("k", RESULT)
    cache.put_tracks("t", b"PK", clip=CLIP)
    for key in cache.redis.scan_iter():
        assert 0 < cache.redis.ttl(key) <= 60


def test_the_key_covers_the_whole_question(monkeypatch: pytest.MonkeyPatch) -> None:
    def key(
        content: str = "c", media: Media = "clip", model_digest: str = "m", tracks: int = 512
    ) -> str:
        return result_key(content, media=media, model_digest=model_digest, tracks=tracks)

    keys = {
        key(),
        key(content="other"),
        key(media="tracks"),
        key(model_digest="other"),
        key(tracks=100),
    }
    monkeypatch.setattr("workers.results.PIPELINE_VERSION", "next")
    keys.add(key())
    monkeypatch.setattr("workers.results.TRACKER_VERSION", "next")
    keys.add(key())
    assert len(keys) == 7
    assert key() == key()


def test_the_tracks_key_is_the_same_for_all_models(monkeypatch: pytest.MonkeyPatch) -> None:
    keys = {tracks_key("c", 512), tracks_key("d", 512), tracks_key("c", 100)}
    monkeypatch.setattr("workers.results.TRACKER_VERSION", "next")
    keys.add(tracks_key("c", 512))
    assert len(keys) == 4


def test_an_uploaded_tracks_file_has_its_own_number_of_tracks() -> None:
    keys = [result_key("c", media="tracks", model_digest="m", tracks=n) for n in (100, 512)]
    assert keys[0] == keys[1]


def test_the_answer_shows_what_was_asked_for() -> None:
    assert answer("j", RESULT, top_k=2, attention=True, cached=False) == {
        "job": "j",
        "clip": CLIP,
        "model": RESULT.model,
        "predictions": [{"label": "waving", "score": 0.7}, {"label": "falling", "score": 0.2}],
        "none_of_these": False,
        "attention": {"heads": 2, "tracks": 2, "href": "/jobs/j/attention"},
        "timings_ms": {"track": 12.5},
        "cached": False,
    }
    brief = answer("j", RESULT, top_k=100, attention=False, cached=True)
    assert len(brief["predictions"]) == 3
    assert brief["attention"] is None
    assert brief["cached"]
