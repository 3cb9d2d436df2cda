"""One delivery of one job, in this process, with the scripted library."""

import numpy as np
import pytest
import redis

from pointaction.models.calibration import Calibration
from tests.workers.conftest import Bench
from tests.workers.scripted import SCORES, ScriptedLibrary, two_tracks
from workers import stats
from workers.jobs import ClassifyParams, Job, OverlayParams, Problem, State
from workers.process import Process
from workers.results import result_key, tracks_key
from workers.tasks import run_job


@pytest.fixture
def process(bench: Bench) -> Process:
    return Process(bench.settings, ScriptedLibrary(bench.settings))


def run(bench: Bench, process: Process, job: Job) -> Job:
    bench.jobs.create(job)
    run_job(process, job.id)
    return bench.job(job.id)


def key_of(job: Job) -> str:
    return result_key(job.content, media=job.media, model_digest="5" * 64, tracks=512)


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
    assert list(job.timings_ms) == ["queue", "decode", "track", "load", "classify"]
    assert list(job.result["timings_ms"]) == ["decode", "track", "load", "classify"]


def test_its_answer_tracks_and_attention_are_cached(bench: Bench, process: Process) -> None:
    job = run(bench, process, bench.clip("fine"))
    cached = bench.cache.get(key_of(job))
    assert cached is not None
    assert (cached.scores, cached.none_of_these) == (SCORES, True)
    assert cached.tracks_key == tracks_key(job.content, 512)
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
    bench.cache.redis.set(f"result:{key_of(job)}", b"damaged")
    bench.cache.redis.set(f"tracks:{tracks_key(job.content, 512)}", b"damaged")
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
    assert bench.cache.get_tracks(tracks_key(content, 512)) == two_tracks().to_bytes()


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
    assert list(stages) == ["classify", "decode", "load", "queue", "track"]
    assert {histogram.count for histogram in stages.values()} == {1}


def draw(bench: Bench, process: Process, of: str, **choices: str) -> Job:
    return run(bench, process, bench.drawing(of, **choices))


def drawn(bench: Bench, job: Job) -> str:
    assert job.result is not None, job.problem
    with bench.blobs.open(job.result["blob"]) as file:
        return file.read().decode()


def test_an_overlay_is_drawn_on_the_clip(bench: Bench, process: Process) -> None:
    job = run(bench, process, bench.clip("fine"))
    drawing = draw(bench, process, job.id, head="1", format="png")
    assert drawing.result == {"blob": f"overlays/{key_of(job)}-1.png"}
    assert drawn(bench, drawing) == "png of 2 tracks on 2 frames, [1.0, 0.0]"
    mean = draw(bench, process, job.id)
    assert mean.result == {"blob": f"overlays/{key_of(job)}-mean.mp4"}
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
