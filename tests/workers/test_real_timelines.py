"""A real video, reader, tracker and model behind a timeline; only the weights are not trained."""

from pathlib import Path

import numpy as np
import pytest

from pointaction.synthetic.sample import write_sample
from pointaction.timelines.timeline import Timeline
from tests.conftest import RedisServers
from tests.workers.conftest import Bench, settings_at
from tests.workers.test_library import untrained
from workers.jobs import Job, State, TimelineParams
from workers.library import open_library
from workers.looking import so_far
from workers.process import Process
from workers.settings import Settings
from workers.tasks import run_job


@pytest.fixture
def bench(tmp_path: Path, redis_servers: RedisServers) -> Bench:
    settings = settings_at(tmp_path, redis_servers).model_copy(update={"threads": 1})
    untrained(settings.model_store)
    return Bench(settings)


@pytest.fixture
def video(tmp_path: Path) -> bytes:
    """Six seconds, ten frames each."""
    write_sample("moving left", tmp_path / "a.mp4", seed=0, side=96, seconds=6, frames=60)
    return (tmp_path / "a.mp4").read_bytes()


def looked(bench: Bench, settings: Settings, job: Job) -> tuple[Job, Timeline]:
    """The job at its end, and what was found."""
    process = Process(settings, open_library(settings))
    bench.jobs.create(job)
    for turn in range(100):
        if bench.job(job.id).state is not State.QUEUED:
            break
        run_job(process, job.id, turn)
    done = bench.job(job.id)
    assert done.state is State.SUCCEEDED, done.problem
    assert done.looking is not None
    found = so_far(bench.blobs, done.looking)
    assert found is not None
    return done, found


def test_many_turns_find_exactly_what_one_finds(bench: Bench, video: bytes) -> None:
    """Each of them enters the file anew, and none knows what the one before has held."""
    params = TimelineParams(model="scripted", window_s=1.0, step_s=0.5, tracks=32)
    content = bench.upload(video)
    job = Job.new(content=content, media="clip", params=params)
    one, whole = looked(bench, bench.settings, job)
    assert (one.turns, whole.windows, len(whole.starts)) == (0, 10, 10)
    bench.blobs.delete_timelines(job.cached_as)
    hasty = bench.settings.model_copy(update={"turn_s": 0})
    again = Job.new(content=content, media="clip", params=params)
    many, parts = looked(bench, hasty, again)
    assert many.turns == 3  # four pieces of three windows, two of which begin in the next
    np.testing.assert_array_equal(parts.scores, whole.scores)
    np.testing.assert_array_equal(parts.starts, whole.starts)
    assert one.result is not None
    assert many.result is not None
    assert many.result["clip"] == one.result["clip"]
    assert many.timings_ms["timeline"] > 0


def test_a_video_is_held_to_the_operator_s_limit(bench: Bench, video: bytes) -> None:
    settings = bench.settings.model_copy(update={"max_timeline_s": 5})
    job = Job.new(
        content=bench.upload(video), media="clip", params=TimelineParams(model="scripted")
    )
    bench.jobs.create(job)
    run_job(Process(settings, open_library(settings)), job.id)
    problem = bench.job(job.id).problem
    assert problem is not None
    assert (problem.kind, problem.limit) == ("clip-too-long", 5)
