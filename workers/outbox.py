"""Ends of jobs that somebody has asked to be told of and has not been told yet.

The step that ends a job puts its id here (`workers.scripts`), so no end is missed; what there is to
say stands in the job's record, and is forgotten with it. Who sends one claims it for as long as a
lease: it is then not due for anyone else, but is again should its sender die.
"""

import json
from typing import cast

from redis import Redis

from workers.redis import connect
from workers.scripts import NOW, WEBHOOK_COUNTS, WEBHOOKS
from workers.settings import Settings
from workers.webhooks import Message

LEASE_S = 60.0  # longer than any sending takes, looking up the name included

_FIELDS = ("kind", "state", "finished_at", "client", "callback_url", "callback_failures")

# KEYS: outbox, counts. ARGV: lease, names of fields. The first of the due whose job is still there.
_CLAIM = f"""{NOW}
local by_now = string.format('%.6f', now)
for _, id in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', by_now, 'LIMIT', 0, 100)) do
  local record = 'job:' .. id
  if redis.call('EXISTS', record) == 1 then
    redis.call('ZADD', KEYS[1], string.format('%.6f', now + ARGV[1]), id)
    return {{id, redis.call('HMGET', record, unpack(ARGV, 2))}}
  end
  redis.call('ZREM', KEYS[1], id)
  redis.call('HINCRBY', KEYS[2], 'dropped', 1)
end
return {{}}
"""

# KEYS: outbox, counts. ARGV: id, what has become of it.
_SETTLE = """
if redis.call('ZREM', KEYS[1], ARGV[1]) == 1 then redis.call('HINCRBY', KEYS[2], ARGV[2], 1) end
"""

# KEYS: outbox, counts, record. ARGV: id, seconds, 1 if it was tried for nothing.
_PUT_OFF = f"""{NOW}
if not redis.call('ZSCORE', KEYS[1], ARGV[1]) then return end
redis.call('ZADD', KEYS[1], string.format('%.6f', now + ARGV[2]), ARGV[1])
if ARGV[3] == '1' then
  redis.call('HINCRBY', KEYS[2], 'failed', 1)
  if redis.call('EXISTS', KEYS[3]) == 1 then
    redis.call('HINCRBY', KEYS[3], 'callback_failures', 1)
  end
end
"""


class Outbox:
    """Raises redis.RedisError when Redis is away."""

    def __init__(self, redis: Redis, *, lease_s: float = LEASE_S) -> None:
        self.redis = redis
        self.lease_s = lease_s
        self._claim = redis.register_script(_CLAIM)
        self._settle = redis.register_script(_SETTLE)
        self._put_off = redis.register_script(_PUT_OFF)

    @classmethod
    def open(cls, settings: Settings, *, lease_s: float = LEASE_S) -> "Outbox":
        """The outbox of these settings; connects when it is first used."""
        return cls(connect(settings.require("broker_url")), lease_s=lease_s)

    def claim(self) -> Message | None:
        """The message that has been due for longest, if one is; nobody else gets it for a lease."""
        answer = self._claim(keys=[WEBHOOKS, WEBHOOK_COUNTS], args=[self.lease_s, *_FIELDS])
        if not answer:
            return None
        job, values = cast("tuple[str, list[str | None]]", answer)
        kind, state, finished_at, client, url, failures = (json.loads(v or "0") for v in values)
        return Message(
            job=job,
            kind=kind,
            state=state,
            finished_at=finished_at,
            client=client,
            url=url,
            failures=failures,
        )

    def delivered(self, message: Message) -> None:
        self._settle(keys=[WEBHOOKS, WEBHOOK_COUNTS], args=[message.job, "delivered"])

    def drop(self, message: Message) -> None:
        """Try no longer."""
        self._settle(keys=[WEBHOOKS, WEBHOOK_COUNTS], args=[message.job, "dropped"])

    def put_off(self, message: Message, seconds: float, *, failed: bool) -> None:
        """Have it due in so many seconds, and counted if it was tried for nothing."""
        keys = [WEBHOOKS, WEBHOOK_COUNTS, f"job:{message.job}"]
        self._put_off(keys=keys, args=[message.job, seconds, int(failed)])

    def waiting(self) -> int:
        """How many have not been told yet."""
        return int(self.redis.zcard(WEBHOOKS))

    def counts(self) -> dict[str, int]:
        """Messages `delivered` and `dropped`, and attempts that `failed`; ever."""
        fields = cast("dict[str, str]", self.redis.hgetall(WEBHOOK_COUNTS))
        return {name: int(count) for name, count in fields.items()}
