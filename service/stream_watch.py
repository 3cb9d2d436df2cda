"""One blocking read for all who wait for streams of Redis to go on.

A read for each of them would be a connection and a look every second for each, however little
happens: a thousand who listen to nothing would take a core.
"""

import asyncio
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import RedisError

from service.shutdown import stopping

Entry = tuple[str, dict[str, str]]  # id, fields

_SLICE_S = 1.0  # a read ends at least so often, to see what is gone and whether to stop
_WAKE_TTL_S = 60


class Follower:
    """One who waits for entries after that with the id `after`."""

    def __init__(self, after: str) -> None:
        self._after = _order(after)
        self._entries: list[Entry] = []
        self._told = asyncio.Event()
        self._error: RedisError | None = None

    async def next(self, *, within_s: float) -> list[Entry]:
        """The entries since the last time, as soon as there are some.

        None are there when the time is over, when the stream's record is gone, and when the server
        is being stopped. Raises redis.RedisError when Redis is away.
        """
        with suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                await self._told.wait()
        self._told.clear()
        if self._error:
            raise self._error
        entries, self._entries = self._entries, []
        return entries

    def tell(self, entries: list[Entry]) -> None:
        """Entries that may be known already; without any, that there is something to look at."""
        new = [entry for entry in entries if _order(entry[0]) > self._after]
        if new:
            self._after = _order(new[-1][0])
            self._entries += new
        if new or not entries:
            self._told.set()

    def fail(self, error: RedisError) -> None:
        self._error = error
        self._told.set()


@dataclass
class _Stream:
    record: str  # the key without which there will be no more entries
    position: str  # id of the last entry that was read
    followers: set[Follower] = field(default_factory=set)

    def tell(self, entries: list[Entry]) -> None:
        for follower in self.followers:
            follower.tell(entries)


class StreamWatch:
    """Everybody's followers in one process. Belongs to one event loop."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._streams: dict[str, _Stream] = {}
        self._reading: asyncio.Task[None] | None = None
        # A read that blocks cannot be told of another stream; an entry of this one ends it.
        self._wake = f"wake:{uuid.uuid4().hex}"
        self._wake_position = "0"
        self._woken = False

    @asynccontextmanager
    async def following(self, stream: str, *, record: str, after: str) -> AsyncIterator[Follower]:
        """Raises redis.RedisError when Redis is away."""
        follower = Follower(after)
        known = self._streams.get(stream)
        held = known or self._streams.setdefault(stream, _Stream(record, position=after))
        held.followers.add(follower)
        try:
            if known and (missed := await self._entries({stream: after})):
                follower.tell(missed[stream])  # as the others have been
            await self._look_again()
            yield follower
        finally:
            held.followers.discard(follower)
            if not held.followers and self._streams.get(stream) is held:
                del self._streams[stream]

    async def aclose(self) -> None:
        if self._reading:
            self._reading.cancel()
            with suppress(asyncio.CancelledError):
                await self._reading

    async def _look_again(self) -> None:
        if self._reading is None or self._reading.done():
            self._reading = asyncio.create_task(self._read())
        elif not self._woken:
            self._woken = True
            async with self._redis.pipeline(transaction=False) as pipe:
                pipe.xadd(self._wake, {"": ""}, maxlen=1, approximate=False)
                pipe.expire(self._wake, _WAKE_TTL_S)
                await pipe.execute()

    async def _read(self) -> None:
        """Tell all followers of all that happens, for as long as there are any."""
        looked = time.monotonic()
        try:
            while self._streams:
                self._woken = False
                positions = {name: stream.position for name, stream in self._streams.items()}
                positions[self._wake] = self._wake_position
                self._tell(await self._entries(positions, block_s=_SLICE_S))
                if stopping():
                    self._tell_all([*self._streams])
                elif time.monotonic() - looked >= _SLICE_S:
                    self._tell_all(await self._gone())
                    looked = time.monotonic()
        except RedisError as error:
            for stream in self._streams.values():
                for follower in stream.followers:
                    follower.fail(error)
            self._streams.clear()

    def _tell(self, entries: dict[str, list[Entry]]) -> None:
        for name, new in entries.items():
            if name == self._wake:
                self._wake_position = new[-1][0]
            elif stream := self._streams.get(name):
                stream.position = new[-1][0]
                stream.tell(new)

    def _tell_all(self, names: list[str]) -> None:
        """That there is something to look at."""
        for name in names:
            if stream := self._streams.get(name):
                stream.tell([])

    async def _gone(self) -> list[str]:
        """The streams that have lost their record."""
        records = {name: stream.record for name, stream in self._streams.items()}
        async with self._redis.pipeline(transaction=False) as pipe:
            for record in records.values():
                pipe.exists(record)
            found = await pipe.execute()
        return [name for name, there in zip(records, found, strict=True) if not there]

    async def _entries(
        self, positions: dict[str, str], *, block_s: float | None = None
    ) -> dict[str, list[Entry]]:
        """Of each stream those after its position; of all that have none, nothing."""
        block_ms = None if block_s is None else int(block_s * 1000)
        answer: Any = await self._redis.xread(positions, block=block_ms)  # type: ignore[arg-type]
        if isinstance(answer, dict):  # RESP3: by stream, batches of entries
            return {
                name: [entry for batch in found for entry in batch]
                for name, found in answer.items()
            }
        return dict(answer or [])


def _order(id: str) -> tuple[int, int]:
    """By which ids of entries come one after the other."""
    moment, _, number = id.partition("-")
    return int(moment), int(number or 0)
