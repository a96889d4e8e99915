-- account: reads the circuit breaker of a provider's account and what the account has sent lately. It writes nothing.
--
-- KEYS  breaker  windows...
-- ->    { "closed", "open" or "half-open", the provider's words or "", emails admitted in the last minute }
--
-- windows: the account's own, or, where it keeps none, those of the campaigns that may have sent something lately
--include breaker
--include clock
--include window
local now = now_ms()
local state = breaker_state(breaker, now)
local why = state ~= 'closed' and redis.call('HGET', breaker, 'why') or ''
local sent = 0
for _, window in ipairs(windows) do
  sent = sent + window_count(window, now)
end
return { state, why, sent }
