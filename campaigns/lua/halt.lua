-- halt: the system itself pauses a running campaign, and says why. One that is paused already gets the reason where it has none.
--
-- KEYS  1 campaign  2 running   ARGV  1 campaign id  2 generation  3 reason
-- ->    1 where it has been paused. One whose hash cannot be read is taken out of the ring all the same
local state = redis.pcall('HMGET', KEYS[1], 'status', 'generation', 'reason')
if state.err then
  return redis.call('SREM', KEYS[2], ARGV[1])
end
if state[2] ~= ARGV[2] then
  return 0
end
if state[1] == 'paused' and not state[3] then
  redis.call('HSET', KEYS[1], 'reason', ARGV[3])
end
if state[1] ~= 'running' then
  return 0
end
redis.call('HSET', KEYS[1], 'status', 'paused', 'reason', ARGV[3])
redis.call('SREM', KEYS[2], ARGV[1])
return 1
