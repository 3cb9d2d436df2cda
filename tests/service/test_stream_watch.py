import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest
from redis.asyncio import Redis
from redis.exceptions import RedisError

from service.events import connect_async
from service.stream_watch import StreamWatch
from tests.conftest import RedisServers

LONG_S = 30.0
Use = Callable[[StreamWatch, Redis], Awaitable[None]]


@pytest.fixture
def run(redis_servers: RedisServers) -> Callable[[Use], None]:
    """Runs a coroutine with a watch, and a client of the same Redis to write with."""

    async def opened(use: Use) -> None:
        redis = connect_async(redis_servers.broker_url)
        watch = StreamWatch(redis)
        try:
            await use(watch, redis)
        finally:
            await watch.aclose()
            await redis.aclose()

    return lambda use: asyncio.run(opened(use))


async def happen(redis: Redis, stream: str, what: str) -> None:
    await redis.set(f"{stream}:record", "there")
    await redis.xadd(stream, {"what": what})


@asynccontextmanager
async def following(watch: StreamWatch, stream: str, after: str = "0") -> AsyncIterator[list[str]]:
    """What has happened, as it is heard."""
    heard: list[str] = []
    async with watch.following(stream, record=f"{stream}:record", after=after) as follower:

        async def listen() -> None:
            while True:
                for _, fields in await follower.next(within_s=LONG_S):
                    heard.append(fields["what"])

        listening = asyncio.create_task(listen())
        yield heard
        listening.cancel()


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not holds():
            await asyncio.sleep(0.01)


def test_everyone_hears_of_their_stream_and_of_no_other(run: Callable[[Use], None]) -> None:
    async def use(watch: StreamWatch, redis: Redis) -> None:
        async with (
            following(watch, "a") as first,
            following(watch, "a") as second,
            following(watch, "b") as third,
        ):
            for stream, what in [("a", "1"), ("b", "2"), ("a", "3")]:
                await happen(redis, stream, what)
            await until(lambda: first == second == ["1", "3"] and third == ["2"])

    run(use)


def test_one_connection_waits_for_all(run: Callable[[Use], None]) -> None:
    async def use(watch: StreamWatch, redis: Redis) -> None:
        async with AsyncExitStack() as stack:
            heard = [
                await stack.enter_async_context(following(watch, f"stream {number}"))
                for number in range(50)
            ]
            for number in range(50):
                await happen(redis, f"stream {number}", str(number))
            await until(lambda: heard == [[str(number)] for number in range(50)])
            assert (await redis.info("clients"))["blocked_clients"] <= 1

    run(use)


def test_who_comes_late_hears_what_was_missed_and_nothing_twice(
    run: Callable[[Use], None],
) -> None:
    async def use(watch: StreamWatch, redis: Redis) -> None:
        async with following(watch, "a") as first:
            await happen(redis, "a", "1")
            await until(lambda: first == ["1"])
            async with following(watch, "a") as late:
                await happen(redis, "a", "2")
                await until(lambda: first == late == ["1", "2"])
            entries: Any = await redis.xrevrange("a", count=1)
            async with following(watch, "a", after=entries[0][0]) as later:
                await happen(redis, "a", "3")
                await until(lambda: first == ["1", "2", "3"] and later == ["3"])

    run(use)


def test_who_follows_something_gone_is_told_to_look(run: Callable[[Use], None]) -> None:
    async def use(watch: StreamWatch, redis: Redis) -> None:
        await happen(redis, "a", "1")
        async with watch.following("a", record="a:record", after="0") as follower:
            assert len(await follower.next(within_s=LONG_S)) == 1
            await redis.delete("a", "a:record")
            async with asyncio.timeout(LONG_S / 2):
                assert await follower.next(within_s=LONG_S) == []

    run(use)


def test_nobody_waits_longer_than_they_want_to(run: Callable[[Use], None]) -> None:
    async def use(watch: StreamWatch, redis: Redis) -> None:
        await redis.set("a:record", "there")
        async with watch.following("a", record="a:record", after="0") as follower:
            assert await follower.next(within_s=0.05) == []

    run(use)


def test_whoever_follows_while_redis_is_away_is_told_so() -> None:
    async def use() -> None:
        away = StreamWatch(connect_async("unix:///nobody.sock"))
        for _ in range(2):
            async with away.following("a", record="a:record", after="0") as follower:
                with pytest.raises(RedisError):
                    await follower.next(within_s=LONG_S)

    asyncio.run(use())
