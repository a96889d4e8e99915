-- put_back: of the given rows, those that are neither final nor on their way are marked to be fed again, or recorded as
-- failed where a dead letter names them.
--
-- KEYS  campaign  progress  waiting  deferred  runs  flight  unknown  done  failed  again  reasons  running  parked
-- ARGV  campaign_id  generation  send_timeout_ms:int  dead_rows...  other_rows...
-- ->    { rows put back, rows recorded as failed }
--
-- send_timeout_ms: how long a send may take; dead_rows: those that dead letters name
--include clock
--include finish
--include rows
--- how long a released run may wait for a worker, beyond two sends; how long an admitted one may have no row in flight;
--- how long after its due time a retry may take to come (ms)
local RELEASED_LOST_MS = 30000
local ADMITTED_LOST_MS = 10000
local RETRY_LOST_MS = 45000

if redis.call('HGET', campaign, 'generation') ~= generation then
  return { 0, 0 }
end
local now = now_ms()
local lost_after = { q = RELEASED_LOST_MS + 2 * send_timeout_ms, a = ADMITTED_LOST_MS, r = RETRY_LOST_MS }
local on_way = {}
for _, recipient in ipairs(redis.call('LRANGE', waiting, 0, -1)) do
  on_way[string.match(recipient, '^%[(%d+)')] = true
end
for _, entry in ipairs(redis.call('LRANGE', deferred, 0, -1)) do
  on_way[string.match(entry, '^%d+|%[(%d+)')] = true
end
for _, domain in ipairs(redis.call('ZRANGE', parked, 0, -1)) do
  for _, entry in ipairs(redis.call('LRANGE', parked .. ':' .. domain, 0, -1)) do
    on_way[string.match(entry, '^%d+|%[(%d+)')] = true
  end
end
local entries = redis.call('HGETALL', runs)
for i = 1, #entries, 2 do
  local state, at, rows = string.match(entries[i + 1], '^(%a)|(%d+)|([%d,]*)$')
  local lost = now - tonumber(at) > lost_after[state]
  if lost and state == 'a' then
    for row in string.gmatch(rows, '%d+') do
      if redis.call('HEXISTS', flight, row) == 1 then
        lost = false
      end
    end
  end
  if lost then
    redis.call('HDEL', runs, entries[i])
  else
    for row in string.gmatch(rows, '%d+') do
      on_way[row] = true
    end
  end
end

local k = { done = done, failed = failed, again = again, flight = flight, unknown = unknown }
-- whether a row is neither final nor on its way
local function is_lost(row)
  return not on_way[row] and is_free(k, row)
end

local buried, back = 0, 0
for _, row in ipairs(dead_rows) do
  if is_lost(row) then
    redis.call('SETBIT', failed, row, 1)
    redis.call('HSETNX', reasons, row, 'all attempts failed (dead letter)')
    buried = buried + 1
  end
end
for _, row in ipairs(other_rows) do
  if is_lost(row) then
    redis.call('SETBIT', again, row, 1)
    back = back + 1
  end
end
redis.call('HINCRBY', progress, 'again', back)
redis.call('HINCRBY', progress, 'failed', buried)
complete_if_done(campaign, progress, unknown, running, campaign_id, now)
return { back, buried }
