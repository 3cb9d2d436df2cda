"""What `pointaction extract` and the workers tell each other of the clips of a data set, in Redis.

Of the broker:

    extract:{run}           how clips are followed; without it, whatever comes of the run is dropped
    extract:{run}:clips     hash number -> attempt and clip: what may be taken
    extract:{run}:leases    zset number -> end of the lease of the worker that is at it
    extract:{run}:ended     stream of the numbers that have ended, with what failed
    extract:of:{digest}     the run that fills these shards of a store: the last that was begun
    extract:runs            the runs that go on, for whoever watches them

and of the cache, until the command has fetched them:

    extract:{run}:{number}.{attempt}    tracks, as `packed`

A message names the run, the number and the attempt. An attempt is given out once; only that one
may file what became of the clip. All of it expires when nobody says any more that the run goes on.
"""

import hashlib
import json
import socket
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import redis
from pydantic import TypeAdapter

from pointaction.errors import InputError
from pointaction.extraction.follower import Failure, Followed, How
from pointaction.extraction.sources import Wanted
from workers import runs, stats
from workers.errors import QueueDown
from workers.queue import ClipQueue
from workers.redis import connect, connect_bytes
from workers.runs import RunKeys
from workers.scheduler import Ended, Opened
from workers.scripts import NOW
from workers.settings import Settings
from workers.stats import Counter

TTL_S = 600  # of all that a run has in Redis, since it was last heard of
_AT_ONCE = 256  # results
_PATIENCE_S = 5.0  # with a cache that is asked for that many

HOW = TypeAdapter(How)
WANTED = TypeAdapter(Wanted)
FAILURE = TypeAdapter(Failure)

# Whoever is at a clip whose lease has ended has lost it, and may file nothing any more.
# KEYS: leases, clips, counters. ARGV: the counter.
LOST = f"""{NOW}
local ended = string.format('%.6f', now)
local over = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', ended, 'LIMIT', 0, 500)
for _, number in ipairs(over) do
  redis.call('ZREM', KEYS[1], number); redis.call('HDEL', KEYS[2], number)
end
if #over > 0 then redis.call('HINCRBY', KEYS[3], ARGV[1], #over) end
return over
"""


