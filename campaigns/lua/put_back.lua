-- put_back: of the given rows, those that are neither final nor on their way are marked to be fed again, or recorded as failed where
-- a dead letter names them.
--
-- KEYS  1 campaign  2 progress  3 waiting  4 deferred  5 runs  6 flight  7 unknown  8 done  9 failed  10 again  11 reasons  12 running  13 parked
-- ARGV  1 campaign id  2 generation  3 age at which a released run is lost (ms)  4 the same for an admitted one of which no row is
--       in flight  5 the same after a retry was due  6 number of rows that dead letters name, then these, then the other rows
-- ->    { rows put back, rows recorded as failed }
--include clock
--include finish
if redis.call('HGET', KEYS[1], 'generation') ~= ARGV[2] then
  return { 0, 0 }
end
local now = now_ms()
local lost_after = { q = tonumber(ARGV[3]), a = tonumber(ARGV[4]), r = tonumber(ARGV[5]) }
local on_way = {}
for _, recipient in ipairs(redis.call('LRANGE', KEYS[3], 0, -1)) do
  on_way[string.match(recipient, '^%[(%d+)')] = true
end
for _, entry in ipairs(redis.call('LRANGE', KEYS[4], 0, -1)) do
  on_way[string.match(entry, '^%d+|%[(%d+)')] = true
end
for _, domain in ipairs(redis.call('ZRANGE', KEYS[13], 0, -1)) do
  for _, entry in ipairs(redis.call('LRANGE', KEYS[13] .. ':' .. domain, 0, -1)) do
    on_way[string.match(entry, '^%d+|%[(%d+)')] = true
  end
end
local runs = redis.call('HGETALL', KEYS[5])
for i = 1, #runs, 2 do
  local state, at, rows = string.match(runs[i + 1], '^(%a)|(%d+)|([%d,]*)$')
  local lost = now - tonumber(at) > lost_after[state]
  if lost and state == 'a' then
    for row in string.gmatch(rows, '%d+') do
      if redis.call('HEXISTS', KEYS[6], row) == 1 then
        lost = false
      end
    end
  end
  if lost then
    redis.call('HDEL', KEYS[5], runs[i])
  else
    for row in string.gmatch(rows, '%d+') do
      on_way[row] = true
    end
  end
end

local dead, back, failed = tonumber(ARGV[6]), 0, 0
for i = 7, #ARGV do
  local row = ARGV[i]
  if not on_way[row] and redis.call('GETBIT', KEYS[8], row) == 0 and redis.call('GETBIT', KEYS[9], row) == 0
      and redis.call('GETBIT', KEYS[10], row) == 0 and redis.call('HEXISTS', KEYS[6], row) == 0
      and not redis.call('ZSCORE', KEYS[7], row) then
    if i - 6 <= dead then
      redis.call('SETBIT', KEYS[9], row, 1)
      redis.call('HSETNX', KEYS[11], row, 'all attempts failed (dead letter)')
      failed = failed + 1
    else
      redis.call('SETBIT', KEYS[10], row, 1)
      back = back + 1
    end
  end
end
redis.call('HINCRBY', KEYS[2], 'again', back)
redis.call('HINCRBY', KEYS[2], 'failed', failed)
complete_if_done(KEYS[1], KEYS[2], KEYS[7], KEYS[12], ARGV[1], now)
return { back, failed }
