-- stalled: notes why a running campaign cannot be fed at the moment; the next slice that is fed forgets it.
--
-- KEYS  1 campaign   ARGV  1 generation  2 reason   -> 1, or 0 where it does not run with this list
local state = redis.call('HMGET', KEYS[1], 'status', 'generation')
if state[1] ~= 'running' or state[2] ~= ARGV[1] then
  return 0
end
redis.call('HSET', KEYS[1], 'reason', ARGV[2])
return 1
