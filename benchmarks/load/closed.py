"""Clients that ask again as soon as they are answered."""

import asyncio
import time
from collections.abc import Iterator

from benchmarks.load.wire import connected


async def rate(
    port: int, requests: Iterator[bytes], *, clients: int, seconds: float
) -> tuple[float, list[float]]:
    """Answers a second, and the seconds that each took. ValueError for any that is not 200."""
    spent: list[float] = []
    begun = time.perf_counter()

    async def client() -> None:
        async with connected(port) as connection:
            while (start := time.perf_counter()) < begun + seconds:
                answer = await connection.ask(next(requests))
                if answer.status != 200:
                    raise ValueError(f"{answer.status}: {answer.body.decode()[:300]}")
                spent.append(time.perf_counter() - start)

    await asyncio.gather(*(client() for _ in range(clients)))
    return len(spent) / (time.perf_counter() - begun), spent
