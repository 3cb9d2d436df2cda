"""Which workers are alive, what they take and what they have loaded: heartbeats in the broker's
Redis.
"""

import json
import os
import socket
from typing import Any, Literal, cast

from redis import Redis

from workers.settings import Settings, Takes

WORKERS = "workers"  # zset name -> when it counts as gone, by Redis's clock


def _takes_key(worker: str) -> str:
    return f"worker:{worker}:takes"  # as the setting; workers of older releases do not tell


def _models_key(worker: str) -> str:
    return f"worker:{worker}:models"  # hash pid of a pool process -> names of models


def _gpu_key(worker: str) -> str:
    return f"worker:{worker}:gpu"  # hash device -> JSON of what its memory is used for


def worker_name(pid: int | None = None) -> str:
    """The name of the worker whose parent process is `pid`, by default this process."""
    return f"{socket.gethostname()}:{pid or os.getpid()}"


def ttl_s(settings: Settings) -> float:
    """How long a worker counts as alive after a beat; it beats twice per lease."""
    return max(2 * settings.lease_s, 3.0)


def beat(redis: Redis, worker: str, *, takes: Takes = "jobs", ttl_s: float) -> None:
    """Say that `worker` lives and what it takes, and forget what its dead pool processes had
    loaded.
    """
    models = cast("dict[str, str]", redis.hgetall(_models_key(worker)))
    dead = [pid for pid in models if not _is_running(int(pid))]
    now = _now(redis)
    with redis.pipeline(transaction=True) as pipe:
        if dead:
            pipe.hdel(_models_key(worker), *dead)
        pipe.pexpire(_models_key(worker), int(ttl_s * 1000))
        pipe.pexpire(_gpu_key(worker), int(ttl_s * 1000))
        # It outlives the worker: whoever asks just then would believe that it had taken jobs.
        pipe.set(_takes_key(worker), takes, px=int(2 * ttl_s * 1000))
        pipe.zadd(WORKERS, {worker: now + ttl_s})
        pipe.zremrangebyscore(WORKERS, "-inf", now)
        pipe.execute()


def loaded(redis: Redis, worker: str, *, models: set[str], ttl_s: float) -> None:
    """Say what this pool process of `worker` has in memory; the next beat keeps it alive."""
    redis.hset(_models_key(worker), str(os.getpid()), json.dumps(sorted(models)))
    redis.pexpire(_models_key(worker), int(ttl_s * 1000))


def tell_gpu(redis: Redis, worker: str, *, memory: dict[str, dict[str, int]], ttl_s: float) -> None:
    """Say what `worker` holds of its GPUs, as `gpu.memory` has it; the next beat keeps it alive."""
    texts: dict[Any, Any] = {device: json.dumps(used) for device, used in memory.items()}
    redis.hset(_gpu_key(worker), mapping=texts)
    redis.pexpire(_gpu_key(worker), int(ttl_s * 1000))


def leave(redis: Redis, worker: str) -> None:
    """Sign off."""
    redis.zrem(WORKERS, worker)
    redis.delete(_models_key(worker), _gpu_key(worker))


def last_seen(redis: Redis, *, ttl_s: float) -> dict[str, float]:
    """Live worker -> seconds since it was heard of."""
    now = _now(redis)
    alive = cast(
        "list[tuple[str, float]]", redis.zrangebyscore(WORKERS, now, "+inf", withscores=True)
    )
    return {name: max(now + ttl_s - gone, 0.0) for name, gone in alive}


def models_of(redis: Redis, worker: str) -> list[str]:
    """Names of what the worker has in memory."""
    told = cast("list[str]", redis.hvals(_models_key(worker)))
    return sorted({name for names in told for name in json.loads(names)})


def alive_workers(redis: Redis) -> list[str]:
    """Names of the workers heard of lately, whatever they take."""
    return cast("list[str]", redis.zrangebyscore(WORKERS, _now(redis), "+inf"))


def alive_for(redis: Redis, what: Literal["jobs", "extract"]) -> list[str]:
    """Names of the workers heard of lately that take this: jobs, or clips of data sets."""
    alive = alive_workers(redis)
    told = (
        cast("list[str | None]", redis.mget([_takes_key(name) for name in alive])) if alive else []
    )
    takes = zip(alive, told, strict=True)
    return [worker for worker, taken in takes if (taken or "jobs") in (what, "both")]


def loaded_models(redis: Redis) -> set[str]:
    """Names of the models that some live worker has in memory."""
    return {name for worker in alive_workers(redis) for name in models_of(redis, worker)}


def gpu_memory(redis: Redis) -> dict[str, dict[str, dict[str, int]]]:
    """Live worker -> device -> bytes by use, where a worker has told of any."""
    told = {}
    for worker in alive_workers(redis):
        devices = cast("dict[str, str]", redis.hgetall(_gpu_key(worker)))
        if devices:
            told[worker] = {device: json.loads(used) for device, used in sorted(devices.items())}
    return told


def _now(redis: Redis) -> float:
    """By Redis's clock: those of machines differ."""
    seconds, microseconds = redis.time()
    return seconds + microseconds / 1e6


def _is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # alive, and someone else's
        return True
    return True
