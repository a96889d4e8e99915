-- note_webhook: notes that a provider's webhook has taken events, or has refused a request.
--
-- KEYS  webhooks
-- ARGV  provider  why?  reason
-- ->    1
--
-- why: of a refusal: unsigned, stale or wrong; nil: events were taken. reason: what the answer said
--
-- $webhooks  hash: <provider>|last_event_at (ms), <provider>|<why>: how many refusals, <provider>|last_refused_at (ms),
--            <provider>|last_refused_reason. The last two are of requests that were signed
--include clock
local prefix = provider .. '|'
if not why then
  redis.call('HSET', webhooks, prefix .. 'last_event_at', now_ms())
  return 1
end
redis.call('HINCRBY', webhooks, prefix .. why, 1)
if why ~= 'unsigned' then
  redis.call('HSET', webhooks, prefix .. 'last_refused_at', now_ms(), prefix .. 'last_refused_reason', reason)
end
return 1
