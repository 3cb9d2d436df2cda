"""One clip of a data set, followed by a worker for `pointaction extract`. `workers.desk` says what
the two tell each other.
"""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import cast

import redis
import structlog
from billiard.exceptions import SoftTimeLimitExceeded

from pointaction.errors import PointActionError
from pointaction.extraction.follower import Failure, Followed, How, failure
from pointaction.extraction.sources import Wanted
from workers.desk import HOW, TTL_S, WANTED, packed
from workers.logs import logger
from workers.process import Process
from workers.runs import RunKeys
from workers.scripts import NOW
from workers.stats import Counter
from workers.tasks import insist, report

log = logger(__name__)

# An attempt is given out once, however often its message comes. KEYS: clips, leases, how.
# ARGV: number, attempt, lease, TTL.
CLAIM = f"""{NOW}
local clip = redis.call('HGET', KEYS[1], ARGV[1])
local how = redis.call('GET', KEYS[3])
if not clip or not how or string.match(clip, '^%d+') ~= ARGV[2] then return false end
if redis.call('ZSCORE', KEYS[2], ARGV[1]) then return false end
redis.call('ZADD', KEYS[2], string.format('%.6f', now + ARGV[3]), ARGV[1])
redis.call('EXPIRE', KEYS[2], ARGV[4])
return {{clip, how}}
"""

# KEYS: clips, leases. ARGV: number, attempt, lease.
RENEW = f"""{NOW}
local clip = redis.call('HGET', KEYS[1], ARGV[1])
if not clip or string.match(clip, '^%d+') ~= ARGV[2] then return 0 end
redis.call('ZADD', KEYS[2], string.format('%.6f', now + ARGV[3]), ARGV[1])
return 1
"""

# KEYS: clips, leases, ended. ARGV: number, attempt, TTL, then fields and values of the entry.
FINISH = """
local clip = redis.call('HGET', KEYS[1], ARGV[1])
if not clip or string.match(clip, '^%d+') ~= ARGV[2] then return 0 end
redis.call('XADD', KEYS[3], '*', 'number', ARGV[1], unpack(ARGV, 4))
redis.call('EXPIRE', KEYS[3], ARGV[3])
redis.call('HDEL', KEYS[1], ARGV[1]); redis.call('ZREM', KEYS[2], ARGV[1])
return 1
"""


def run_clip(process: Process, run: str, number: int, attempt: int) -> None:
    """Follow a clip, unless this attempt is taken or nobody wants it any more, and file what became
    of it.
    """
    errand = insist(lambda: Errand.claim(process, run, number, attempt))
    if errand is None:
        log.info("clip dropped", run=run, number=number, attempt=attempt)
        return
    settings = process.settings
    limit_s = settings.hard_time_limit_s + settings.lease_s
    named = structlog.contextvars.bound_contextvars(run=run, clip=errand.wanted.key)
    began = time.monotonic()
    with named, errand.kept(limit_s=limit_s):
        try:
            result = _followed(process, errand)
        except PointActionError as error:  # from opening the methods: no clip would do better
            log.error("clips cannot be followed as was asked", error=str(error))
            refused = error
            if insist(lambda: errand.refuse(refused)):
                process.tally.count(Counter.CLIPS, refused.kind)
        else:
            filed = insist(lambda: errand.finish(result))
            log.debug("clip followed" if filed else "tracks dropped: the clip is not ours")
            if filed and isinstance(result, Failure):
                process.tally.count(Counter.CLIPS, result.kind)
            elif filed:
                process.tally.followed(time.monotonic() - began, tracker=errand.how.tracker)
    report(process)


def _followed(process: Process, errand: "Errand") -> Followed | Failure:
    try:
        return process.following(errand.how, errand.making).follow(errand.wanted)
    except PointActionError:
        raise
    except SoftTimeLimitExceeded:
        limit = process.settings.soft_time_limit_s
        detail = (
            f"it took longer than the {limit} s it may; set POINTACTION_SOFT_TIME_LIMIT_S and the "
            "two that follow higher for the workers, or ask for a cheaper tracker"
        )
        return failure(errand.wanted, "time-limit", detail)
    except Exception as error:
        log.exception("a clip failed in a way it should not")
        detail = f"an error of ours, not of the clip: {type(error).__name__}: {error}"
        return failure(errand.wanted, "internal", detail)


@dataclass(frozen=True, kw_only=True)
class Errand:
    """One attempt at a clip. It is this worker's as long as it renews its lease."""

    process: Process
    keys: RunKeys
    number: int
    attempt: int
    wanted: Wanted
    how: How
    making: str  # digest of what tracks depend on, where they are asked for

    @classmethod
    def claim(cls, process: Process, run: str, number: int, attempt: int) -> "Errand | None":
        """None where it is somebody else's, over, or of a run that is."""
        keys = RunKeys(run)
        script = process.jobs.redis.register_script(CLAIM)
        answer = script(
            keys=[keys.clips, keys.leases, keys.how],
            args=[number, attempt, process.settings.lease_s, TTL_S],
        )
        if not answer:
            return None
        clip, record = cast("list[str]", answer)
        told = json.loads(record)
        return cls(
            process=process,
            keys=keys,
            number=number,
            attempt=attempt,
            wanted=WANTED.validate_json(clip.partition(" ")[2]),
            how=HOW.validate_python(told["how"]),
            making=told["making"],
        )

    @contextmanager
    def kept(self, *, limit_s: float) -> Iterator[None]:
        """Renew the lease while the context lasts, from a thread, but no longer than `limit_s`."""
        over = threading.Event()
        thread = threading.Thread(target=self._renew, args=(over, limit_s), daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()

    def _renew(self, over: threading.Event, limit_s: float) -> None:
        lease_s = self.process.settings.lease_s
        script = self.process.jobs.redis.register_script(RENEW)
        args = [self.number, self.attempt, lease_s]
        for _ in range(int(3 * limit_s / lease_s)):
            if over.wait(lease_s / 3):
                return
            try:
                if not script(keys=[self.keys.clips, self.keys.leases], args=args):
                    return
            except redis.RedisError as error:  # it may outlast a short absence of Redis
                log.warning("lease not renewed", number=self.number, error=str(error))

    def finish(self, result: Followed | Failure) -> bool:
        """File what became of the clip. False where that is not this attempt's to file."""
        if isinstance(result, Failure):
            return self._file(failure=json.dumps(asdict(result)))
        name, cache = f"{self.number}.{self.attempt}", self.process.cache.redis
        cache.set(self.keys.tracks(name), packed(result.members), ex=TTL_S)
        filed = self._file(key=result.key, attempt=name)
        if not filed:
            cache.delete(self.keys.tracks(name))
        return filed

    def refuse(self, error: PointActionError) -> bool:
        """Have the command end: this worker cannot do what it asks for."""
        return self._file(refused=str(error), kind=error.kind)

    def _file(self, **fields: str) -> bool:
        script = self.process.jobs.redis.register_script(FINISH)
        pairs = [part for pair in fields.items() for part in pair]
        keys = [self.keys.clips, self.keys.leases, self.keys.ended]
        return bool(script(keys=keys, args=[self.number, self.attempt, TTL_S, *pairs]))
