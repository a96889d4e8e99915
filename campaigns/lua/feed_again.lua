-- feed_again: takes rows that were put back (lost, retried, resent) onto the waiting side, in one step with their marks.
--
-- KEYS  1 campaign  2 progress  3 waiting  4 again  5 done  6 failed
-- ARGV  1 generation  2... row, recipient in turn
-- ->    as feed
--
-- $again  bitmap by row: to be fed once more; progress.again counts its bits
--include clock
--include enqueue
local state = redis.call('HMGET', KEYS[1], 'status', 'generation')
if state[2] ~= ARGV[1] or (state[1] ~= 'running' and state[1] ~= 'paused') then
  return { -1 }
end
local bytes, fed = 0, 0
for i = 2, #ARGV, 2 do
  if redis.call('SETBIT', KEYS[4], ARGV[i], 0) == 1 then
    redis.call('HINCRBY', KEYS[2], 'again', -1)
    if redis.call('GETBIT', KEYS[5], ARGV[i]) == 0 and redis.call('GETBIT', KEYS[6], ARGV[i]) == 0 then
      redis.call('RPUSH', KEYS[3], ARGV[i + 1])
      bytes, fed = bytes + #ARGV[i + 1], fed + 1
    end
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
return { waiting, redis.call('HINCRBY', KEYS[2], 'waiting_bytes', bytes), state[1] }
