"""Timelines, a turn at a time: whatever dies or comes twice, every window is there once."""

import json
from base64 import b64decode
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import redis

from pointaction.timelines.timeline import Timeline
from tests.workers.conftest import Bench, kill, wait_until
from tests.workers.scripted import ScriptedLibrary
from tests.workers.test_examples import Desk
from workers import stats
from workers.errors import QueueDown
from workers.jobs import Claim, Job, State
from workers.launch import WorkerProcess
from workers.looking import so_far
from workers.process import Process
from workers.settings import Settings
from workers.stats import Counter
from workers.sweeper import Sweeper
from workers.tasks import run_job

Start = Callable[[Settings], WorkerProcess]


@pytest.fixture
def process(bench: Bench) -> Process:
    return Process(bench.settings, ScriptedLibrary(bench.settings))


@pytest.fixture
def hasty(bench: Bench) -> Process:
    """Its turns are over after one piece."""
    settings = bench.settings.model_copy(update={"turn_s": 0})
    return Process(settings, ScriptedLibrary(settings))


def run(bench: Bench, process: Process, job: Job) -> Job:
    bench.jobs.create(job)
    run_job(process, job.id)
    return bench.job(job.id)


def known(bench: Bench, job_id: str) -> Timeline:
    looking = bench.job(job_id).looking
    assert looking is not None
    found = so_far(bench.blobs, looking)
    assert found is not None
    return found


def expect_windows(bench: Bench, job_id: str, count: int) -> None:
    """Each of the first `count` once: the score of waving tells which it is."""
    found = known(bench, job_id)
    np.testing.assert_allclose(found.scores[:, 0], np.arange(count) / 100, atol=1e-3)
    assert found.starts.tolist() == list(range(count))
    assert found.none_of_these is not None
    assert found.none_of_these.sum() == max(count - 3, 0)


def messages(bench: Bench) -> list[list[Any]]:
    """The arguments of those that wait, the next one first."""
    texts = bench.redis.lrange(bench.settings.queue, 0, -1)
    return [json.loads(b64decode(json.loads(text)["body"]))[0] for text in reversed(texts)]


def test_a_short_video_is_done_in_one_turn(bench: Bench, process: Process) -> None:
    job = run(bench, process, bench.film("film 10"))
    assert (job.state, job.progress, job.turns, job.expected_s) == (State.SUCCEEDED, 1, 0, None)
    expect_windows(bench, job.id, 10)
    assert job.result is not None
    assert job.result["clip"] == {
        "sha256": job.content, "duration_s": 3.0, "frames": 10, "width": 6, "height": 4,
    }  # fmt: skip
    assert (job.result["windows"], job.result["labels"]) == (10, ["waving", "falling"])
    assert (job.result["window_s"], job.result["step_s"]) == (1.5, 1.0)
    assert job.result["model"]["name"] == "scripted"
    assert job.result["href"] == f"/jobs/{job.id}/segments"
    assert job.result["cached"] is False
    assert list(job.timings_ms) == ["queue", "load", "plan", "timeline"]
    assert len(bench.blobs.fs.find(f"{bench.blobs.root}/timelines")) == 1


def test_turns_together_find_what_one_finds(bench: Bench, hasty: Process) -> None:
    job = bench.film("film 10")
    bench.jobs.create(job)
    seen = []
    for turn in (0, 1, 2):
        run_job(hasty, job.id, turn)
        now = bench.job(job.id)
        seen.append((now.state, now.turns, now.attempts, now.progress))
        expect_windows(bench, job.id, min(4 * turn + 4, 10))
    assert seen == [
        (State.QUEUED, 1, 0, 0.4), (State.QUEUED, 2, 0, 0.8), (State.SUCCEEDED, 2, 1, 1.0),
    ]  # fmt: skip
    assert bench.viewed() == [0, 4, 8]
    assert bench.finishes(job.id) == 1
    assert stats.read_counter(bench.redis, Counter.FINISHED) == {
        ("timeline", "scripted", "succeeded"): 1
    }


def test_a_job_that_had_its_turn_waits_behind_the_others(bench: Bench, hasty: Process) -> None:
    film, clip = bench.film("film 10"), bench.clip("fine")
    for job in (film, clip):
        bench.send(job)
    run_job(hasty, film.id)
    waiting = bench.job(film.id)
    assert (waiting.state, waiting.position) == (State.QUEUED, 1)
    assert messages(bench) == [[film.id], [clip.id], [film.id, 1]]
    assert waiting.expected_s is not None
    assert waiting.expected_s >= 0
    assert waiting.stage == "timeline"


