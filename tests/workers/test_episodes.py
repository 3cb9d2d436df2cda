"""Records of episodes, and the queries that wait for one."""

import pytest

from pointaction.errors import InputError
from tests.workers.conftest import Bench
from workers.episodes import Episode, EpisodeStore, Example
from workers.jobs import ExampleParams, Job, MatchParams, State


class Gone:
    """A queue that remembers what it was given."""

    def __init__(self) -> None:
        self.submitted: list[str] = []

    def submit(self, job_id: str) -> None:
        self.submitted.append(job_id)


@pytest.fixture
def store(bench: Bench) -> EpisodeStore:
    return EpisodeStore(bench.jobs)


def episode(client: str = "") -> Episode:
    return Episode(
        name="gestures", head="prototype", model="scripted", tracker="", depth="", client=client
    )


def examples(words: str) -> list[Example]:
    """Of "wave=1 wave=2 nod=3": labels and contents."""
    pairs = [word.split("=") for word in words.split()]
    return [
        Example(label=label, content=content, media="clip", job=f"job of {content}")
        for label, content in pairs
    ]


def with_jobs(bench: Bench, of: Episode, words: str) -> list[Example]:
    """Examples whose jobs have records."""
    found = []
    for each in examples(words):
        params = ExampleParams(model="scripted", episode=of.id, example=each.id)
        job = Job.new(content=each.content, media="clip", params=params)
        bench.jobs.create(job)
        found.append(each.model_copy(update={"job": job.id}))
    return found


def told(found: list[Example]) -> list[tuple[str, str, str]]:
    return [(each.label, each.content, each.state) for each in found]


def test_an_episode_from_before_points_were_a_choice_has_random_ones() -> None:
    older = episode().model_dump(exclude={"points"})
    assert Episode.model_validate(older).points == "random"


def test_an_episode_is_read_as_it_was_filed(bench: Bench, store: EpisodeStore) -> None:
    mine = episode()
    kept = store.create(mine, with_jobs(bench, mine, "wave=1 nod=2"))
    assert store.get(mine.id) == mine
    assert store.examples(mine.id) == kept
    assert told(kept) == [("wave", "1", "pending"), ("nod", "2", "pending")]
    assert bench.redis.ttl(f"episode:{mine.id}") == -1  # for ever


def test_a_client_sees_its_own_episodes(bench: Bench, store: EpisodeStore) -> None:
    first, second, other = episode("me"), episode("me"), episode("you")
    first = first.model_copy(update={"created_at": 1.0})
    for each in (first, second, other):
        store.create(each, examples("wave=1 nod=2"))
    assert store.of_client("me") == [second, first]
    store.delete(second.id)
    assert store.of_client("me") == [first]
    assert store.get(second.id) is None
    assert store.examples(second.id) == []


def test_examples_join_those_that_are_there(bench: Bench, store: EpisodeStore) -> None:
    mine = episode()
    store.create(mine, with_jobs(bench, mine, "wave=1 nod=2"))
    kept = store.add(mine.id, with_jobs(bench, mine, "nod=2 nod=3 nod=3 sit=4"))
    assert kept is not None
    assert [(each.label, each.content) for each in kept] == [("nod", "3"), ("sit", "4")]
    assert [each.content for each in store.examples(mine.id)] == ["1", "2", "3", "4"]


@pytest.mark.parametrize(
    ("words", "kind", "limit", "value"),
    [
        ("wave=1 wave=2", "too-few-classes", 2, 1),
        ("wave=1 nod=1", "conflicting-labels", None, ["wave", "nod"]),
        (" ".join(f"{n}={n}" for n in range(101)), "too-many-classes", 100, 101),
        ("nod=0 " + " ".join(f"wave={n + 1}" for n in range(51)), "too-many-examples", 50, 51),
    ],
)
def test_what_makes_no_episode_is_refused(
    store: EpisodeStore, words: str, kind: str, limit: object, value: object
) -> None:
    mine = episode()
    with pytest.raises(InputError) as refused:
        store.create(mine, examples(words))
    assert (refused.value.kind, refused.value.limit, refused.value.value) == (kind, limit, value)
    assert store.get(mine.id) is None


