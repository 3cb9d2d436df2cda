"""Episodes: a user's own actions, each shown by a few examples.

An episode is a record `episode:{id}` with a hash of its examples, and lasts until it is deleted:
unlike a job it is no question but something taught. What is compared, the examples' tracks and
features, lies in the blob store and lasts as long.

Each example is described by a job of its own. A query that comes before all of them are is held:
its job waits outside of the queue until `let_go`, which the worker calls after every example.
"""

import time
import uuid
from collections.abc import Sequence
from typing import Any, Literal, cast

from pydantic import BaseModel, ConfigDict, Field
from redis import Redis, WatchError

from pointaction.errors import InputError
from pointaction.tracking.points import DEFAULT_POINTS
from workers.jobs import ExampleParams, Job, JobStore, Problem, State
from workers.making import Media
from workers.queue import Queue

MIN_CLASSES = 2
MAX_CLASSES = 100
MAX_SHOTS = 50  # examples of one class

_ALL = "episodes"  # zset id -> when it was made
_HELD = "episodes:held"  # hash id of a held job -> the episode that it waits for

# An example that was removed meanwhile must not come back.
_SETTLE = """
redis.call('SREM', KEYS[2], ARGV[1])
if redis.call('HEXISTS', KEYS[1], ARGV[1]) == 0 then return 0 end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
return 1
"""


class Example(BaseModel):
    model_config = ConfigDict(frozen=True)

    id: str = Field(default_factory=lambda: uuid.uuid4().hex)
    label: str
    name: str = ""  # of the file, as it was sent
    content: str  # SHA-256 of the file
    media: Media
    job: str  # that describes it
    state: Literal["pending", "ready", "failed"] = "pending"
    problem: Problem | None = None  # why it failed
    order: int = 0  # of arrival in its episode

    def ready(self) -> "Example":
        """The same, described."""
        return self.model_copy(update={"state": "ready", "problem": None})

    def failed(self, problem: Problem) -> "Example":
        """The same, never to be described."""
        return self.model_copy(update={"state": "failed", "problem": problem})


class Episode(BaseModel):
    model_config = ConfigDict(frozen=True, protected_namespaces=())

    id: str = Field(default_factory=lambda: uuid.uuid4().hex)
    name: str = ""
    head: str  # the matcher
    model: str
    points: str = DEFAULT_POINTS  # of clips; the default of when there was no choice
    tracker: str
    depth: str
    client: str = ""  # id of the API key that it belongs to; empty: made without one
    created_at: float = Field(default_factory=time.time)  # seconds since the epoch


def joined(known: Sequence[Example], new: Sequence[Example]) -> list[Example]:
    """Those of `new` that the episode does not have yet, numbered.

    Raises InputError where a clip would be an example of two classes, or there would be too many.
    """
    labels = {each.content: each.label for each in known}
    free = 1 + max((each.order for each in known), default=-1)
    kept: list[Example] = []
    for each in new:
        other = labels.setdefault(each.content, each.label)
        if other != each.label:
            raise InputError(
                f"the same clip is an example of {other!r} and of {each.label!r}; keep it under "
                "one label",
                kind="conflicting-labels",
                value=[other, each.label],
            )
        if all(each.content != have.content for have in (*known, *kept)):
            kept.append(each.model_copy(update={"order": free + len(kept)}))
    _check_counts([*known, *kept])
    return kept


def _check_counts(examples: Sequence[Example]) -> None:
    shots: dict[str, int] = {}
    for each in examples:
        shots[each.label] = shots.get(each.label, 0) + 1
    if not MIN_CLASSES <= len(shots) <= MAX_CLASSES:
        few = len(shots) < MIN_CLASSES
        raise InputError(
            f"an episode has {MIN_CLASSES} to {MAX_CLASSES} classes, this has {len(shots)}"
            + ("; with one, every clip would be that" if few else ""),
            kind="too-few-classes" if few else "too-many-classes",
            limit=MIN_CLASSES if few else MAX_CLASSES,
            value=len(shots),
        )
    label, most = max(shots.items(), key=lambda pair: pair[1])
    if most > MAX_SHOTS:
        raise InputError(
            f"a class has up to {MAX_SHOTS} examples, {label!r} would have {most}",
            kind="too-many-examples",
            limit=MAX_SHOTS,
            value=most,
        )


