"""A real clip, tracker and model behind a job; only the weights are not trained."""

import hashlib
import io
import os
from functools import partial
from pathlib import Path
from typing import cast

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from pointaction.models.calibration import Calibration
from pointaction.models.traction import traction_tiny
from pointaction.tracks import Tracks
from pointaction.video import decode as decoding
from pointaction.video.encode import encode_mp4
from tests.conftest import RedisServers
from tests.pointaction.test_tracks import make_tracks
from tests.workers.conftest import CATALOG, Bench, kill, settings_at
from workers import presence
from workers.jobs import ClassifyParams, Job, State
from workers.launch import WorkerProcess
from workers.library import open_library
from workers.making import Making
from workers.process import Process
from workers.results import tracks_key
from workers.settings import Settings
from workers.tasks import run_job

LABELS = ("waving", "falling")


@pytest.fixture
def bench(tmp_path: Path, redis_servers: RedisServers) -> Bench:
    settings = settings_at(tmp_path, redis_servers).model_copy(update={"tracks": 32, "threads": 1})
    untrained(settings.model_store)
    return Bench(settings)


def untrained(store: Path) -> None:
    torch.manual_seed(0)
    weights = store / "scripted.safetensors"
    save_file(traction_tiny(len(LABELS)).state_dict(), weights)
    digest = hashlib.sha256(weights.read_bytes()).hexdigest()
    catalog = CATALOG.format(digest=digest).replace('"none"', '"traction_tiny"')
    (store / "catalog.toml").write_text(catalog)


def sliding_clip(path: Path) -> bytes:
    """One second of a random texture that slides to the left by two pixels a frame."""
    rng = np.random.default_rng(0)
    texture = rng.integers(0, 255, (16, 28, 3), np.uint8).repeat(8, 0).repeat(8, 1)
    frames = [np.ascontiguousarray(texture[:, 2 * t : 2 * t + 160]) for t in range(24)]
    encode_mp4(frames, fps=24, path=path)
    return path.read_bytes()


def run(bench: Bench, process: Process, job: Job) -> Job:
    bench.jobs.create(job)
    run_job(process, job.id)
    done = bench.job(job.id)
    assert done.state is State.SUCCEEDED, done.problem
    return done


def test_a_clip_and_its_own_tracks_file_give_the_same_answer_and_drawings(
    bench: Bench, tmp_path: Path
) -> None:
    process = Process(bench.settings, open_library(bench.settings))
    params = ClassifyParams(model="scripted")
    clip = sliding_clip(tmp_path / "clip.mp4")

    job = run(bench, process, Job.new(content=bench.upload(clip), media="clip", params=params))

    assert job.result is not None
    assert job.result["clip"]["frames"] == 24
    assert job.result["attention"]["tracks"] == 32
    assert {"decode", "track", "lift", "classify", "explain"} <= set(job.timings_ms)
    cached = bench.cache.get(bench.key(job))
    assert cached is not None
    file = bench.cache.get_tracks(cached.tracks_key or "")
    assert file is not None
    np.testing.assert_allclose(cached.attention.sum(axis=1), 1, atol=0.01)

    of_tracks = Job.new(content=bench.upload(file), media="tracks", params=params)
    assert run(bench, process, of_tracks).result is not None
    answers = [bench.job(one).result for one in (job.id, of_tracks.id)]
    assert answers[0] is not None
    assert answers[1] is not None
    assert answers[0]["predictions"] == answers[1]["predictions"]

    for of, choices, magic in (
        (job.id, {"format": "png"}, b"\x89PNG"),
        (job.id, {"format": "mp4", "head": "0"}, b"ftyp"),
        (of_tracks.id, {"format": "png"}, b"\x89PNG"),
    ):
        drawing = run(bench, process, bench.drawing(of, **choices))
        assert drawing.result is not None
        with bench.blobs.open(drawing.result["blob"]) as blob:
            assert magic in blob.read(12)


def test_a_calibration_that_comes_later_is_heeded(bench: Bench) -> None:
    process = Process(bench.settings, open_library(bench.settings))
    content = bench.upload(make_tracks(count=8).to_bytes())
    params = ClassifyParams(model="scripted")

    def ask() -> bool | None:
        done = run(bench, process, Job.new(content=content, media="tracks", params=params))
        assert done.result is not None
        return cast("bool | None", done.result["none_of_these"])

    assert ask() is None
    store = bench.settings.model_store
    with (store / "catalog.toml").open("a") as catalog:
        catalog.write('calibration = "calibration.json"\n')
    for threshold, none_of_these in ((1.01, True), (0.0, False)):
        calibration = Calibration(temperature=1.0, threshold=threshold, score="sureness")
        calibration.save(store / "calibration.json")
        assert ask() is none_of_these


