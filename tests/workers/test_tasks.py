"""One delivery of one job, in this process, with the scripted library."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import redis
from redis.exceptions import OutOfMemoryError

from pointaction.models.calibration import Calibration
from tests.pointaction.models.stores import know_downloads, pretend
from tests.workers.conftest import Bench
from tests.workers.scripted import SCORES, ScriptedLibrary, two_tracks
from workers import presence, stats
from workers.jobs import ClassifyParams, Job, JobStore, OverlayParams, Problem, State
from workers.process import Process
from workers.stats import Counter
from workers.tasks import run_job


@pytest.fixture
def process(bench: Bench) -> Process:
    return Process(bench.settings, ScriptedLibrary(bench.settings))


def run(bench: Bench, process: Process, job: Job) -> Job:
    bench.jobs.create(job)
    run_job(process, job.id)
    return bench.job(job.id)


def test_a_clip_is_answered(bench: Bench, process: Process) -> None:
    job = run(bench, process, bench.clip("fine"))
    assert (job.state, job.progress, job.attempts) == (State.SUCCEEDED, 1.0, 1)
    assert job.result is not None
    assert job.result["predictions"] == [
        {"label": "waving", "score": 0.75},
        {"label": "falling", "score": 0.25},
    ]
    assert job.result["none_of_these"] is True
    assert job.result["model"]["digest"] == "5" * 64
    assert job.result["clip"] == {
        "sha256": job.result["clip"]["sha256"],
        "duration_s": 1.0,
        "frames": 2,
        "width": 6,
        "height": 4,
    }
    assert job.result["attention"]["href"] == f"/jobs/{job.id}/attention"
    assert not job.result["cached"]
    assert list(job.timings_ms) == ["queue", "decode", "load", "track", "classify"]
    assert list(job.result["timings_ms"]) == ["decode", "load", "track", "classify"]


def test_its_answer_tracks_and_attention_are_cached(bench: Bench, process: Process) -> None:
    job = run(bench, process, bench.clip("fine"))
    cached = bench.cache.get(bench.key(job))
    assert cached is not None
    assert (cached.scores, cached.none_of_these) == (SCORES, True)
    assert cached.tracks_key == bench.tracks_key(job)
    np.testing.assert_array_equal(cached.attention, [[0.25, 0.75], [1, 0]])
    assert bench.cache.get_tracks(cached.tracks_key) == two_tracks().to_bytes()


def test_the_same_clip_is_not_worked_on_twice(bench: Bench, process: Process) -> None:
    first = run(bench, process, bench.clip("fine"))
    again = run(bench, process, bench.clip("fine"))
    assert len(bench.decoded()) == 1
    assert first.result is not None
    assert again.result is not None
    assert again.result["cached"]
    assert again.result["job"] == again.id
    assert again.result["predictions"] == first.result["predictions"]


def test_another_model_uses_the_same_tracks(bench: Bench, process: Process) -> None:
    run(bench, process, bench.clip("fine"))
    catalog = bench.settings.model_store / "catalog.toml"
    catalog.write_text(catalog.read_text().replace("5" * 64, "6" * 64))
    again = run(bench, process, bench.clip("fine"))
    assert again.result is not None
    assert (again.result["model"]["digest"], again.result["cached"]) == ("6" * 64, False)
    assert again.result["clip"]["frames"] == 2
    assert len(bench.decoded()) == 1


def test_an_answer_names_what_made_its_tracks(bench: Bench, process: Process) -> None:
    result = run(bench, process, bench.clip("fine")).result
    assert result is not None
    ours = {"digest": None, "licence": "Apache-2.0"}
    assert result["points"] == {"name": "random", "version": "1"} | ours
    assert result["tracker"] == {"name": "lucas-kanade", "version": "1"} | ours
    assert result["depth"] == {"name": "looming", "version": "2"} | ours
    assert result["notes"] == []


@pytest.fixture
def pulled(bench: Bench) -> Path:
    """The store, with receipts for one tracker and one depth; its model learned from looming."""
    store = bench.settings.model_store
    catalog = store / "catalog.toml"
    learned = 'inputs = { depth = "looming" }'
    catalog.write_text(catalog.read_text().replace('inputs = { tracks = "any" }', learned))
    know_downloads(store)
    for name in ("cotracker3", "video-depth-anything-small"):
        pretend(store, name)
    return store


@pytest.mark.usefixtures("pulled")
def test_points_are_followed_once_for_all_depths(bench: Bench, process: Process) -> None:
    depths = ("looming", "video-depth-anything-small")
    jobs = [run(bench, process, bench.clip("fine", depth=depth)) for depth in (*depths, *depths)]
    results = [job.result or {} for job in jobs]
    assert [result["cached"] for result in results] == [False, False, True, True]
    assert [result["depth"]["name"] for result in results] == [*depths, *depths]
    assert results[1]["depth"]["digest"] == "7" * 64
    (note,) = results[1]["notes"]
    assert "trained on looming depth" in note
    assert results[0]["notes"] == results[2]["notes"] == []
    assert results[3]["notes"] == [note]
    assert len(bench.decoded()) == 2  # depth needs the pictures
    assert bench.followed() == ["fine"]


def test_another_tracker_follows_anew_and_so_do_other_weights(
    bench: Bench, process: Process, pulled: Path
) -> None:
    def ask(tracker: str) -> dict[str, Any]:
        return run(bench, process, bench.clip("fine", tracker=tracker)).result or {}

    asked = [ask("lucas-kanade"), ask("cotracker3"), ask("cotracker3"), ask("lucas-kanade")]
    pretend(pulled, "cotracker3", "8" * 64)
    asked.append(ask("cotracker3"))
    assert [result["cached"] for result in asked] == [False, False, True, True, False]
    assert asked[1]["tracker"]["licence"] == "CC-BY-NC-4.0"
    assert [result["tracker"]["digest"] for result in asked[1:]] == [
        "7" * 64, "7" * 64, None, "8" * 64,
    ]  # fmt: skip
    assert bench.followed() == ["fine"] * 3


def test_other_points_of_one_clip_share_neither_tracks_nor_answers(
    bench: Bench, process: Process
) -> None:
    choices = ("random", "grid", "random", "grid")
    jobs = [run(bench, process, bench.clip("fine", points=points)) for points in choices]
    results = [job.result or {} for job in jobs]
    assert [result["points"]["name"] for result in results] == list(choices)
    assert [result["cached"] for result in results] == [False, False, True, True]
    assert bench.followed() == ["fine"] * 2
    assert bench.tracks_key(jobs[0]) != bench.tracks_key(jobs[1])


def test_points_told_apart_by_another_network_are_chosen_anew(
    bench: Bench, process: Process, pulled: Path
) -> None:
    """By colour and texture, by DINOv2, and by other weights of it."""

    def ask() -> dict[str, Any]:
        return run(bench, process, bench.clip("fine", points="semantic")).result or {}

    asked = [ask(), ask()]
    pretend(pulled, "dinov2-small", "8" * 64)
    asked += [ask(), ask()]
    pretend(pulled, "dinov2-small", "9" * 64)
    asked.append(ask())
    assert [result["cached"] for result in asked] == [False, True, False, True, False]
    assert [result["points"]["digest"] for result in asked] == [
        None, None, "8" * 64, "8" * 64, "9" * 64,
    ]  # fmt: skip
    assert asked[2]["points"]["version"] == "1+dinov2-small"
    assert bench.followed() == ["fine"] * 3


@pytest.mark.usefixtures("pulled")
def test_what_is_rounded_otherwise_is_another_answer(bench: Bench, process: Process) -> None:
    run(bench, process, bench.clip("fine", tracker="cotracker3"))
    settings = bench.settings.model_copy(update={"precision": "bfloat16"})
    coarse = Process(settings, ScriptedLibrary(settings))
    result = run(bench, coarse, bench.clip("fine", tracker="cotracker3")).result
    assert result is not None
    assert (result["cached"], result["tracker"]["version"]) == (False, "1+bfloat16")


def test_weights_that_are_gone_are_a_problem_with_the_command(
    bench: Bench, process: Process
) -> None:
    know_downloads(bench.settings.model_store)
    problem = run(bench, process, bench.clip("fine", tracker="cotracker3")).problem
    assert problem is not None
    assert problem.kind == "not-installed"
    assert "pointaction models pull cotracker3 --accept-licence" in problem.detail


def test_another_calibration_is_another_answer(bench: Bench, process: Process) -> None:
    store = bench.settings.model_store
    catalog = (store / "catalog.toml").read_text()
    jobs = [run(bench, process, bench.clip("fine"))]
    (store / "catalog.toml").write_text(catalog + 'calibration = "calibration.json"\n')
    for threshold in (0.5, 0.75):
        calibration = Calibration(temperature=2.0, threshold=threshold, score="sureness")
        calibration.save(store / "calibration.json")
        jobs.append(run(bench, process, bench.clip("fine")))
    results = [job.result for job in jobs if job.result is not None]
    assert [result["cached"] for result in results] == [False, False, False]
    assert len({result["model"]["digest"] for result in results}) == 3
    again = run(bench, process, bench.clip("fine")).result
    assert again is not None
    assert again["cached"]
    assert len(bench.decoded()) == 1  # the tracks are the same


def test_a_damaged_cache_is_worked_around(bench: Bench, process: Process) -> None:
    job = run(bench, process, bench.clip("fine"))
    bench.cache.redis.set(f"result:{bench.key(job)}", b"damaged")
    bench.cache.redis.set(f"tracks:{bench.tracks_key(job)}", b"damaged")
    again = run(bench, process, bench.clip("fine"))
    assert again.state is State.SUCCEEDED
    assert len(bench.decoded()) == 2


def test_a_job_succeeds_without_a_cache(
    bench: Bench, process: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*args: object, **kwargs: object) -> None:
        raise redis.ConnectionError("no cache")

    for method in ("get", "put", "get_tracks", "put_tracks", "get_clip"):
        monkeypatch.setattr(process.cache, method, away)
    assert run(bench, process, bench.clip("fine")).state is State.SUCCEEDED


def test_a_tracks_file_gives_the_same_answer_as_its_clip(bench: Bench, process: Process) -> None:
    from_clip = run(bench, process, bench.clip("fine"))
    content = bench.upload(two_tracks().to_bytes())
    params = ClassifyParams(model="scripted")
    from_tracks = run(bench, process, Job.new(content=content, media="tracks", params=params))
    assert bench.cache.get_tracks(bench.tracks_key(from_tracks)) == two_tracks().to_bytes()
    assert from_clip.result is not None
    assert from_tracks.result is not None
    assert from_tracks.result["predictions"] == from_clip.result["predictions"]
    assert from_tracks.result["clip"] == {
        "sha256": content,
        "duration_s": 0.5,
        "frames": 2,
        "width": 6,
        "height": 4,
    }
    assert (from_tracks.result["tracker"], from_tracks.result["depth"]) == (None, None)


def test_an_error_of_the_caller_is_told_with_its_limit(bench: Bench, process: Process) -> None:
    job = run(bench, process, bench.clip("refuse"))
    assert job.state is State.FAILED
    assert job.problem == Problem(
        kind="unusable-input", detail="this clip has two frames too few", limit=4, value=2
    )
    assert "queue" in job.timings_ms


def test_an_error_of_ours_names_the_job_and_no_internals(bench: Bench, process: Process) -> None:
    job = run(bench, process, bench.clip("break"))
    assert job.problem is not None
    assert job.problem.kind == "internal"
    assert job.id in job.problem.detail
    assert "secret" not in job.problem.detail


def test_an_unknown_model_is_a_problem_of_its_own(bench: Bench, process: Process) -> None:
    job = bench.clip("fine")
    job.params["model"] = "no-such"
    problem = run(bench, process, job).problem
    assert problem is not None
    assert (problem.kind, problem.value) == ("unknown-model", "no-such")


@pytest.mark.parametrize("media", ["clip", "tracks"])
def test_an_upload_that_was_swept_is_to_be_sent_again(
    bench: Bench, process: Process, media: str
) -> None:
    job = bench.clip("fine")
    bench.blobs.delete(f"clips/{job.content}")
    problem = run(bench, process, job.model_copy(update={"media": media})).problem
    assert problem is not None
    assert problem.kind == "content-gone"
    assert "send it again" in problem.detail


def test_a_surplus_delivery_does_nothing(bench: Bench, process: Process) -> None:
    job = run(bench, process, bench.clip("fine"))
    run_job(process, job.id)
    run_job(process, "no-such-job")
    assert bench.job(job.id) == job
    assert bench.finishes(job.id) == 1


def test_an_outcome_outlasts_a_short_absence_of_redis(
    bench: Bench, process: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    succeed, calls = process.jobs.succeed, []

    def sometimes(*args: str, **kwargs: object) -> bool:
        calls.append(args)
        if len(calls) == 1:
            raise redis.ConnectionError("gone for a moment")
        return succeed(*args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(process.jobs, "succeed", sometimes)
    assert run(bench, process, bench.clip("fine")).state is State.SUCCEEDED
    assert len(calls) == 2


def test_durations_go_into_the_statistics(bench: Bench, process: Process) -> None:
    run(bench, process, bench.clip("fine"))
    stages = stats.read_stages(bench.redis)
    assert {model for _, model in stages} == {"scripted"}
    assert [stage for stage, _ in stages] == ["classify", "decode", "load", "queue", "track"]
    assert {histogram.count for histogram in stages.values()} == {1}


def test_every_end_is_counted_with_its_model_and_how_it_came(
    bench: Bench, process: Process
) -> None:
    for words, model in (("fine", "scripted"), ("refuse", "scripted"), ("fine", "made up")):
        run(bench, process, bench.clip(words, model=model))
    assert stats.read_counter(bench.redis, Counter.FINISHED) == {
        ("classify", "", "unknown-model"): 1,  # not a name that callers may think up
        ("classify", "scripted", "succeeded"): 1,
        ("classify", "scripted", "unusable-input"): 1,
    }


def test_the_second_attempt_is_a_retry_and_the_fourth_is_poison(
    bench: Bench, process: Process
) -> None:
    job = bench.clip("fine")
    bench.jobs.create(job)
    eager = JobStore(bench.redis, ttl_s=60, lease_s=0, max_attempts=3)
    for attempt in range(3):
        eager.claim(job.id, f"worker {attempt}")
    run_job(process, job.id)
    run_job(process, job.id)  # delivered once more
    ends = stats.read_counter(bench.redis, Counter.FINISHED)
    assert ends == {("classify", "scripted", "poison"): 1}
    second = bench.clip("fine, too")
    bench.jobs.create(second)
    eager.claim(second.id, "a worker that died")
    run_job(process, second.id)
    assert stats.read_counter(bench.redis, Counter.RETRIES) == {("classify",): 1}


def test_lookups_and_loads_are_counted(bench: Bench, process: Process) -> None:
    for _ in range(2):
        run(bench, process, bench.clip("fine"))
    assert stats.read_counter(bench.redis, Counter.LOOKUPS) == {
        ("followed", "miss"): 1,
        ("result", "hit"): 1,
        ("result", "miss"): 1,
        ("tracks", "miss"): 1,
    }
    loads = stats.read_counter(bench.redis, Counter.LOADS)
    assert loads == {(name,): 1 for name in ("looming", "lucas-kanade", "random", "scripted")}


def test_what_a_worker_holds_of_its_gpu_is_told(
    bench: Bench, process: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workers.gpu.memory", lambda: {"cuda:0": {"reserved": 5}})
    worker = presence.worker_name(os.getppid())
    presence.beat(bench.redis, worker, ttl_s=60)
    run(bench, process, bench.clip("fine"))
    assert presence.gpu_memory(bench.redis) == {worker: {"cuda:0": {"reserved": 5}}}


def test_a_job_does_not_suffer_from_its_statistics(
    bench: Bench, process: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(redis: object) -> None:
        raise OutOfMemoryError("used memory > maxmemory")

    monkeypatch.setattr(process.tally, "write", refuse)
    assert run(bench, process, bench.clip("fine")).state is State.SUCCEEDED


def draw(bench: Bench, process: Process, of: str, **choices: str) -> Job:
    return run(bench, process, bench.drawing(of, **choices))


def drawn(bench: Bench, job: Job) -> str:
    assert job.result is not None, job.problem
    with bench.blobs.open(job.result["blob"]) as file:
        return file.read().decode()


def test_an_overlay_is_drawn_on_the_clip(bench: Bench, process: Process) -> None:
    job = run(bench, process, bench.clip("fine"))
    drawing = draw(bench, process, job.id, head="1", format="png")
    assert drawing.result == {"blob": f"overlays/{bench.key(job)}-1.png"}
    assert drawn(bench, drawing) == "png of 2 tracks on 2 frames, [1.0, 0.0]"
    mean = draw(bench, process, job.id)
    assert mean.result == {"blob": f"overlays/{bench.key(job)}-mean.mp4"}
    assert drawn(bench, mean) == "mp4 of 2 tracks on 2 frames, [0.625, 0.375]"


def test_an_overlay_of_tracks_alone_is_on_black(bench: Bench, process: Process) -> None:
    content = bench.upload(two_tracks().to_bytes())
    params = ClassifyParams(model="scripted")
    job = run(bench, process, Job.new(content=content, media="tracks", params=params))
    drawing = draw(bench, process, job.id)
    assert drawn(bench, drawing) == "mp4 of 2 tracks on black, [0.625, 0.375]"


def test_an_overlay_is_drawn_once(bench: Bench, process: Process) -> None:
    job = run(bench, process, bench.clip("fine"))
    draw(bench, process, job.id)
    decoded = len(bench.decoded())
    again = draw(bench, process, job.id)
    assert again.state is State.SUCCEEDED
    assert len(bench.decoded()) == decoded


def test_an_overlay_remakes_what_has_left_the_cache(bench: Bench, process: Process) -> None:
    job = run(bench, process, bench.clip("fine"))
    bench.cache.redis.flushall()
    assert drawn(bench, draw(bench, process, job.id)).startswith("mp4 of 2 tracks on 2 frames")


@pytest.mark.parametrize("head", ["2", "-1", "x", "", "1.5", "²", "٣"])
def test_a_head_that_is_not_there_is_refused_with_the_last_one(
    bench: Bench, process: Process, head: str
) -> None:
    job = run(bench, process, bench.clip("fine"))
    problem = draw(bench, process, job.id, head=head).problem
    assert problem is not None
    assert (problem.kind, problem.limit, problem.value) == ("unknown-head", 1, head)


def test_an_overlay_of_a_deleted_job_says_so(bench: Bench, process: Process) -> None:
    job = run(bench, process, bench.clip("fine"))
    drawing = Job.new(content=job.content, media="clip", params=OverlayParams(of=job.id))
    bench.jobs.delete(job)
    problem = run(bench, process, drawing).problem
    assert problem is not None
    assert problem.kind == "job-gone"