class EpisodeStore:
    """Raises redis.RedisError when Redis is away."""

    def __init__(self, jobs: JobStore) -> None:
        self.jobs = jobs
        self.redis: Redis = jobs.redis
        self._settle = self.redis.register_script(_SETTLE)

    def create(self, episode: Episode, examples: Sequence[Example]) -> list[Example]:
        """File an episode; InputError as `joined`."""
        kept = joined([], examples)
        with self.redis.pipeline(transaction=True) as pipe:
            pipe.set(_key(episode.id), episode.model_dump_json())
            pipe.zadd(_ALL, {episode.id: episode.created_at})
            self._file(pipe, episode.id, kept)
            pipe.execute()
        return kept

    def add(self, episode_id: str, examples: Sequence[Example]) -> list[Example] | None:
        """File more examples; those that were new. None: the episode is gone. InputError as
        `joined`.
        """
        with self.redis.pipeline(transaction=True) as pipe:
            while True:
                try:
                    pipe.watch(_key(episode_id), _examples_key(episode_id))
                    if self.get(episode_id) is None:
                        return None
                    kept = joined(self._read(episode_id), examples)
                    pipe.multi()
                    self._file(pipe, episode_id, kept)
                    pipe.execute()
                except WatchError:  # somebody else added some, or one was settled
                    continue
                return kept

    def get(self, episode_id: str) -> Episode | None:
        text = cast("str | None", self.redis.get(_key(episode_id)))
        return None if text is None else Episode.model_validate_json(text)

    def of_client(self, client: str) -> list[Episode]:
        """A client's episodes, the newest first."""
        ids = cast("list[str]", self.redis.zrevrange(_ALL, 0, -1))
        texts = cast(
            "list[str | None]", self.redis.mget([_key(each) for each in ids]) if ids else []
        )
        found = (Episode.model_validate_json(text) for text in texts if text)
        return [episode for episode in found if episode.client == client]

    def examples(self, episode_id: str) -> list[Example]:
        """All examples in the order of arrival, each as its job stands now."""
        return [self._current(episode_id, each) for each in self._read(episode_id)]

    def example(self, episode_id: str, example_id: str) -> Example | None:
        """One of them."""
        text = cast("str | None", self.redis.hget(_examples_key(episode_id), example_id))
        return self._current(episode_id, Example.model_validate_json(text)) if text else None

    def settle(self, episode_id: str, example: Example) -> bool:
        """An example is ready, or has failed. False when it has been removed meanwhile."""
        settled = self._settle(
            keys=[_examples_key(episode_id), _pending_key(episode_id)],
            args=[example.id, example.model_dump_json()],
        )
        return bool(settled)

    def remove(self, episode_id: str, example_id: str) -> None:
        """Forget an example."""
        with self.redis.pipeline(transaction=True) as pipe:
            pipe.hdel(_examples_key(episode_id), example_id)
            pipe.srem(_pending_key(episode_id), example_id)
            pipe.execute()

    def rename(self, episode_id: str, name: str) -> Episode | None:
        """Give it another name; None: it is gone."""
        episode = self.get(episode_id)
        if episode is None:
            return None
        episode = episode.model_copy(update={"name": name})
        there = self.redis.set(_key(episode_id), episode.model_dump_json(), xx=True)
        return episode if there else None

    def delete(self, episode_id: str) -> None:
        """Forget the episode and its examples."""
        self.redis.delete(_key(episode_id), _examples_key(episode_id), _pending_key(episode_id))
        self.redis.zrem(_ALL, episode_id)

    def hold(self, episode_id: str, job_id: str) -> None:
        """Keep a job that the store holds until the episode's examples are settled."""
        self.redis.hset(_HELD, job_id, episode_id)

    def held(self) -> dict[str, str]:
        """Jobs that wait -> the episode that each waits for."""
        return cast("dict[str, str]", self.redis.hgetall(_HELD))

    def let_go(self, queue: Queue, episode_id: str) -> None:
        """Queue what waits for an episode, once nothing of it is pending; else say how far it is.

        Raises QueueDown; what was not queued waits on.
        """
        waiting = [job for job, episode in self.held().items() if episode == episode_id]
        if not waiting:
            return
        pending = self.redis.scard(_pending_key(episode_id))
        examples = self.redis.hlen(_examples_key(episode_id))
        for job_id in waiting:
            if pending:
                self.jobs.tell(job_id, stage="examples", progress=1 - pending / examples)
                continue
            if self.jobs.join_queue(job_id):
                queue.submit(job_id)
            self.redis.hdel(_HELD, job_id)

    def ended(self, queue: Queue, job: Job) -> None:
        """After a job, however it ended: if it was an example's, let go of what waits for that."""
        if job.kind == "example":
            params = ExampleParams.model_validate(job.params)
            self.example(params.episode, params.example)  # which is told that its job failed
            self.let_go(queue, params.episode)

    def _read(self, episode_id: str) -> list[Example]:
        texts = cast("list[str]", self.redis.hvals(_examples_key(episode_id)))
        return sorted(map(Example.model_validate_json, texts), key=lambda each: each.order)

    def _file(self, pipe: "Redis", episode_id: str, examples: Sequence[Example]) -> None:
        if examples:
            texts: dict[Any, Any] = {each.id: each.model_dump_json() for each in examples}
            pipe.hset(_examples_key(episode_id), mapping=texts)
            pipe.sadd(_pending_key(episode_id), *texts)

    def _current(self, episode_id: str, example: Example) -> Example:
        """The example; failed, if its job has come to an end without describing it."""
        if example.state != "pending":
            return example
        job = self.jobs.get(example.job)
        if job and (not job.state.finished or job.state is State.SUCCEEDED):
            return example
        problem = (job and job.problem) or Problem(
            kind="content-gone",
            detail="the job that was to describe this example has been ended; send it again",
        )
        failed = example.failed(problem)
        self.settle(episode_id, failed)
        return failed


def _key(episode_id: str) -> str:
    return f"episode:{episode_id}"


def _examples_key(episode_id: str) -> str:
    return f"episode:{episode_id}:examples"


def _pending_key(episode_id: str) -> str:
    return f"episode:{episode_id}:pending"