def test_an_addition_is_judged_with_what_is_there(bench: Bench, store: EpisodeStore) -> None:
    mine = episode()
    store.create(mine, with_jobs(bench, mine, "wave=1 nod=2"))
    with pytest.raises(InputError, match="'wave' and of 'sit'"):
        store.add(mine.id, examples("sit=1"))
    assert len(store.examples(mine.id)) == 2


def test_an_example_is_settled_once_and_for_all(bench: Bench, store: EpisodeStore) -> None:
    mine = episode()
    first, second = store.create(mine, with_jobs(bench, mine, "wave=1 nod=2"))
    assert store.settle(mine.id, first.ready())
    bench.jobs.cancel(first.job)  # too late
    bench.jobs.cancel(second.job)
    assert told(store.examples(mine.id)) == [("wave", "1", "ready"), ("nod", "2", "failed")]


def test_numbers_are_not_given_twice(bench: Bench, store: EpisodeStore) -> None:
    mine = episode()
    first, *_ = store.create(mine, with_jobs(bench, mine, "wave=1 nod=2 nod=3"))
    store.remove(mine.id, first.id)
    store.add(mine.id, with_jobs(bench, mine, "wave=4"))
    assert [each.order for each in store.examples(mine.id)] == [1, 2, 3]


def test_nothing_is_added_to_an_episode_that_is_gone(bench: Bench, store: EpisodeStore) -> None:
    mine = episode()
    store.create(mine, with_jobs(bench, mine, "wave=1 nod=2"))
    store.delete(mine.id)
    assert store.add(mine.id, examples("nod=3")) is None
    assert bench.redis.keys("episode*") == []


def test_a_removed_example_does_not_come_back(bench: Bench, store: EpisodeStore) -> None:
    mine = episode()
    first, _ = store.create(mine, with_jobs(bench, mine, "wave=1 nod=2"))
    store.remove(mine.id, first.id)
    assert not store.settle(mine.id, first.ready())
    assert store.example(mine.id, first.id) is None
    assert len(store.examples(mine.id)) == 1


def test_a_query_waits_until_no_example_is_pending(bench: Bench, store: EpisodeStore) -> None:
    mine, queue = episode(), Gone()
    first, second = store.create(mine, with_jobs(bench, mine, "wave=1 nod=2"))
    job = Job.new(content="9", media="clip", params=MatchParams(model="scripted", episode=mine.id))
    bench.jobs.create(job, held=True)
    store.hold(mine.id, job.id)

    store.let_go(queue, mine.id)
    assert queue.submitted == []
    assert job.id not in bench.jobs.waiting()

    store.settle(mine.id, first.ready())
    store.let_go(queue, mine.id)
    waiting = bench.job(job.id)
    assert (waiting.state, waiting.stage, waiting.progress) == (State.QUEUED, "examples", 0.5)
    assert queue.submitted == []

    store.settle(mine.id, second.ready())
    store.let_go(queue, mine.id)
    store.let_go(queue, mine.id)
    assert queue.submitted == [job.id]
    assert job.id in bench.jobs.waiting()
    assert store.held() == {}


def test_a_cancelled_query_waits_no_longer(bench: Bench, store: EpisodeStore) -> None:
    mine, queue = episode(), Gone()
    job = Job.new(content="9", media="clip", params=MatchParams(model="scripted", episode=mine.id))
    bench.jobs.create(job, held=True)
    store.hold(mine.id, job.id)
    bench.jobs.cancel(job.id)
    store.let_go(queue, mine.id)
    assert queue.submitted == []
    assert store.held() == {}


def test_a_query_that_is_being_answered_is_not_queued_again(
    bench: Bench, store: EpisodeStore
) -> None:
    job = Job.new(content="9", media="clip", params=MatchParams(model="scripted", episode="gone"))
    bench.jobs.create(job, held=True)
    assert bench.jobs.join_queue(job.id)
    bench.jobs.claim(job.id, "a worker")
    assert not bench.jobs.join_queue(job.id)  # by another process, which was slower
    assert bench.jobs.waiting() == []
