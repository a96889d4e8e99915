-- stalled: records why a running campaign gets no recipients from its list at the moment, and when to try again. The
-- next prefetched slice removes the reason.
--
-- KEYS  campaign  progress
-- ARGV  list_version  reason  again_ms:int
-- ->    1, or 0 where it does not run with this list
--
-- again_ms: the time until the next try
--include clock
local state = redis.call('HMGET', campaign, 'status', 'list_version')
if state[1] ~= 'running' or state[2] ~= list_version then
  return 0
end
redis.call('HSET', campaign, 'reason', reason)
redis.call('HSET', progress, 'prefetch_asked', 0, 'prefetch_after', now_ms() + again_ms)
return 1
