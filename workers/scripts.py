"""The steps of a job's life that Redis takes as one. `workers.jobs` says what they are for."""

WEBHOOKS = "webhooks:due"  # zset id of a job whose end is to be told -> when it is to be sent
WEBHOOK_COUNTS = "webhooks:counts"  # hash what became of messages and attempts -> how many, ever
_MOST_WEBHOOKS = 100_000  # in case nobody sends them
_KEPT_S = 10  # so long after the time that was told is a place kept

# Leases are set and judged by Redis's own clock: the clocks of machines differ.
NOW = """
local t = redis.call('TIME')
local now = t[1] + t[2] / 1000000
"""

# A job that has come to its end is no longer pending, and whoever asked to be told of it is to be.
# Who knows its id alone need not know whose it is: its record does.
_ENDED = f"""
local function ended(record, id)
  local account = redis.call('HGET', record, 'account')
  if account and account ~= '""' then
    redis.call('ZREM', 'pending:' .. cjson.decode(account), id)
  end
  local url = redis.call('HGET', record, 'callback_url')
  if url and url ~= '""' then
    redis.call('ZADD', '{WEBHOOKS}', string.format('%.6f', now), id)
    local over = redis.call('ZREMRANGEBYRANK', '{WEBHOOKS}', 0, -{_MOST_WEBHOOKS + 1})
    if over > 0 then redis.call('HINCRBY', '{WEBHOOK_COUNTS}', 'dropped', over) end
  end
end
"""

# All of the jobs are filed, or none. KEYS: queued, order, counts, pending of the account; then for
# each its record, its events and the two sets of those with the same content. ARGV: room in the
# queue, room among the pending, how many want in, 1 if they are counted, 1 if they are held, TTL,
# the name under which a place may be kept; then for each its id, its state, how many field names
# and values, and these.
FILE = f"""{NOW}{_ENDED}
local wanted, ttl = tonumber(ARGV[3]), tonumber(ARGV[6])
local waiting, room, kept = redis.call('ZCARD', KEYS[1]), tonumber(ARGV[1]), 0
if room > 0 and wanted > 0 then
  local mine = redis.call('ZSCORE', KEYS[5], ARGV[7])
  if not mine or tonumber(mine) > now then  -- else he has waited for his turn
    kept = redis.call('ZCOUNT', KEYS[5], now - {_KEPT_S}, mine and '(' .. mine or '+inf')
  end
  if waiting + kept + wanted > room then
    return {{'queue', waiting, waiting + kept, waiting + kept + wanted - room}}
  end
end
local alive = string.format('(%.6f', now)
local pending, mine = redis.call('ZCOUNT', KEYS[4], alive, '+inf'), tonumber(ARGV[2])
if mine > 0 and wanted > 0 and pending + wanted > mine then
  local over = math.min(pending + wanted - mine, pending)
  local last = redis.call('ZRANGEBYSCORE', KEYS[4], alive, '+inf', 'LIMIT', over - 1, 1)[1]
  local ahead = last and redis.call('ZRANK', KEYS[1], last) or 0
  return {{'pending', pending, ahead, ahead + 1}}
end
local ends = string.format('%.6f', now + ttl)
local key, arg = 6, 8
while arg <= #ARGV do
  local id, state, size = ARGV[arg], ARGV[arg + 1], tonumber(ARGV[arg + 2])
  -- First what a full Redis refuses: after a first write it refuses a script nothing.
  redis.call('HSET', KEYS[key], unpack(ARGV, arg + 3, arg + 2 + size))
  redis.call('EXPIRE', KEYS[key], ttl)
  redis.call('XADD', KEYS[key + 1], '*', 'state', state)
  redis.call('EXPIRE', KEYS[key + 1], ttl)
  for same = key + 2, key + 3 do
    redis.call('ZREMRANGEBYSCORE', KEYS[same], '-inf', now)  -- or a popular clip's would grow on
    redis.call('ZADD', KEYS[same], ends, id)
    redis.call('EXPIRE', KEYS[same], ttl)
  end
  redis.call('HINCRBY', KEYS[3], state, 1)
  if state == 'queued' then
    if ARGV[4] == '1' then
      redis.call('ZREMRANGEBYSCORE', KEYS[4], '-inf', now)
      redis.call('ZADD', KEYS[4], ends, id); redis.call('EXPIRE', KEYS[4], ttl)
    end
    if ARGV[5] == '0' then redis.call('ZADD', KEYS[1], redis.call('INCR', KEYS[2]), id) end
  else
    ended(KEYS[key], id)
  end
  key, arg = key + 4, arg + 3 + size
end
if arg > 8 then redis.call('ZREM', KEYS[5], ARGV[7]) end
return {{}}
"""

