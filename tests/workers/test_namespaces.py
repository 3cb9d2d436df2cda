"""What has been made for one is made again for another, and nobody can tell."""

import pytest

from tests.workers.conftest import Bench
from tests.workers.scripted import ScriptedLibrary
from workers.jobs import Job, OverlayParams, State
from workers.process import Process
from workers.tasks import run_job


@pytest.fixture
def process(bench: Bench) -> Process:
    return Process(bench.settings, ScriptedLibrary(bench.settings))


def run_for(bench: Bench, process: Process, namespace: str, **choices: str) -> Job:
    job = bench.clip("fine", **choices).model_copy(update={"namespace": namespace})
    bench.jobs.create(job)
    run_job(process, job.id)
    return bench.job(job.id)


def test_in_every_namespace_a_clip_is_worked_on_once(bench: Bench, process: Process) -> None:
    jobs = [run_for(bench, process, name) for name in ("", "anna", "ben", "anna", "ben", "")]
    assert [(job.result or {})["cached"] for job in jobs] == [False] * 3 + [True] * 3
    assert len(bench.decoded()) == len(bench.followed()) == 3
    stages = [list(job.timings_ms) for job in jobs[:3]]
    assert stages == [["queue", "decode", "load", "track", "classify"]] * 3


def test_without_a_namespace_a_clip_is_cached_as_what_it_is(bench: Bench) -> None:
    clip = bench.clip("fine")
    anna, ben = (clip.model_copy(update={"namespace": name}) for name in ("anna", "ben"))
    assert clip.cached_as == clip.content
    assert len({clip.cached_as, anna.cached_as, ben.cached_as}) == 3


def test_a_drawing_is_of_its_own_namespace(bench: Bench, process: Process) -> None:
    names = set()
    for namespace in ("anna", "ben"):
        of = run_for(bench, process, namespace)
        drawing = bench.drawing(of.id).model_copy(update={"namespace": namespace})
        bench.jobs.create(drawing)
        run_job(process, drawing.id)
        done = bench.job(drawing.id)
        assert done.state is State.SUCCEEDED
        assert OverlayParams.model_validate(done.params).of == of.id
        names.add((done.result or {})["blob"])
    assert len(names) == 2


def test_what_one_namespace_forgets_another_keeps(bench: Bench) -> None:
    jobs = [bench.clip("fine").model_copy(update={"namespace": name}) for name in ("anna", "ben")]
    bench.jobs.create_all(jobs)
    anna, ben = jobs
    assert bench.jobs.delete(anna) == {anna.cached_as}
    assert bench.jobs.delete(ben) == {ben.cached_as, ben.content}
