"""Job records: what was asked, how far it is, what came out.

A record is a Redis hash `job:{id}` with a TTL; every change is also an entry of the stream
`job:{id}:events`, which is what waiting requests and server-sent events read. The rules that must
hold whatever dies or is delivered twice are Lua scripts, so that each is one step for Redis:

- a job is claimed by one holder at a time, for as long as it renews its lease;
- one that takes long works in turns, between which it waits at the end of the queue; a delivery is
  for one turn, so that however many there are of it, one leads to the next;
- an attempt at a turn is counted when it starts, and the one after the last is `failed: poison`;
- only the holder may move a running job, and a finished job never changes again.
"""

import hashlib
import json
import math
import time
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Literal, cast

from pydantic import BaseModel, ConfigDict, Field
from redis import Redis

from pointaction.depth.lifters import DEFAULT_DEPTH
from pointaction.tracking.points import DEFAULT_POINTS
from pointaction.tracking.trackers import DEFAULT_TRACKER
from workers import scripts, traces
from workers.errors import NoRoom
from workers.looking import Looking
from workers.making import Media
from workers.redis import connect, told_apart
from workers.settings import Settings

MAX_TRACKS = 1024  # of a window of a timeline: models compare each with each
_LONGEST_RETRY_S = 3600


class State(StrEnum):
    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def finished(self) -> bool:
        return self in (State.SUCCEEDED, State.FAILED, State.CANCELLED)


class Problem(BaseModel):
    """Why a job failed, in the words of `pointaction.errors`."""

    kind: str
    detail: str
    limit: Any = None
    value: Any = None


class ClipParams(BaseModel):
    """By what a clip is seen."""

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())

    model: str
    points: str = DEFAULT_POINTS  # of a clip; uploaded tracks have theirs
    tracker: str = DEFAULT_TRACKER
    depth: str = DEFAULT_DEPTH


class ClassifyParams(ClipParams):
    """Name what is being done."""

    top_k: int = Field(default=5, ge=1, le=100)
    attention: bool = True


class ExampleParams(ClipParams):
    """Describe an example of an episode."""

    episode: str
    example: str


class MatchParams(ClassifyParams):
    """Compare with the examples of an episode."""

    episode: str


class TimelineParams(ClipParams):
    """Say what is done when in a long video, by the model's labels or the classes of an episode."""

    tracks: int = Field(default=256, ge=1, le=MAX_TRACKS)  # of each window
    window_s: float = Field(default=3.0, gt=0)
    step_s: float = Field(default=1.0, gt=0)  # from one window to the next
    episode: str = ""  # empty: by the model's labels
    examples: tuple[str, ...] = ()  # of the episode, by which its classes are told apart