CLAIM = f"""{NOW}{_ENDED}
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
local turns = redis.call('HGET', KEYS[1], 'turns') or '0'
if turns ~= ARGV[6] then return 'past' end
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
  ended(KEYS[1], ARGV[1])
  redis.call('HINCRBY', KEYS[5], 'failed', 1)
  redis.call('LPUSH', KEYS[7], ARGV[1]); redis.call('LTRIM', KEYS[7], 0, 999)
  redis.call('HSET', KEYS[8], cjson.decode(redis.call('HGET', KEYS[1], 'content')), ARGV[1])
  redis.call('XADD', KEYS[2], 'MAXLEN', '~', 256, '*', 'state', 'failed')
  redis.call('EXPIRE', KEYS[2], redis.call('TTL', KEYS[1]))
  return 'poison'
end
redis.call('ZADD', KEYS[4], string.format('%.6f', now + ARGV[3]), ARGV[1])
redis.call('HSET', KEYS[1], 'state', '"running"', 'holder', ARGV[2], 'attempts', attempts + 1,
           'started_at', string.format('%.6f', now))
if turns == '0' then redis.call('HSET', KEYS[1], 'stage', 'null', 'progress', '0') end
redis.call('HINCRBY', KEYS[5], 'running', 1)
redis.call('XADD', KEYS[2], 'MAXLEN', '~', 256, '*', 'state', 'running')
redis.call('EXPIRE', KEYS[2], redis.call('TTL', KEYS[1]))
return 'mine'
"""

MOVE = f"""{NOW}{_ENDED}
local state = redis.call('HGET', KEYS[1], 'state')
if not state then return 0 end
if state ~= '"queued"' and state ~= '"running"' then return 0 end
if ARGV[1] ~= '' and redis.call('HGET', KEYS[1], 'holder') ~= ARGV[1] then return 0 end
redis.call('HSET', KEYS[1], unpack(ARGV, 4))
if ARGV[3] ~= '' then
  redis.call('ZREM', KEYS[3], ARGV[2]); redis.call('ZREM', KEYS[4], ARGV[2])
  redis.call('HINCRBY', KEYS[5], ARGV[3], 1)
  ended(KEYS[1], ARGV[2])
  local began = tonumber(redis.call('HGET', KEYS[1], 'started_at'))
  if began and ARGV[1] ~= '' then
    redis.call('LPUSH', KEYS[6], string.format('%.6f', now - began))
    redis.call('LTRIM', KEYS[6], 0, 31)
  end
end
redis.call('XADD', KEYS[2], 'MAXLEN', '~', 256, '*', 'state', ARGV[3])
redis.call('EXPIRE', KEYS[2], redis.call('TTL', KEYS[1]))
return 1
"""

# What a job has found in its turn was filed before. Attempts are counted anew, because there was
# progress. KEYS: its record and events, queued, running, order. ARGV: holder, id, then fields.
PUT_BACK = f"""{NOW}
if redis.call('HGET', KEYS[1], 'holder') ~= ARGV[1] then return 0 end
if redis.call('HGET', KEYS[1], 'state') ~= '"running"' then return 0 end
redis.call('HSET', KEYS[1], 'state', '"queued"', 'holder', '', 'attempts', '0',
           'queued_at', string.format('%.6f', now), unpack(ARGV, 3))
local turns = redis.call('HINCRBY', KEYS[1], 'turns', 1)
redis.call('ZREM', KEYS[4], ARGV[2])
redis.call('ZADD', KEYS[3], redis.call('INCR', KEYS[5]), ARGV[2])
redis.call('XADD', KEYS[2], 'MAXLEN', '~', 256, '*', 'state', 'queued')
redis.call('EXPIRE', KEYS[2], redis.call('TTL', KEYS[1]))
return turns
"""

RENEW = f"""{NOW}
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

LOST = f"""{NOW}
return redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', string.format('%.6f', now), 'LIMIT', 0, 100)
"""

# When a place will be free for whoever is turned away now: after those who were turned away before,
# or all would come back at once for one place. It is kept for one who has a name, though never more
# than half of all. KEYS: until when places are promised, the places. ARGV: seconds until there is
# one, seconds that it takes to free theirs, the most seconds to tell anyone, the name, all places.
PROMISE = f"""{NOW}
local free = tonumber(redis.call('GET', KEYS[1]) or '0') + ARGV[2]
free = math.min(math.max(free, now + ARGV[1]), now + ARGV[3])
local wait, when = free - now, string.format('%.6f', free)
redis.call('SET', KEYS[1], when, 'PX', math.ceil(wait * 1000) + 1)
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now - {_KEPT_S})  -- nobody came for them
local known = redis.call('ZSCORE', KEYS[2], ARGV[4])
if ARGV[4] ~= '' and (known or 2 * redis.call('ZCARD', KEYS[2]) < tonumber(ARGV[5])) then
  redis.call('ZADD', KEYS[2], when, ARGV[4])
  redis.call('EXPIRE', KEYS[2], math.ceil(ARGV[3] + {_KEPT_S}))
end
return tostring(wait)
"""
