import time

import pytest

from tests.workers.conftest import Bench, wait_until
from workers.blobs import example_tracks_name
from workers.episodes import Episode, EpisodeStore, Example
from workers.jobs import Job
from workers.presence import alive_workers, worker_name
from workers.sweeper import Sweeper


@pytest.fixture
def sweeper(bench: Bench) -> Sweeper:
    return Sweeper(bench.settings.model_copy(update={"lease_s": 0.5}))


def waiting_messages(bench: Bench) -> int:
    return bench.redis.llen(bench.settings.queue)


def old_job(bench: Bench, words: str = "fine") -> Job:
    job = bench.clip(words)
    job.created_at -= 60
    bench.jobs.create(job)
    return job


def test_a_job_whose_worker_died_is_delivered_once_per_lease(
    bench: Bench, sweeper: Sweeper
) -> None:
    other = Sweeper(sweeper.settings)  # another worker's
    bench.jobs.lease_s = 0.05
    job = bench.clip("fine")
    bench.jobs.create(job)
    bench.jobs.claim(job.id, "a worker that dies")
    sweeper.round()
    assert waiting_messages(bench) == 0

    time.sleep(0.06)
    sweeper.round()
    other.round()
    assert waiting_messages(bench) == 1

    time.sleep(sweeper.settings.lease_s)
    sweeper.round()
    assert waiting_messages(bench) == 2


def test_a_job_without_a_message_is_delivered_when_the_queue_is_empty(
    bench: Bench, sweeper: Sweeper
) -> None:
    old_job(bench)
    young = bench.clip("fine too")
    bench.jobs.create(young)  # its message may be on its way
    sweeper.round()
    assert waiting_messages(bench) == 1


def test_jobs_that_wait_their_turn_are_left_alone(bench: Bench, sweeper: Sweeper) -> None:
    for words in ("fine 1", "fine 2", "fine 3"):
        bench.queue.submit(old_job(bench, words).id)
    sweeper.round()
    assert waiting_messages(bench) == 3


def test_a_job_that_was_overtaken_is_delivered_though_the_queue_is_long(
    bench: Bench, sweeper: Sweeper
) -> None:
    forgotten, started, behind = (old_job(bench, words) for words in ("fine", "fine 1", "fine 2"))
    bench.queue.submit(behind.id)
    bench.jobs.claim(started.id, "a worker")
    sweeper.round()
    messages = [str(message) for message in bench.redis.lrange(bench.settings.queue, 0, -1)]
    assert len(messages) == 2
    assert sum(forgotten.id in message for message in messages) == 1


def episode_of(bench: Bench, *jobs: Job) -> Episode:
    """With an example of a class of its own for each of the jobs."""
    episode = Episode(head="prototype", model="scripted", tracker="", depth="")
    EpisodeStore(bench.jobs).create(
        episode,
        [
            Example(label=str(n), content=str(n), media="clip", job=job.id)
            for n, job in enumerate(jobs)
        ],
    )
    return episode


def test_a_query_is_queued_when_the_last_example_has_failed_unseen(
    bench: Bench, sweeper: Sweeper
) -> None:
    first, second, query = (bench.clip(f"fine {n}") for n in range(3))
    for job in (first, second):
        bench.jobs.create(job)
    bench.jobs.create(query, held=True)
    episode = episode_of(bench, first, second)
    EpisodeStore(bench.jobs).hold(episode.id, query.id)
    bench.jobs.cancel(first.id)
    sweeper.round()
    assert waiting_messages(bench) == 0
    bench.jobs.cancel(second.id)
    sweeper.round()
    assert waiting_messages(bench) == 1


def test_what_is_left_of_a_deleted_episode_is_swept(bench: Bench) -> None:
    there = episode_of(bench, bench.clip("fine"), bench.clip("fine 2"))
    for episode in (there.id, "f" * 32):
        bench.blobs.put(b"abc", example_tracks_name(episode, "e" * 32))
    Sweeper(bench.settings).round()
    wait_until(lambda: bench.blobs.episodes() == [there.id])


def test_a_running_sweeper_says_that_its_worker_lives(bench: Bench, sweeper: Sweeper) -> None:
    sweeper.start()
    sweeper.start()
    wait_until(lambda: alive_workers(bench.redis) == [worker_name()])
    sweeper.stop()
    assert alive_workers(bench.redis) == []


def test_a_sweeper_outlives_the_absence_of_its_broker(bench: Bench) -> None:
    settings = bench.settings.model_copy(
        update={"lease_s": 0.1, "broker_url": "unix:///nowhere/redis.sock?db=0"}
    )
    sweeper = Sweeper(settings)
    sweeper.start()
    time.sleep(0.2)
    assert sweeper._thread is not None
    assert sweeper._thread.is_alive()
    sweeper.stop()


def test_old_uploads_are_swept(bench: Bench) -> None:
    job = bench.clip("fine")
    sweeper = Sweeper(bench.settings.model_copy(update={"blob_ttl_s": -60}))
    sweeper.round()
    wait_until(lambda: not bench.blobs.exists(f"clips/{job.content}"))
    kept = bench.clip("fine")
    sweeper.round()  # only every few minutes
    assert bench.blobs.exists(f"clips/{kept.content}")