def test_a_delivery_of_a_turn_that_is_over_does_nothing(bench: Bench, hasty: Process) -> None:
    job = bench.film("film 10")
    bench.jobs.create(job)
    run_job(hasty, job.id)
    for _ in range(3):
        run_job(hasty, job.id)  # the first message, again and again
    assert bench.viewed() == [0]
    assert messages(bench) == [[job.id, 1]]  # so one turn leads to one
    assert bench.jobs.claim(job.id, "early", turn=2) is Claim.PAST
    run_job(hasty, job.id, 1)
    assert bench.viewed() == [0, 4]


def test_a_worker_that_lost_the_job_files_nothing_more(bench: Bench, process: Process) -> None:
    """It wakes up after another has gone on from where it stood."""
    job = bench.film("film 10")
    bench.jobs.create(job)
    take = process.library.open_viewing

    def slow(*args: Any, **named: Any) -> Any:
        viewing = take(*args, **named)
        view = viewing.view

        def sleep_in_the_middle(plan: Any, *, since: int) -> Any:
            parts = view(plan, since=since)
            yield next(parts)
            bench.redis.zrem("jobs:running", job.id)  # as if its lease had ended
            run_job(Process(bench.settings, ScriptedLibrary(bench.settings)), job.id)
            yield from parts

        class Sleeping:
            labels = viewing.labels
            plan = viewing.plan

        Sleeping.view = staticmethod(sleep_in_the_middle)  # type: ignore[attr-defined]
        return Sleeping()

    process.library.open_viewing = slow  # type: ignore[method-assign]
    run_job(process, job.id)
    done = bench.job(job.id)
    assert (done.state, bench.finishes(job.id)) == (State.SUCCEEDED, 1)
    expect_windows(bench, job.id, 10)
    assert bench.viewed()[:5] == [0, 0, 4, 8, 4]


def run_until_redis_goes(
    process: Process, job: Job, monkeypatch: pytest.MonkeyPatch, *, at: str
) -> None:
    """Work at the job up to the call `at` of its store, which finds Redis away."""

    def away(*args: object, **kwargs: object) -> None:
        raise redis.ConnectionError("gone")

    with monkeypatch.context() as context:
        context.setattr(process.jobs, at, away)
        context.setattr("workers.tasks._INSIST_S", ())
        with pytest.raises(redis.ConnectionError):
            run_job(process, job.id)