class RedisDesk:
    """As `scheduler.Desk`, for one run."""

    def __init__(self, settings: Settings, how: How, *, of: str) -> None:
        """of: what is filled, in a word; a later run of the same takes the place of this one."""
        self.queue = ClipQueue(settings)
        self.redis = connect(settings.require("broker_url"))
        self.cache = connect_bytes(settings.require("cache_url"), timeout_s=_PATIENCE_S)
        self.keys = RunKeys(uuid.uuid4().hex)
        self._of = f"extract:of:{hashlib.sha256(of.encode()).hexdigest()}"
        told = {"how": HOW.dump_python(how, mode="json"), "making": how.making().digest}
        self._how = json.dumps(told)
        self._lost = self.redis.register_script(LOST)
        self._begun = False
        self._read = "0"  # the last entry of what has ended

    def keep(self) -> None:
        with _reached():
            if not self._begun:
                self._take_over()
                self._begun = True
            elif self.redis.get(self._of) not in (None, self.keys.run):
                raise InputError(
                    "another `pointaction extract` has begun to fill the same shards of this "
                    "store; let that one go on, or give each a --share of its own"
                )
            with self.redis.pipeline(transaction=True) as pipe:
                pipe.set(self._of, self.keys.run, ex=TTL_S)
                pipe.set(self.keys.how, self._how, ex=TTL_S)
                for key in self.keys.all[1:]:
                    pipe.expire(key, TTL_S)
                pipe.execute()
            runs.tell(self.redis, self.keys.run, ttl_s=TTL_S)

    def _take_over(self) -> None:
        """What a command has left that was killed would be followed for nobody."""
        before = cast("str | None", self.redis.getset(self._of, self.keys.run))
        if before:
            self.redis.delete(*RunKeys(before).all)
            self.redis.zrem(runs.RUNS, before)

    def open(self, clips: Sequence[Opened]) -> None:
        told = {str(each.number): f"{each.attempt} {_as_json(each.wanted)}" for each in clips}
        with _reached(), self.redis.pipeline(transaction=True) as pipe:
            pipe.hset(self.keys.clips, mapping=cast("Mapping[Any, Any]", told))
            pipe.expire(self.keys.clips, TTL_S)
            pipe.execute()
        for each in clips:
            self.queue.submit(self.keys.run, each.number, each.attempt)

    def ended(self, wait_s: float) -> list[Ended]:
        with _reached():
            entries = self._entries()
            if not entries and wait_s:
                self.redis.xread({self.keys.ended: self._read}, count=1, block=int(wait_s * 1000))
                entries = self._entries()
            if not entries:
                return []
            told = [fields for _, fields in entries]
            tracks = self._tracks(told)
            found = [_ended(fields, tracks, self.keys) for fields in told]
            ids = [entry for entry, _ in entries]
            self.redis.xdel(self.keys.ended, *ids)
            self._read = ids[-1]
        if tracks:
            with suppress(redis.RedisError):  # they expire
                self.cache.delete(*tracks)
        return found

    def _entries(self) -> list[tuple[str, dict[str, str]]]:
        found = self.redis.xrange(self.keys.ended, count=_AT_ONCE)
        return cast("list[tuple[str, dict[str, str]]]", found)

    def _tracks(self, told: Sequence[Mapping[str, str]]) -> dict[str, bytes | None]:
        """What the cache has of clips that were followed, by its names."""
        names = [self.keys.tracks(each["attempt"]) for each in told if "key" in each]
        if not names:
            return {}
        return dict(zip(names, cast("list[bytes | None]", self.cache.mget(names)), strict=True))

    def lost(self) -> list[int]:
        with _reached():
            keys = [self.keys.leases, self.keys.clips, stats.COUNTERS]
            over = self._lost(keys=keys, args=[stats.field(Counter.CLIPS, "process-died")])
            return [int(number) for number in cast("list[str]", over)]

    def held(self) -> set[int]:
        with _reached():
            found = cast("list[str]", self.redis.zrange(self.keys.leases, 0, -1))
            return set(map(int, found))

    def idle(self) -> bool:
        with _reached():
            return not self.redis.llen(self.queue.name)

    def close(self) -> None:
        with suppress(redis.RedisError):  # it expires
            if self.redis.get(self._of) == self.keys.run:
                self.redis.delete(self._of)
            self.redis.delete(*self.keys.all)
            self.redis.zrem(runs.RUNS, self.keys.run)
        self.redis.close()
        self.cache.close()


def what(store: str, shards: str) -> str:
    """Shards of a store in a word. A folder is one of this machine, whose lock says more."""
    if "://" in store:
        return f"{store.rstrip('/')} {shards}"
    return f"{socket.gethostname()}:{Path(store).resolve()} {shards}"


def packed(members: Mapping[str, bytes]) -> bytes:
    """A clip's members as one, in their order."""
    head = json.dumps({suffix: len(data) for suffix, data in members.items()})
    return b"\n".join([head.encode(), b"".join(members.values())])


def unpacked(data: bytes) -> dict[str, bytes]:
    """What `packed` packed."""
    head, _, rest = data.partition(b"\n")
    members, start = {}, 0
    for suffix, length in json.loads(head).items():
        members[suffix] = rest[start : start + length]
        start += length
    return members


def _ended(told: Mapping[str, str], tracks: Mapping[str, bytes | None], keys: RunKeys) -> Ended:
    """What a worker has said of a clip. InputError where it can follow none so."""
    if "refused" in told:
        raise InputError(told["refused"], kind=told["kind"])
    result: Followed | Failure | None = None
    if "failure" in told:
        result = FAILURE.validate_json(told["failure"])
    elif data := tracks[keys.tracks(told["attempt"])]:
        result = Followed(key=told["key"], members=unpacked(data))
    return Ended(int(told["number"]), result)


def _as_json(wanted: Wanted) -> str:
    """A clip as another machine finds it, which has the same folders."""
    return WANTED.dump_json(replace(wanted, path=wanted.path.absolute())).decode()


@contextmanager
def _reached() -> Iterator[None]:
    try:
        yield
    except redis.RedisError as error:
        raise QueueDown("Redis does not answer") from error
