-- stalled: notes why a running campaign cannot be fed at the moment, and when it is worth trying again; the next slice that is fed
-- forgets the reason.
--
-- KEYS  1 campaign  2 progress   ARGV  1 generation  2 reason  3 time until it is tried again (ms)
-- ->    1, or 0 where it does not run with this list
--include clock
local state = redis.call('HMGET', KEYS[1], 'status', 'generation')
if state[1] ~= 'running' or state[2] ~= ARGV[1] then
  return 0
end
redis.call('HSET', KEYS[1], 'reason', ARGV[2])
redis.call('HSET', KEYS[2], 'feed_asked', 0, 'feed_after', now_ms() + ARGV[3])
return 1
