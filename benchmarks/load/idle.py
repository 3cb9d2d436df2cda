"""Many who listen to jobs of which nothing is to be heard."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from benchmarks.load.wire import Connection, connected, get
from workers.embedded import EmbeddedRedis
from workers.jobs import ClassifyParams, Job, JobStore
from workers.settings import Settings

_AT_ONCE = 50  # connections that are being made


def held_jobs(data_dir: Path, count: int) -> list[str]:
    """Ids of jobs at which somebody is who says nothing for an hour."""
    redis = EmbeddedRedis(data_dir)  # not started: it tells where the one of the service listens
    settings = Settings(
        data_dir=data_dir,
        broker_url=redis.broker_url,
        cache_url=redis.cache_url,
        lease_s=3600,
    )
    store = JobStore.open(settings)
    params = ClassifyParams(model="default")
    jobs = [
        Job.new(content=f"{number:064x}", media="clip", params=params) for number in range(count)
    ]
    for job in jobs:
        store.create(job)
        store.claim(job.id, "somebody:0")
    return [job.id for job in jobs]


@asynccontextmanager
async def listening(port: int, jobs: list[str], count: int) -> AsyncIterator[list[Connection]]:
    """So many clients, each of which has heard how its job is."""
    gate = asyncio.Semaphore(_AT_ONCE)
    async with AsyncExitStack() as stack:

        async def listen(number: int) -> Connection:
            async with gate:
                connection = await stack.enter_async_context(connected(port))
                connection.writer.write(get(f"/jobs/{jobs[number % len(jobs)]}/events"))
                status, _ = await connection.head()
                if status != 200:
                    raise ValueError(f"a listener was answered {status}")
                await connection.reader.readuntil(b"data: ")
                return connection

        yield list(await asyncio.gather(*(listen(number) for number in range(count))))


async def until_closed(connections: list[Connection]) -> None:
    """Returns when the service has ended every stream."""

    async def drain(connection: Connection) -> None:
        while await connection.reader.read(1 << 16):
            pass

    await asyncio.gather(*map(drain, connections))