def test_a_real_worker_answers_and_lives_on_after_nonsense(bench: Bench, tmp_path: Path) -> None:
    worker = WorkerProcess(bench.settings)
    worker.start()
    params = ClassifyParams(model="scripted")
    nonsense = Job.new(content=bench.upload(b"not a video"), media="clip", params=params)
    content = bench.upload(sliding_clip(tmp_path / "clip.mp4"))
    clip = Job.new(content=content, media="clip", params=params)
    try:
        bench.send(nonsense)
        bench.send(clip)
        problem = bench.finished(nonsense.id, within_s=60).problem
        assert problem is not None
        assert problem.kind == "unsupported-clip"
        assert bench.finished(clip.id, within_s=30).state is State.SUCCEEDED
        assert bench.job(clip.id).attempts == 1
    finally:
        kill(worker)


def test_tracks_in_the_cache_are_a_whole_tracks_file(bench: Bench, tmp_path: Path) -> None:
    process = Process(bench.settings, open_library(bench.settings))
    content = bench.upload(sliding_clip(tmp_path / "clip.mp4"))
    params = ClassifyParams(model="scripted")
    job = run(bench, process, Job.new(content=content, media="clip", params=params))
    cached = bench.cache.get(bench.key(job))
    assert cached is not None
    path = tmp_path / "again.tracks.npz"
    path.write_bytes(bench.cache.get_tracks(cached.tracks_key or "") or b"")
    tracks = Tracks.load(path)
    moved = (tracks.xy[:, -1] - tracks.xy[:, 0])[tracks.visible.all(axis=1)]
    assert tracks.depth is not None
    assert np.median(moved[:, 0]) < -20  # it slides to the left
    assert abs(np.median(moved[:, 1])) < 5


def test_a_grid_and_random_points_of_one_clip_have_tracks_of_their_own(
    bench: Bench, tmp_path: Path
) -> None:
    """The grid begins in the middle of 32 frames, the random points anywhere."""
    process = Process(bench.settings, open_library(bench.settings))
    content = bench.upload(sliding_clip(tmp_path / "clip.mp4"))
    began: dict[str, set[float]] = {}
    for points in ("grid", "random"):
        params = ClassifyParams(model="scripted", points=points)
        job = run(bench, process, Job.new(content=content, media="clip", params=params))
        assert job.result is not None
        assert (job.result["points"]["name"], job.result["cached"]) == (points, False)
        tracks = Tracks.load(io.BytesIO(bench.cache.get_tracks(bench.tracks_key(job)) or b""))
        began[points] = set(tracks.query[:, 0].tolist())
    assert began["grid"] == {16}
    assert len(began["random"]) > 10


def test_threads_are_as_many_as_the_operator_says(settings: Settings) -> None:
    before = torch.get_num_threads()
    try:
        open_library(settings.model_copy(update={"threads": 1}))
        assert torch.get_num_threads() == 1
    finally:
        torch.set_num_threads(before)


def test_networks_are_opened_once_told_of_as_loaded_and_named(
    bench: Bench, network_store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """CoTracker3 and Video Depth Anything with weights that were never trained, on few pixels."""
    monkeypatch.setattr(decoding, "decode", partial(decoding.decode, frames=2))
    monkeypatch.setattr("pointaction.depth.map_lifter.INPUT_SIZE", 28)
    settings = bench.settings.model_copy(update={"model_store": network_store, "tracks": 4})
    process = Process(settings, open_library(settings))
    told: list[tuple[str, float]] = []
    report = process.jobs.report

    def overheard(job_id: str, holder: str, *, stage: str, progress: float) -> bool:
        told.append((stage, progress))
        return report(job_id, holder, stage=stage, progress=progress)

    monkeypatch.setattr(process.jobs, "report", overheard)
    methods = {"tracker": "cotracker3", "depth": "video-depth-anything-small"}
    params = ClassifyParams.model_validate({"model": "small"} | methods)
    content = bench.upload(sliding_clip(tmp_path / "clip.mp4"))

    job = run(bench, process, Job.new(content=content, media="clip", params=params))

    assert job.result is not None
    assert job.result["tracker"]["name"] == "cotracker3"
    assert job.result["tracker"]["licence"] == "CC-BY-NC-4.0"
    assert job.result["depth"]["licence"] == "Apache-2.0"
    file = bench.cache.get_tracks(tracks_key(content, Making.behind(settings, "clip", job.result)))
    assert file is not None
    tracks = Tracks.load(io.BytesIO(file))
    assert tracks.size == (128, 160)  # as in the file: it is not enlarged
    assert tracks.depth is not None
    presence.beat(bench.redis, presence.worker_name(os.getppid()), ttl_s=10)
    assert presence.loaded_models(bench.redis) == {"small", "random", *methods.values()}
    assert any(stage == "track" and 0.25 < progress < 0.75 for stage, progress in told)

    drawing = run(bench, process, bench.drawing(job.id, format="png"))
    assert drawing.result is not None
