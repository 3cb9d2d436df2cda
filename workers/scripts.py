"""The steps of a job's life that Redis takes as one. `workers.jobs` says what they are for."""

# Leases are set and judged by Redis's own clock: the clocks of machines differ.
_NOW = """
local t = redis.call('TIME')
local now = t[1] + t[2] / 1000000
"""

CLAIM = f"""{_NOW}
local state = redis.call('HGET', KEYS[1], 'state')
if not state then
  redis.call('ZREM', KEYS[3], ARGV[1]); redis.call('ZREM', KEYS[4], ARGV[1])
  return 'gone'
end
if state ~= '"queued"' and state ~= '"running"' then
  redis.call('ZREM', KEYS[3], ARGV[1]); redis.call('ZREM', KEYS[4], ARGV[1])
  return 'finished'
end
local lease = tonumber(redis.call('ZSCORE', KEYS[4], ARGV[1]) or '0')
if state == '"running"' and lease > now then return 'held' end
local attempts = tonumber(redis.call('HGET', KEYS[1], 'attempts'))
local order = redis.call('ZSCORE', KEYS[3], ARGV[1])
if order and tonumber(order) > tonumber(redis.call('GET', KEYS[6]) or '0') then
  redis.call('SET', KEYS[6], order)
end
redis.call('ZREM', KEYS[3], ARGV[1])
if attempts >= tonumber(ARGV[4]) then
  redis.call('ZREM', KEYS[4], ARGV[1])
  redis.call('HSET', KEYS[1], 'state', '"failed"', 'holder', '', 'problem', ARGV[5],
             'finished_at', string.format('%.6f', now))
  redis.call('HINCRBY', KEYS[5], 'failed', 1)
  redis.call('LPUSH', KEYS[7], ARGV[1]); redis.call('LTRIM', KEYS[7], 0, 999)
  redis.call('HSET', KEYS[8], cjson.decode(redis.call('HGET', KEYS[1], 'content')), ARGV[1])
  redis.call('XADD', KEYS[2], 'MAXLEN', '~', 256, '*', 'state', 'failed')
  redis.call('EXPIRE', KEYS[2], redis.call('TTL', KEYS[1]))
  return 'poison'
end
redis.call('ZADD', KEYS[4], string.format('%.6f', now + ARGV[3]), ARGV[1])
redis.call('HSET', KEYS[1], 'state', '"running"', 'holder', ARGV[2], 'attempts', attempts + 1,
           'started_at', string.format('%.6f', now), 'stage', 'null', 'progress', '0')
redis.call('HINCRBY', KEYS[5], 'running', 1)
redis.call('XADD', KEYS[2], 'MAXLEN', '~', 256, '*', 'state', 'running')
redis.call('EXPIRE', KEYS[2], redis.call('TTL', KEYS[1]))
return 'mine'
"""

MOVE = """
local state = redis.call('HGET', KEYS[1], 'state')
if not state then return 0 end
if state ~= '"queued"' and state ~= '"running"' then return 0 end
if ARGV[1] ~= '' and redis.call('HGET', KEYS[1], 'holder') ~= ARGV[1] then return 0 end
redis.call('HSET', KEYS[1], unpack(ARGV, 4))
if ARGV[3] ~= '' then
  redis.call('ZREM', KEYS[3], ARGV[2]); redis.call('ZREM', KEYS[4], ARGV[2])
  redis.call('HINCRBY', KEYS[5], ARGV[3], 1)
end
redis.call('XADD', KEYS[2], 'MAXLEN', '~', 256, '*', 'state', ARGV[3])
redis.call('EXPIRE', KEYS[2], redis.call('TTL', KEYS[1]))
return 1
"""

RENEW = f"""{_NOW}
if redis.call('HGET', KEYS[1], 'holder') ~= ARGV[2] then return 0 end
if redis.call('HGET', KEYS[1], 'state') ~= '"running"' then return 0 end
redis.call('ZADD', KEYS[2], 'XX', string.format('%.6f', now + ARGV[3]), ARGV[1])
return 1
"""

# A job that has been claimed meanwhile must not be listed again, nor one that waits lose its place.
JOIN = """
if redis.call('HGET', KEYS[1], 'state') ~= '"queued"' then return 0 end
if not redis.call('ZSCORE', KEYS[2], ARGV[1]) then
  redis.call('ZADD', KEYS[2], redis.call('INCR', KEYS[3]), ARGV[1])
end
return 1
"""

LOST = f"""{_NOW}
return redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', string.format('%.6f', now), 'LIMIT', 0, 100)
"""
