"""Jobs about episodes, in this process, with the scripted library."""

from typing import Any

import pytest

from tests.workers.conftest import Bench
from tests.workers.scripted import ScriptedLibrary, two_tracks
from workers.blobs import example_tracks_name
from workers.episodes import Episode, EpisodeStore, Example
from workers.jobs import ExampleParams, Job, MatchParams, State
from workers.process import Description, Process
from workers.tasks import run_job


@pytest.fixture
def process(bench: Bench) -> Process:
    return Process(bench.settings, ScriptedLibrary(bench.settings))


class Desk:
    """Teaches an episode and asks it."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.store = EpisodeStore(bench.jobs)
        self.episode = Episode(
            head="prototype", model="scripted", tracker="lucas-kanade", depth="looming"
        )

    def teach(self, **words: str) -> list[Job]:
        """File the episode; a clip that says the word is the example of its label."""
        examples, jobs = [], []
        for label, word in words.items():
            content = self.bench.upload(word.encode())
            example = Example(
                label=label, name=f"{word}.mp4", content=content, media="clip", job=""
            )
            params = ExampleParams(model="scripted", episode=self.episode.id, example=example.id)
            job = Job.new(content=content, media="clip", params=params)
            self.bench.jobs.create(job)
            jobs.append(job)
            examples.append(example.model_copy(update={"job": job.id}))
        self.store.create(self.episode, examples)
        return jobs

    def query(self, word: str) -> Job:
        params = MatchParams(model="scripted", episode=self.episode.id)
        job = Job.new(content=self.bench.upload(word.encode()), media="clip", params=params)
        self.bench.jobs.create(job)
        return job

    def states(self) -> list[str]:
        return [each.state for each in self.store.examples(self.episode.id)]

    def described(self) -> int:
        """How many clips a model was asked to describe."""
        return len((self.bench.settings.data_dir / "described").read_text().split())


@pytest.fixture
def desk(bench: Bench) -> Desk:
    return Desk(bench)


def run(process: Process, *jobs: Job) -> None:
    for job in jobs:
        run_job(process, job.id)


def test_a_clip_is_told_by_the_examples(bench: Bench, process: Process, desk: Desk) -> None:
    run(process, *desk.teach(hello="fine", bye="fine2"))
    query = desk.query("fine2 again")
    run(process, query)

    answer = bench.job(query.id).result
    assert answer is not None
    _, bye = desk.store.examples(desk.episode.id)
    assert answer["predictions"] == [
        {"label": "bye", "score": 0.75},
        {"label": "hello", "score": 0.25},
    ]
    assert answer["none_of_these"] is False
    told = {"example": bye.id, "label": "bye", "name": "fine2.mp4"}
    assert answer["nearest"] == [{"similarity": 1.0, **told}]
    assert answer["matches"] == [{"query": [0], "moments": [1], "weight": 0.5, **told}]
    assert answer["attention"] == {
        "heads": 2,
        "tracks": 2,
        "maps": None,
        "href": f"/jobs/{query.id}/attention",
    }
    assert answer["notes"] == []


def test_what_was_taught_outlives_jobs_and_cache(
    bench: Bench, process: Process, desk: Desk
) -> None:
    jobs = desk.teach(hello="fine", bye="fine2")
    run(process, *jobs)
    for job in jobs:
        bench.jobs.delete(bench.job(job.id))
    bench.cache.redis.flushdb()

    query = desk.query("fine again")
    run(Process(bench.settings, ScriptedLibrary(bench.settings)), query)
    answer = bench.job(query.id).result
    assert answer is not None
    assert answer["predictions"][0]["label"] == "hello"
    assert desk.described() == 3  # each clip once


def test_another_model_looks_at_the_tracks_that_were_kept(
    bench: Bench, process: Process, desk: Desk
) -> None:
    run(process, *desk.teach(hello="fine", bye="fine2"))
    _, bye = desk.store.examples(desk.episode.id)
    kept = bench.blobs.get(example_tracks_name(desk.episode.id, bye.id))
    assert kept == two_tracks().to_bytes()

    catalog = bench.settings.model_store / "catalog.toml"
    catalog.write_text(catalog.read_text().replace("5" * 64, "6" * 64))
    query = desk.query("fine again")
    run(process, query)
    assert bench.job(query.id).state is State.SUCCEEDED
    assert desk.described() == 5


def test_a_clip_that_was_described_before_is_only_compared(
    bench: Bench, process: Process, desk: Desk
) -> None:
    run(process, *desk.teach(hello="fine", bye="fine2"))
    first, again, example = desk.query("fine again"), desk.query("fine again"), desk.query("fine2")
    run(process, first, again, example)
    assert desk.described() == 3  # two examples, and the query once
    answers = [bench.job(job.id).result for job in (first, again)]
    assert answers[0] is not None
    assert answers[1] is not None
    assert answers[0]["predictions"] == answers[1]["predictions"]
    assert answers[1]["attention"]["tracks"] == 2
    told = bench.job(example.id).result
    assert told is not None
    assert told["predictions"][0]["label"] == "bye"


def test_an_example_that_cannot_be_read_leaves_the_others(
    bench: Bench, process: Process, desk: Desk
) -> None:
    run(process, *desk.teach(hello="fine", bye="fine2", nod="refuse"))
    assert desk.states() == ["ready", "ready", "failed"]
    problem = desk.store.examples(desk.episode.id)[2].problem
    assert problem is not None
    assert problem.detail == "this clip has two frames too few"

    query = desk.query("fine again")
    run(process, query)
    answer = bench.job(query.id).result
    assert answer is not None
    assert [each["label"] for each in answer["predictions"]] == ["hello", "bye"]
    assert answer["notes"] == [
        "1 of 3 examples could not be read and play no part",
        "no example of 'nod' could be read",
    ]


def test_one_readable_class_is_too_few(bench: Bench, process: Process, desk: Desk) -> None:
    run(process, *desk.teach(hello="fine", nod="refuse"))
    query = desk.query("fine again")
    run(process, query)
    job = bench.job(query.id)
    assert job.problem is not None
    assert (job.state, job.problem.kind) == (State.FAILED, "too-few-classes")


def test_the_last_example_lets_the_query_go(bench: Bench, process: Process, desk: Desk) -> None:
    first, second = desk.teach(hello="fine", bye="break")
    params = MatchParams(model="scripted", episode=desk.episode.id)
    query = Job.new(content=bench.upload(b"fine again"), media="clip", params=params)
    bench.jobs.create(query, held=True)
    desk.store.hold(desk.episode.id, query.id)

    run(process, first)
    assert bench.job(query.id).stage == "examples"
    assert query.id not in bench.jobs.waiting()
    run(process, second)  # which fails, and so is settled too
    assert query.id in bench.jobs.waiting()


def test_a_deleted_episode_ends_its_jobs(bench: Bench, process: Process, desk: Desk) -> None:
    (first, _), query = desk.teach(hello="fine", bye="fine2"), desk.query("fine again")
    desk.store.delete(desk.episode.id)
    run(process, first, query)
    for each in (first, query):
        problem = bench.job(each.id).problem
        assert problem is not None
        assert problem.kind == "episode-gone"
    assert bench.blobs.episodes() == []


def test_an_example_that_is_removed_while_it_is_described_leaves_nothing(
    bench: Bench, process: Process, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, _ = desk.teach(hello="fine", bye="fine2")
    describe = process.library.describe

    def removed_meanwhile(*args: Any, **options: Any) -> Description:
        desk.store.remove(desk.episode.id, str(first.params["example"]))
        return describe(*args, **options)

    monkeypatch.setattr(process.library, "describe", removed_meanwhile)
    run(process, first)
    problem = bench.job(first.id).problem
    assert problem is not None
    assert problem.kind == "example-gone"
    kept = example_tracks_name(desk.episode.id, str(first.params["example"]))
    assert bench.blobs.get(kept) is None


def test_a_query_can_be_drawn(bench: Bench, process: Process, desk: Desk) -> None:
    run(process, *desk.teach(hello="fine", bye="fine2"))
    query = desk.query("fine again")
    run(process, query)
    drawing = bench.drawing(query.id, head="1", format="png")
    bench.jobs.create(drawing)
    run(process, drawing)
    result = bench.job(drawing.id).result
    assert result is not None
    drawn = bench.blobs.get(result["blob"])
    assert drawn == b"png of 2 tracks on 2 frames, [1.0, 0.0]"
