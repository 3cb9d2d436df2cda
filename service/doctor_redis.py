"""What `doctor` asks the two Redis servers: will they keep what they must, does anyone work?"""

import time
from collections.abc import Iterator
from typing import Any, cast

from redis import Redis
from redis.exceptions import ResponseError

from service.findings import Finding, ok, warning, wrong
from service.settings import ServiceSettings
from workers import presence
from workers.jobs import JobStore
from workers.redis import connect

_OLDEST = (6, 2)
_FULL = 0.8  # of its memory
_OLD_S = 60.0
_SKEW_S = 1.0


def broker(settings: ServiceSettings) -> Iterator[Finding]:
    """It holds what was accepted, so it must forget nothing."""
    with connect(settings.require("broker_url")) as redis:
        info = redis.info()
        yield _version("broker", info)
        yield _keeps_all(info)
        yield from _persists(redis, info)
        yield from _room("broker", info)


def _version(about: str, info: dict[str, Any]) -> Finding:
    version = str(info["redis_version"])
    if tuple(map(int, version.split(".")[:2])) < _OLDEST:
        oldest = ".".join(map(str, _OLDEST))
        return wrong(about, f"it is Redis {version}", f"install Redis {oldest} or later")
    return ok(about, f"Redis {version} answers")


def _keeps_all(info: dict[str, Any]) -> Finding:
    policy = info.get("maxmemory_policy")
    if policy == "noeviction":
        return ok("broker", "it evicts nothing")
    return wrong(
        "broker",
        f"maxmemory-policy is {policy}: full, it would forget jobs that were accepted",
        "set maxmemory-policy noeviction",
    )


def _persists(redis: Redis, info: dict[str, Any]) -> Iterator[Finding]:
    if not info.get("aof_enabled"):
        says = "appendonly is off: what was accepted since its last snapshot goes with it"
        yield wrong("broker", says, "set appendonly yes and appendfsync everysec")
        return
    failed = [
        what
        for what in ("aof_last_write_status", "aof_last_bgrewrite_status")
        if info.get(what, "ok") != "ok"
    ]
    if failed:
        says = f"it could not write its append-only file ({', '.join(failed)})"
        yield wrong("broker", says, "make room on its disk; see its log")
    elif _setting(redis, "appendfsync") == "no":
        says = "appendfsync is no: a power cut takes the last half minute with it"
        yield warning("broker", says, "set appendfsync everysec")
    else:
        yield ok("broker", "what it is told is on disk within a second")


def _setting(redis: Redis, name: str) -> str | None:
    """None where it is not told, as by some who run Redis for others."""
    try:
        return cast("dict[str, str]", redis.config_get(name)).get(name)
    except ResponseError:
        return None


def _room(about: str, info: dict[str, Any]) -> Iterator[Finding]:
    used, most = int(info["used_memory"]), int(info.get("maxmemory", 0))
    if most and used > _FULL * most:
        yield warning(
            about,
            f"{used / most:.0%} of its maxmemory are used",
            "raise maxmemory, or lower POINTACTION_JOB_TTL_S",
        )


def cache(settings: ServiceSettings) -> Iterator[Finding]:
    """It may forget anything, and should before it is full."""
    with (
        connect(settings.require("cache_url")) as redis,
        connect(settings.require("broker_url")) as other,
    ):
        info = redis.info()
        yield _version("cache", info)
        if info["run_id"] == other.info("server")["run_id"]:
            yield warning(
                "cache",
                "it is the broker's Redis: full of results, it refuses jobs",
                "set POINTACTION_CACHE_URL to another server, with maxmemory and "
                "maxmemory-policy volatile-lru",
            )
        elif not info.get("maxmemory"):
            yield warning(
                "cache", "it has no maxmemory and grows as it likes", "set maxmemory, say 1gb"
            )
        elif info.get("maxmemory_policy") == "noeviction":
            yield warning(
                "cache",
                "maxmemory-policy is noeviction: full, it takes no more results",
                "set maxmemory-policy volatile-lru",
            )
        else:
            yield ok("cache", "it forgets the oldest when it is full")


def clock(settings: ServiceSettings) -> Iterator[Finding]:
    """Leases go by Redis's clock; ages of jobs and the ends of webhooks by those of hosts."""
    with connect(settings.require("broker_url")) as redis:
        redis.ping()  # connected, so that only one way there and back is measured
        before = time.time()
        seconds, microseconds = redis.time()
        skew = seconds + microseconds / 1e6 - (before + time.time()) / 2
    if abs(skew) > _SKEW_S:
        says = f"the broker's clock is {skew:+.1f} s from this machine's: ages of jobs are wrong"
        yield warning("clock", says, "let both keep time by NTP")
    else:
        yield ok("clock", f"it agrees with the broker's to {_SKEW_S:g} s")


def workers(settings: ServiceSettings) -> Iterator[Finding]:
    with connect(settings.require("broker_url")) as redis:
        alive = presence.alive_for(redis, "jobs")
        following = len(presence.alive_for(redis, "extract"))
    if alive:
        clips = f"; {following} take clips of data sets" if following else ""
        yield ok("workers", f"{len(alive)} that take jobs have been heard of lately{clips}")
    else:
        clips = f"; {following} take clips of data sets alone" if following else ""
        yield wrong(
            "workers",
            f"none that takes jobs has been heard of lately{clips}",
            "start `pointaction worker` with this POINTACTION_BROKER_URL, or see its log",
        )


def queue(settings: ServiceSettings) -> Iterator[Finding]:
    jobs = JobStore.open(settings)
    try:
        waiting = jobs.waiting()
        age_s = jobs.age_s(waiting[0]) if waiting else 0.0
        dead, refused = sum(1 for _ in jobs.dead()), len(jobs.quarantine())
    finally:
        jobs.redis.close()
    if settings.max_queued and len(waiting) >= settings.max_queued:
        yield warning(
            "queue",
            f"{len(waiting)} jobs wait, which is all there is room for: callers get 429",
            "add workers, or raise POINTACTION_MAX_QUEUED",
        )
    if age_s > _OLD_S:
        says = f"{len(waiting)} jobs wait, the oldest for {age_s:.0f} s"
        yield warning("queue", says, "add workers, or see why those there are do not end any")
    else:
        yield ok("queue", f"{len(waiting)} jobs wait")
    if dead or refused:
        yield warning(
            "queue",
            f"{dead} jobs have killed their workers, and {refused} contents are refused for it",
            "`pointaction dead` lists them; `pointaction release` lets a content in again",
        )
