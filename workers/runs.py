"""Runs of `pointaction extract --queue` as the broker knows them: what they keep there, and how far
they are.
"""

from dataclasses import dataclass
from typing import cast

from redis import Redis

RUNS = "extract:runs"  # zset run -> when it counts as over, by Redis's clock


@dataclass(frozen=True, slots=True)
class RunKeys:
    """Names in Redis of what belongs to a run."""

    run: str

    @property
    def how(self) -> str:
        return f"extract:{self.run}"

    @property
    def clips(self) -> str:
        return f"extract:{self.run}:clips"

    @property
    def leases(self) -> str:
        return f"extract:{self.run}:leases"

    @property
    def ended(self) -> str:
        return f"extract:{self.run}:ended"

    @property
    def all(self) -> tuple[str, str, str, str]:
        """Those of the broker."""
        return self.how, self.clips, self.leases, self.ended

    def tracks(self, attempt: str) -> str:
        """In the cache; `attempt` is NUMBER.ATTEMPT."""
        return f"extract:{self.run}:{attempt}"


@dataclass(frozen=True, slots=True, kw_only=True)
class UnderWay:
    """Of all commands that have been heard of in the last ten minutes."""

    commands: int
    waiting: int  # clips that may be taken
    running: int  # clips that a worker is at, or has died of


def tell(redis: Redis, run: str, *, ttl_s: int) -> None:
    """Say that the run goes on."""
    seconds, _ = redis.time()
    with redis.pipeline(transaction=True) as pipe:
        pipe.zadd(RUNS, {run: seconds + ttl_s})
        pipe.zremrangebyscore(RUNS, "-inf", seconds)
        pipe.execute()


def under_way(redis: Redis) -> UnderWay:
    """How far they are."""
    seconds, _ = redis.time()
    runs = cast("list[str]", redis.zrangebyscore(RUNS, seconds, "+inf"))
    with redis.pipeline(transaction=True) as pipe:
        for keys in map(RunKeys, runs):
            pipe.hlen(keys.clips)
            pipe.zcard(keys.leases)
        counts = pipe.execute()
    clips, running = sum(counts[::2]), sum(counts[1::2])
    return UnderWay(commands=len(runs), waiting=clips - running, running=running)
