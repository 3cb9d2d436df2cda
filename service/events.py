"""Waiting for jobs on their Redis streams: one blocking read, no asking again and again."""

import re
import time
from collections.abc import AsyncIterator
from typing import Any, Protocol

import anyio.to_thread
from redis.asyncio import Redis
from redis.exceptions import RedisError
from sse_starlette import ServerSentEvent

from service.shutdown import stopping
from workers.jobs import Job, JobStore, events_key

# A blocking read ends at least so often, to see that the job is still there and that the server
# is not being stopped.
_SLICE_S = 1.0
_TIMEOUT_S = 5.0  # of the connection; longer than a slice
_ENTRY_ID = re.compile(r"\d{1,20}-\d{1,20}")

Entry = tuple[str, dict[str, str]]  # id, fields


class Describe(Protocol):
    """How a job is shown: the JSON text of `GET /jobs/{id}`."""

    def __call__(self, job: Job) -> str: ...


def connect_async(url: str) -> Redis:
    """The client for waiting; every waiting request holds one of its connections."""
    return Redis.from_url(
        url,
        decode_responses=True,
        socket_timeout=_TIMEOUT_S,
        socket_connect_timeout=_TIMEOUT_S,
        max_connections=10_000,
    )


class JobEvents:
    """What happens to jobs, as it happens. Raises redis.RedisError when Redis is away."""

    def __init__(self, redis: Redis, store: JobStore) -> None:
        self.redis = redis
        self.store = store

    async def wait(self, job: Job, *, seconds: float) -> Job | None:
        """The job's record once it has finished or `seconds` are over; None if it is gone."""
        end = time.monotonic() + seconds
        last = "0"  # from the beginning, so that nothing can have happened unseen
        current: Job | None = job
        while current and not current.state.finished and not stopping():
            left = end - time.monotonic()
            if left <= 0:
                break
            entries = await self._read(job.id, last, block_s=min(left, _SLICE_S))
            last = entries[-1][0] if entries else last
            if not entries or any(_is_final(fields) for _, fields in entries):
                current = await self._record(job.id)
        if current and not current.state.finished:
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
            last = after or await self.latest(job_id)
            entries: list[Entry] = [] if after else [(last, {})]
            while True:
                if entries:
                    last = entries[-1][0]
                    job = await self._record(job_id)
                    if job is None:
                        return
                    yield ServerSentEvent(data=describe(job), id=last)
                    if job.state.finished:
                        return
                elif await self._record(job_id) is None:
                    return
                entries = await self._read(job_id, last, block_s=_SLICE_S)
        except RedisError:
            return  # the answer has begun; the reader comes back with Last-Event-ID

    async def aclose(self) -> None:
        await self.redis.aclose()

    async def _record(self, job_id: str) -> Job | None:
        return await anyio.to_thread.run_sync(self.store.get, job_id)

    async def _read(self, job_id: str, after: str, *, block_s: float) -> list[Entry]:
        key = events_key(job_id)
        block_ms = max(int(block_s * 1000), 1)  # 0 would be for ever
        answer: Any = await self.redis.xread({key: after}, block=block_ms)
        if not answer:
            return []
        # A dict of lists of lists in RESP3, a list of pairs in RESP2.
        if isinstance(answer, dict):
            return [entry for batch in answer[key] for entry in batch]
        return list(answer[0][1])


def last_event_id(header: str | None) -> str | None:
    """The header `Last-Event-ID` where it is one of ours."""
    return header if header and _ENTRY_ID.fullmatch(header) else None


def _is_final(fields: dict[str, str]) -> bool:
    return fields.get("state") in ("succeeded", "failed", "cancelled")
