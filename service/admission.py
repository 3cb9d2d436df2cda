"""Whether a request may come in now, and for whom: judged by Redis in one step.

A rate is a bucket of so many requests that fills up evenly within a minute, kept as the one moment
at which it will be full again (the generic cell rate algorithm). A day's quota is a count.
"""

from dataclasses import dataclass
from typing import Literal, cast

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from service.keys import KEYS, Key, Limits
from workers.redis import TIMEOUT_S

Budget = Literal["submits_per_minute", "reads_per_minute"]
# How a caller is known: by a key to be looked up, otherwise (a key that the operator has set, or
# an address), or not at all, which will do as long as there are no keys.
How = Literal["key", "known", "unknown"]
Word = Literal["in", "needed", "unknown", "revoked", "expired", "rate", "quota"]

# KEYS: keys, bucket, count of the day. ARGV: how, digest, budget, the operator's limits.
# Answers: word, record of the key, limit, what is left of it, seconds until there is more.
_ADMIT = """
local t = redis.call('TIME')
local now = t[1] + t[2] / 1000000
local limits = cjson.decode(ARGV[4])
local record = ''
local function say(word, limit, left, wait)
  return {word, record, tostring(limit or 0), tostring(left or 0), tostring(wait or 0)}
end
if ARGV[1] == 'unknown' then
  return say(redis.call('EXISTS', KEYS[1]) == 1 and 'needed' or 'in')
elseif ARGV[1] == 'key' then
  record = redis.call('HGET', KEYS[1], ARGV[2]) or ''
  if record == '' then return say('unknown') end
  local key = cjson.decode(record)
  if key.revoked_at then return say('revoked') end
  if key.expires_at and key.expires_at <= now then return say('expired') end
  for name, limit in pairs(key.limits) do limits[name] = limit end
end

local quota = ARGV[3] == 'submits_per_minute' and limits.submits_per_day or 0
local today = math.floor(now / 86400)
local used = 0
if quota > 0 then
  local day = redis.call('HMGET', KEYS[3], 'day', 'used')
  if tonumber(day[1] or -1) == today then used = tonumber(day[2]) end
  if used >= quota then return say('quota', quota, 0, (today + 1) * 86400 - now) end
end

local rate, left, full = limits[ARGV[3]], 0, now
if rate > 0 then
  local each = 60 / rate
  full = math.max(tonumber(redis.call('GET', KEYS[2]) or '0'), now) + each
  if full - now > 60.000001 then return say('rate', rate, 0, full - now - 60) end
  redis.call('SET', KEYS[2], string.format('%.6f', full), 'PX', math.ceil((full - now) * 1000))
  left = math.floor((60 - (full - now)) / each + 0.000001)
end
if quota > 0 then
  redis.call('HSET', KEYS[3], 'day', today, 'used', used + 1)
  redis.call('EXPIRE', KEYS[3], 2 * 86400)
end
return say('in', rate, left, full - now)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    word: Word
    key: Key | None  # the key that was looked up, if there is one
    limit: int  # of the budget or the quota; 0: there is none
    left: int  # of it, at once
    wait_s: float  # until one may come in; of one that did, until the bucket is full


class Admission:
    """Raises redis.RedisError when Redis is away."""

    def __init__(self, url: str, defaults: Limits) -> None:
        self.redis = Redis.from_url(
            url,
            decode_responses=True,
            socket_timeout=TIMEOUT_S,
            socket_connect_timeout=TIMEOUT_S,
            retry=Retry(NoBackoff(), 1),
        )
        self._admit = self.redis.register_script(_ADMIT)
        self._defaults = defaults

    async def judge(self, how: How, caller: str, budget: Budget) -> Verdict:
        """Judge one request of `caller`, a digest, and charge it to the budget if it comes in."""
        counted = getattr(self._defaults, budget) or self._defaults.submits_per_day
        if how == "known" and not counted:
            return Verdict(word="in", key=None, limit=0, left=0, wait_s=0)
        answer = await self._admit(
            keys=[KEYS, f"rate:{budget}:{caller}", f"quota:{caller}"],
            args=[how, caller, budget, self._defaults.model_dump_json()],
        )
        word, record, limit, left, wait_s = cast("list[str]", answer)
        return Verdict(
            word=cast(Word, word),
            key=Key.model_validate_json(record) if record else None,
            limit=int(limit),
            left=int(left),
            wait_s=float(wait_s),
        )

    async def aclose(self) -> None:
        await self.redis.aclose()
