-- put_back: of the given rows, those that are neither final nor on their way are marked to be refed, or recorded as
-- failed where a dead letter names them.
--
-- KEYS  campaign  progress  ready  requeued  batches  in_flight  unknown  done  failed  refeed  reasons  running  held
-- ARGV  campaign_id  list_version  send_timeout_ms:int  dead_rows...  other_rows...
-- ->    { rows put back, rows recorded as failed }
--
-- send_timeout_ms: how long a send may take; dead_rows: those that dead letters name
--include clock
--include finish
--include rows
--- how long a dispatched batch may wait for a worker, beyond two sends; how long an admitted one may have no row in
--- flight; how long after its due time a retry may take to come (ms)
local DISPATCHED_LOST_MS = 30000
local ADMITTED_LOST_MS = 10000
local RETRY_LOST_MS = 45000

if redis.call('HGET', campaign, 'list_version') ~= list_version then
  return { 0, 0 }
end
local now = now_ms()
local lost_after = { q = DISPATCHED_LOST_MS + 2 * send_timeout_ms, a = ADMITTED_LOST_MS, r = RETRY_LOST_MS }
local on_way = {}
for _, recipient in ipairs(redis.call('LRANGE', ready, 0, -1)) do
  on_way[string.match(recipient, '^%[(%d+)')] = true
end
for _, entry in ipairs(redis.call('LRANGE', requeued, 0, -1)) do
  on_way[string.match(entry, '^%d+|%[(%d+)')] = true
end
for _, domain in ipairs(redis.call('ZRANGE', held, 0, -1)) do
  for _, entry in ipairs(redis.call('LRANGE', held .. ':' .. domain, 0, -1)) do
    on_way[string.match(entry, '^%d+|%[(%d+)')] = true
  end
end
local entries = redis.call('HGETALL', batches)
for i = 1, #entries, 2 do
  local state, at, rows = string.match(entries[i + 1], '^(%a)|(%d+)|([%d,]*)$')
  local lost = now - tonumber(at) > lost_after[state]
  if lost and state == 'a' then
    for row in string.gmatch(rows, '%d+') do
      if redis.call('HEXISTS', in_flight, row) == 1 then
        lost = false
      end
    end
  end
  if lost then
    redis.call('HDEL', batches, entries[i])
  else
    for row in string.gmatch(rows, '%d+') do
      on_way[row] = true
    end
  end
end

local k = { done = done, failed = failed, refeed = refeed, in_flight = in_flight, unknown = unknown }
-- whether a row is neither final nor on its way
local function is_lost(row)
  return not on_way[row] and is_free(k, row)
end

local dead_lettered, back = 0, 0
for _, row in ipairs(dead_rows) do
  if is_lost(row) then
    redis.call('SETBIT', failed, row, 1)
    redis.call('HSETNX', reasons, row, 'all attempts failed (dead letter)')
    dead_lettered = dead_lettered + 1
  end
end
for _, row in ipairs(other_rows) do
  if is_lost(row) then
    redis.call('SETBIT', refeed, row, 1)
    back = back + 1
  end
end
redis.call('HINCRBY', progress, 'refeed', back)
redis.call('HINCRBY', progress, 'failed', dead_lettered)
complete_if_done(campaign, progress, unknown, running, campaign_id, now)
return { back, dead_lettered }