class OverlayParams(BaseModel):
    """Draw the tracks and weights of the finished job `of`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    of: str
    head: str = "mean"  # a head's number, or "mean"
    format: Literal["mp4", "png"] = "mp4"


Params = ClassifyParams | ExampleParams | MatchParams | OverlayParams | TimelineParams
Kind = Literal["classify", "example", "match", "overlay", "timeline"]
_PARAMS: dict[Kind, type[Params]] = {
    "classify": ClassifyParams,
    "example": ExampleParams,
    "match": MatchParams,
    "overlay": OverlayParams,
    "timeline": TimelineParams,
}


class Job(BaseModel):
    id: str
    kind: Kind
    content: str  # SHA-256 of the uploaded bytes, and their name in the blob store
    media: Media
    params: dict[str, Any]  # of the kind's class
    request_id: str = ""
    client: str = ""  # id of the key that it belongs to; empty: it was made without one
    account: str = ""  # under which it is counted while it is pending; empty: it is not
    namespace: str = ""  # whose cached results it shares; empty: those of all who have none
    callback_url: str = ""  # where its end is told; empty: nowhere
    trace: str = ""  # W3C traceparent of the request that made it; empty: it is not traced

    state: State = State.QUEUED
    stage: str | None = None
    progress: float = 0.0  # 0 to 1
    position: int | None = None  # jobs ahead in the queue; only while queued
    attempts: int = 0  # at the turn that it is at
    turns: int = 0  # that it has had
    created_at: float = Field(default_factory=time.time)  # seconds since the epoch
    queued_at: float | None = None  # when its last turn ended
    started_at: float | None = None
    finished_at: float | None = None
    timings_ms: dict[str, float] = Field(default_factory=dict)
    result: dict[str, Any] | None = None
    problem: Problem | None = None
    looking: Looking | None = None  # of a timeline, once its windows are known
    expected_s: float | None = None  # of work that are left of it; None: nobody knows

    @classmethod
    def new(
        cls,
        *,
        content: str,
        media: Media,
        params: Params,
        request_id: str = "",
        client: str = "",
        account: str = "",
        namespace: str = "",
        callback_url: str = "",
    ) -> "Job":
        return cls(
            id=uuid.uuid4().hex,
            kind=next(kind for kind, known in _PARAMS.items() if type(params) is known),
            content=content,
            media=media,
            params=params.model_dump(),
            request_id=request_id,
            client=client,
            account=account,
            namespace=namespace,
            callback_url=callback_url,
            trace=traces.carried(),
        )

    @property
    def cached_as(self) -> str:
        """What stands for the content in keys of the cache: in every namespace something else, so
        that nobody can learn from an answer, or from how soon it comes, what others have sent.
        """
        if not self.namespace:
            return self.content
        return hashlib.sha256(f"{self.namespace}\n{self.content}".encode()).hexdigest()

    @property
    def seen_by(self) -> ClipParams:
        """By what its clip is seen; a drawing has no clip of its own."""
        params = _PARAMS[self.kind].model_validate(self.params)
        assert isinstance(params, ClipParams)
        return params


class Claim(StrEnum):
    """What came of asking for a job."""

    MINE = "mine"
    HELD = "held"  # another holder's lease runs; this delivery is surplus
    FINISHED = "finished"
    GONE = "gone"  # deleted or expired
    PAST = "past"  # the turn that this delivery is for is over; surplus as well
    POISON = "poison"  # it has used up its attempts; it is failed now


ORDER = "jobs:order"  # how many jobs have arrived, ever
QUEUED = "jobs:queued"  # zset id -> order of arrival
RUNNING = "jobs:running"  # zset id -> end of lease, seconds since the epoch by Redis's clock
DEAD = "jobs:dead"  # list of poisoned job ids, newest first
QUARANTINE = "jobs:quarantine"  # hash content -> job id that poisoned it
COUNTS = "jobs:counts"  # hash state -> jobs that have entered it, ever
FRONT = "jobs:front"  # the highest order of arrival that has been claimed
PROMISED = "jobs:promised"  # until when places are promised to those who were turned away
PLACES = "jobs:places"  # zset name of one who was turned away -> from when a place is kept for him
TOOK = "jobs:took"  # list of seconds that the jobs took that ended last, newest first


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """For how many jobs there is room; 0: for any number."""

    queued: int = 0  # that wait for a worker, whosever they are
    pending: int = 0  # of one account that have not ended
    place: str = ""  # under this name a place in the queue may be kept; empty: under none


def events_key(job_id: str) -> str:
    """The Redis stream that gets an entry with every change of the job."""
    return f"job:{job_id}:events"


def record_key(job_id: str) -> str:
    return f"job:{job_id}"


def _content_key(content: str) -> str:
    """A sorted set: jobs made from this content, or cached as it -> when their records expire."""
    return f"content:{content}"


def _pending_key(account: str) -> str:
    """A sorted set: jobs of the account that have not ended -> when their records expire."""
    return f"pending:{account}"


class JobStore:
    """Every reading and writing of job records. Raises redis.RedisError when Redis is away."""

    def __init__(self, redis: Redis, *, ttl_s: int, lease_s: float, max_attempts: int) -> None:
        self.redis = redis
        self.ttl_s = ttl_s
        self.lease_s = lease_s
        self.max_attempts = max_attempts
        self._file = redis.register_script(scripts.FILE)
        self._claim = redis.register_script(scripts.CLAIM)
        self._move = redis.register_script(scripts.MOVE)
        self._renew = redis.register_script(scripts.RENEW)
        self._put_back = redis.register_script(scripts.PUT_BACK)
        self._join = redis.register_script(scripts.JOIN)
        self._lost = redis.register_script(scripts.LOST)
        self._promise = redis.register_script(scripts.PROMISE)

    @classmethod
    def open(cls, settings: Settings) -> "JobStore":
        """The store of these settings; connects when it is first used."""
        return cls(
            connect(settings.require("broker_url")),
            ttl_s=settings.job_ttl_s,
            lease_s=settings.lease_s,
            max_attempts=settings.max_attempts,
        )

    def _keys(self, job_id: str) -> list[str]:
        return [record_key(job_id), events_key(job_id), QUEUED, RUNNING, COUNTS]

    def create(self, job: Job, *, held: bool = False, room: Room | None = None) -> None:
        """File a new job: queued, or already finished when its answer was at hand.

        One that is `held` waits for something else before it joins the queue by `join_queue`.
        Raises NoRoom, and files nothing, where a queued one would be more than there is room for.
        """
        self.create_all([job], held=held, room=room)

    def create_all(
        self, jobs: Sequence[Job], *, held: bool = False, room: Room | None = None
    ) -> None:
        """The same for several of one account, all or none."""
        if not jobs:
            return
        keys, args = [], []
        for job in jobs:
            fields = [
                part for name, value in _fields(job).items() for part in (name, json.dumps(value))
            ]
            same = (_content_key(job.content), _content_key(job.cached_as))
            keys += [record_key(job.id), events_key(job.id), *same]
            args += [job.id, job.state.value, len(fields), *fields]
        wanted = sum(job.state is State.QUEUED for job in jobs)
        self._file_if_room(jobs[0].account, wanted, room, held=held, keys=keys, args=args)

    def check_room(self, account: str, wanted: int, room: Room) -> None:
        """Raises NoRoom if so many more jobs would not be filed now."""
        self._file_if_room(account, wanted, room)

    def _file_if_room(
        self,
        account: str,
        wanted: int,
        room: Room | None,
        *,
        held: bool = False,
        keys: Sequence[str] = (),
        args: Sequence[Any] = (),
    ) -> None:
        room = room or Room()
        mine = room.pending if account else 0
        place = room.place if wanted == 1 else ""
        counted: list[str | int] = [room.queued, mine, wanted, int(bool(account)), int(held)]
        counted += [self.ttl_s, place]
        shared = [QUEUED, ORDER, COUNTS, _pending_key(account), PLACES]
        with told_apart():
            answer = self._file(keys=[*shared, *keys], args=[*counted, *args])
        if not answer:
            return
        which, value, position, endings = cast("tuple[str, int, int, int]", answer)
        if which == "queue":
            kind, limit = "queue-full", room.queued
            kept = f" and places are kept for {position - value}" if position > value else ""
            detail = f"{value} jobs wait{kept}, and there is room for {limit}"
            wait_s = self._promised(endings, wanted, limit, place)
        else:
            kind, limit = "too-many-pending", mine
            wait_s = endings * self._seconds_each()
            detail = f"{value} of your jobs have not ended, and you may have {limit}"
        if wanted > 1:
            detail += f"; these would be {wanted} more: send fewer at a time"
        retry_after_s = min(max(math.ceil(wait_s), 1), _LONGEST_RETRY_S)
        raise NoRoom(
            kind,
            f"{detail}; come back in {retry_after_s} s",
            limit=limit,
            value=value,
            position=position,
            retry_after_s=retry_after_s,
        )

    def _seconds_each(self) -> float:
        """How often a job ends at present, by those that ended last."""
        with self.redis.pipeline(transaction=False) as pipe:
            pipe.lrange(TOOK, 0, -1)
            pipe.zcard(RUNNING)
            took, running = pipe.execute()
        mean_s = sum(map(float, took)) / len(took) if took else 1.0
        return mean_s / max(running, 1)

    def _promised(self, endings: int, wanted: int, room: int, place: str) -> float:
        """Seconds until so many jobs have ended and, for those who were told so before, as many as
        these want; but no more than it takes a whole queue to be worked off.
        """
        each_s = self._seconds_each()
        most_s = max(endings, room) * each_s
        told_s = self._promise(
            keys=[PROMISED, PLACES], args=[endings * each_s, wanted * each_s, most_s, place, room]
        )
        return float(cast(str, told_s))

    def join_queue(self, job_id: str) -> bool:
        """Let a held job join the queue, at its end. False when it is not to be queued (any more):
        gone, cancelled, or claimed since another process let it join.
        """
        return bool(self._join(keys=[record_key(job_id), QUEUED, ORDER], args=[job_id]))

    def get(self, job_id: str) -> Job | None:
        with self.redis.pipeline(transaction=False) as pipe:
            pipe.hgetall(record_key(job_id))
            pipe.zrank(QUEUED, job_id)
            fields, rank = pipe.execute()
        if "state" not in fields:
            return None
        record = {name: json.loads(value) for name, value in fields.items() if name != "holder"}
        job = Job.model_validate(record)
        job.position = rank if job.state is State.QUEUED else None
        return job

    def claim(self, job_id: str, holder: str, *, turn: int = 0) -> Claim:
        """Start an attempt at a turn, unless someone else is at it or it has had its share."""
        problem = Problem(
            kind="poison",
            detail=f"the worker died or hung {self.max_attempts} times on this job; it will not "
            "be tried again, and the same content is refused until an operator releases it",
            limit=self.max_attempts,
            value=self.max_attempts,
        )
        answer = self._claim(
            keys=[*self._keys(job_id), FRONT, DEAD, QUARANTINE],
            args=[
                job_id,
                holder,
                self.lease_s,
                self.max_attempts,
                problem.model_dump_json(),
                turn,
            ],  # fmt: skip
        )
        return Claim(cast(str, answer))

    def renew(self, job_id: str, holder: str) -> bool:
        """Keep the lease. False: the job was cancelled, deleted or taken over; stop working."""
        keys = [record_key(job_id), RUNNING]
        return bool(self._renew(keys=keys, args=[job_id, holder, self.lease_s]))

    def tell(self, job_id: str, *, stage: str, progress: float) -> None:
        """Say of a held job what it waits for and how far that is."""
        self._change(job_id, "", None, stage=stage, progress=round(progress, 3))

    def report(self, job_id: str, holder: str, *, stage: str, progress: float) -> bool:
        """Tell how far it is. False: as for `renew`."""
        return self._change(job_id, holder, None, stage=stage, progress=round(progress, 3))

    def look(
        self, job_id: str, holder: str, looking: Looking, *, expected_s: float | None = None
    ) -> bool:
        """Tell how far a video has been looked through. False: as for `renew`."""
        return self._change(
            job_id,
            holder,
            None,
            looking=looking.model_dump(mode="json"),
            progress=round(looking.done / looking.windows, 3),
            expected_s=None if expected_s is None else round(expected_s, 1),
        )

    def put_back(self, job_id: str, holder: str, *, timings_ms: dict[str, float]) -> int | None:
        """End a turn: the job waits at the end of the queue. The number of the next turn, for whom
        it is to be submitted; None when it is not this holder's.
        """
        keys = [record_key(job_id), events_key(job_id), QUEUED, RUNNING, ORDER]
        args = [holder, job_id, "timings_ms", json.dumps(timings_ms)]
        return cast(int, self._put_back(keys=keys, args=args)) or None

    def turn(self, job_id: str) -> int:
        """Which turn the job is at, or waits for."""
        return int(cast("str | None", self.redis.hget(record_key(job_id), "turns")) or 0)

    def succeed(
        self, job_id: str, holder: str, *, result: dict[str, Any], timings_ms: dict[str, float]
    ) -> bool:
        """File the one result. False when it is not this holder's to file."""
        return self._change(
            job_id,
            holder,
            State.SUCCEEDED,
            result=result,
            timings_ms=timings_ms,
            progress=1.0,
        )

    def fail(
        self,
        job_id: str,
        holder: str,
        problem: Problem,
        *,
        timings_ms: dict[str, float] | None = None,
    ) -> bool:
        """File why there is no result. False when it is not this holder's to file."""
        return self._change(
            job_id,
            holder,
            State.FAILED,
            problem=problem.model_dump(mode="json"),
            timings_ms=timings_ms or {},
        )

    def cancel(self, job_id: str) -> bool:
        """Stop a queued or running job; its worker notices at the next report."""
        return self._change(job_id, "", State.CANCELLED)

    def delete(self, job: Job) -> set[str]:
        """Forget a job. Of its `content` and `cached_as`, those that no other job holds on to."""
        names = {job.content, job.cached_as}
        with self.redis.pipeline(transaction=True) as pipe:
            pipe.delete(record_key(job.id), events_key(job.id))
            pipe.zrem(QUEUED, job.id)
            pipe.zrem(RUNNING, job.id)
            pipe.zrem(_pending_key(job.account), job.id)
            for name in names:
                pipe.zrem(_content_key(name), job.id)
            for name in names:
                pipe.zcount(_content_key(name), time.time(), "+inf")
            others = pipe.execute()[-len(names) :]
        return {name for name, count in zip(names, others, strict=True) if not count}

    def lost(self) -> list[str]:
        """Up to 100 running jobs whose lease has ended: their worker died. Deliver them again."""
        return cast(list[str], self._lost(keys=[RUNNING], args=[]))

    def overtaken(self) -> list[str]:
        """Up to 100 queued jobs, oldest first, that a later one has overtaken.

        The queue is first come, first served, so in time the message of such a job must have
        been lost (or a worker is just about to start it: a surplus delivery does no harm).
        """
        front = cast("str | None", self.redis.get(FRONT)) or "0"
        return cast(list[str], self.redis.zrangebyscore(QUEUED, "-inf", f"({front}", 0, 100))

    def waiting(self, limit: int = 0) -> list[str]:
        """Queued jobs, oldest first; at most `limit` of them, or all."""
        return cast(list[str], self.redis.zrange(QUEUED, 0, limit - 1))

    def age_s(self, job_id: str) -> float:
        """Seconds since the job came to the queue; infinity when its record is gone."""
        fields = cast(
            "list[str | None]", self.redis.hmget(record_key(job_id), ["queued_at", "created_at"])
        )
        came = next((each for each in fields if each not in (None, "null")), None)
        return time.time() - float(came) if came else float("inf")

    def longest_wait_s(self) -> float:
        """Age of the oldest waiting job; 0 when none waits. One without a record is as old as a
        record becomes.
        """
        oldest = self.waiting(1)
        return max(min(self.age_s(oldest[0]), self.ttl_s), 0.0) if oldest else 0.0

    def quarantined(self, content: str) -> bool:
        """Whether this content has killed workers before."""
        return bool(self.redis.hexists(QUARANTINE, content))

    def quarantine(self) -> dict[str, str]:
        """Content refused because it killed workers -> the job that did it."""
        return cast(dict[str, str], self.redis.hgetall(QUARANTINE))

    def release(self, content: str) -> bool:
        """Accept this content again. False when it was not in quarantine."""
        return bool(self.redis.hdel(QUARANTINE, content))

    def dead(self) -> Iterator[Job]:
        """Poisoned jobs, newest first, as long as their records live."""
        for job_id in cast(list[str], self.redis.lrange(DEAD, 0, -1)):
            if job := self.get(job_id):
                yield job

    def counts(self) -> dict[str, int]:
        """State -> jobs that have entered it, ever. Every attempt counts as `running`."""
        fields = cast(dict[str, str], self.redis.hgetall(COUNTS))
        return {state: int(count) for state, count in fields.items()}

    def _change(self, job_id: str, holder: str, state: State | None, **fields: Any) -> bool:
        if state is not None:
            fields |= {"state": state.value, "finished_at": time.time()}
        pairs = [part for name, value in fields.items() for part in (name, json.dumps(value))]
        args = [holder, job_id, state.value if state else "", *pairs]
        return bool(self._move(keys=[*self._keys(job_id), TOOK], args=args))


def _fields(job: Job) -> dict[str, Any]:
    return job.model_dump(mode="json", exclude={"position"})
