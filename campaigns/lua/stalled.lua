-- stalled: notes why a running campaign cannot be fed at the moment, and when it is worth trying again; the next slice
-- that is fed forgets the reason.
--
-- KEYS  campaign  progress
-- ARGV  generation  reason  again_ms:int
-- ->    1, or 0 where it does not run with this list
--
-- again_ms: the time until it is tried again
--include clock
local state = redis.call('HMGET', campaign, 'status', 'generation')
if state[1] ~= 'running' or state[2] ~= generation then
  return 0
end
redis.call('HSET', campaign, 'reason', reason)
redis.call('HSET', progress, 'feed_asked', 0, 'feed_after', now_ms() + again_ms)
return 1
