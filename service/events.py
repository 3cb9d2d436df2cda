"""Waiting for jobs on their Redis streams: one blocking read for all, no asking again and again."""

import re
import time
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol

import anyio.to_thread
from redis.asyncio import Redis
from redis.exceptions import RedisError
from sse_starlette import ServerSentEvent

from service.shutdown import stopping
from service.stream_watch import Follower, StreamWatch
from workers.jobs import Job, JobStore, events_key, record_key

_LOOK_S = 60.0  # after which a job of which nothing was heard is looked at
_TIMEOUT_S = 5.0  # of the connection; longer than a read may block
_ENTRY_ID = re.compile(r"\d{1,20}-\d{1,20}")


class Describe(Protocol):
    """How a job is shown: the JSON text of `GET /jobs/{id}`."""

    def __call__(self, job: Job) -> str: ...


def connect_async(url: str) -> Redis:
    """The client for waiting, which is more patient than one that asks."""
    return Redis.from_url(
        url,
        decode_responses=True,
        socket_timeout=_TIMEOUT_S,
        socket_connect_timeout=_TIMEOUT_S,
    )


class JobEvents:
    """What happens to jobs, as it happens. Raises redis.RedisError when Redis is away."""

    def __init__(self, redis: Redis, store: JobStore) -> None:
        self.redis = redis
        self.store = store
        self._watch = StreamWatch(redis)

    async def wait(self, job: Job, *, seconds: float) -> Job | None:
        """The job's record once it has finished or `seconds` are over; None if it is gone."""
        end = time.monotonic() + seconds
        current: Job | None = job
        # From the beginning, so that nothing can have happened unseen.
        async with self._following(job.id, after="0") as follower:
            while current and not current.state.finished and not stopping():
                left = end - time.monotonic()
                if left <= 0:
                    break
                entries = await follower.next(within_s=left)
                if not entries or any(_is_final(fields) for _, fields in entries):
                    current = await self._record(job.id)
        return current

    async def latest(self, job_id: str) -> str:
        """The id of the job's newest event."""
        entries: Any = await self.redis.xrevrange(events_key(job_id), count=1)
        return str(entries[0][0]) if entries else "0-0"

    async def follow(
        self, job_id: str, *, after: str | None, describe: Describe
    ) -> AsyncIterator[ServerSentEvent]:
        """The job as it is now, then after each change, up to and with its final state.

        `after` is the id of the last event that the reader has seen; then only what has changed
        since. Changes that come faster than they are read are told as one.
        """
        try:
            seen = after
            if seen is None:
                seen = await self.latest(job_id)
                job = await self._record(job_id)
                if job is None:
                    return
                yield ServerSentEvent(data=describe(job), id=seen)
                if job.state.finished:
                    return
            async with self._following(job_id, after=seen) as follower:
                while True:
                    entries = await follower.next(within_s=_LOOK_S)
                    job = await self._record(job_id)
                    if job is None:
                        return
                    if entries:
                        yield ServerSentEvent(data=describe(job), id=entries[-1][0])
                        if job.state.finished:
                            return
        except RedisError:
            return  # the answer has begun; the reader comes back with Last-Event-ID

    async def aclose(self) -> None:
        await self._watch.aclose()
        await self.redis.aclose()

    def _following(self, job_id: str, *, after: str) -> AbstractAsyncContextManager[Follower]:
        return self._watch.following(events_key(job_id), record=record_key(job_id), after=after)

    async def _record(self, job_id: str) -> Job | None:
        return await anyio.to_thread.run_sync(self.store.get, job_id)


def last_event_id(header: str | None) -> str | None:
    """The header `Last-Event-ID` where it is one of ours."""
    return header if header and _ENTRY_ID.fullmatch(header) else None


def _is_final(fields: dict[str, str]) -> bool:
    return fields.get("state") in ("succeeded", "failed", "cancelled")