def test_what_was_filed_is_not_looked_at_again_after_an_accident(
    bench: Bench, hasty: Process, process: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Redis goes away between the filing of a turn and its end."""
    job = bench.film("film 10")
    bench.jobs.create(job)

    run_until_redis_goes(hasty, job, monkeypatch, at="put_back")
    expect_windows(bench, job.id, 4)
    bench.redis.zrem("jobs:running", job.id)  # its lease ends
    run_job(process, job.id)
    again = bench.job(job.id)
    assert (again.state, again.attempts, again.turns) == (State.SUCCEEDED, 2, 0)
    assert bench.viewed() == [0, 4, 8]
    expect_windows(bench, job.id, 10)


def test_a_worker_that_died_at_the_very_end_is_followed_by_one_that_ends_it(
    bench: Bench, process: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = bench.film("film 10")
    bench.jobs.create(job)

    run_until_redis_goes(process, job, monkeypatch, at="succeed")
    bench.redis.zrem("jobs:running", job.id)
    run_job(process, job.id)
    assert bench.job(job.id).state is State.SUCCEEDED
    assert bench.viewed() == [0, 4, 8]
    expect_windows(bench, job.id, 10)


def test_a_turn_whose_message_was_lost_is_delivered_by_the_sweeper(
    bench: Bench, hasty: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = bench.film("film 10")
    bench.jobs.create(job)

    def down(*args: object) -> None:
        raise QueueDown("the queue does not answer")

    with monkeypatch.context() as context:
        context.setattr(hasty.queue, "submit", down)
        run_job(hasty, job.id)
    assert bench.job(job.id).state is State.QUEUED
    sweeper = Sweeper(bench.settings)
    sweeper.round()
    assert messages(bench) == []  # it may be on its way
    bench.redis.hset(f"job:{job.id}", "queued_at", "0")
    sweeper.round()
    assert messages(bench) == [[job.id, 1]]


def test_a_cancelled_video_is_left_between_two_pieces(bench: Bench, process: Process) -> None:
    job = bench.film("film 10")
    bench.jobs.create(job)
    view = process.library.open_viewing

    def cancelling(*args: Any, **named: Any) -> Any:
        bench.jobs.cancel(job.id)
        return view(*args, **named)

    process.library.open_viewing = cancelling  # type: ignore[method-assign]
    run_job(process, job.id)
    assert bench.job(job.id).state is State.CANCELLED
    assert not (bench.settings.data_dir / "viewed").exists()


def test_the_same_question_is_answered_at_once(bench: Bench, process: Process) -> None:
    first = run(bench, process, bench.film("film 10"))
    again = run(bench, process, bench.film("film 10"))
    assert bench.viewed() == [0, 4, 8]
    assert first.result is not None
    assert again.result is not None
    changed = {"job": again.id, "href": f"/jobs/{again.id}/segments", "cached": True}
    assert again.result == first.result | changed
    expect_windows(bench, again.id, 10)


@pytest.mark.parametrize(
    "other", [{"step_s": 2.0}, {"window_s": 2.0}, {"tracks": 8}, {"points": "grid"}]
)
def test_another_question_is_not(bench: Bench, process: Process, other: dict[str, Any]) -> None:
    run(bench, process, bench.film("film 4"))
    run(bench, process, bench.film("film 4", **other))
    assert bench.viewed() == [0, 0]


def test_what_the_plan_finds_is_a_problem(bench: Bench, process: Process) -> None:
    job = run(bench, process, bench.film("refuse"))
    assert job.problem is not None
    assert (job.problem.detail, job.problem.limit) == ("this film is too dark", 4)
    assert job.looking is None


def test_a_video_that_was_swept_is_to_be_sent_again(bench: Bench, process: Process) -> None:
    job = bench.film("film 10")
    bench.blobs.delete(f"clips/{job.content}")
    problem = run(bench, process, job).problem
    assert problem is not None
    assert problem.kind == "content-gone"


def test_an_episode_tells_its_own_classes_apart(bench: Bench, process: Process) -> None:
    desk = Desk(bench)
    for job in desk.teach(wave="fine", nod="fine-too"):
        run_job(process, job.id)
    ids = tuple(each.id for each in desk.store.examples(desk.episode.id))
    asked = {"episode": desk.episode.id, "examples": ids}
    job = run(bench, process, bench.film("film 4", **asked))
    assert job.result is not None
    assert job.result["labels"] == ["wave", "nod"]
    assert (job.result["episode"], job.result["head"]["name"]) == (desk.episode.id, "prototype")
    desk.store.remove(desk.episode.id, ids[0])
    problem = run(bench, process, bench.film("film 8", **asked)).problem
    assert problem is not None
    assert (problem.kind, "ask again" in problem.detail) == ("example-gone", True)


def test_killed_workers_cost_attempts_and_no_window(bench: Bench, start_worker: Start) -> None:
    """One is killed in the second turn, another before the end of the third."""
    settings = bench.settings.model_copy(update={"turn_s": 0})
    worker = start_worker(settings)
    job_id = bench.send(bench.film("film 14 stop 4"))
    clip_id = bench.send(bench.clip("fine"))
    wait_until(lambda: bench.job(job_id).turns == 1 and bench.job(job_id).state is State.RUNNING)
    assert bench.finished(clip_id).state is State.SUCCEEDED  # it did not have to wait for the film
    expect_windows(bench, job_id, 4)
    kill(worker)
    bench.go()
    start_worker(settings)
    job = bench.finished(job_id, within_s=30)
    assert (job.state, job.turns, job.attempts) == (State.SUCCEEDED, 3, 1)
    assert bench.finishes(job_id) == 1
    assert bench.viewed() == [0, 4, 8, 12]
    expect_windows(bench, job_id, 14)


def test_a_turn_is_over_sooner_where_others_wait(
    bench: Bench, process: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workers.timelines._LEAST_TURN_S", 0)
    alone = run(bench, process, bench.film("film 10 alone"))
    assert (alone.state, alone.turns) == (State.SUCCEEDED, 0)
    bench.send(bench.clip("fine"))
    film = run(bench, process, bench.film("film 10 stamped"))
    assert (film.state, film.turns) == (State.QUEUED, 1)
    counted = run(bench, process, bench.film("film 10"))  # which has to be read from its beginning
    assert (counted.state, counted.turns) == (State.SUCCEEDED, 0)


def test_what_another_model_has_found_is_not_gone_on_with(bench: Bench, hasty: Process) -> None:
    job = bench.film("film 10")
    bench.jobs.create(job)
    run_job(hasty, job.id)
    catalog = bench.settings.model_store / "catalog.toml"
    catalog.write_text(catalog.read_text().replace("5" * 64, "6" * 64))
    for turn in (1, 2, 3):
        run_job(hasty, job.id, turn)
    done = bench.job(job.id)
    assert (done.state, done.turns) == (State.SUCCEEDED, 3)
    assert done.result is not None
    assert done.result["model"]["digest"] == "6" * 64
    assert bench.viewed() == [0, 0, 4, 8]
    expect_windows(bench, job.id, 10)
    assert len(bench.blobs.fs.find(f"{bench.blobs.root}/timelines")) == 1
