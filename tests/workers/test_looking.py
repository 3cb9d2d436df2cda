"""Models that look at pixels, with real networks whose weights are not trained."""

from pathlib import Path
from typing import cast

import numpy as np
import pytest

from tests.conftest import RedisServers
from tests.pointaction.models.stores import fused_store, probe_store
from tests.workers.conftest import Bench, settings_at
from tests.workers.test_library import run, sliding_clip
from workers.jobs import ClassifyParams, Job
from workers.library import open_library
from workers.process import Process


@pytest.fixture
def bench(tmp_path: Path, redis_servers: RedisServers) -> Bench:
    settings = settings_at(tmp_path, redis_servers)
    return Bench(settings.model_copy(update={"tracks": 32, "threads": 1}))


def test_a_fused_model_answers_with_its_branches(bench: Bench, tmp_path: Path) -> None:
    fused_store(bench.settings.model_store)
    process = Process(bench.settings, open_library(bench.settings))
    content = bench.upload(sliding_clip(tmp_path / "clip.mp4"))
    params = ClassifyParams(model="both", top_k=2)
    job = run(bench, process, Job.new(content=content, media="clip", params=params))
    assert job.result is not None
    assert {name: len(best) for name, best in job.result["branches"].items()} == {
        "motion": 2,
        "appearance": 2,
    }
    assert {"decode", "track", "lift", "look", "classify"} <= set(job.timings_ms)
    assert job.result["attention"]["tracks"] == 32
    drawing = run(bench, process, bench.drawing(job.id, format="png"))
    assert drawing.result is not None
    with bench.blobs.open(drawing.result["blob"]) as blob:
        assert blob.read(4) == b"\x89PNG"


def test_a_model_of_pixels_follows_nothing_and_draws_heat(bench: Bench, tmp_path: Path) -> None:
    probe_store(bench.settings.model_store)
    process = Process(bench.settings, open_library(bench.settings))
    content = bench.upload(sliding_clip(tmp_path / "clip.mp4"))
    params = ClassifyParams(model="seen")
    job = run(bench, process, Job.new(content=content, media="clip", params=params))
    assert job.result is not None
    assert "track" not in job.timings_ms
    assert job.result["tracker"] is None
    assert job.result["clip"]["frames"] == 24
    assert job.result["attention"]["maps"] == {"frames": 3, "rows": 1, "columns": 1}
    again = run(bench, process, Job.new(content=content, media="clip", params=params))
    assert again.result is not None
    assert again.result["cached"]
    assert again.result["predictions"] == job.result["predictions"]
    for choices, magic in (({"format": "png"}, b"\x89PNG"), ({"format": "mp4"}, b"ftyp")):
        drawing = run(bench, process, bench.drawing(job.id, **choices))
        assert drawing.result is not None
        with bench.blobs.open(drawing.result["blob"]) as blob:
            assert magic in blob.read(12)


def test_the_kept_maps_are_those_of_the_model(bench: Bench, tmp_path: Path) -> None:
    probe_store(bench.settings.model_store)
    process = Process(bench.settings, open_library(bench.settings))
    clip = tmp_path / "clip.mp4"
    content = bench.upload(sliding_clip(clip))
    params = ClassifyParams(model="seen")
    run(bench, process, Job.new(content=content, media="clip", params=params))
    model = process.recogniser(process.entry("seen"))
    decoded = process.library.decode(clip, "lucas-kanade", sha256=content)
    seen = model.recognise(None, decoded, report=lambda stage, progress: None)
    (key,) = cast("list[bytes]", bench.cache.redis.keys("result:*"))
    kept = bench.cache.get(key.decode().removeprefix("result:"))
    assert kept is not None
    np.testing.assert_allclose(kept.attention, seen.attention, atol=1e-3)
