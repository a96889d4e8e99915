-- feed_again: takes rows that were put back (lost, retried, resent) onto the waiting side, in one step with their marks. Those that
-- yield no recipient any more fail.
--
-- KEYS  1 campaign  2 progress  3 waiting  4 again  5 done  6 failed  7 unknown  8 reasons  9 running
-- ARGV  1 campaign id  2 generation  3 number of rows that fail  4... these rows, then row, recipient in turn
-- ->    as feed
--
-- $again  bitmap by row: to be fed once more; progress.again counts its bits
--include clock
--include enqueue
--include finish
--include unfeedable
local state = redis.call('HMGET', KEYS[1], 'status', 'generation')
if state[2] ~= ARGV[2] or (state[1] ~= 'running' and state[1] ~= 'paused') then
  return { -1 }
end
-- takes a row's mark away -> whether it had one
local function unmark(row)
  if redis.call('SETBIT', KEYS[4], row, 0) == 0 then
    return false
  end
  redis.call('HINCRBY', KEYS[2], 'again', -1)
  return true
end
local first, bytes, fed, unfeedable = 4 + ARGV[3], 0, 0, {}
for i = 4, first - 1 do
  if unmark(ARGV[i]) then
    unfeedable[#unfeedable + 1] = ARGV[i]
  end
end
for i = first, #ARGV, 2 do
  if unmark(ARGV[i]) and redis.call('GETBIT', KEYS[5], ARGV[i]) == 0 and redis.call('GETBIT', KEYS[6], ARGV[i]) == 0 then
    redis.call('RPUSH', KEYS[3], ARGV[i + 1])
    bytes, fed = bytes + #ARGV[i + 1], fed + 1
  end
end
redis.call('HSET', KEYS[2], 'feed_asked', now_ms())
local waiting = redis.call('LLEN', KEYS[3])
if state[1] == 'running' then
  redis.call('HDEL', KEYS[1], 'reason')
  if fed > 0 and waiting == fed then
    wake('release')
  end
end
local k = { campaign = KEYS[1], progress = KEYS[2], done = KEYS[5], failed = KEYS[6], unknown = KEYS[7], reasons = KEYS[8], running = KEYS[9] }
fail_unfeedable(k, ARGV[1], unfeedable, now_ms())
return { waiting, redis.call('HINCRBY', KEYS[2], 'waiting_bytes', bytes), state[1] }
