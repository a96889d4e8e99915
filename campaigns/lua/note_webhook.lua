-- note_webhook: notes what a provider's webhook has taken and refused lately.
--
-- KEYS  webhooks
-- ARGV  provider  taken_ms:int?  refused_ms:int?  reason  refusals(why count)...
-- ->    1
--
-- taken_ms: how long ago events were taken last, nil: not since the last call; refused_ms: the same of a request with a
-- signature that was wrong or too old; reason: what the answer to it said
-- refusals: how many requests were refused, by cause: unsigned, stale or wrong
--
-- $webhooks  hash: <provider>|last_event_at (ms), <provider>|<why>: how many refusals, <provider>|last_refused_at (ms),
--            <provider>|last_refused_reason. The last two are of requests that were signed
--include clock
local prefix, now = provider .. '|', now_ms()
if taken_ms then
  redis.call('HSET', webhooks, prefix .. 'last_event_at', now - taken_ms)
end
if refused_ms then
  redis.call('HSET', webhooks, prefix .. 'last_refused_at', now - refused_ms, prefix .. 'last_refused_reason', reason)
end
for why, count in refusals() do
  redis.call('HINCRBY', webhooks, prefix .. why, count)
end
return 1
